"""Boxes around hands: left, top, right, bottom. One reader of YOLO's files, one intersection over union."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from train.task import UsageError

Box = tuple[float, float, float, float]  # left, top, right, bottom; in pixels, or relative to width and height
KINDS = 26  # YOLO classes 0..25 are A..Z


def yolo_box(file: Path) -> tuple[int, Box] | None:
    """The class and the box, relative to the picture, in a YOLO label file; None unless it tells of just one object.

    A line is `class x y width height`, x and y the box's middle, all relative to the picture's sides. Raises
    UsageError for a line that is none.
    """
    text = file.read_text("utf-8", errors="replace") if file.is_file() else ""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) != 1:
        return None
    try:
        kind, (x, y, width, height) = int(lines[0][0]), map(float, lines[0][1:])
    except ValueError:
        kind = -1
    if not 0 <= kind < KINDS:
        raise UsageError(f"{file}, line 1: expected a class 0..25 and a box of four numbers")
    return kind, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def in_pixels(box: Box, picture: Image.Image) -> Box:
    """A box relative to the picture's sides as one in its pixels."""
    return tuple(edge * size for edge, size in zip(box, picture.size * 2, strict=True))


def iou(a: Tensor | Box, b: Tensor | Box) -> Tensor:
    """Intersection over union, 0..1, of boxes (..., 4) and boxes (..., 4) that broadcast; 0 where both are empty."""
    shared, union, _ = _areas(_tensor(a), _tensor(b))
    return torch.where(union > 0, shared / union, 0.0)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """The same, less the share of the box around both that neither fills (Rezatofighi et al., 2019): -1..1.

    It has a slope also where two boxes do not touch, so that training can bring them together.
    """
    shared, union, around = _areas(a, b)
    return shared / union - (around - union) / around


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What two boxes share, what they cover together, and the box around both."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return shared, union, around


def _tensor(box: Tensor | Box) -> Tensor:
    return box if isinstance(box, Tensor) else torch.tensor(box, dtype=torch.float64)
