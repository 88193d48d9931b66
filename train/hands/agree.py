"""Boxes for photos that have none: where the finder sees a hand and the reader the letter that is shown.

So a set of whole webcam frames can be learned from, though nobody drew its boxes. The reader is the one from before.
"""

import numpy as np
from PIL import Image

from train.answer.frozen import frozen
from train.answer.reading import softmax
from train.hands.boxes import Box
from train.hands.crop import as_input, crop
from train.hands.finder import FrozenFinder, first_look, second_look
from train.hands.finder_network import HandFinder
from train.hands.networks import HandReader
from train.hands.photos import Photo
from train.hands.places import parts, resized
from train.learn import checkpoint
from train.learn.checkpoint import Metadata

AGREED = 0.8  # the letter's probability from which no further place is looked at
LEAST = 0.4  # and under which nothing is agreed: the finder's own place is taken


class Agreement:
    """Says where the hand is in a photo whose letter is known."""

    def __init__(self, finder: HandFinder, reader: HandReader, about: Metadata):
        self.network, self.about = frozen(reader, about), about
        self.finder = FrozenFinder.of(finder, lambda pixels: self.network("eyes", pixels)[0])

    @classmethod
    def shipped(cls) -> "Agreement | None":
        """By the shipped finder and reader; None where there are none (the middle of a picture is taken then)."""
        try:
            finder = checkpoint.load(checkpoint.FOLDER / "hand-finder.safetensors")[0]
            return cls(finder, *checkpoint.load(checkpoint.default_path("asl", "photos")))
        except checkpoint.CheckpointError:
            return None

    def __call__(self, photo: Photo, picture: Image.Image) -> Box | None:
        places = first_look(self.finder, [picture])[0]
        score, box = second_look(self.finder, [picture], places[:1])[0]
        if photo.letter not in self.about.labels:
            return box if score >= self.finder.least else None
        steps = ([box], [resized(box, 0.75)], [resized(box, 0.6), *parts(box), *(other for _, other in places[1:])])
        best, surest = box, LEAST
        for boxes in steps:
            shares = self._shares(picture, boxes, photo.letter)
            if max(shares) > surest:
                best, surest = boxes[int(np.argmax(shares))], max(shares)
            if surest >= AGREED:
                break
        return best

    def _shares(self, picture: Image.Image, boxes: list[Box], letter: str) -> list[float]:
        """The letter's probability at each of the boxes."""
        maps = self.network("eyes", as_input(np.stack([crop(picture, box) for box in boxes])))[0]
        shares = softmax(self.network("head", maps)[0], self.about.temperature)
        return shares[:, self.about.labels.index(letter)].tolist()
