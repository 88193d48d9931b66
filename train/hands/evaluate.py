"""How well photos of hand signs are read: accuracy, refusals and a confusion table for folders of photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.data.pictures import PictureError, open_picture
from train.hands.photos import Photo, list_photos
from train.hands.reader import SignReader
from train.task import LETTERS

BATCH = 32


@dataclass(frozen=True)
class Answered:
    """One photo's true letter and what was answered: a letter, or None where it was refused."""

    photo: Photo
    answer: str | None
    confidence: float
    sure: bool


def read_folder(folder: Path, reader: SignReader) -> list[Answered]:
    """Read all photos of a folder, whole, with no box given. Raises UsageError."""
    photos = list_photos(folder)
    answered = []
    for at in range(0, len(photos), BATCH):
        opened = [(photo, _open(photo, reader.longest)) for photo in photos[at : at + BATCH]]
        opened = [(photo, picture) for photo, picture in opened if picture is not None]
        for (photo, _), [reading] in zip(opened, reader.read_many([p for _, p in opened]), strict=True):
            answered.append(Answered(photo, reading.label, reading.confidence, reading.sure))
    return answered


def _open(photo: Photo, longest: int):
    try:
        return open_picture(photo.file, longest)
    except PictureError as error:
        print(f"left out: {error}")
        return None


def summary(answered: Sequence[Answered]) -> dict:
    """Figures over the 24 letters: {"n", "correct", "accuracy", "refused", "unsure"}; and of J and Z how many sure."""
    letters = [one for one in answered if one.photo.letter in LETTERS]
    moving = [one for one in answered if one.photo.letter not in LETTERS]
    correct = sum(one.answer == one.photo.letter for one in letters)
    result = {
        "n": len(letters),
        "correct": correct,
        "accuracy": correct / max(len(letters), 1),
        "refused": sum(one.answer is None for one in letters),
        "unsure": sum(one.answer is not None and not one.sure for one in letters),
    }
    if moving:
        result |= {"j_and_z": len(moving), "j_and_z_sure": sum(one.sure for one in moving)}
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
