"""Scenes to train the finder: photos and cut-out hands moved, turned and set on other grounds, with the hand's box."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from train.hands.boxes import Box, yolo_box
from train.hands.finder import CLOSER, VIEW_SIDE
from train.hands.scenes.cut_outs import alpha_of
from train.hands.scenes.no_hands import no_hand
from train.task import UsageError

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
SOURCE_LONGEST = 416  # pixels that are kept of a source's longer side


@dataclass(frozen=True)
class Source:
    """A picture with one hand at a known place, or none."""

    file: Path
    box: Box | None  # of the hand, each number relative to the picture's width or height
    cut_out: bool = False  # the hand alone, on black


def yolo_sources(folder: Path) -> list[Source]:
    """Pictures `images/x.jpg` with boxes `labels/x.txt` (class, middle x, middle y, width, height, relative)."""
    sources = []
    for file in _pictures(folder / "images"):
        labelled = yolo_box(folder / "labels" / f"{file.stem}.txt")
        if labelled is not None:
            sources.append(Source(file, labelled[1]))
    return sources


def boxed_sources(folder: Path, boxes: Path) -> list[Source]:
    """Pictures anywhere in a folder, with their boxes in a JSON file: {path in the folder: [l, t, r, b], relative}."""
    return [Source(folder / name, tuple(box)) for name, box in json.loads(boxes.read_text()).items()]


def cut_out_sources(folder: Path) -> list[Source]:
    """Hands cut out on black; the box is around what is not black, with a margin of 6 %. Raises UsageError."""
    sources = []
    for file in _pictures(folder):
        alpha = np.asarray(alpha_of(_open(file))) > 127
        rows, columns = alpha.any(1).nonzero()[0], alpha.any(0).nonzero()[0]
        if len(rows):
            height, width = alpha.shape
            margin = 0.06 * max(np.ptp(rows), np.ptp(columns))
            box = (columns[0] - margin, rows[0] - margin, columns[-1] + margin, rows[-1] + margin)
            sources.append(Source(file, tuple(np.array(box) / (width, height, width, height)), cut_out=True))
    return sources


def empty_sources(folder: Path) -> list[Source]:
    """Pictures without a hand, anywhere in a folder."""
    return [Source(file, None) for file in _pictures(folder)]


@dataclass(frozen=True)
class Scene:
    """What the finder sees, and what it should say."""

    pixels: np.ndarray  # (192, 192, 3) uint8
    box: Box | None  # in these pixels; None = there is no hand
    file: Path  # of the source, even where the scene does not show it


def scene(
    sources: Sequence[Source], grounds: Sequence[Source], empty: float, rng: Generator, near: bool = False
) -> Scene:
    """A new scene.

    Args:
        sources: with a hand; one of them is chosen.
        grounds: pictures whose parts may lie behind: with a hand (then away from it) or without.
        empty: share of scenes without a hand, 0..1.
        near: as the second look sees it, with the hand about in the middle, rather than at any size and place.
    """
    source = sources[rng.integers(len(sources))]
    if rng.random() < empty:
        return Scene(np.asarray(_nothing(grounds, source, rng)), None, source.file)
    return _placed(source, grounds, rng, near)


def _placed(source: Source, grounds: Sequence[Source], rng: Generator, near: bool) -> Scene:
    """The source's hand at any size and place; outside the source there is black or a ground."""
    picture = _open(source.file)
    box = np.array(source.box) * (picture.size * 2)
    way = rng.random()
    as_is = not source.cut_out and not near and way < 0.35
    if as_is:  # the whole photo, as people hand it in
        size, middle, angle = max(box[2:] - box[:2]) * VIEW_SIDE / max(picture.size), None, rng.normal(0, 0.08)
        size *= rng.uniform(0.85, 1.1)
    elif near:
        size = VIEW_SIDE / CLOSER * np.exp(rng.normal(0, 0.28))
        middle, angle = VIEW_SIDE / 2 + rng.normal(0, 0.16, 2) * size, rng.normal(0, 0.2)
    else:
        size = VIEW_SIDE * np.exp(rng.uniform(np.log(0.15), np.log(0.95)))
        free = max(VIEW_SIDE - size, 0) / 2
        middle = VIEW_SIDE / 2 + rng.uniform(-1, 1, 2) * (free + 0.1 * size)
        angle = rng.normal(0, 0.25)
    zoom = size / max(box[2:] - box[:2])
    if middle is None:
        middle = VIEW_SIDE / 2 + zoom * ((box[:2] + box[2:]) / 2 - np.array(picture.size) / 2) + rng.normal(0, 4, 2)
    warp = _Warp(box, middle, zoom * np.exp(rng.normal(0, 0.08, 2)), angle, mirrored=rng.random() < 0.5)
    hand, mask = (
        warp.picture(picture),
        warp.picture(alpha_of(picture) if source.cut_out else Image.new("L", picture.size, 255)),
    )
    if source.cut_out or (not as_is and rng.random() < (0.4 if near else 0.8)):
        behind = _ground(grounds, rng)
    else:
        behind = Image.new("RGB", (VIEW_SIDE, VIEW_SIDE))
    if rng.random() < 0.5:  # no seam
        mask = mask.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.5 if source.cut_out else 4))))
    behind.paste(hand, (0, 0), mask)
    return Scene(np.asarray(behind), warp.box(), source.file)


