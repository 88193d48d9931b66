"""Render hands to learn from: python -m train.render --letters A..Y --out DIR --count 1000 --seed 0"""

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from train.commands import faults_in_words, run
from train.render.poses import LETTERS, letter_forms, other_poses
from train.task import UsageError


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m train.render",
        description="Draw hands that sign letters: pictures in DIR/<LETTER>/, those of none in DIR/none/, and "
        "DIR/labels.jsonl with a line for each: file, letter, pose, side, box, 21 keypoints, tone, hand.",
    )
    parser.add_argument("--letters", default="A..Y", help="such as ABC or A..Y (default); none for no letter")
    parser.add_argument("--forms", default="", metavar="NAMES",
                        help=f"other forms of letters, by commas, or all: {', '.join(letter_forms())}")  # fmt: skip
    parser.add_argument("--others", default="", metavar="NAMES",
                        help=f"hands that show no letter, by commas, or all: {', '.join(other_poses())}")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=1000, help="pictures altogether, each pose in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=224, help="of the square pictures, in pixels (default 224)")
    parser.add_argument("--grounds", type=Path, metavar="DIR", help="pictures to set the hands on (default: drawn)")
    options = parser.parse_args(arguments)
    names = [*letters(options.letters), *named(options.forms, letter_forms()), *named(options.others, other_poses())]
    if not names:
        raise UsageError("nothing to draw: give --letters, --forms or --others")
    if options.count < 1 or options.side < 32:
        raise UsageError("--count must be at least 1 and --side at least 32")
    _write(names, options)
    return 0


def letters(text: str) -> list[str]:
    """The still letters that a text names: "A..E", "ABX", "none". Raises UsageError."""
    text = text.upper().replace(",", "").replace(" ", "")
    if text in ("", "NONE"):
        return []
    if len(text) == 4 and text[1:3] == "..":
        chosen = [letter for letter in LETTERS if text[0] <= letter <= text[3]]
    else:
        chosen = list(text)
    wrong = sorted(set(chosen) - set(LETTERS))
    if wrong or not chosen:
        raise UsageError(f"--letters takes letters A to Y without J, which moves; not {', '.join(wrong) or text}")
    return chosen


def named(text: str, there: Iterable[str]) -> list[str]:
    """Those of the hands that are there which a text names: "open,three", "all". Raises UsageError."""
    there = list(there)
    chosen = there if text == "all" else [name for name in text.split(",") if name]
    wrong = sorted(set(chosen) - set(there))
    if wrong:
        raise UsageError(f"there is no hand {', '.join(wrong)}; there are {', '.join(there)}")
    return chosen


def _write(names: list[str], options: argparse.Namespace) -> None:
    try:
        from train.render.vary import renders
    except ImportError as error:
        raise UsageError(f'drawing needs VTK: pip install -e ".[render]" ({error})') from None
    start, worked, rng = time.perf_counter(), time.process_time(), np.random.default_rng(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "labels.jsonl", "w", encoding="utf-8") as lines:
        for number, one in enumerate(renders(names, options.count, rng, options.side, options.grounds)):
            file = Path(one.letter or "none") / f"{number:06d}.jpg"
            (options.out / file).parent.mkdir(exist_ok=True)
            Image.fromarray(one.pixels).save(options.out / file, quality=95)
            about = {"file": file.as_posix(), "letter": one.letter, "pose": one.pose, "side": options.side,
                     "box": [round(edge, 1) for edge in one.box], "keypoints": one.keypoints.round(1).tolist(),
                     "tone": round(one.tone, 2), "hand": "left" if one.left else "right"}  # fmt: skip
            lines.write(json.dumps(about) + "\n")
    each, processor = (1000 * s / options.count for s in (time.perf_counter() - start, time.process_time() - worked))
    print(f"{options.count:,} pictures in {options.out}, {each:.0f} ms each, {processor:.0f} ms of processor time")


if __name__ == "__main__":
    run(main)
