"""Digits as a few pen movements, for tests that draw: each fits a box 100 high."""

import numpy as np

_CIRCLE = np.linspace(0, 2 * np.pi, 40)
SHAPES = {
    "0": [np.stack([50 + 35 * np.sin(_CIRCLE), 50 - 50 * np.cos(_CIRCLE)], axis=1)],
    "1": [[(50, 0), (50, 100)]],
    "2": [[(15, 25), (25, 6), (50, 0), (75, 8), (80, 28), (65, 55), (12, 100), (85, 100)]],
    "3": [[(15, 10), (45, 0), (75, 12), (75, 32), (45, 46), (78, 58), (80, 82), (50, 100), (12, 90)]],
    "4": [[(55, 0), (10, 62), (90, 62)], [(65, 35), (65, 100)]],
    "5": [[(30, 0), (22, 45), (55, 40), (80, 60), (72, 90), (40, 100), (12, 90)], [(30, 0), (80, 0)]],
    "6": [[(65, 0), (30, 40), (18, 75), (35, 98), (62, 96), (74, 75), (55, 56), (25, 66)]],
    "7": [[(10, 0), (85, 0), (40, 100)]],
    "8": [[(50, 48), (22, 28), (30, 5), (50, 0), (72, 8), (76, 28), (50, 48), (20, 72), (28, 95), (50, 100), (74, 94),
           (80, 72), (50, 48)]],
    "9": [[(75, 25), (55, 50), (28, 42), (22, 18), (45, 0), (70, 6), (76, 25), (70, 65), (55, 100)]],
}  # fmt: skip


def strokes_of(number: str, left: float = 90, top: float = 80, size: float = 110, gap: float = 30) -> list[np.ndarray]:
    """The digits of a number beside each other: (n, 2) arrays, the first digit's corner at (left, top)."""
    strokes = []
    for digit in number:
        points = np.concatenate([np.asarray(stroke, float) for stroke in SHAPES[digit]])
        start, width = points[:, 0].min(), np.ptp(points[:, 0])
        strokes += [(np.asarray(stroke, float) - (start, 0)) * (size / 100) + (left, top) for stroke in SHAPES[digit]]
        left += width * size / 100 + gap
    return strokes
