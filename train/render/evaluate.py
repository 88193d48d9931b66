"""How well a network reads the rendered hand: the chart, and random renders by letter and by skin tone.

python -m train.render.evaluate [--model FILE]; with --photos it reads photos within their hands' boxes as well, which
is the measure of a network that learned from renders only.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from train.commands import faults_in_words, json_line, run
from train.data.pictures import PictureError
from train.hands.training.photos import at_most, list_photos, open_hand
from train.predict import reader_for
from train.render.chart import FOLDER, GROUNDS
from train.render.poses import LETTERS
from train.render.vary import renders

LESSON_CONTEXT = 1.15  # of a hand's size: the square that the lesson's network sees in the pictures it learned from
FIFTHS = ("lightest", "light", "middle", "dark", "darkest")  # of the skin tones


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; prints a JSON object for the chart, the renders, and each folder of photos."""
    parser = argparse.ArgumentParser(prog="python -m train.render.evaluate", description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", type=Path, help="a network that reads signs; default: the shipped one for photos")
    parser.add_argument("--count", type=int, default=1000, help="random renders, each letter in turn; 0 for none")
    parser.add_argument("--seed", type=int, default=0, help="of the renders")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write renders that were misread there, to look at")
    parser.add_argument("--photos", type=Path, action="append", default=[], metavar="FOLDER",
                        help="read these photos, too, within their hands' boxes; repeatable")  # fmt: skip
    parser.add_argument("--per-letter", type=int, default=1000, help="at most this many photos of a letter and signer")
    options = parser.parse_args(arguments)
    reader = reader_for("asl", options.model)
    for ground in GROUNDS:
        chart = ((letter, _answer(reader, Image.open(FOLDER / ground / f"{letter}.webp"))) for letter in LETTERS)
        print(json_line({"chart": ground, **figures(chart)}), flush=True)
    if options.count:
        print(json_line(read_renders(reader, options.count, options.seed, options.keep)), flush=True)
    for folder in options.photos:
        print(json_line({"photos": str(folder), **read_boxes(reader, folder, options.per_letter)}), flush=True)
    return 0


def figures(answers: Iterable[tuple[str, str | None]]) -> dict:
    """Of (true letter, answer or None where it was refused): n, correct, refused, and what each letter was taken for.

    `wrong` has "n of m" and the answers, most often first, for each letter that was not always right.
    """
    answers = list(answers)
    wrong: dict[str, Counter] = {}
    for letter, answer in answers:
        wrong.setdefault(letter, Counter())[answer or "refused"] += answer != letter
    count = Counter(letter for letter, _ in answers)
    told = {}
    for letter, others in sorted(wrong.items()):
        if others.total():
            taken = ", ".join(f"{name} {times}" for name, times in (+others).most_common())
            told[letter] = f"{others.total()} of {count[letter]}: {taken}"
    correct = sum(letter == answer for letter, answer in answers)
    refused = sum(answer is None for _, answer in answers)
    return {"n": len(answers), "correct": correct, "accuracy": round(correct / max(len(answers), 1), 4),
            "refused": refused, "wrong": told}  # fmt: skip


def read_renders(reader, count: int, seed: int, keep: Path | None = None) -> dict:
    """Figures of random renders, read whole as photos are; and how many were right in each fifth of the skin tones."""
    answers, fifths = [], {name: [0, 0] for name in FIFTHS}
    for number, one in enumerate(renders(LETTERS, count, np.random.default_rng(seed))):
        answer = _answer(reader, Image.fromarray(one.pixels))
        answers.append((one.pose, answer))
        fifth = fifths[FIFTHS[min(int(one.tone * 5), 4)]]
        fifth[0] += answer == one.pose
        fifth[1] += 1
        if keep and answer != one.pose:
            keep.mkdir(parents=True, exist_ok=True)
            name = f"{one.pose}-{answer or 'none'}-{number:04d}-tone{one.tone:.2f}.png"
            Image.fromarray(one.pixels).save(keep / name)
    by_tone = {name: f"{right} of {n}" for name, (right, n) in fifths.items()}
    return {"renders": seed, **figures(answers), "by_tone": by_tone}


def read_boxes(reader, folder: Path, per_letter: int) -> dict:
    """Figures of a folder's photos of the still letters, each read within its hand's box. Raises UsageError."""
    answers, within = [], getattr(reader, "reader", reader)  # the lesson's network in photos has a reader of its own
    context = LESSON_CONTEXT if within is not reader else 1.0
    for photo in at_most(list_photos(folder), per_letter):
        if photo.letter and photo.letter in LETTERS:
            try:
                picture, box = open_hand(photo)
            except PictureError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            box = tuple(np.array(box) + (context - 1) / 2 * (np.array(box) - np.roll(box, 2)))
            answers.append((photo.letter, within.read(picture, box=box, quick=context > 1).label))
    return figures(answers)


def _answer(reader, picture: Image.Image) -> str | None:
    [[reading]] = reader.read_many([picture])
    return reading.label


if __name__ == "__main__":
    run(main)
