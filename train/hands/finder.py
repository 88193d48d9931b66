"""Find the hand in a whole photo: look at all of it, then closer at the place that looks most like a hand.

Both looks are taken by networks that have seen a great many hands elsewhere, MediaPipe's palm detector and hand
landmark model, with their weights kept as they are. What they should answer is learned here, from our photos: where
the whole hand is, fingers included, and whether there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from train.fast.machine import cpu_has_bfloat16
from train.hands.boxes import Box, iou
from train.hands.eyes import Look
from train.hands.networks import FEATURES, HandBackbone
from train.hands.palm_body import PalmBody
from train.learn import checkpoint

VIEW_SIDE = 192  # pixels of the square that the networks see
CELL = 16  # pixels of it to each answer of the first look
Place = tuple[float, Box]  # of a hand, perhaps: the first look's logit and box
LABELS = ("hand", "left", "top", "right", "bottom")  # the channels of the answer
CLOSER = 2.0  # the second look sees a square of so many times the first look's box
OVERLAP = 0.3  # of boxes that are still taken for one hand
FIRST = 0.25  # the first look's share in the box; without it, one box in fifty more is badly off
MAYBE = 0.0  # logit from which a further place is looked at closely
QUICK = cpu_has_bfloat16()


class HandFinder(nn.Module):
    """Whole photo (N, 3, 192, 192) in [0, 1] -> (N, 5, 12, 12): for each cell, what the first look says.

    First a logit for "the hand's middle is here", then the logarithms of the distances from the cell's middle to the
    sides of the hand's box, in cells (as in FCOS, Tian et al. 2019, without its pyramid: the second look does that).
    """

    def __init__(self, width: int = 96):
        super().__init__()
        self.body = PalmBody().requires_grad_(False)
        self.head = nn.Sequential(
            nn.Conv2d(PalmBody.channels, width, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, len(LABELS), 1),
        )  # fmt: skip
        self.closer = nn.Sequential(
            nn.Conv2d(FEATURES, 64, 1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 36, 128), nn.ReLU(), nn.Linear(128, len(LABELS)),
        )  # fmt: skip
        self.register_buffer("least", torch.tensor(0.5))  # score from which a hand counts as found; set by training
        self._eyes: list[Look] = []  # of the second look; the reader's too, so not kept a second time
        self._first: list[Look] = []  # what looks first, if not this network itself

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    def share(self, backbone: Look, first: Look | None = None) -> None:
        """Use this backbone for the second look (otherwise it is loaded from `assets` when first needed).

        `first`, if given, is this network's own first look, frozen.
        """
        self._eyes = [backbone]
        self._first = [first] if first else []

    def first_answers(self, x: Tensor) -> Tensor:
        """The first look's answers, by whoever looks for this network."""
        return self._first[0](x) if self._first else self(x)

    def backbone(self) -> Look:
        """The network of the second look, before its head."""
        if not self._eyes:
            self._eyes = [HandBackbone().load_pretrained().eval().to(memory_format=torch.channels_last)]
        return self._eyes[0]

    def look_closer(self, x: Tensor) -> Tensor:
        """The place itself (N, 3, 192, 192) -> (N, 5): a logit for "this is a hand", and its box.

        The box is the middle's distance from the view's, and the logarithms of width and height, in halves of the view.
        """
        return self.closer(self.backbone()(x))


def shipped_finder() -> HandFinder:
    """The finder of checkpoints/. Raises CheckpointError."""
    return checkpoint.load(checkpoint.FOLDER / "hand-finder.safetensors", "asl")[0]


@dataclass(frozen=True)
class Found:
    """Where the hand is, if there is one; the box may reach over the picture's edge by a little."""

    box: Box | None
    score: float  # 0..1: how surely there is a hand in the picture, at the box or, without one, anywhere
    others: tuple[Box, ...] = ()  # further hands, seen nearly as surely


def boxes_of(answers: Tensor) -> Tensor:
    """Boxes (N, 4, 12, 12) as left, top, right, bottom in the view, from the first look's answers (N, 5, 12, 12)."""
    height, width = answers.shape[2:]
    distance = CELL * answers[:, 1:].clamp(-4, 3).exp()
    x = CELL * (torch.arange(width) + 0.5).view(1, 1, -1)
    y = CELL * (torch.arange(height) + 0.5).view(1, -1, 1)
    return torch.stack([x - distance[:, 0], y - distance[:, 1], x + distance[:, 2], y + distance[:, 3]], dim=1)


