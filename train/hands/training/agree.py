"""Boxes for photos that have none: where the finder sees a hand and the reader reads the known letter.

So training can use whole webcam frames for which nobody drew boxes. The reader is that of an earlier training.

python -m train.hands.training.agree DIR ... --out FILE keeps the boxes, so that the hands need not be looked for again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from train.answer.frozen import frozen
from train.answer.reading import softmax
from train.commands import faults_in_words, run
from train.data.pictures import PictureError
from train.hands.boxes import Box, in_pixels
from train.hands.crop import as_input, crop
from train.hands.finder import FrozenFinder, closer_look, first_look
from train.hands.finder_network import HandFinder, shipped_finder
from train.hands.networks import HandReader
from train.hands.places import parts, resized
from train.hands.training.photos import Finder, Photo, at_most, list_photos, open_hand
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.task import UsageError

AGREED = 0.8  # the letter's probability from which no further place is looked at
LEAST = 0.4  # the letter's probability under which the two do not agree: the finder's own box is taken


class Agreement:
    """Says where the hand is in a photo whose letter is known."""

    def __init__(self, finder: HandFinder, reader: HandReader, about: Metadata):
        self.network, self.about = frozen(reader, about), about
        self.finder = FrozenFinder.of(finder, self.network)

    @classmethod
    def shipped(cls) -> "Agreement | None":
        """The shipped finder and reader; None where these are missing (the middle of a picture is then taken)."""
        try:
            return cls(shipped_finder(), *checkpoint.load(checkpoint.default_path("asl", "photos")))
        except checkpoint.CheckpointError:
            return None

    def __call__(self, photo: Photo, picture: Image.Image) -> Box | None:
        """The hand's box in the picture's pixels; None where the letter is none of the 24 and no hand is found."""
        places = first_look(self.finder, [picture])[0].hands
        # without palms: boxes by landmarks are closer, and networks that learned from them read no better
        score, box = closer_look(self.finder, picture, places[0], at_palms=[])
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
        maps = self.network("early", as_input(np.stack([crop(picture, box) for box in boxes])))
        shares = softmax(self.network("tail", *maps)[0], self.about.temperature)
        return shares[:, self.about.labels.index(letter)].tolist()


def kept_boxes(file: Path) -> dict[str, Box]:
    """The boxes that this module's command kept, by `key_of` a photo. Raises UsageError for any other file."""
    try:
        kept = json.loads(Path(file).read_text("utf-8"))
        return {name: tuple(map(float, box)) for name, box in kept.items() if len(box) == 4}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{file} holds no boxes of hands: {error}") from None


def by_boxes(kept: dict[str, Box], otherwise: Finder | None = None) -> Finder:
    """A finder that looks a photo up in kept boxes, and asks `otherwise` about photos without one."""

    def find(photo: Photo, picture: Image.Image) -> Box | None:
        box = kept.get(key_of(photo))
        return in_pixels(box, picture) if box else otherwise and otherwise(photo, picture)

    return find


def key_of(photo: Photo) -> str:
    """What a photo is called in a file of boxes: its file's name and the two folders that it lies in."""
    return "/".join(photo.file.parts[-3:])


@faults_in_words(OSError)
def main(arguments: list[str] | None = None) -> int:
    """Write a JSON file {photo: [left, top, right, bottom]}, relative to the picture's width and height."""
    parser = argparse.ArgumentParser(prog="python -m train.hands.training.agree", description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="of photos, as for training")
    parser.add_argument("--per-letter", type=int, default=1000, metavar="N", help="at most N of a letter and signer")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    photos = [photo for folder in options.folders for photo in list_photos(folder)]
    agreement, boxes = Agreement.shipped(), {}
    for number, photo in enumerate(at_most(photos, options.per_letter)):
        try:
            picture, box = open_hand(photo, agreement)
        except PictureError as error:
            print(f"left out: {error}")
            continue
        boxes[key_of(photo)] = [round(edge / side, 4) for edge, side in zip(box, picture.size * 2, strict=True)]
        if number % 100 == 99:
            print(f"looked for the hand in {number + 1:,} photos", flush=True)
    options.out.write_text(json.dumps(boxes, indent=0), "utf-8")
    print(f"{len(boxes):,} boxes in {options.out}")
    return 0


if __name__ == "__main__":
    run(main)
