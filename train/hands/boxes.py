"""Boxes around hands: left, top, right, bottom. One reader of YOLO's files, one intersection over union."""

from pathlib import Path

import numpy as np
from PIL import Image

from train.task import UsageError

Box = tuple[float, float, float, float]  # left, top, right, bottom; in pixels, or relative to width and height
KINDS = 26  # YOLO classes 0..25 are A..Z


def yolo_box(file: Path) -> tuple[int, Box] | None:
    """The class and the box, relative to the picture, in a YOLO label file; None unless it lists exactly one object.

    A line is `class x y width height`, x and y the box's middle, all relative to the picture's sides. Raises
    UsageError for any other line.
    """
    lines = file.read_text("utf-8", errors="replace").splitlines() if file.is_file() else []
    listed = [_object(line.split(), f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    return listed[0] if len(listed) == 1 else None


def _object(words: list[str], where: str) -> tuple[int, Box]:
    try:
        kind, (x, y, width, height) = int(words[0]), map(float, words[1:])
    except ValueError:
        kind = -1
    if not 0 <= kind < KINDS:
        raise UsageError(f"{where}: expected a class 0..25 and a box of four numbers")
    return kind, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def in_pixels(box: Box, picture: Image.Image) -> Box:
    """A box relative to the picture's sides as one in its pixels."""
    return tuple(edge * size for edge, size in zip(box, picture.size * 2, strict=True))


def iou(a: np.ndarray | Box, b: np.ndarray | Box) -> np.ndarray:
    """Intersection over union, 0..1, of boxes (..., 4) and boxes (..., 4) that broadcast; 0 where both are empty."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0.0)
