"""Ink becomes 28 x 28 pictures such as MNIST has: one for each digit, its strokes as thin as MNIST's."""

import numpy as np
from PIL import Image

from train.digits.ink import box_of
from train.digits.strokes import BOX, PEN_RADIUS, SIDE

WORK = 80  # pixels of a digit's longer side while its strokes are thinned or thickened
STROKE_FROM = 96  # of 255: from here on a pixel belongs to a stroke
SOLID = 2.3  # ink of less than this many times the area of its largest disc is a blot, not strokes


def even_out(strength: np.ndarray) -> np.ndarray | None:
    """One digit's ink, of whatever size and thickness, as MNIST would have it.

    Its strokes are brought to MNIST's width through their distance field; then MNIST's own procedure (LeCun et al.,
    1998) follows: scaled into 20 x 20 with the aspect kept, grey by anti-aliasing, centre of mass in the middle.

    Args:
        strength: (H, W) uint8, ink bright, nothing else in it.

    Returns (28, 28) uint8, or None if there is no ink, or only a round dot, from which no stroke can be told.
    """
    work = _to_work_size(strength)
    if work is None:
        return None
    inked = work >= 128
    inside = distance(inked, WORK // 2)
    size = box_of(inked)[1]
    length = max(size)
    thickest = float(inside.max())
    if thickest > 0.45 * length and min(size) > 0.85 * length:
        return None
    # a brush too thick for the digit has filled it: what its strokes were is lost, but the outline of 0, 6 and 8 is not
    solid = inked.sum() < SOLID * np.pi * thickest**2
    radius = thickest / 2 if solid else stroke_radius(inside)
    # Drawn with a pen of radius t the digit will be length - 2 * radius + 2 * t long, and that is to become BOX:
    wanted = max(length - 2 * radius, 0.25 * length) / (1 - 2 * PEN_RADIUS / BOX)
    grow = PEN_RADIUS * wanted / BOX - radius
    field = inside + grow
    if grow > -0.5:  # else strokes become thinner, and whatever is outside stays blank
        field -= distance(~inked, max(int(grow), 0) + 3)
    return _centre((np.clip(field + 0.5, 0, 1) * 255).astype(np.uint8))


def distance(inked: np.ndarray, most: int) -> np.ndarray:
    """Distance of each pixel (H, W) in a mask from its edge, in pixels, float32; 0 outside, about `most` at most."""
    # up and down each column first: in steps of 1, 2, 4, ... rows every pixel hears of the edge above and below it
    along = np.where(inked, np.int16(most), np.int16(0))
    step = 1
    while step < most:
        np.minimum(along[step:], along[:-step] + np.int16(step), out=along[step:])
        np.minimum(along[:-step], along[step:] + np.int16(step), out=along[:-step])
        step *= 2
    # then the columns to the left and right: Pythagoras, nearest first (turned, so that a column lies in one piece)
    squared = np.ascontiguousarray((along * along).T)
    nearest = squared.copy()
    for by in range(1, min(most, len(nearest))):
        if by * by >= nearest.max():
            break
        np.minimum(nearest[by:], squared[:-by] + np.int16(by * by), out=nearest[by:])
        np.minimum(nearest[:-by], squared[by:] + np.int16(by * by), out=nearest[:-by])
    return np.maximum(np.sqrt(nearest.astype(np.float32)) - 0.5, 0).T


def stroke_radius(inside: np.ndarray) -> float:
    """Half the width of the strokes: the distance field's ridges, of which the thinner ones are plain strokes.

    Thick ridges are crossings and filled loops. Takes (H, W) float32 from `distance`, returns pixels. Of digits drawn
    with a known brush it is right to within 0.4 of 80 pixels, but for the 2 % that a thick brush filled altogether.
    """
    middle = inside[1:-1, 1:-1]
    ridge = (middle > 0) & (middle >= inside[:-2, 1:-1]) & (middle >= inside[2:, 1:-1])
    ridge &= (middle >= inside[1:-1, :-2]) & (middle >= inside[1:-1, 2:])
    ridges = middle[ridge]
    if not len(ridges):
        return 0.5
    ridges = np.sort(ridges[ridges > 0.35 * ridges.max()])  # less is the roughness of an edge
    return float(ridges[len(ridges) // 5]) + 0.35  # the middle of a stroke lies between pixels


def upright_line(seen: np.ndarray) -> bool:
    """Whether a (28, 28) picture is one straight line, upright enough for a 1."""
    y, x = np.nonzero(seen > 96)
    if len(x) < 2:
        return False
    spread, axes = np.linalg.eigh(np.cov(x, y))  # principal axes, the shorter first
    across, along = axes[:, 1]
    return spread[0] < 2.5 and abs(along) > 0.6 * abs(across)


def _to_work_size(strength: np.ndarray) -> np.ndarray | None:
    """Cut to the ink and scaled so that its longer side is WORK pixels, with an empty margin. (H, W) uint8."""
    (left, top), (width, height) = box_of(strength >= STROKE_FROM)
    if not width:
        return None
    scale = WORK / max(width, height)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    box = left, top, left + width, top + height
    ink = Image.fromarray(strength)
    kind = Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR
    margin = 12  # a thin digit's strokes will grow into it
    work = np.zeros((size[1] + 2 * margin, size[0] + 2 * margin), np.uint8)
    work[margin:-margin, margin:-margin] = np.asarray(ink.resize(size, kind, box=box))
    return work


def _centre(strength: np.ndarray) -> np.ndarray | None:
    """MNIST's last steps: the ink's longer side to BOX pixels, its centre of mass to the middle of SIDE x SIDE."""
    (left, top), (width, height) = box_of(strength >= 64)
    if not width:
        return None
    ink = strength[top : top + height, left : left + width]
    total = float(ink.sum(dtype=np.int64))
    x = left + 0.5 + float(ink.sum(axis=0, dtype=np.int64) @ np.arange(width)) / total
    y = top + 0.5 + float(ink.sum(axis=1, dtype=np.int64) @ np.arange(height)) / total
    half = max(width, height) * SIDE / BOX / 2
    pad = int(half) + 1
    wide = np.zeros((strength.shape[0] + 2 * pad, strength.shape[1] + 2 * pad), np.uint8)
    wide[pad:-pad, pad:-pad] = strength
    box = x + pad - half, y + pad - half, x + pad + half, y + pad + half
    return np.asarray(Image.fromarray(wide).resize((SIDE, SIDE), Image.Resampling.BOX, box=box))
