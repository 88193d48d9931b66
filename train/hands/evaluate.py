"""How well photos of hand signs are read: accuracy, refusals and a confusion table for folders of photos.

python -m train.hands.evaluate --features FILE --leave-out GROUPS FOLDER... trains without those people and reads them.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.data.pictures import PictureError, open_picture
from train.fast.machine import plan
from train.hands.fit_photos import Features, about_network, assembled, load_features, splits_of, start, to_watch
from train.hands.networks import HandBackbone, HandHead
from train.hands.photos import Photo, at_most, list_photos
from train.hands.reader import SignReader
from train.learn import checkpoint
from train.learn.fit import fit
from train.task import HANDS, LETTERS, Recipe, UsageError


@dataclass(frozen=True)
class Answered:
    """One photo's true letter and what was answered: a letter, or None where it was refused."""

    photo: Photo
    answer: str | None
    confidence: float
    sure: bool


def read_folder(folder: Path, reader: SignReader) -> list[Answered]:
    """Read all photos of a folder, whole, with no box given. Raises UsageError."""
    return read_photos(list_photos(folder), reader)


def read_photos(photos: Sequence[Photo], reader: SignReader) -> list[Answered]:
    """Read photos whole, with no box given; unreadable ones are told and left out."""
    answered = []
    for photo in photos:
        picture = _open(photo, reader.longest)
        if picture is not None:
            [[reading]] = reader.read_many([picture])
            answered.append(Answered(photo, reading.label, reading.confidence, reading.sure))
    return answered


def _open(photo: Photo, longest: int):
    try:
        return open_picture(photo.file, longest)
    except PictureError as error:
        print(f"left out: {error}")
        return None


def summary(answered: Sequence[Answered]) -> dict:
    """Figures over the 24 letters: {"n", "correct", "accuracy", "refused", "unsure", "sure_correct"}.

    And of J and Z, and of hands that show no letter, how many got one without doubt.
    """
    letters = [one for one in answered if one.photo.letter and one.photo.letter in LETTERS]
    moving = [one for one in answered if one.photo.letter in ("J", "Z")]
    others = [one for one in answered if not one.photo.letter]
    correct = sum(one.answer == one.photo.letter for one in letters)
    result = {
        "n": len(letters),
        "correct": correct,
        "accuracy": correct / max(len(letters), 1),
        "refused": sum(one.answer is None for one in letters),
        "unsure": sum(one.answer is not None and not one.sure for one in letters),
        "sure_correct": sum(one.sure and one.answer == one.photo.letter for one in letters),
    }
    if moving:
        result |= {"j_and_z": len(moving), "j_and_z_sure": sum(one.sure for one in moving)}
    if others:
        result |= {"no_letter": len(others), "no_letter_sure": sum(one.sure for one in others)}
    return result


def confusion_table(answered: Sequence[Answered]) -> str:
    """A row for each letter: how many, how many right, refused, and what else was answered, most often first."""
    lines = ["letter  photos  right  refused  read as"]
    for letter in sorted({one.photo.letter for one in answered}):
        rows = [one for one in answered if one.photo.letter == letter]
        others = [one.answer for one in rows if one.answer not in (letter, None)]
        wrong = ", ".join(
            f"{name} {others.count(name)}" for name in sorted(set(others), key=lambda n: -others.count(n))
        )
        right, refused = sum(one.answer == letter for one in rows), sum(one.answer is None for one in rows)
        lines.append(f"{letter:<8}{len(rows):>6}{right:>7}{refused:>9}  {wrong}".rstrip())
    return "\n".join(lines)


def without(groups: Sequence[str], features: Features, head: HandHead | None, recipe: Recipe, seed: int) -> SignReader:
    """A reader whose photo network learned from all but those groups; it uses the shipped finder."""
    run = start(recipe, plan("cpu"), seed, head)
    for _ in fit(run, splits_of(features, to_watch(features.groups, groups))):
        pass
    finder = checkpoint.load(checkpoint.FOLDER / "hand-finder.safetensors")[0]
    return SignReader.of(assembled(run, HandBackbone().load_pretrained()), about_network(), finder)


def leave_out_main(arguments: list[str] | None = None) -> int:
    """The command line; a JSON object for each set of people left out and each folder."""
    parser = argparse.ArgumentParser(prog="python -m train.hands.evaluate", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="of photos, as for training")
    parser.add_argument("--features", type=Path, required=True, help="what training kept with --features")
    parser.add_argument("--leave-out", action="append", required=True, metavar="GROUP,...",
                        help="people not to learn from, and then to read; once for each training")  # fmt: skip
    parser.add_argument("--start", type=Path, help="a network to go on from; it must not know these people")
    parser.add_argument("--per-letter", type=int, default=1000, help="read at most so many photos of each letter")
    parser.add_argument("--lr", type=float, help="learning rate at its peak; default: the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        features = load_features(options.features)
        photos = [photo for folder in options.folders for photo in list_photos(folder)]
        head = checkpoint.load(options.start, "asl")[0].head if options.start else None
        recipe = HANDS.recipe("photos").but(learning_rate=options.lr)
        for names in options.leave_out:
            groups = names.split(",")
            reader = without(groups, features, head, recipe, options.seed)
            for group in groups:
                chosen = at_most([photo for photo in photos if photo.group == group], options.per_letter)
                if chosen:
                    print(json.dumps({"left_out": group, **summary(read_photos(chosen, reader))}), flush=True)
    except UsageError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(leave_out_main())
