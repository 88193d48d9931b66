"""Photos of hand signs in folders become crops to learn from: pictures by letter, or pictures with YOLO boxes."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from train.data.images import NO_CLASS, Images
from train.data.pictures import PictureError, on_ground, open_picture
from train.hands.crop import STORED_CONTEXT, STORED_SIDE, Box, crop, whole
from train.task import LETTERS, UsageError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".heic", ".heif", ".tif", ".tiff"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIGNER = re.compile(r"([A-Za-z]+\d+)_")  # hand3_a_bot_seg_1.jpeg was signed by hand3
LONGEST = 1280  # pixels that larger photos are shrunk to

Finder = Callable[[Image.Image], Box | None]


@dataclass(frozen=True)
class Photo:
    """A picture file, the letter it shows, who or what set it belongs to, and the hand's box if it is known."""

    file: Path
    letter: str  # A..Z: folders may have J and Z, which are not among the labels
    group: str
    box: tuple[float, float, float, float] | None = None  # middle x, middle y, width, height, each 0..1


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
    label = folder / "labels" / f"{file.stem}.txt"
    lines = [line.split() for line in label.read_text().splitlines()] if label.is_file() else []
    lines = [line for line in lines if line]
    if len(lines) != 1:
        return  # none, or several hands: no single letter to learn
    try:
        kind, *box = lines[0]
        x, y, width, height = map(float, box)
        name = folder.name if folder.name not in ("train", "valid", "test") else f"{folder.parent.name}-{folder.name}"
        yield Photo(file, ALPHABET[int(kind)], name, (x, y, width, height))
    except (ValueError, IndexError):
        raise UsageError(f"{label}, line 1: expected a class 0..25 and a box of four numbers") from None


def open_hand(photo: Photo, finder: Finder | None = None) -> tuple[Image.Image, Box]:
    """The picture, RGB or (cut out on black) RGBA, and its hand's box in pixels. Raises PictureError.

    Where no box is given, a cut-out hand's is its outline's, and otherwise the finder says; if it finds nothing,
    the middle of the picture is taken.
    """
    picture = open_picture(photo.file, longest=LONGEST)
    if photo.box is not None:
        x, y, wide, high = photo.box
        width, height = picture.size
        box = (x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height
        return on_ground(picture), box
    cut_out = _cut_out(picture)
    if cut_out:
        return cut_out
    picture = on_ground(picture)
    return picture, (finder and finder(picture)) or whole(picture)


def _cut_out(picture: Image.Image) -> tuple[Image.Image, Box] | None:
    """A hand cut out on pure black: the picture with its alpha, and the outline's box; None for other pictures."""
    colours = np.asarray(picture.convert("RGB"))
    brightest = colours.max(2)
    border = np.concatenate([brightest[0], brightest[-1], brightest[:, 0], brightest[:, -1]])
    if (border < 12).mean() < 0.6 or (brightest < 12).mean() < 0.15:
        return None
    mask = brightest > 28
    if mask.mean() < 0.02:
        return None
    rows, columns = np.nonzero(mask)
    left, right = np.percentile(columns, (0.3, 99.7))
    top, bottom = np.percentile(rows, (0.3, 99.7))
    alpha = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
    alpha = alpha.point([min(max(int((value - 90) * 2.2), 0), 255) for value in range(256)])  # its rim is shadow
    return Image.merge("RGBA", (*Image.fromarray(colours).split(), alpha)), (left, top, right + 1, bottom + 1)


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
