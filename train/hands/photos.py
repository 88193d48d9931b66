"""Photos of hand signs in folders become crops to learn from: pictures by letter, or pictures with YOLO boxes."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from train.data.images import NO_CLASS, Images
from train.data.pictures import PictureError, on_ground, open_picture
from train.hands.boxes import Box, in_pixels, yolo_box
from train.hands.crop import LONGEST, STORED_CONTEXT, STORED_SIDE, box_without_finder, crop
from train.hands.cut_outs import alpha_of, is_cut_out, outline_of
from train.task import LETTERS, UsageError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".heic", ".heif", ".tif", ".tiff"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIGNER = re.compile(r"([A-Za-z]+\d+)_")  # hand3_a_bot_seg_1.jpeg was signed by hand3

Finder = Callable[[Image.Image], Box | None]


@dataclass(frozen=True)
class Photo:
    """A picture file, the letter it shows, who or what set it belongs to, and the hand's box if it is known."""

    file: Path
    letter: str  # A..Z: folders may have J and Z, which are not among the labels
    group: str
    box: Box | None = None  # each edge relative to the picture's width or height


def list_photos(folder: Path) -> list[Photo]:
    """The photos of a folder in either form, in order of their names.

    A folder for each letter (torchvision's ImageFolder layout: DIR/A/1.jpg), or DIR/images with YOLO boxes in
    DIR/labels (class x y width height; classes 0..25 are A..Z). Raises UsageError.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        photos = [photo for file in _pictures(folder / "images") for photo in _with_yolo_box(folder, file)]
    else:
        photos = []
        for sub in sorted(folder.iterdir(), key=lambda sub: sub.name.upper()):
            if sub.is_dir() and sub.name.upper() in ALPHABET and len(sub.name) == 1:
                for file in _pictures(sub):
                    signer = SIGNER.match(file.name)
                    photos.append(Photo(file, sub.name.upper(), signer[1] if signer else folder.name))
    if not photos:
        raise UsageError(
            f"there are no photos in {folder}: it needs a folder for each letter (A, B, ...), or the folders images "
            "and labels with YOLO boxes"
        )
    return photos


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def _with_yolo_box(folder: Path, file: Path) -> Iterator[Photo]:
    labelled = yolo_box(folder / "labels" / f"{file.stem}.txt")
    if labelled is not None:  # none, or several hands: no single letter to learn
        kind, box = labelled
        name = folder.name if folder.name not in ("train", "valid", "test") else f"{folder.parent.name}-{folder.name}"
        yield Photo(file, ALPHABET[kind], name, box)


def open_hand(photo: Photo, finder: Finder | None = None) -> tuple[Image.Image, Box]:
    """The picture, RGB or (cut out on black) RGBA, and its hand's box in pixels. Raises PictureError.

    Where no box is given, a cut-out hand's is its outline's, and otherwise the finder says; if it finds nothing,
    the middle of the picture is taken.
    """
    picture = open_picture(photo.file, longest=LONGEST)
    if photo.box is not None:
        return on_ground(picture), in_pixels(photo.box, picture)
    if is_cut_out(picture):
        colours = picture.convert("RGB")
        return Image.merge("RGBA", (*colours.split(), alpha_of(colours))), outline_of(colours)
    picture = on_ground(picture)
    return picture, (finder and finder(picture)) or box_without_finder(picture)


@dataclass(frozen=True)
class Crops:
    """Stored crops, RGBA (N, 4, 256, 256), wide enough to be varied; and each one's group (signer or set)."""

    images: Images
    groups: tuple[str, ...]


def load_crops(photos: Sequence[Photo], finder: Finder | None = None, tell: Callable[[str], None] = print) -> Crops:
    """Crops of all photos; those of J and Z, which move, are labelled NO_CLASS. Unreadable ones are told, left out."""
    pixels, labels, groups = [], [], []
    for photo in photos:
        try:
            picture, box = open_hand(photo, finder)
        except PictureError as error:
            tell(f"left out: {error}")
            continue
        stored = crop(picture, box, STORED_CONTEXT, STORED_SIDE)
        if stored.shape[2] == 3:
            stored = np.dstack([stored, np.full(stored.shape[:2], 255, np.uint8)])
        pixels.append(torch.tensor(stored).permute(2, 0, 1))
        labels.append(LETTERS.index(photo.letter) if photo.letter in LETTERS else NO_CLASS)
        groups.append(photo.group)
    if not pixels:
        raise UsageError("none of the photos can be used")
    return Crops(Images(torch.stack(pixels), torch.tensor(labels)), tuple(groups))


def set_aside(names: Sequence[str], share: float, seed: int) -> list[bool]:
    """Which of the pictures to learn nothing from: that share of their names by seed. Those named alike go together."""
    different = sorted(set(names))
    order = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen = {different[index] for index in order[: round(len(different) * share)]}
    return [name in chosen for name in names]
