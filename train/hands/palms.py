"""The hand at a palm: MediaPipe's own way to a hand, which says more exactly where it ends.

Its detector names palms, which a face behind them or a bent wrist hides less than the fingers; its landmark model then
says where the fingers are (Zhang et al., "MediaPipe Hands", 2020). Both have seen far more people than our photos show.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from train.hands.boxes import Box, iou

Hand = tuple[float, Box]  # how surely there is one, 0..1, and its box
LANDMARKS = 21  # of a hand: its wrist, and four of each finger
SIDE = 224  # pixels of the square that the landmark model was trained on; on smaller ones it misplaces fingers
LARGER, UP = 2.6, 0.5  # MediaPipe's: the square's side in palms, and its shift towards the fingers
SAME = 0.3  # overlap from which two boxes are of one palm; MediaPipe's, too
SURELY = 0.95  # how surely landmarks must be a hand's so that its box counts; with less, other boxes are better
NEAR = 0.2  # overlap of a hand's landmarks with another box from which both are of one hand
BY_LANDMARKS = 0.7  # their share in the box of that hand: 0.6 to 0.8 are as good, and 1 is worse
MARGIN = 0.08  # landmarks lie within the fingers: so much of the longer side is added around them


@dataclass(frozen=True)
class Square:
    """A square of a picture, in its pixels, turned by an angle (radians, clockwise as seen)."""

    x: float  # its middle
    y: float
    side: float
    turn: float

    def of(self, picture: Image.Image) -> np.ndarray:
        """Its pixels, (224, 224, 3) uint8; outside the picture they are black."""
        shrink = max(1, int(self.side / SIDE))
        if shrink > 1:  # a turned look takes single pixels: of a large picture it would see noise
            picture = picture.reduce(shrink)
        a, b = (value * self.side / SIDE / shrink for value in (math.cos(self.turn), math.sin(self.turn)))
        x, y, half = self.x / shrink, self.y / shrink, SIDE / 2
        way = (a, -b, x + half * (b - a), b, a, y - half * (a + b))
        return np.asarray(picture.transform((SIDE, SIDE), Image.Transform.AFFINE, way, Image.Resampling.BILINEAR))

    def out(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) in its pixels as points of the picture."""
        x, y = ((points - SIDE / 2) * self.side / SIDE).T
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        return np.stack([self.x + cos * x - sin * y, self.y + sin * x + cos * y], 1)


def strongest(logits: np.ndarray, palms: np.ndarray, least: float, most: int = 2) -> list[tuple[float, np.ndarray]]:
    """The surest palms that lie apart, as (probability, palm (8,)), each the mean of all that overlap with it.

    The means are weighted by probability, as BlazeFace does (Bazarevsky et al., 2019).

    Args:
        logits: (N,), and palms (N, 8): left, top, right, bottom, then x and y of wrist and middle knuckle.
        least: the probability from which a palm counts.
    """
    shares = 1 / (1 + np.exp(-logits.clip(-50, 50)))
    left, found = np.flatnonzero(shares >= least), []
    while len(left) and len(found) < most:
        best = left[shares[left].argmax()]
        same = iou(palms[left, :4], palms[best, :4]) > SAME
        same[left == best] = True  # even if it has no area
        weights = shares[left[same]]
        found.append((float(shares[best]), weights @ palms[left[same]] / weights.sum()))
        left = left[~same]
    return found


def square_at(palm: np.ndarray) -> Square:
    """The square that holds the hand of a palm (8,), turned so that the hand points up."""
    left, top, right, bottom, *points = palm.tolist()
    wrist, knuckle = points[:2], points[2:]
    turn = math.atan2(knuckle[0] - wrist[0], wrist[1] - knuckle[1])
    size, (x, y) = max(right - left, bottom - top), ((left + right) / 2, (top + bottom) / 2)
    return Square(x + UP * size * math.sin(turn), y - UP * size * math.cos(turn), LARGER * size, turn)


def box_around(points: np.ndarray) -> Box:
    """The hand's upright box around its landmarks (21, 2), a little wider than they are."""
    low, high = points.min(0), points.max(0)
    margin = MARGIN * float((high - low).max())
    return (*(low - margin).tolist(), *(high + margin).tolist())


def hand_near(box: Box, hands: Sequence[Hand]) -> Hand | None:
    """Of sure hands with boxes by their landmarks the one that lies in another box, in which both count; or None."""
    near = [hand for hand in hands if hand[0] >= SURELY and iou(hand[1], box) >= NEAR]
    if not near:
        return None
    score, found = max(near, key=lambda hand: iou(hand[1], box))
    return score, tuple((1 - BY_LANDMARKS) * old + BY_LANDMARKS * new for old, new in zip(box, found, strict=True))
