"""Photos of hand signs in folders become crops to learn from: by letter, with YOLO boxes, or rendered ones."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from train.data.images import Images
from train.data.pictures import PictureError, on_ground, open_picture
from train.hands.boxes import Box, in_pixels, yolo_box
from train.hands.crop import LONGEST, STORED_CONTEXT, STORED_SIDE, box_without_finder, crop
from train.hands.networks import NOTHING, OTHER
from train.hands.scenes.cut_outs import alpha_of, is_cut_out, outline_of
from train.task import LETTERS, UsageError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".heic", ".heif", ".tif", ".tiff"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIGNER = re.compile(r"([A-Za-z]+\d+)_")  # hand3_a_bot_seg_1.jpeg is by signer hand3

# The letters, if any, that Turkish number signs look like. 1 and 4 are left out: some people's are nearly D and B.
DIGITS = {"0": "O", "2": "V", "6": "W", "9": "F", "3": "", "5": "", "7": "", "8": ""}
RENDERED = "rendered"  # the group of hands that were drawn by train.render
FOLDS = 5  # groups that people who gave one picture of each digit are divided into, in the pictures' order

Finder = Callable[["Photo", Image.Image], Box | None]


@dataclass(frozen=True)
class Photo:
    """A picture file, the letter it shows, who or what set it belongs to, and the hand's box if it is known."""

    file: Path
    letter: str  # A..Z, or "" for a hand that shows no letter; stills of J and Z, which move, show no letter either
    group: str
    box: Box | None = None  # each edge relative to the picture's width or height


def list_photos(folder: Path) -> list[Photo]:
    """The photos of a folder in either form, in order of their names.

    A folder for each letter (torchvision's ImageFolder layout: DIR/A/1.jpg), or DIR/images with YOLO boxes in
    DIR/labels (class x y width height; classes 0..25 are A..Z), or a folder for each digit, DIR/0 to DIR/9: hands
    that show digits, of which four look like letters and four do not; or what `python -m train.render` wrote. Raises
    UsageError.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    if (folder / "labels.jsonl").is_file():
        photos = _rendered(folder)
    elif (folder / "images").is_dir() and (folder / "labels").is_dir():
        photos = [photo for file in _pictures(folder / "images") for photo in _with_yolo_box(folder, file)]
    else:
        photos = []
        for sub in sorted(folder.iterdir(), key=lambda sub: sub.name.upper()):
            if sub.is_dir() and sub.name in DIGITS:
                files = sorted(_pictures(sub), key=lambda file: (len(file.stem), file.stem))
                groups = [f"{folder.name}{index * FOLDS // len(files)}" for index in range(len(files))]
                photos += [Photo(file, DIGITS[sub.name], g) for file, g in zip(files, groups, strict=True)]
            if sub.is_dir() and sub.name.upper() in ALPHABET and len(sub.name) == 1:
                for file in _pictures(sub):
                    signer = SIGNER.match(file.name)
                    photos.append(Photo(file, sub.name.upper(), signer[1] if signer else folder.name))
    if not photos:
        raise UsageError(
            f"there are no photos in {folder}: it needs a folder for each letter (A, B, ...) or digit, or the folders "
            "images and labels with YOLO boxes"
        )
    return photos


def _rendered(folder: Path) -> list[Photo]:
    photos = []
    for number, line in enumerate((folder / "labels.jsonl").read_text("utf-8").splitlines(), 1):
        try:
            one = json.loads(line)
            file, letter, box = folder / one["file"], one["letter"] or "", [float(edge) for edge in one["box"]]
            with Image.open(file) as picture:
                width, height = picture.size
            photos.append(Photo(file, letter, RENDERED, tuple(np.divide(box, (width, height) * 2).tolist())))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{folder / 'labels.jsonl'} is not as train.render writes it, line {number}: {error}"
            ) from None
    return photos


def at_most(photos: Sequence[Photo], count: int) -> list[Photo]:
    """At most `count` photos of each sign and group, evenly spaced: neighbours are often copies of each other.

    Photos whose hand's box is given are all taken: they are of many people, or rendered.
    """
    alike: dict[tuple[str, str, str], list[Photo]] = {}
    boxed = [photo for photo in photos if photo.box]
    for photo in photos:
        if not photo.box:
            alike.setdefault((photo.group, photo.letter, photo.file.parent.name), []).append(photo)
    few = [
        same[i * len(same) // min(count, len(same))] for same in alike.values() for i in range(min(count, len(same)))
    ]
    return boxed + few


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
    return picture, (finder and finder(photo, picture)) or box_without_finder(picture)


@dataclass(frozen=True)
class Crops:
    """Stored crops, RGBA (N, 4, 256, 256), wide enough to be varied; and each one's group (signer or set)."""

    images: Images  # labels are places in networks.ANSWERS
    groups: tuple[str, ...]


def load_crops(
    photos: Sequence[Photo], finder: Finder | None = None, tell: Callable[[str], None] = print, beside: float = 0.0,
    seed: int = 0,
) -> Crops:  # fmt: skip
    """Crops of all photos, and of a part beside the hand in the share `beside` of them.

    Unreadable photos are reported by `tell` and left out. Raises UsageError if none is left.
    """
    rng = np.random.default_rng(seed)
    pixels, labels, groups = [], [], []

    def keep(stored: np.ndarray, label: int, photo: Photo) -> None:
        if stored.shape[2] == 3:
            stored = np.dstack([stored, np.full(stored.shape[:2], 255, np.uint8)])
        pixels.append(torch.tensor(stored).permute(2, 0, 1))
        labels.append(label)
        groups.append(photo.group)

    for photo in photos:
        try:
            picture, box = open_hand(photo, finder)
        except PictureError as error:
            tell(f"left out: {error}")
            continue
        label = LETTERS.index(photo.letter) if photo.letter in LETTERS and photo.letter else OTHER
        keep(crop(picture, box, STORED_CONTEXT, STORED_SIDE), label, photo)
        if picture.mode == "RGB" and photo.group != RENDERED and rng.random() < beside:
            empty = place_beside(box, picture.size, rng)
            if empty:
                keep(crop(picture, empty, STORED_CONTEXT / 2, STORED_SIDE), NOTHING, photo)
    if not pixels:
        raise UsageError("none of the photos can be used")
    return Crops(Images(torch.stack(pixels), torch.tensor(labels)), tuple(groups))


def place_beside(box: Box, size: tuple[int, int], rng: np.random.Generator) -> Box | None:
    """A square of a picture of that size that the hand, and a tenth around it, does not reach; None if none is found.

    Faces, shoulders, arms and rooms: what a finder may take for a hand where people are in view.
    """
    grow = 0.1 * max(box[2] - box[0], box[3] - box[1])
    for _ in range(12):
        side = min(size) * rng.uniform(0.25, 0.75)
        left, top = rng.uniform(0, 1, 2) * (np.array(size) - side)
        if left + side < box[0] - grow or left > box[2] + grow or top + side < box[1] - grow or top > box[3] + grow:
            return left, top, left + side, top + side
    return None


def set_aside(names: Sequence[str], share: float, seed: int) -> list[bool]:
    """Which pictures to set aside: a share of the different names, by seed. Pictures of the same name go together."""
    different = sorted(set(names))
    order = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen = {different[index] for index in order[: round(len(different) * share)]}
    return [name in chosen for name in names]
