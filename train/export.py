"""A trained network as an ONNX file that other programs run: python -m train.export CHECKPOINT OUT.onnx"""

import argparse
import sys
from pathlib import Path

from train.answer.onnx import to_onnx
from train.commands import FAULT, run
from train.learn import checkpoint
from train.task import UsageError


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m train.export", description="Write a network as ONNX.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        to_onnx(*checkpoint.load(options.checkpoint), options.out)
    except UsageError as error:
        print(f"export: {error}", file=sys.stderr)
        return FAULT
    return 0


if __name__ == "__main__":
    run(main)
