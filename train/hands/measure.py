"""How photos of hand signs were answered, in figures: accuracy, refusals, certainty, a confusion table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from train.answer.reading import Reading
from train.data.pictures import PictureError, open_picture
from train.hands.boxes import Box, in_pixels, iou
from train.hands.reader import SignReader
from train.hands.training.photos import Photo, list_photos
from train.task import LETTERS

OTHER_HAND = "sign.other"  # the code of the answer "a hand, but none of the 24 letters"
LETTER = re.compile(r"\b[A-Y]\b")
FOUND = 0.5  # intersection over union with the true box from which a hand counts as found
GREY = 3.0  # CIELAB b* up to which a colour is too grey or blue to be skin
# Individual typology angles, in degrees, from which skin has each name (Del Bino and Bernerd, 2013), lightest first.
TONES = {"very light": 55, "light": 41, "intermediate": 28, "tan": 10, "brown": -30, "dark": -90}


@dataclass(frozen=True)
class Answered:
    """One photo's true letter and what was answered: a letter, or None where it was refused."""

    photo: Photo
    answer: str | None
    confidence: float
    sure: bool
    named: tuple[str, ...] = ()  # letters named as possible, where the answer is in doubt
    why: str = ""  # the code of the note given with the answer, or instead of it
    light: float = 0.0  # 0..1, how bright the photo is on average
    box: Box | None = None  # of the hand, in the photo's pixels
    skin: float | None = None  # individual typology angle of the hand, degrees; None where it cannot be told
    overlap: float | None = None  # of that box with the true one, intersection over union; None where none is known

    @classmethod
    def by(cls, reading: Reading, photo: Photo, picture: Image.Image) -> "Answered":
        """What a reading says of a photo."""
        note = reading.note
        named = tuple(LETTER.findall(" ".join(map(str, getattr(note, "values", {}).values()))))
        skin = skin_angle(picture, reading.box) if reading.box else None
        light = float(np.asarray(picture.convert("L").resize((16, 16))).mean() / 255)
        why = getattr(note, "code", "")
        overlap = _overlap(reading.box, photo, picture)
        return cls(
            photo, reading.label, reading.confidence, reading.sure, named, why, light, reading.box, skin, overlap
        )


def _overlap(box: Box | None, photo: Photo, picture: Image.Image) -> float | None:
    if photo.box is None:
        return None
    return float(iou(box, in_pixels(photo.box, picture))) if box else 0.0


def read_folder(folder: Path, reader: SignReader) -> list[Answered]:
    """Read all photos of a folder, whole, with no box given. Raises UsageError."""
    return read_photos(list_photos(folder), reader)


def read_photos(photos: Sequence[Photo], reader: SignReader) -> list[Answered]:
    """Read photos whole, with no box given; unreadable ones are reported and left out."""
    answered = []
    for photo in photos:
        picture = _open(photo, reader.longest)
        if picture is not None:
            [[reading]] = reader.read_many([picture])
            answered.append(Answered.by(reading, photo, picture))
    return answered


def _open(photo: Photo, longest: int) -> Image.Image | None:
    try:
        return open_picture(photo.file, longest)
    except PictureError as error:
        print(f"left out: {error}")
        return None


def skin_angle(picture: Image.Image, box: Box) -> float | None:
    """The individual typology angle of the median colour in the middle of a hand's box, in degrees: high is light.

    The arc tangent of (L* - 50) / b* in CIELAB (Chardon et al., 1991). Light and white balance go into it, too; None
    where the colour is grey or bluish, as no skin is.
    """
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    wide, high = (max((box[i + 2] - box[i]) / 6, 1) for i in (0, 1))
    left, top = min(max(x - wide, 0), picture.width - 1), min(max(y - high, 0), picture.height - 1)
    middle = picture.convert("RGB").crop(
        (int(left), int(top), int(max(x + wide, left + 1)), int(max(y + high, top + 1)))
    )
    colour = np.median(np.asarray(middle).reshape(-1, 3), axis=0) / 255
    light = np.where(colour > 0.04045, ((colour + 0.055) / 1.055) ** 2.4, colour / 12.92)
    y_of, z_of = np.cbrt([light @ (0.2126, 0.7152, 0.0722), light @ (0.0193, 0.1192, 0.9505) / 1.089])
    lightness, yellow = 116 * y_of - 16, 200 * (y_of - z_of)
    return float(np.degrees(np.arctan((lightness - 50) / yellow))) if yellow > GREY else None


def tone(angle: float) -> str:
    """What skin of that individual typology angle is called."""
    return next(name for name, least in TONES.items() if angle >= least or name == "dark")


def summary(answered: Sequence[Answered]) -> dict:
    """Figures over the 24 letters: {"n", "correct", "accuracy", "refused", "unsure", "sure_correct", ...}.

    "no_letter" counts letters taken for hands that show none; "named", of those "in_doubt", how often the right
    letter is among those named. "j_and_z_sure" and "others_sure" count the photos of J and Z, and of hands that show
    no letter, that got a letter without doubt. Of the photos whose hand's box is known, "boxed", "found" counts those
    read at a box that overlaps it by FOUND. "light" and "skin" are medians over the photos.
    """
    letters = [one for one in answered if one.photo.letter and one.photo.letter in LETTERS]
    moving = [one for one in answered if one.photo.letter in ("J", "Z")]
    others = [one for one in answered if not one.photo.letter]
    correct = sum(one.answer == one.photo.letter for one in letters)
    doubted = [one for one in letters if one.named]
    result = {
        "n": len(letters),
        "correct": correct,
        "accuracy": correct / max(len(letters), 1),
        "refused": sum(one.answer is None for one in letters),
        "no_letter": sum(one.why == OTHER_HAND for one in letters),
        "unsure": sum(one.answer is not None and not one.sure for one in letters),
        "sure_correct": sum(one.sure and one.answer == one.photo.letter for one in letters),
        "in_doubt": len(doubted),
        "named": sum(one.photo.letter in one.named for one in doubted),
    }
    if moving:
        result |= {"j_and_z": len(moving), "j_and_z_sure": sum(one.sure for one in moving)}
    if others:
        result |= {"others": len(others), "others_sure": sum(one.sure for one in others)}
    overlaps = [one.overlap for one in answered if one.overlap is not None]
    if overlaps:
        result |= {"boxed": len(overlaps), "found": sum(overlap >= FOUND for overlap in overlaps)}
    angles = [one.skin for one in answered if one.skin is not None]
    if len(angles) > len(answered) / 2:
        angle = float(np.median(angles))
        result |= {"skin": f"{tone(angle)} ({angle:.0f} degrees)"}
    if answered:
        result |= {"light": round(float(np.median([one.light for one in answered])), 2)}
    return result


def confusion_table(answered: Sequence[Answered]) -> str:
    """A row for each letter: photos, how many were right or refused, and the wrong answers, most frequent first."""
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
