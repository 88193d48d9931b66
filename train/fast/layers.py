"""Layers that train faster than torch's on a CPU: what stands together in a small network is computed together.

Convolution and BatchNorm of few channels, ReLU and pooling compute next to nothing, but each reads and writes all
feature maps. Here they are one pass, in C++ (`native`), with torch's results up to rounding: products, sums and
BatchNorm in float32, feature maps in bfloat16 where autocast asks for it. Convolutions of 3 x 3, where nearly all
arithmetic is, are computed in Winograd's way.
"""

import copy
import functools
import shutil
from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from train.fast.functions import Dropping, FirstConvolution, Linear, Normalisation, Winograd, product_type
from train.fast.library import library
from train.fast.machine import cpu_has_amx

CHANNELS = 16  # the fewest that fill a register of AVX-512; with fewer, torch's own layers are as good


def quickest(model: nn.Module, *, fuse: bool = True, compile: bool = False) -> nn.Module:
    """The same network, parameters shared, in the form that trains fastest. Its layers do not change later.

    Args:
        fuse: take fused layers, which are for float32 parameters on a CPU, where a C++ compiler is found; the first
            call in a process may wait for it (`library.ready` tells).
        compile: otherwise take torch.compile, where there is a compiler. Never both: it takes 12 s, and then twice as
            long for a step of the lesson's sign network.
    """
    if fuse and library() is not None:
        return pooling_first(fused(model))
    model = pooling_first(model)
    return torch.compile(model) if compile and any(map(shutil.which, ("cc", "gcc", "clang", "cl"))) else model


def is_fused(model: nn.Module) -> bool:
    """Whether fused layers are in it."""
    return any(isinstance(layer, Fused) for layer in model.modules())


def pooling_first(model: nn.Module) -> nn.Module:
    """The same network, layers shared, with each pooling of its `features` before the ReLU that stands in front of it.

    The largest of what ReLU leaves is what ReLU leaves of the largest, and after pooling a quarter is left to do.
    """
    layers = list(getattr(model, "features", ()))
    before = layers.copy()
    for index in range(1, len(layers)):
        if isinstance(layers[index], nn.MaxPool2d) and isinstance(layers[index - 1], nn.ReLU):
            layers[index - 1 : index + 1] = layers[index], layers[index - 1]
    return model if layers == before else _with_parts(model, features=nn.Sequential(*layers))


def fused(model: nn.Module) -> nn.Module:
    """The same network, parameters shared, with fused layers for neighbours in its `features` and `classifier`.

    Its outputs and gradients are the model's up to rounding. Without a library, or with nothing to fuse, it is the
    model itself.
    """
    layers = list(getattr(model, "features", ()))
    if not layers or library() is None:
        return model
    parts = {"features": nn.Sequential(*_fuse_features(layers))}
    if isinstance(getattr(model, "classifier", None), nn.Sequential):
        parts["classifier"] = nn.Sequential(*_fuse_classifier(list(model.classifier)))
    return _with_parts(model, **parts)


def _with_parts(model: nn.Module, **parts: nn.Module) -> nn.Module:
    """A shallow copy of the network with some of its parts exchanged."""
    other = copy.copy(model)
    other._modules = model._modules | parts
    return other


def _fuse_features(layers: list[nn.Module]) -> Iterator[nn.Module]:
    channels = 0
    while layers:
        if isinstance(layers[0], nn.Conv2d):
            channels = layers[0].out_channels
        layer, count = _fuse_first(layers) if channels >= CHANNELS else (None, 0)
        yield layer or layers[0]
        del layers[: count or 1]


def _fuse_first(layers: list[nn.Module]) -> tuple[nn.Module | None, int]:
    """A fused layer for the first few of these, and how many it replaces; (None, 0) if the first stays as it is."""
    match layers[:3]:
        case [nn.Conv2d() as layer, nn.ReLU(), nn.MaxPool2d() as pool] if _takes_pictures(layer) and _halves(pool):
            return ConvolutionReluPool(layer), 3
        case [nn.Conv2d() as layer, nn.ReLU(), nn.MaxPool2d() as pool] if _suits_winograd(layer) and _halves(pool):
            return Convolution3x3(layer, pool=True), 3
        case [nn.Conv2d() as layer, *_] if _suits_winograd(layer):
            return Convolution3x3(layer, pool=False), 1
        case [nn.BatchNorm2d() as norm, nn.ReLU(), nn.MaxPool2d() as pool] if _is_usual(norm) and _halves(pool):
            return NormRelu(norm, pool=True), 3
        case [nn.BatchNorm2d() as norm, nn.ReLU(), *_] if _is_usual(norm):
            return NormRelu(norm, pool=False), 2
        case [nn.Dropout() as dropout, *_]:
            return Dropout(dropout), 1
    return None, 0


def _fuse_classifier(layers: list[nn.Module]) -> Iterator[nn.Module]:
    """Linear layers with the flattening before and the ReLU after them, where there are any."""
    while layers:
        start = int(isinstance(layers[0], nn.Flatten) and (layers[0].start_dim, layers[0].end_dim) == (1, -1))
        linear, relu = [*layers[start : start + 2], None, None][:2]
        if isinstance(linear, nn.Linear) and linear.bias is not None:
            count = start + 1 + isinstance(relu, nn.ReLU)
            yield FullyConnected(nn.Sequential(*layers[:count]), linear)
            del layers[:count]
        else:
            yield layers.pop(0)


