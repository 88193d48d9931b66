"""Measure the digit reader as people use it: python -m train.digits.evaluate [--strokes FILE]

Pen strokes of writers never learned from, as movements and as PNG files of both polarities; scribbles and letters,
which are to be refused; and how far the confidences can be trusted.
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np

from train.answer.reading import Reading
from train.commands import faults_in_words, run
from train.data.splits import load_test
from train.digits.extra import BRUSHES, MEASURING_FONT, MEASURING_WRITERS, SHEET, on_sheet
from train.digits.reader import DigitReader
from train.digits.scribbles import LETTERS, LIKE_DIGITS, fonts, letter, scribble
from train.digits.strokes import draw, load_pen_digits
from train.fast.machine import Plan
from train.learn import checkpoint
from train.learn.calibrate import calibration_error
from train.learn.fit import scores_of
from train.task import MNIST, UsageError

UNSURE = 0.5  # an answer with less confidence than this counts as none


def on_test_set(file: Path, folder: Path | None = None) -> dict:
    """Right answers on MNIST's test images, and the calibration error before and after the temperature."""
    model, about = checkpoint.load(file, "mnist")
    images = load_test(MNIST, folder=folder)
    scores = scores_of(model, images, MNIST, Plan())
    return {
        "measure": "MNIST test",
        "n": len(images),
        "accuracy": (scores.argmax(1) == images.labels).double().mean().item(),
        "calibration_error_before": calibration_error(scores.softmax(1), images.labels),
        "calibration_error": calibration_error((scores / about.temperature).softmax(1), images.labels),
        "temperature": about.temperature,
    }


def on_strokes(reader: DigitReader, file: Path, seed: int = 0, most: int | None = None) -> list[dict]:
    """Pen strokes of writers that nothing was learned from, at the position and scale they were written at.

    Each digit is drawn on a pad of SHEET pixels with a round brush of its own radius, and read thrice: as movements,
    as a PNG file with bright ink on dark, and as one with dark ink on light.
    """
    digits = [digit for digit in load_pen_digits(file) if digit.writer >= MEASURING_WRITERS[0]]
    if not digits:
        raise UsageError(f"{file} has no digits of writers {MEASURING_WRITERS[0]} and above")
    random = np.random.default_rng(seed)
    radii = random.uniform(*BRUSHES, len(digits))
    chosen = random.permutation(len(digits))[:most]
    rows = []
    for way in ("movements", "PNG, bright on dark", "PNG, dark on light"):
        right = refused = 0
        for index in chosen.tolist():
            digit, strokes = digits[index], on_sheet(digits[index])
            if way == "movements":
                readings = reader.read_strokes(strokes, (SHEET, SHEET))
            else:
                ink, ground = (255, 0) if way.endswith("dark") else (0, 255)
                readings = reader.read(_png(draw(strokes, (SHEET, SHEET), radii[index], ink, ground).convert("RGB")))
            right += _label(readings) == str(digit.label)
            refused += any(reading.label is None for reading in readings)
        rows.append({"measure": f"pen strokes as {way}", "n": len(chosen), "accuracy": right / len(chosen),
                     "refused": refused / len(chosen), "seed": seed})  # fmt: skip
    return rows


def on_what_is_no_digit(reader: DigitReader, count: int = 1000, seed: int = 1) -> list[dict]:
    """The share of non-digits refused or read with less than 50 %: scribbles, and letters in fonts never learned from.

    Without such a font on this machine, Pillow's own, which was learned from, is used: "fonts" says so.
    """
    random = np.random.default_rng(seed)
    unseen = [font for font in fonts() if font.getname()[0].startswith(MEASURING_FONT)]
    faces = unseen or fonts()[:1]
    scribbles = [_doubted(reader.read_strokes([s * 2 + 40 for s in scribble(random)], (SHEET, SHEET)))
                 for _ in range(count // 2)]  # fmt: skip
    drawn = [draw([s * 2 + 40 for s in scribble(random)], (SHEET, SHEET), random.uniform(3, 10), 0, 255)
             for _ in range(count // 2)]  # fmt: skip
    scribbles += [_doubted(reader.read(_png(picture))) for picture in drawn]
    which = [LETTERS[index % len(LETTERS)] for index in range(count)]
    letters = [_doubted(reader.read(_png(letter(random, c, faces[random.integers(len(faces))])))) for c in which]
    clear = [doubt for c, doubt in zip(which, letters, strict=True) if c not in LIKE_DIGITS]
    about = {"seed": seed, "fonts": len(unseen) or "only Pillow's own"}
    return [
        {"measure": "scribbles doubted", "n": len(scribbles), "share": float(np.mean(scribbles)), "seed": seed},
        {"measure": "letters doubted", "n": len(letters), "share": float(np.mean(letters)), **about},
        {"measure": f"letters but {LIKE_DIGITS} doubted", "n": len(clear), "share": float(np.mean(clear)), **about},
    ]


def _doubted(readings: list[Reading]) -> bool:
    """Whether every part was refused or read with less than UNSURE confidence."""
    return all(reading.label is None or reading.confidence < UNSURE for reading in readings)


def _label(readings: list[Reading]) -> str:
    return "".join(reading.label or "?" for reading in readings)


def _png(picture) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line: a JSON object for each measure."""
    parser = argparse.ArgumentParser(prog="python -m train.digits.evaluate", description="Measure the digit reader.")
    parser.add_argument("--strokes", type=Path, help="pen strokes, in the form of UCI's pendigits-orig")
    parser.add_argument("--checkpoint", type=Path, help="default: the one in checkpoints/")
    parser.add_argument("--data", type=Path, help="the folder of MNIST, if not in the usual places")
    parser.add_argument("--seed", type=int, default=0, help="of brushes, scribbles and letters (default 0)")
    options = parser.parse_args(arguments)
    file = options.checkpoint or checkpoint.default_path("mnist")
    rows = [on_test_set(file, options.data)]
    reader = DigitReader(file)
    rows += on_strokes(reader, options.strokes, options.seed) if options.strokes else []
    rows += on_what_is_no_digit(reader, seed=options.seed + 1)
    for row in rows:
        print(json.dumps(row))
    return 0


if __name__ == "__main__":
    run(main)
