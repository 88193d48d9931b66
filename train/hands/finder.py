"""Find the hand in a whole photo: look at all of it, then closer at the place that looks most like a hand.

Both looks are taken by networks that have seen a great many hands elsewhere, MediaPipe's palm detector and hand
landmark model, with their weights kept as they are. What they should answer is learned here, from our photos: where
the whole hand is, fingers included, and whether there is one. Where they name a palm themselves, the landmarks of its
hand say more exactly how far it reaches (train/hands/palms.py), and no closer look is needed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from train.answer.frozen import Frozen, Network
from train.hands.boxes import Box, iou
from train.hands.crop import as_input
from train.hands.palms import Hand, box_around, hand_near, square_at, strongest

if TYPE_CHECKING:
    from torch import nn

VIEW_SIDE = 192  # pixels of the square that the networks see
CELL = 16  # pixels of that square, each way, for each answer of the first look
Place = tuple[float, Box]  # where a hand may be: the first look's logit and box
LABELS = ("hand", "left", "top", "right", "bottom")  # the channels of the answer
CLOSER = 2.0  # side of the square that the second look sees, relative to the first look's box
OVERLAP = 0.3  # intersection over union from which boxes are taken for one hand
FIRST = 0.25  # the first look's share in the second's box; without it, one more box in fifty is badly off
MAYBE = 0.0  # logit from which a further place is looked at closely
PALM = 0.1  # probability from which a palm is looked at
A_HAND = 0.5  # how surely its landmarks must be a hand's: MediaPipe's own limit


class Finder(Protocol):
    """A network that takes both looks."""

    least: float  # the score from which a hand counts as found

    def first(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Whole photos (N, 3, 192, 192) float32 in 0..1 -> logits (N, 144) and boxes (N, 144, 4) in the view.

        And of palms, logits (N, 2016) and (N, 2016, 8): boxes, then x and y of wrist and middle knuckle.
        """

    def second(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Places closely seen, likewise -> logits (N,) and boxes (N, 4) in the view."""

    def third(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Upright hands (N, 3, 224, 224), likewise -> logits (N,) and landmarks (N, 21, 2) in the view."""


class FrozenFinder:
    """A finder without torch. Its further looks go through the backbone that it shares with the photo network."""

    def __init__(self, network: Network, photo_network: Network):
        self.network, self.photo_network, self.least = network, photo_network, float(network.weight("least"))

    @classmethod
    def of(cls, finder: "nn.Module", photo_network: Network) -> "FrozenFinder":
        """The frozen form of a train.hands.finder_network.HandFinder that is in memory."""
        weights = {name: weight.detach().cpu().numpy() for name, weight in finder.state_dict().items()}
        return cls(Frozen("hand-finder", weights), photo_network)

    def first(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.network("first", pixels)

    def second(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        (last,) = self.photo_network("late", *self.photo_network("early", pixels))
        return self.network("second", last)

    def third(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.network("third", *self.photo_network("upright", pixels))


@dataclass(frozen=True)
class Found:
    """Where the hand is, if there is one; the box may reach over the picture's edge by a little."""

    box: Box | None
    score: float  # 0..1: how surely there is a hand in the picture, at the box or, without one, anywhere
    others: tuple[Box, ...] = ()  # further hands, seen nearly as surely


@dataclass(frozen=True)
class Seen:
    """What the first look names in a photo, in its pixels, best first."""

    hands: list[Place]
    palms: list[tuple[float, np.ndarray]]  # probability; left, top, right, bottom, x and y of wrist and middle knuckle


@dataclass(frozen=True)
class View:
    """A square of a picture as the network sees it; what lies outside the picture is black."""

    left: float
    top: float
    side: float

    def of(self, picture: Image.Image) -> np.ndarray:
        """Its pixels, (192, 192, 3) uint8."""
        edge = (self.left, self.top, self.left + self.side, self.top + self.side)
        inside = (max(edge[0], 0), max(edge[1], 0), min(edge[2], picture.width), min(edge[3], picture.height))
        pixels = Image.new("RGB", (VIEW_SIDE, VIEW_SIDE))
        if inside[2] - inside[0] < 0.01 or inside[3] - inside[1] < 0.01:  # the view lies beside the picture
            return np.asarray(pixels)
        scale = VIEW_SIDE / self.side
        at = [round((inside[0] - edge[0]) * scale), round((inside[1] - edge[1]) * scale)]
        size = [max(1, round((inside[i + 2] - inside[i]) * scale)) for i in (0, 1)]
        pixels.paste(picture.resize(size, Image.Resampling.BILINEAR, inside, reducing_gap=2), at)
        return np.asarray(pixels)

    def out(self, box: Sequence[float]) -> Box:
        """A box in the network's pixels as one in the picture's; or any points, as x and y in turn."""
        scale, starts = self.side / VIEW_SIDE, (self.left, self.top) * (len(box) // 2)
        return tuple(float(start + value * scale) for start, value in zip(starts, box, strict=True))


def whole_view(picture: Image.Image) -> View:
    """The view of all of a picture, in the middle of a square."""
    side = max(picture.size)
    return View((picture.width - side) / 2, (picture.height - side) / 2, side)


def closer_view(picture: Image.Image, box: Box) -> View:
    """The view for the second look: the box in the middle, and as much again around it."""
    side = max(CLOSER * max(box[2] - box[0], box[3] - box[1]), 8)
    return View((box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2, side)


def find(finder: Finder, picture: Image.Image | np.ndarray) -> Found:
    """The hand in one picture: PIL RGB, or (H, W, 3) uint8."""
    return find_many(finder, [picture])[0]


def find_many(finder: Finder, pictures: Sequence[Image.Image | np.ndarray]) -> list[Found]:
    """The hand in each picture: a look at the whole, then a closer one at the best place."""
    photos = [p if isinstance(p, Image.Image) else Image.fromarray(p) for p in pictures]
    photos = [photo if photo.mode == "RGB" else photo.convert("RGB") for photo in photos]
    seen = first_look(finder, photos) if photos else []
    return [_found(finder, photo, one) for photo, one in zip(photos, seen, strict=True)]


def _found(finder: Finder, photo: Image.Image, seen: Seen) -> Found:
    at_palms, least = hands_at_palms(finder, photo, seen), float(finder.least)
    score, box = closer_look(finder, photo, seen.hands[0], at_palms)
    if score < least:
        return Found(None, score)
    others = []
    for place in seen.hands[1:]:  # a second hand, which is rare, is looked at as closely as the first
        if place[0] > MAYBE and not _touch(place[1], box):
            again, other = closer_look(finder, photo, place, at_palms)
            if again >= least and not _touch(other, box):
                others.append(other)
    return Found(box, score, tuple(others))


def first_look(finder: Finder, photos: Sequence[Image.Image]) -> list[Seen]:
    """For each photo the places most like a hand, and palms."""
    views = [whole_view(photo) for photo in photos]
    pixels = np.stack([view.of(photo) for photo, view in zip(photos, views, strict=True)])
    seen = []
    for view, logits, boxes, *palms in zip(views, *finder.first(as_input(pixels)), strict=True):
        palms = [(share, np.array(view.out(palm))) for share, palm in strongest(*palms, PALM)]
        seen.append(Seen(_apart(logits, boxes, view), palms))
    return seen


def closer_look(finder: Finder, photo: Image.Image, place: Place, at_palms: Sequence[Hand]) -> Hand:
    """The hand at a place: by the landmarks of a hand at a palm that is there, otherwise by a second look."""
    logit, box = place
    near = hand_near(box, at_palms)
    score, found = near or second_look(finder, photo, box)
    return _share((logit + _logit(score)) / 2), found


def second_look(finder: Finder, photo: Image.Image, box: Box) -> Hand:
    """What is in the middle of a closer view: how surely it is a hand, and its box, in which the first one counts."""
    view = closer_view(photo, box)
    logits, boxes = finder.second(as_input(view.of(photo)[None]))
    found = tuple(FIRST * old + (1 - FIRST) * new for old, new in zip(box, view.out(boxes[0].tolist()), strict=True))
    return _share(float(logits[0])), found


def hands_at_palms(finder: Finder, photo: Image.Image, seen: Seen) -> list[Hand]:
    """The hands at palms that the first look names, with boxes around their landmarks."""
    hands = [third_look(finder, photo, palm) for _, palm in seen.palms]
    return [hand for hand in hands if hand[0] >= A_HAND]


def third_look(finder: Finder, photo: Image.Image, palm: np.ndarray) -> Hand:
    """For a palm (8,) in a photo how surely it is a hand's, and the box around the hand's landmarks."""
    square = square_at(palm)
    logits, landmarks = finder.third(as_input(square.of(photo)[None]))
    return _share(float(logits[0])), box_around(square.out(landmarks[0]))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _share(logit: float) -> float:
    """The probability of a logit; never quite 0 or 1, as half precision may put it far out."""
    return 1 / (1 + math.exp(-min(max(logit, -30), 30)))


def _apart(logits: np.ndarray, boxes: np.ndarray, view: View, most: int = 3) -> list[Place]:
    """The first look's best boxes that lie apart from each other, in the picture's pixels, with their logits."""
    best = np.argsort(-logits, kind="stable")[:40]
    outside = [view.out(box) for box in boxes[best].tolist()]
    places = np.array(outside)
    overlaps = iou(places[:, None], places[None])
    chosen: list[int] = []
    for index in range(len(best)):
        if len(chosen) < most and bool((overlaps[index, chosen] < OVERLAP).all()):
            chosen.append(index)
    return [(float(logits[best[index]]), outside[index]) for index in chosen]


def _touch(a: Box, b: Box) -> bool:
    return bool(iou(a, b) > OVERLAP / 3)