@dataclass(frozen=True)
class _Warp:
    """Turns a source about its hand's middle, scales it, and puts that middle somewhere in the scene."""

    source_box: np.ndarray
    middle: np.ndarray
    zoom: np.ndarray  # across, down
    angle: float  # radians
    mirrored: bool

    def _matrix(self) -> np.ndarray:
        """From offsets in the source to offsets in the scene."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        flip = np.diag([-1.0 if self.mirrored else 1.0, 1.0])
        return np.array([[cos, -sin], [sin, cos]]) @ np.diag(self.zoom) @ flip

    def picture(self, source: Image.Image) -> Image.Image:
        shrink = max(1, int(0.7 / self.zoom.max()))
        small = source.reduce(shrink) if shrink > 1 else source
        back = np.linalg.inv(self._matrix())
        middle = (self.source_box[:2] + self.source_box[2:]) / 2
        offset = (middle - back @ self.middle) / shrink
        rows = np.column_stack([back / shrink, offset])
        return small.transform(
            (VIEW_SIDE, VIEW_SIDE), Image.Transform.AFFINE, rows.flatten().tolist(), Image.Resampling.BILINEAR
        )

    def box(self) -> Box:
        """The turned hand's box: between an ellipse's in the old box and its corners', as hands fill neither."""
        half = (self.source_box[2:] - self.source_box[:2]) / 2
        turned = self._matrix() * half
        reach = 0.85 * np.sqrt((turned**2).sum(1)) + 0.15 * np.abs(turned).sum(1)
        box = np.concatenate([self.middle - reach, self.middle + reach])
        return tuple(float(value) for value in box.clip(0, VIEW_SIDE))


def _nothing(grounds: Sequence[Source], source: Source, rng: Generator) -> Image.Image:
    """No hand: drawn, a part of a photo, such a part pasted on another, or a photo whose hand is covered."""
    way = rng.random()
    if way < 0.4:
        return no_hand(rng, VIEW_SIDE)
    behind = _ground(grounds, rng)
    if way > 0.7 and not source.cut_out:
        return _covered(source, rng)
    if way > 0.55:
        size, angle = (rng.uniform(0.2, 0.9, 2) * VIEW_SIDE).astype(int), float(rng.normal(0, 20))
        patch = _ground(grounds, rng) if rng.random() < 0.6 else no_hand(rng, VIEW_SIDE)
        mask = Image.new("L", tuple(size), 255).rotate(angle, expand=True)
        patch = patch.resize(tuple(size)).rotate(angle, expand=True)
        behind.paste(patch, tuple((rng.uniform(-0.1, 0.6, 2) * VIEW_SIDE).astype(int)), mask)
    return behind


def _covered(source: Source, rng: Generator) -> Image.Image:
    """A photo with another part of itself in the hand's place: the arm may be left, the fingers are not."""
    picture = _open(source.file).resize((VIEW_SIDE, VIEW_SIDE)).copy()
    box = np.array(source.box) * VIEW_SIDE
    grow = 0.12 * (box[2:] - box[:2])
    box = np.concatenate([box[:2] - grow, box[2:] + grow]).round().astype(int).clip(0, VIEW_SIDE)
    size = box[2:] - box[:2]
    gaps = {"left": box[0], "right": VIEW_SIDE - box[2]}
    side = max(gaps, key=gaps.get)
    across = gaps[side]
    if across < 12:  # the hand fills the picture
        return no_hand(rng, VIEW_SIDE)
    from_box = (0, box[1], across, box[3]) if side == "left" else (VIEW_SIDE - across, box[1], VIEW_SIDE, box[3])
    patch = picture.crop(tuple(int(value) for value in from_box)).resize(tuple(size))
    soft = np.zeros((size[1], size[0]), np.uint8)
    rim = max(1, int(min(size) * 0.06))
    soft[rim:-rim, rim:-rim] = 255
    picture.paste(patch, tuple(box[:2]), Image.fromarray(soft).filter(ImageFilter.GaussianBlur(rim / 2)))
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else picture


def _ground(grounds: Sequence[Source], rng: Generator) -> Image.Image:
    """A square without a hand: drawn, or a part of a photo that the hand's box does not reach."""
    if not len(grounds) or rng.random() < 0.3:
        return no_hand(rng, VIEW_SIDE)
    for _ in range(6):
        source = grounds[rng.integers(len(grounds))]
        picture = _open(source.file)
        side = rng.uniform(0.3, 1) * min(picture.size)
        left, top = rng.uniform(0, 1, 2) * (np.array(picture.size) - side)
        part = (left, top, left + side, top + side)
        if source.box is None or _apart(part, np.array(source.box) * (picture.size * 2)):
            found = picture.resize((VIEW_SIDE, VIEW_SIDE), Image.Resampling.BILINEAR, part, reducing_gap=2)
            return found.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else found
    return no_hand(rng, VIEW_SIDE)


def _apart(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _pictures(folder: Path) -> list[Path]:
    files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in PICTURES)
    if not files:
        raise UsageError(f"{folder} holds no pictures")
    return files


@cache
def _open(file: Path) -> Image.Image:
    picture = Image.open(file).convert("RGB")
    picture.thumbnail((SOURCE_LONGEST, SOURCE_LONGEST), Image.Resampling.BOX)
    return picture
