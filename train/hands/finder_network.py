"""The finder's layers: what its two looks are taken with."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from train.answer.parts import MANY, Part
from train.fast.machine import cpu_has_bfloat16
from train.hands.finder import CELL, CLOSER, LABELS, VIEW_SIDE
from train.hands.networks import FEATURES, HandBackbone
from train.hands.palm_body import PalmBody, PalmHeads, joined
from train.hands.palms import LANDMARKS, SIDE
from train.learn import checkpoint

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
        # MediaPipe's own answers, kept as they are: palms, and of a hand x and y of its landmarks and a logit
        self.palms = PalmHeads().requires_grad_(False)
        self.landmarks = nn.Linear(FEATURES, 2 * LANDMARKS + 1).requires_grad_(False)
        # the score from which a hand counts as found; choose_least sets it in training
        self.register_buffer("least", torch.tensor(0.5))
        self._backbone: list[HandBackbone] = []  # of further looks; in a list, so that it is not saved with the finder

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    def backbone(self) -> HandBackbone:
        """The network of the second look, before its head: loaded when first needed."""
        if not self._backbone:
            self._backbone = [HandBackbone().load_pretrained().eval().to(memory_format=torch.channels_last)]
        return self._backbone[0]

    def look_closer(self, x: Tensor) -> Tensor:
        """The place itself (N, 3, 192, 192) -> (N, 5): a logit for "this is a hand", and its box.

        The box is the middle's distance from the view's, and the logarithms of width and height, in halves of the view.
        """
        return self.closer(self.backbone()(x))

    def points(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """What the backbone made of upright hands (N, 1152, 7, 7) -> logits (N,), landmarks (N, 21, 2) in the view."""
        answers = self.landmarks(maps.mean((2, 3)))
        return answers[:, -1], answers[:, :-1].unflatten(1, (LANDMARKS, 2))

    def first(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """As train.hands.finder.Finder.first."""
        return self._answered(lambda given: _first(self, given), pixels)

    def second(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """As train.hands.finder.Finder.second."""
        return self._answered(lambda given: _second_places(self.look_closer(given)), pixels)

    def third(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """As train.hands.finder.Finder.third."""
        return self._answered(lambda given: self.points(self.backbone()(given)), pixels)

    def _answered(self, look: Callable, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        given = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=QUICK):
            answers = look(given)
        return tuple(each.float().numpy() for each in answers)

    @property
    def parts(self) -> dict[str, Part]:
        """Its looks (train.answer.parts); the second and third are at what the backbone has made of a place."""
        pixels = {"pixels": (MANY, 3, VIEW_SIDE, VIEW_SIDE)}
        near, upright = ({"maps": (MANY, FEATURES, side, side)} for side in (VIEW_SIDE // 32, SIDE // 32))
        return {
            "first": Part(_first, pixels, ("logits", "boxes", "palm_logits", "palms")),
            "second": Part(lambda finder, maps: _second_places(finder.closer(maps)), near, ("logits", "boxes")),
            "third": Part(HandFinder.points, upright, ("logits", "landmarks")),
        }


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


def _first(finder: HandFinder, pixels: Tensor) -> tuple[Tensor, ...]:
    levels = finder.body.levels(pixels)
    return *_first_places(finder.head(joined(*levels)).float()), *finder.palms(*levels)


def _first_places(answers: Tensor) -> tuple[Tensor, Tensor]:
    """The first look's answers (N, 5, 12, 12) as logits (N, 144) and boxes (N, 144, 4) in the view."""
    return answers[:, 0].flatten(1), boxes_of(answers).flatten(2).transpose(1, 2)


def _second_places(answers: Tensor) -> tuple[Tensor, Tensor]:
    """The second look's answers (N, 5) as logits (N,) and boxes (N, 4) in the view."""
    answers = answers.float()
    return answers[:, 0], closer_boxes_of(answers)


def shipped_finder() -> HandFinder:
    """The finder of checkpoints/. Raises CheckpointError."""
    return checkpoint.load(checkpoint.FOLDER / "hand-finder.safetensors", "asl")[0]