def closer_boxes_of(answers: Tensor) -> Tensor:
    """Boxes (N, 4) as left, top, right, bottom in the view, from the second look's answers (N, 5)."""
    middle = VIEW_SIDE / 2 + VIEW_SIDE / CLOSER * answers[:, 1:3]
    half = VIEW_SIDE / CLOSER / 2 * answers[:, 3:].clamp(-2, 1).exp()
    return torch.cat([middle - half, middle + half], dim=1)


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
        """A box in the network's pixels as one in the picture's."""
        scale = self.side / VIEW_SIDE
        return tuple(float(start + value * scale) for start, value in zip((self.left, self.top) * 2, box, strict=True))


def whole_view(picture: Image.Image) -> View:
    """The view of all of a picture, in the middle of a square."""
    side = max(picture.size)
    return View((picture.width - side) / 2, (picture.height - side) / 2, side)


def closer_view(picture: Image.Image, box: Box) -> View:
    """The view for the second look: the box in the middle, and as much again around it."""
    side = max(CLOSER * max(box[2] - box[0], box[3] - box[1]), 8)
    return View((box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2, side)


def find(finder: HandFinder, picture: Image.Image | np.ndarray) -> Found:
    """The hand in one picture: PIL RGB, or (H, W, 3) uint8."""
    return find_many(finder, [picture])[0]


@torch.inference_mode()
def find_many(finder: HandFinder, pictures: Sequence[Image.Image | np.ndarray]) -> list[Found]:
    """The hand in each picture, in two looks: at the whole, then at what is around the best box."""
    photos = [p if isinstance(p, Image.Image) else Image.fromarray(p) for p in pictures]
    photos = [photo if photo.mode == "RGB" else photo.convert("RGB") for photo in photos]
    if not photos:
        return []
    hands = first_look(finder, photos)
    best = second_look(finder, photos, [places[0] for places in hands])
    least = float(finder.least)
    found = []
    for photo, places, (score, box) in zip(photos, hands, best, strict=True):
        others = []
        if score >= least:  # a second hand is looked at as closely as the first; there seldom is one
            for place in places[1:]:
                if place[0] > MAYBE and not _touch(place[1], box):
                    again, other = second_look(finder, [photo], [place])[0]
                    if again >= least and not _touch(other, box):
                        others.append(other)
        found.append(Found(box if score >= least else None, score, tuple(others)))
    return found


@torch.inference_mode()
def first_look(finder: HandFinder, photos: Sequence[Image.Image]) -> list[list[Place]]:
    """For each photo the places most like a hand, best first."""
    views = [whole_view(photo) for photo in photos]
    with torch.autocast("cpu", torch.bfloat16, enabled=QUICK):
        answers = finder.first_answers(_pixels(photos, views)).float()
    logits, boxes = answers[:, 0].flatten(1), boxes_of(answers).flatten(2).transpose(1, 2)
    return [_apart(*seen) for seen in zip(logits, boxes, views, strict=True)]


@torch.inference_mode()
def second_look(finder: HandFinder, photos: Sequence[Image.Image], places: Sequence[Place]) -> list[tuple[float, Box]]:
    """For a place in each photo how surely there is a hand, 0..1, and its box. The first look has its say in both."""
    views = [closer_view(photo, box) for photo, (_, box) in zip(photos, places, strict=True)]
    with torch.autocast("cpu", torch.bfloat16, enabled=QUICK):
        answers = finder.look_closer(_pixels(photos, views)).float()
    judged = []
    for (logit, before), again, seen, view in zip(places, answers[:, 0], closer_boxes_of(answers), views, strict=True):
        box = tuple(FIRST * old + (1 - FIRST) * new for old, new in zip(before, view.out(seen.tolist()), strict=True))
        judged.append((((logit + again) / 2).sigmoid().item(), box))
    return judged


def _pixels(photos: Sequence[Image.Image], views: Sequence[View]) -> Tensor:
    seen = np.stack([view.of(photo) for photo, view in zip(photos, views, strict=True)])
    return torch.from_numpy(seen).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last) / 255


def _apart(logits: Tensor, boxes: Tensor, view: View, most: int = 3) -> list[Place]:
    """The first look's best boxes that lie apart from each other, in the picture's pixels, with their logits."""
    best = logits.argsort(descending=True)[:40]
    outside = [view.out(box) for box in boxes[best].tolist()]
    places = torch.tensor(outside, dtype=torch.float64)
    overlaps = iou(places[:, None], places[None])
    chosen: list[int] = []
    for index in range(len(best)):
        if len(chosen) < most and bool((overlaps[index, chosen] < OVERLAP).all()):
            chosen.append(index)
    return [(logits[best[index]].item(), outside[index]) for index in chosen]


def _touch(a: Box, b: Box) -> bool:
    return bool(iou(a, b) > OVERLAP / 3)
