"""A trained network as an ONNX file that other programs run: python -m train.export CHECKPOINT OUT.onnx

python -m train.export --graphs [NETWORK...] makes anew what reading runs, after a network's layers were changed.
"""

import argparse
from pathlib import Path

from train.answer.graphs import MADE, write_graphs
from train.answer.onnx import to_onnx
from train.commands import faults_in_words, run
from train.learn import checkpoint


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m train.export", description="Write a network as ONNX.")
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--graphs", nargs="*", metavar="NETWORK",
                        help="make the graphs in assets/graphs anew, of these networks or of all")  # fmt: skip
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.graphs or () if name not in MADE]:
        parser.error(f"there is no graph of {unknown[0]}; there are: {', '.join(MADE)}")
    if options.graphs is None and options.out is None:
        parser.error("give a checkpoint, and the file to write")
    if options.graphs is not None:
        for file in write_graphs(networks=tuple(options.graphs) or tuple(MADE)):
            print(f"{file.stat().st_size:>9,}  {file}")
    else:
        to_onnx(*checkpoint.load(options.checkpoint), options.out)
    return 0


if __name__ == "__main__":
    run(main)
