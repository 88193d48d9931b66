"""Boxes for photos that have none: where the finder sees a hand and the reader the letter that is shown.

So a set of whole webcam frames can be learned from, though nobody drew its boxes. The reader is the one from before.
"""

import numpy as np
import torch
from PIL import Image

from train.hands.boxes import Box
from train.hands.crop import crop
from train.hands.eyes import Eyes
from train.hands.finder import HandFinder, first_look, second_look
from train.hands.networks import HandReader, pooled
from train.hands.photos import Photo
from train.hands.places import parts, resized
from train.learn import checkpoint
from train.learn.checkpoint import Metadata

AGREED = 0.8  # the letter's probability from which no further place is looked at
LEAST = 0.4  # and under which nothing is agreed: the finder's own place is taken


class Agreement:
    """Says where the hand is in a photo whose letter is known."""

    def __init__(self, finder: HandFinder, reader: HandReader, about: Metadata):
        self.look = Eyes(reader.backbone)
        self.finder, self.head, self.about = finder, reader.head.eval(), about
        self.finder.share(self.look, Eyes(finder))

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
            return box if score >= float(self.finder.least) else None
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
        crops = torch.from_numpy(np.stack([crop(picture, box) for box in boxes])).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            scores = self.head(pooled(self.look(crops))) / self.about.temperature
        return scores.softmax(1)[:, self.about.labels.index(letter)].tolist()
