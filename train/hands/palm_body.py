"""The finder's body: MediaPipe's palm detector, rebuilt layer by layer.

Bazarevsky et al., "BlazePalm" (2019), as shipped with MediaPipe Hands (2021; Apache License 2.0). It was trained on far
more rooms, people and hands than our photos show. The finder has a head of its own on these features; the detector's
own answer, the palm, is asked for where that leaves doubt.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.hands.networks import SamePadConv2d

STAGES = (32, 64, 128, 256, 256)  # channels; each stage but the first halves the picture


class Block(nn.Module):
    """BlazeBlock: 5x5 within each channel, 1x1 across channels, added to what came in."""

    def __init__(self, channels: int, wider: int, stride: int = 1):
        super().__init__()
        self.spatial = SamePadConv2d(channels, channels, 5, stride, groups=channels, bias=False)
        self.mix = nn.Conv2d(channels, wider, 1)
        self.bend = nn.PReLU(wider)
        self.stride, self.extra = stride, wider - channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(self.spatial(x))
        if self.stride == 2:
            x = F.max_pool2d(x, 2)
        return self.bend(y + F.pad(x, (0, 0, 0, 0, 0, self.extra)))


class Up(nn.Module):
    """A coarse map doubled in size, added to a finer one, and two blocks."""

    def __init__(self, channels: int, fewer: int):
        super().__init__()
        self.mix = nn.Conv2d(channels, fewer, 1)
        self.bend = nn.PReLU(fewer)
        self.blocks = nn.Sequential(Block(fewer, fewer), Block(fewer, fewer))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        larger = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        return self.blocks(fine + self.bend(self.mix(larger)))


class PalmBody(nn.Module):
    """(N, 3, 192, 192) in [0, 1] -> (N, 384, 12, 12): features of each cell of 16 pixels and its surroundings."""

    channels = STAGES[3] + STAGES[2]

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(SamePadConv2d(3, STAGES[0], 5, 2), nn.PReLU(STAGES[0]))
        stages, before = [], STAGES[0]
        for index, wide in enumerate(STAGES):
            down = [Block(before, wide, 2)] if index else []
            stages.append(nn.Sequential(*down, *(Block(wide, wide) for _ in range(4))))
            before = wide
        self.stages = nn.ModuleList(stages)
        self.up12 = Up(STAGES[4], STAGES[3])
        self.up24 = Up(STAGES[3], STAGES[2])

    def forward(self, x: Tensor) -> Tensor:
        return joined(*self.levels(x))

    def levels(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 192, 192) in [0, 1] -> (N, 256, 12, 12) and (N, 128, 24, 24)."""
        levels = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        middle = self.up12(x, levels[3])
        return middle, self.up24(middle, levels[2])


def joined(middle: Tensor, fine: Tensor) -> Tensor:
    """The body's two levels as one: (N, 384, 12, 12)."""
    return torch.cat([middle, F.max_pool2d(fine, 2)], dim=1)


class PalmHeads(nn.Module):
    """The detector's own answer: palms at 2016 anchors, six in each cell of 16 pixels and two in each of 8.

    Of its seven points of a palm only two are kept, the wrist and the middle finger's knuckle: they tell where the hand
    points.
    """

    values = 9  # a logit, the box's middle and size, x and y of wrist and knuckle

    def __init__(self):
        super().__init__()
        self.middle = nn.Conv2d(STAGES[3], 6 * self.values, 1)
        self.fine = nn.Conv2d(STAGES[2], 2 * self.values, 1)

    def forward(self, middle: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """The body's two levels -> logits (N, 2016) and palms (N, 2016, 8) in pixels of the view.

        A palm is the left, top, right and bottom of its box, then x and y of the wrist and of the knuckle.
        """
        levels = ((self.fine(fine), 8), (self.middle(middle), 16))
        answers = torch.cat(
            [a.permute(0, 2, 3, 1).unflatten(-1, (-1, self.values)).flatten(1, 3) for a, _ in levels], 1
        )
        at = torch.cat([_anchors(a.shape[-1], cell, a.shape[1] // self.values) for a, cell in levels])
        centre, half = answers[..., 1:3] + at, answers[..., 3:5] / 2
        points = [answers[..., start : start + 2] + at for start in (5, 7)]
        return answers[..., 0], torch.cat([centre - half, centre + half, *points], -1)


def _anchors(cells: int, side: int, each: int) -> Tensor:
    """Middles of the cells of a square grid, row by row, so many times each: (cells * cells * each, 2) in pixels."""
    middles = (torch.arange(cells) + 0.5) * side
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2).repeat_interleave(each, 0)
