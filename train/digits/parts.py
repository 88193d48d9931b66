"""What no digit has: a part inside another, such as a face's eyes, or ink that winds around itself, such as a spiral.

Both are seen by looking around from a point, in RAYS directions, and counting the strokes that are met on the way out.
A network that has learned only digits is sure of such drawings: to it a face is a 0.
"""

import numpy as np

from train.digits.pieces import connected

RAYS = 24
INKED = 100  # of 255: from here on a pixel of a 28 x 28 picture is ink
# Of 1,499 digits by pendigits' writers 1 to 24 one has a part that is surrounded in 6 of 24 directions, all others
# none; a face's eyes are in all 24
SURROUNDED = 16
# None of them has a point from which two strokes are met in more than 14 directions; spirals of 1.75 turns and more do
WOUND = 17
REACH = 20  # pixels that a ray goes
WITH_MARGIN = 28 + 2 * REACH  # of a picture with a margin that no ray leaves
MIDDLES = np.stack(np.meshgrid(np.arange(8, 21, 2), np.arange(8, 21, 2)), axis=-1).reshape(-1, 2)


def rays_from(points: np.ndarray) -> np.ndarray:
    """Where the rays from points (P, 2), x and y, pass: (P, RAYS, samples) places in a flat picture with its margin."""
    angles, along = 2 * np.pi * np.arange(RAYS) / RAYS, np.arange(0.5, REACH, 0.5)
    x, y = (
        np.round(points[:, axis, None, None] + turn(angles)[:, None] * along).astype(np.intp) + REACH
        for axis, turn in ((0, np.cos), (1, np.sin))
    )
    return y * WITH_MARGIN + x


FROM_MIDDLES = rays_from(MIDDLES)


def unlike_digits(seen: np.ndarray) -> bool:
    """Whether a picture (28, 28) uint8, bright ink, has what no digit has."""
    return bool((strokes_met(seen, FROM_MIDDLES) >= 2).sum(axis=1).max() >= WOUND) or _holds_a_part(seen)


def strokes_met(seen: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """How many strokes each ray meets on its way out: (P, RAYS). Ink that its point lies in does not count."""
    inked = np.zeros((WITH_MARGIN, WITH_MARGIN), bool)
    inked[REACH:-REACH, REACH:-REACH] = seen > INKED
    met = inked.ravel()[rays]
    return np.count_nonzero(met[:, :, 1:] > met[:, :, :-1], axis=2)


def _holds_a_part(seen: np.ndarray) -> bool:
    labels, pieces = connected(seen > INKED)
    for piece in pieces if len(pieces) > 1 else []:
        others = np.where(labels == piece.labels[0], 0, seen)
        middle = np.array([[(piece.left + piece.right - 1) / 2, (piece.top + piece.bottom - 1) / 2]])
        if np.count_nonzero(strokes_met(others, rays_from(middle))) >= SURROUNDED:
            return True
    return False
