"""Read a hand sign with the lesson's network: the hand, or the middle of the photo, as 28 x 28 grey pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from train.answer.frozen import Classifier
from train.answer.reading import Reading, class_activation, ranked, softmax
from train.data.pictures import on_ground, open_picture
from train.hands.boxes import Box
from train.hands.crop import crop, middle, square
from train.learn.metadata import default_path
from train.task import Message

LESSON_SIDE = 28  # pixels of the square that the network sees


class LessonSignReader:
    """Loads the checkpoint once; then reads any number of photos. It has no finder and takes any crop for a hand."""

    def __init__(self, path: Path | str | None = None):
        """Raises CheckpointError if the checkpoint (default: the shipped one) is missing or cannot be used."""
        self.network = Classifier.opened(path or default_path("asl"), "asl")
        self.about = self.network.about

    def read(self, photo, box: Box | None = None, quick: bool = False) -> Reading:
        """The sign in one photo (a path, bytes, PIL image or array), within the box if one is given.

        The box is made a square first, as the network learned from squares; without one the photo's middle is taken.
        The reading's box is what was really read; it may reach over the photo's edge. `quick` draws no heat map.
        Raises PictureError.
        """
        picture = on_ground(open_picture(photo))
        scale = picture.info["scale"]  # a box counts the pixels of the picture as it was sent
        box = square(tuple(edge / scale for edge in box) if box else middle(picture), context=1)
        seen = np.asarray(Image.fromarray(crop(picture, box, context=1, side=LESSON_SIDE)).convert("L"))
        _, scores, shares = self.network(seen[None, None])
        top = ranked(self.about.labels, softmax(scores, self.about.temperature)[0])
        label, confidence = top[0]
        note = "" if confidence >= self.about.unsure_below else _either(label, top[1][0])
        box = tuple(edge * scale for edge in box)
        return Reading(label, confidence, top, note, seen, None if quick else class_activation(shares)[0], box)

    def read_many(self, photos: Sequence) -> list[list[Reading]]:
        """One reading in a list for each photo. Raises PictureError."""
        return [[self.read(photo)] for photo in photos]


def _either(first: str, second: str) -> Message:
    return Message("Not sure: {first} or {second}.", code="sign.either", first=first, second=second)
