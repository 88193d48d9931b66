"""The photo network: a backbone that knows hands, and a small head that learns letters.

The backbone is the convolutional part of MediaPipe's hand landmark model (Zhang et al., "MediaPipe Hands", 2020;
Apache License 2.0), trained there on a great many real and rendered hands. It is kept as it is, for the finder; for
letters its last blocks are copied and learn on, together with the head. Its layers are those of EfficientNet (Tan and
Le, 2019): inverted bottlenecks with depthwise convolutions.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from train.answer.parts import MANY, Part
from train.data.cache import shipped
from train.hands.crop import CROP_SIDE
from train.hands.palms import SIDE
from train.task import LETTERS

BACKBONE_FILE = shipped("assets", "hand-backbone.safetensors")
FEATURES = 1152
ANSWERS = (*LETTERS, "other", "nothing")  # the letters; a hand that shows none of them; no hand
OTHER, NOTHING = len(LETTERS), len(LETTERS) + 1
HEAT_BLOCKS = 4  # of the backbone, before the feature maps that the heat map is taken from
POOLED = 5 * FEATURES  # numbers that the head gets for a crop: means of the whole and of four quarters
EARLY = 11  # blocks that letters and finder share; the later ones have copies that learn letters
EARLY_MAPS = (112, 12, 12)  # what those blocks make of a crop
# kernel, feature maps, stride of the first, expansion, blocks
STAGES = ((3, 16, 1, 1, 1), (3, 24, 2, 4, 1), (3, 24, 1, 6, 1), (5, 40, 2, 6, 2), (3, 80, 2, 6, 3), (5, 112, 1, 6, 3),
          (5, 192, 2, 6, 4))  # fmt: skip


class SamePadConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow does it: with stride 2, an odd pixel of padding goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = []
        for size in (x.shape[-1], x.shape[-2]):
            padding = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [padding // 2, padding - padding // 2]
        if len(set(pads)) == 1:
            return F.conv2d(x, self.weight, self.bias, self.stride, pads[0], 1, self.groups)
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, 1, self.groups)


class Bottleneck(nn.Module):
    """1x1 convolution to more feature maps, depthwise convolution, 1x1 convolution to fewer.

    Where the shapes agree, the result is added to the input.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int, project: bool = True):
        super().__init__()
        inner = before * expansion
        self.expand = nn.Conv2d(before, inner, 1) if expansion > 1 else None
        self.depthwise = SamePadConv2d(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Conv2d(inner, after, 1) if project else None
        self.residual = project and before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        inner = F.relu6(self.depthwise(inner))
        if self.project is None:
            return inner
        out = self.project(inner)
        return x + out if self.residual else out


def bottlenecks() -> nn.Sequential:
    """The backbone's blocks: (N, 24, H/2, W/2) -> (N, 1152, H/32, W/32)."""
    blocks, before = [], 24
    for kernel, maps, stride, expansion, count in STAGES:
        for number in range(count):
            blocks.append(Bottleneck(before, maps, kernel, stride if number == 0 else 1, expansion))
            before = maps
    return nn.Sequential(*blocks, Bottleneck(before, FEATURES, 3, 1, 6, project=False))


class HandBackbone(nn.Module):
    """(N, 3, H, W) in 0..1 -> (N, 1152, H/32, W/32). 2,568,096 parameters. Sides must be multiples of 32."""

    def __init__(self):
        super().__init__()
        self.stem = SamePadConv2d(3, 24, 3, stride=2)
        self.blocks = bottlenecks()

    def forward(self, x: Tensor) -> Tensor:
        return self.late(self.early(x))

    def early(self, x: Tensor) -> Tensor:
        """(N, 3, 192, 192) in 0..1 -> (N, 112, 12, 12): the blocks that finder and letters share."""
        return self.blocks[:EARLY](F.relu6(self.stem(x)))

    def late(self, maps: Tensor) -> Tensor:
        """(N, 112, 12, 12) -> (N, 1152, 6, 6): the other blocks, as they were trained elsewhere."""
        return self.blocks[EARLY:](maps)

    def load_pretrained(self, file: Path = BACKBONE_FILE) -> "HandBackbone":
        """Load the pretrained weights; returns itself. Raises OSError where the file is missing."""
        self.load_state_dict(load_file(file))
        return self


def pooled(maps: Tensor) -> Tensor:
    """Feature maps (N, 1152, H, W) -> (N, 5760, 1, 1): their means over the whole crop and over its quarters.

    So the head knows which features there are, and roughly where.
    """
    means = [F.adaptive_avg_pool2d(maps, size).flatten(1) for size in (1, 2)]
    return torch.cat(means, 1)[..., None, None]


class HandHead(nn.Module):
    """The classifier: pooled features of crops (N, 5760, 1, 1) -> scores (N, classes)."""

    def __init__(self, classes: int = 24, hidden: int = 256):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(POOLED),
            nn.Dropout(0.3),
            nn.Linear(POOLED, hidden),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(hidden, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class HandTail(nn.Module):
    """Copies of the backbone's late blocks, and the head: early maps (N, 112, 12, 12) -> scores (N, classes)."""

    def __init__(self, classes: int = 24, hidden: int = 256):
        super().__init__()
        self.late = bottlenecks()[EARLY:]
        self.head = HandHead(classes, hidden)

    @classmethod
    def of(cls, backbone: HandBackbone, head: HandHead) -> "HandTail":
        """One that begins with the backbone's own late blocks, and with that head; both are copied."""
        last = head.layers[-1]
        tail = cls(last.out_features, last.in_features)
        tail.late.load_state_dict(backbone.blocks[EARLY:].state_dict())
        tail.head.load_state_dict(head.state_dict())
        return tail

    def forward(self, maps: Tensor) -> Tensor:
        return self.head(pooled(self.late(maps)))


class HandReader(nn.Module):
    """The photo network: (N, 3, 192, 192) in 0..1 -> (N, classes). The backbone's early blocks, then the tail."""

    def __init__(self, classes: int = 24, hidden: int = 256):
        super().__init__()
        self.backbone = HandBackbone().requires_grad_(False)
        self.tail = HandTail(classes, hidden)

    @classmethod
    def of(cls, backbone: HandBackbone, tail: HandTail) -> "HandReader":
        """One with those weights, copied, ready to read."""
        last = tail.head.layers[-1]
        reader = cls(last.out_features, last.in_features)
        reader.backbone.load_state_dict(backbone.state_dict())
        reader.tail.load_state_dict(tail.state_dict())
        return reader.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.backbone.early(x))

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that reading asks for (train.answer.parts).

        "early" maps of crops; from these, "late", the original backbone's last maps, for the finder, and "tail", the
        scores; "upright", the last maps of upright hands, for the finder; and a "heat" map.
        """
        pixels, maps = (3, CROP_SIDE, CROP_SIDE), {"maps": (MANY, *EARLY_MAPS)}
        classes = self.tail.head.layers[-1].out_features
        return {
            "early": Part(
                lambda reader, pixels: (reader.backbone.early(pixels),), {"pixels": (MANY, *pixels)}, ("maps",)
            ),
            "late": Part(lambda reader, maps: (reader.backbone.late(maps),), maps, ("last",)),
            "upright": Part(
                lambda reader, pixels: (reader.backbone(pixels),), {"pixels": (MANY, 3, SIDE, SIDE)}, ("last",)
            ),
            "tail": Part(lambda reader, maps: (reader.tail(maps),), maps, ("scores",)),
            "heat": Part(_heat, {"pixels": (1, *pixels), "among": (classes,)}, ("heat",), many=False),
        }


def _heat(reader: HandReader, pixels: Tensor, among: Tensor) -> tuple[Tensor]:
    """Where the best score comes from: gradient times activation (Shrikumar et al., 2016) of early feature maps.

    Early ones, 24 x 24, because the last ones, 6 x 6, hold the whole hand in every cell. `among` (classes,) is added to
    the scores before the best is taken: 0, or far below 0 for answers that must not win. Returns (1, 24, 24), from 0.
    """
    backbone = reader.backbone
    maps = backbone.blocks[:HEAT_BLOCKS](F.relu6(backbone.stem(pixels))).detach()
    with torch.enable_grad():
        at = maps.requires_grad_()
        scores = reader.tail(backbone.blocks[HEAT_BLOCKS:EARLY](at))
        (slopes,) = torch.autograd.grad((scores + among).amax(1).sum(), at)
    return (F.avg_pool2d((maps.detach() * slopes).sum(1).abs(), 3, 1, 1),)
