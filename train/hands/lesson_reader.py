"""Read a hand sign with the lesson's network: the hand, or the middle of the photo, as 28 x 28 grey pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import MaxPool2d

from train.answer.reading import Reading, class_activation, ranked
from train.data.pictures import on_ground, open_picture
from train.hands.boxes import Box
from train.hands.crop import crop, middle, square
from train.learn import checkpoint
from train.task import Message

LESSON_SIDE = 28  # pixels of the square that the network sees


class LessonSignReader:
    """Loads the checkpoint once; then reads any number of photos. It finds no hands: it takes any crop for one."""

    def __init__(self, path: Path | str | None = None):
        """Raises CheckpointError if the checkpoint (default: the shipped one) is missing or cannot be used."""
        self.model, self.about = checkpoint.load(path or checkpoint.default_path("asl"), "asl")

    def read(self, photo, box: Box | None = None, quick: bool = False) -> Reading:
        """The sign in one photo (a path, bytes, PIL image or array), within the box if one is given.

        The box is made a square first, for the network saw squares; without one the middle of the photo is taken.
        The reading's box is what was really read; it may reach over the photo's edge. `quick` draws no heat map.
        Raises PictureError.
        """
        picture = on_ground(open_picture(photo))
        scale = picture.info["scale"]  # a box counts the pixels of the picture as it was sent
        box = square(tuple(edge / scale for edge in box) if box else middle(picture), context=1)
        seen = np.asarray(Image.fromarray(crop(picture, box, context=1, side=LESSON_SIDE)).convert("L"))
        pixels = torch.from_numpy(seen.copy())[None, None].float() / 255
        probabilities, looked = self._look((pixels - self.about.mean) / self.about.std)
        top = ranked(self.about.labels, probabilities)
        label, confidence = top[0]
        note = "" if confidence >= self.about.unsure_below else _either(label, top[1][0])
        box = tuple(edge * scale for edge in box)
        return Reading(label, confidence, top, note, seen, None if quick else looked, box)

    def read_many(self, photos: Sequence) -> list[list[Reading]]:
        """One reading in a list for each photo. Raises PictureError."""
        return [[self.read(photo)] for photo in photos]

    def _look(self, pixels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """(1, 1, 28, 28) float -> (24,) probabilities and (28, 28) heat in 0..1."""
        layers = list(self.model.features)
        last = len(layers) - isinstance(
            layers[-1], MaxPool2d
        )  # before the last pooling the map is 7 x 7, after it 3 x 3
        with torch.enable_grad():
            maps = pixels
            for layer in layers[:last]:
                maps = layer(maps)
            maps = maps.detach().requires_grad_()
            scores = maps
            for layer in layers[last:]:
                scores = layer(scores)
            scores = self.model.classifier(scores)
            (gradient,) = torch.autograd.grad(scores.max(), maps)
        probabilities = (scores.detach() / self.about.temperature).softmax(dim=1)[0]
        return probabilities.numpy(), class_activation(maps.detach().numpy(), gradient.numpy())[0]


def _either(first: str, second: str) -> Message:
    return Message("Not sure: {first} or {second}.", code="sign.either", first=first, second=second)
