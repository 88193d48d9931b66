"""The finder's body: MediaPipe's palm detector, rebuilt layer by layer.

Bazarevsky et al., "BlazePalm" (2019), as shipped with MediaPipe Hands (2021; Apache License 2.0). It was trained on far
more rooms, people and hands than our photos show. Its own answer, a box around the palm, is left out here; only
its features are used.
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
        levels = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        middle = self.up12(x, levels[3])
        fine = self.up24(middle, levels[2])
        return torch.cat([middle, F.max_pool2d(fine, 2)], dim=1)
