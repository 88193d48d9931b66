"""A digit as pen movements: read from a file, redrawn as thin as MNIST's, or drawn with a brush.

A stroke is an (n, 2) float array of points, x to the right and y down, from pen-down to pen-up.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from train.task import UsageError

SIDE = 28  # MNIST's pictures
BOX = 20  # the box within them that MNIST's digits were scaled to, their aspect kept
PEN_RADIUS = 1.2  # half the width of MNIST's strokes, in its pixels: the median of 1,500 skeletons is 1.25
STEP = 0.4  # of the points along a redrawn stroke, in MNIST's pixels: too small to see the gaps

TABLET = 500  # side of the box that pendigits' coordinates lie in


@dataclass(frozen=True)
class PenDigit:
    """One digit written on a tablet: what it is, who wrote it (1 .. 30), and the strokes in a box of 500."""

    label: int
    writer: int
    strokes: tuple[np.ndarray, ...]


def load_pen_digits(path: str | Path) -> list[PenDigit]:
    """Read UCI's pendigits-orig file (Alpaydin and Alimoglu), y turned to point down.

    Each digit's `.COMMENT` line holds the digit, its writer and a running number of that writer's digits: the
    file does not say so, but the numbers do (1 .. 30, and each running from 1 to 250).
    Raises UsageError if the file is missing or is not of this kind.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise UsageError(f"pen strokes cannot be read from {path}: it is not a regular file")
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"pen strokes cannot be read from {path}: {error.strerror}") from None
    digits, comment, strokes, points = [], None, [], None
    for line in [*lines, ".SEGMENT"]:
        words = line.split()
        if not words:
            continue
        if words[0] == ".SEGMENT":
            if comment and strokes:
                digits.append(PenDigit(int(comment[0]), int(comment[1]), tuple(strokes)))
            comment, strokes, points = None, [], None
        elif words[0] == ".COMMENT":
            comment = words[1:]
        elif words[0] == ".PEN_DOWN":
            points = []
        elif words[0] == ".PEN_UP":
            if points:
                strokes.append(np.array(points, dtype=np.float64))
            points = None
        elif points is not None and not words[0].startswith("."):
            points.append((float(words[0]), TABLET - float(words[1])))
    if not digits:
        raise UsageError(f"{path} holds no pen strokes in the form of UCI's pendigits-orig")
    return digits


def extent(strokes) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of all points. The strokes must hold at least one."""
    points = np.concatenate(strokes)
    return (*points.min(axis=0), *points.max(axis=0))


def redraw(strokes, pen_radius: float = PEN_RADIUS) -> np.ndarray:
    """Redraw movements as MNIST would have them, whatever brush the person saw.

    MNIST's own procedure (LeCun et al., 1998): scaled into a box of 20 x 20 with the aspect kept, grey at the
    edges, and the centre of mass in the middle of 28 x 28. Returns (28, 28) uint8, ink bright.
    """
    left, top, right, bottom = extent(strokes)
    scale = (BOX - 2 * pen_radius) / max(right - left, bottom - top, 1e-6)
    points = np.concatenate([_evenly(stroke * scale, STEP) for stroke in strokes])
    # evenly spaced points weigh as the ink does, so their mean is the centre of mass
    points = points - points.mean(axis=0) + SIDE / 2
    points = _thinned(points, 0.1) if len(points) > 500 else points
    x, y = points[points[:, 1].argsort()].T.astype(np.float32)
    centres = np.arange(SIDE, dtype=np.float32) + 0.5
    across, down = (centres[:, None] - x) ** 2, (centres[:, None] - y) ** 2
    # to the nearest point of the pen's path, where that is near enough to leave ink
    reach = pen_radius + 0.51
    firsts, ends = np.searchsorted(y, centres - reach), np.searchsorted(y, centres + reach)
    rows = [slice(first, end) for first, end in zip(firsts, ends, strict=True)]
    squared = [(across[:, row] + down[i, row]).min(axis=1, initial=np.inf) for i, row in enumerate(rows)]
    return (np.clip(pen_radius + 0.5 - np.sqrt(np.stack(squared)), 0, 1) * 255).astype(np.uint8)


def path_length(strokes) -> float:
    """How far the pen went while it was down, in the strokes' unit."""
    return float(sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes))


def draw(strokes, size: tuple[int, int], radius: float, ink: int = 255, ground: int = 0) -> Image.Image:
    """Draw movements as a plain pad shows them: a round brush, at the position and scale given.

    Args:
        strokes: in pixels of the picture.
        size: width and height of the picture.
        radius: of the brush, in pixels.

    Returns a picture in mode L, with soft edges (drawn four times as large and shrunk).
    """
    more = 4
    picture = Image.new("L", (size[0] * more, size[1] * more), ground)
    pen = ImageDraw.Draw(picture)
    r = radius * more
    for stroke in strokes:
        points = (stroke + 0.5) * more
        pen.line([tuple(p) for p in points], fill=ink, width=max(round(2 * r), 1))
        for x, y in points:  # round joints and ends
            pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    return picture.reduce(more)


def _thinned(points: np.ndarray, cell: float) -> np.ndarray:
    """The cells of a grid that points lie in, each once. (n, 2) -> (m, 2)"""
    cells = (points / cell).round().astype(np.int64)
    first = cells.min(axis=0)
    taken = np.zeros(cells.max(axis=0) - first + 1, bool)
    taken[tuple((cells - first).T)] = True
    return (np.argwhere(taken) + first) * cell


def _evenly(stroke: np.ndarray, step: float) -> np.ndarray:
    """Points at even distances of at most `step` along a stroke; at least its first. (n, 2) -> (m, 2)"""
    lengths = np.hypot(*np.diff(stroke, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    marks = np.linspace(0, along[-1], int(along[-1] / step) + 2 if along[-1] > 0 else 1)
    return np.stack([np.interp(marks, along, stroke[:, 0]), np.interp(marks, along, stroke[:, 1])], axis=1)