def _takes_pictures(layer: nn.Conv2d) -> bool:
    """Whether it is the convolution of a picture of one channel that keeps its size."""
    side = layer.kernel_size[0]
    plain = (layer.stride, layer.dilation, layer.padding_mode) == ((1, 1), (1, 1), "zeros")
    sides = layer.kernel_size == (side, side) and layer.padding == (side // 2, side // 2)
    return layer.in_channels == 1 and layer.bias is not None and side in (3, 5) and plain and sides


def _suits_winograd(layer: nn.Conv2d) -> bool:
    """Whether it is a plain 3 x 3 convolution of many channels."""
    plain = (layer.stride, layer.dilation, layer.groups, layer.padding_mode) == ((1, 1), (1, 1), 1, "zeros")
    sides = layer.kernel_size == (3, 3) and layer.padding in ((0, 0), (1, 1))
    return plain and sides and min(layer.in_channels, layer.out_channels) >= CHANNELS


def _halves(layer: nn.MaxPool2d) -> bool:
    pair = [side if isinstance(side, tuple) else (side, side) for side in (layer.kernel_size, layer.stride)]
    return pair == [(2, 2), (2, 2)] and not (layer.padding or layer.ceil_mode) and layer.dilation == 1


def _is_usual(layer: nn.BatchNorm2d) -> bool:
    return layer.affine and layer.track_running_stats and layer.momentum is not None


class Fused(nn.Module):
    """What replaces some of torch's layers. It holds them, and uses them where it is not faster."""


class ConvolutionReluPool(Fused):
    """Convolution of pictures of one channel, ReLU and 2 x 2 pooling: (N, 1, H, W) -> (N, C, H // 2, W // 2)."""

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        return FirstConvolution.apply(x, self.convolution.weight, self.convolution.bias)


class Convolution3x3(Fused):
    """Convolution of 3 x 3 and, if asked for, ReLU and 2 x 2 pooling: (N, C, H, W) -> (N, D, h, w) or its half.

    By the method of Winograd, with 2.25 times fewer multiplications (Lavin and Gray, 2015). In bfloat16 its points are
    rounded, too: results are 1.7 times as far from float32's as those of torch's convolution.
    """

    def __init__(self, convolution: nn.Conv2d, pool: bool):
        super().__init__()
        self.convolution, self.pool = convolution, pool

    def forward(self, x: Tensor) -> Tensor:
        layer, kind = self.convolution, product_type()
        if _winograd_pays(kind):
            return Winograd.apply(x.to(kind), layer.weight, layer.bias, layer.padding[0], self.pool)
        return F.max_pool2d(layer(x), 2).relu_() if self.pool else layer(x)


@functools.cache
def _winograd_pays(kind: torch.dtype) -> bool:
    """Whether it is faster than torch's convolution, which always uses its threads, on this processor."""
    fast = kind == torch.float32 or (kind == torch.bfloat16 and multiplies_in_bfloat16())
    return fast and bool(library().parallel())


@functools.cache
def multiplies_in_bfloat16() -> bool:
    """Whether our products in bfloat16 are fast here: where there is AMX, torch's are faster."""
    return hasattr(library(), "winograd_bfloat16") and not cpu_has_amx()


class FullyConnected(Fused):
    """A linear layer, with the flattening before and the ReLU after it where there are any: (N, ...) -> (N, D)."""

    def __init__(self, layers: nn.Sequential, linear: nn.Linear):
        super().__init__()
        self.layers, self.linear, self.relu = layers, linear, isinstance(layers[-1], nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        if product_type() == torch.bfloat16 and multiplies_in_bfloat16():
            return Linear.apply(x.bfloat16(), self.linear.weight, self.linear.bias, self.relu)
        return self.layers(x)


class NormRelu(Fused):
    """BatchNorm over the batch, ReLU and, if asked for, 2 x 2 pooling: (N, C, H, W) -> (N, C, H, W) or its half."""

    def __init__(self, norm: nn.BatchNorm2d, pool: bool):
        super().__init__()
        self.norm, self.pool = norm, pool

    def forward(self, x: Tensor) -> Tensor:
        if not self.norm.training:
            x = self.norm(x).relu()
            return F.max_pool2d(x, 2) if self.pool else x
        self.norm.num_batches_tracked.add_(1)
        return Normalisation.apply(x, self.norm.weight, self.norm.bias, self.norm, self.pool)


class Dropout(Fused):
    """Values set to zero at random, the others scaled up: same shape. What is dropped follows from a random seed."""

    def __init__(self, dropout: nn.Dropout):
        super().__init__()
        self.dropout = dropout
        self.generator: Generator | None = None  # torch's own, unless one is given

    def forward(self, x: Tensor) -> Tensor:
        at_random = self.dropout.training and 0 < self.dropout.p < 1
        return Dropping.apply(x, self.dropout.p, self.generator) if at_random else self.dropout(x)
