"""Layers that train faster than torch's on a CPU: what stands together in a small network is computed together.

Convolution and BatchNorm of few channels, ReLU and pooling compute next to nothing, but each reads and writes all
feature maps. Here they are one pass, in C++ (train/native), with torch's results up to rounding: products, sums and
BatchNorm in float32, feature maps in bfloat16 where autocast asks for it.
"""

import copy

import torch
from torch import Tensor, nn

from train.compiled import call, library

LANES = 16  # channels computed at once: with fewer, torch's own layers are as good


def fused(model: nn.Module) -> nn.Module:
    """The same network, parameters shared, with neighbours among its `features` in one; for training on a CPU.

    Where there is no compiler, or nothing to fuse, the model itself. Its outputs and gradients are the model's up to
    rounding.
    """
    layers = list(getattr(model, "features", ()))
    if not layers or library() is None:
        return model
    together, at, channels = [], 0, None
    while at < len(layers):
        if isinstance(layers[at], nn.Conv2d):
            channels = layers[at].out_channels
        layer, count = _fused_at(layers, at) if (channels or 0) >= LANES else (None, 0)
        together.append(layers[at] if layer is None else layer)
        at += max(count, 1)
    other = copy.copy(model)
    other._modules = model._modules | {"features": nn.Sequential(*together)}
    return other


def gathered(pixels: Tensor, which: Tensor, mean: float, std: float) -> Tensor:
    """Of uint8 pixels (M, 1, H, W) those at `which` (N,) int64, in range, scaled to 0..1 and normalised: float32."""
    out = torch.empty((len(which), *pixels.shape[1:]))
    call("gather", pixels, which.contiguous(), out, len(which), out[0].numel(), mean, std, torch.get_num_threads())
    return out


def _fused_at(layers: list[nn.Module], at: int) -> tuple[nn.Module | None, int]:
    """One layer for those that stand there, and how many they are; none if they stay as they are."""
    match layers[at : at + 3]:
        case [nn.Conv2d() as convolution, nn.ReLU(), nn.MaxPool2d() as pool] if _firsts(convolution) and _halves(pool):
            return ConvolutionReluPool(convolution), 3
        case [nn.BatchNorm2d() as norm, nn.ReLU(), nn.MaxPool2d() as pool] if _usual(norm) and _halves(pool):
            return NormRelu(norm, pool=True), 3
        case [nn.BatchNorm2d() as norm, nn.ReLU(), *_] if _usual(norm):
            return NormRelu(norm, pool=False), 2
        case [nn.ReLU(), nn.MaxPool2d() as pool, *_] | [nn.MaxPool2d() as pool, nn.ReLU(), *_] if _halves(pool):
            return Pool(relu=True), 2
        case [nn.MaxPool2d() as pool, *_] if _halves(pool):
            return Pool(relu=False), 1
        case [nn.Dropout() as dropout, *_]:
            return Dropout(dropout), 1
    return None, 0


def _firsts(layer: nn.Conv2d) -> bool:
    """Whether it is the convolution of a picture of one channel that keeps its size."""
    side = layer.kernel_size[0]
    plain = (layer.stride, layer.dilation, layer.padding_mode) == ((1, 1), (1, 1), "zeros")
    sides = layer.kernel_size == (side, side) and layer.padding == (side // 2, side // 2)
    return layer.in_channels == 1 and layer.bias is not None and side in (3, 5) and plain and sides


def _halves(layer: nn.MaxPool2d) -> bool:
    pair = [side if isinstance(side, tuple) else (side, side) for side in (layer.kernel_size, layer.stride)]
    return pair == [(2, 2), (2, 2)] and not (layer.padding or layer.ceil_mode) and layer.dilation == 1


def _usual(layer: nn.BatchNorm2d) -> bool:
    return layer.affine and layer.track_running_stats and layer.momentum is not None


class ConvolutionReluPool(nn.Module):
    """Convolution of pictures of one channel, ReLU and 2 x 2 pooling: (N, 1, H, W) -> (N, C, H // 2, W // 2)."""

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        return _ConvolutionReluPool.apply(x, self.convolution.weight, self.convolution.bias)


class NormRelu(nn.Module):
    """BatchNorm over the batch, ReLU and, if asked for, 2 x 2 pooling: (N, C, H, W) -> (N, C, H, W) or its half."""

    def __init__(self, norm: nn.BatchNorm2d, pool: bool):
        super().__init__()
        self.norm, self.pool = norm, pool

    def forward(self, x: Tensor) -> Tensor:
        self.norm.num_batches_tracked.add_(1)
        return _NormRelu.apply(x, self.norm.weight, self.norm.bias, self.norm, self.pool)


class Pool(nn.Module):
    """The largest of each 2 x 2 values, after ReLU if asked for: (N, C, H, W) -> (N, C, H // 2, W // 2)."""

    def __init__(self, relu: bool):
        super().__init__()
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        return _Pool.apply(x, self.relu)


class Dropout(nn.Module):
    """Values set to zero at random, the others scaled up: same shape. What stays follows from torch's generator."""

    def __init__(self, dropout: nn.Dropout):
        super().__init__()
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        at_random = self.dropout.training and 0 < self.dropout.p < 1
        return _Dropout.apply(x, self.dropout.p) if at_random else self.dropout(x)


class _ConvolutionReluPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x = x.float().contiguous()
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        out, places = _halved((len(x), len(weight), *x.shape[2:]), kind)
        _call(f"convolve_pool_{weight.shape[-1]}", kind, x, weight, bias, out, places, *_sizes(x, len(weight)))
        ctx.save_for_backward(x, places, weight)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, places, weight = ctx.saved_tensors
        grad_weight, grad_bias = torch.empty_like(weight), torch.empty(len(weight))
        grad, side = _channels_last(grad), weight.shape[-1]
        sizes = _sizes(x, len(grad_bias))
        _call(f"convolve_pool_backward_{side}", grad.dtype, x, grad, places, grad_weight, grad_bias, *sizes)
        return None, grad_weight, grad_bias


class _NormRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, shift: Tensor, norm: nn.BatchNorm2d, pool: bool) -> Tensor:
        x = _channels_last(x)
        out, places = _halved(x.shape, x.dtype) if pool else (torch.empty_like(x), None)
        mean, inverse = torch.empty_like(scale), torch.empty_like(scale)
        numbers = (norm.eps, norm.momentum, norm.running_mean, norm.running_var, mean, inverse)
        _call("normalise", x.dtype, x, scale, shift, *numbers, out, places, *_sizes(x, x.shape[1]))
        ctx.save_for_backward(x, scale, shift, mean, inverse, places)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, mean, inverse, places = ctx.saved_tensors
        grad = _channels_last(grad)
        grad_x, grad_scale, grad_shift = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(shift)
        given, wanted = (x, grad, places, scale, shift, mean, inverse), (grad_x, grad_scale, grad_shift)
        _call("normalise_backward", x.dtype, *given, *wanted, *_sizes(x, x.shape[1]))
        return grad_x, grad_scale, grad_shift, None, None


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, relu: bool) -> Tensor:
        x = _channels_last(x)
        out, places = _halved(x.shape, x.dtype)
        *sizes, threads = _sizes(x, x.shape[1])
        _call("pool", x.dtype, x, out, places, *sizes, int(relu), threads)
        ctx.save_for_backward(places)
        ctx.shape = x.shape
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (places,) = ctx.saved_tensors
        grad = _channels_last(grad)
        grad_x = torch.empty(ctx.shape, dtype=grad.dtype, memory_format=torch.channels_last)
        _call("pool_backward", grad.dtype, grad, places, grad_x, *_sizes(grad_x, ctx.shape[1]))
        return grad_x, None


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, probability: float) -> Tensor:
        ctx.probability, ctx.seed = probability, int(torch.empty((), dtype=torch.int64).random_())
        return _dropped(x, probability, ctx.seed)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        return _dropped(grad, ctx.probability, ctx.seed), None


def _dropped(x: Tensor, probability: float, seed: int) -> Tensor:
    x = _channels_last(x)
    out = torch.empty_like(x)
    _call("dropout", x.dtype, x, out, x.numel(), probability, seed, torch.get_num_threads())
    return out


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _halved(shape: tuple[int, ...], kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Room for what pooling leaves of (N, C, H, W), and for the place of the largest among each four."""
    n, channels, height, width = shape
    half = (n, channels, height // 2, width // 2)
    return tuple(torch.empty(half, dtype=dtype, memory_format=torch.channels_last) for dtype in (kind, torch.uint8))


def _sizes(x: Tensor, channels: int) -> tuple[int, ...]:
    n, _, height, width = x.shape
    return n, height, width, channels, torch.get_num_threads()


def _call(name: str, kind: torch.dtype, *arguments: Tensor | int | float | None) -> None:
    """A function of train/native, for feature maps of that type."""
    call(f"{name}_{str(kind).removeprefix('torch.').removesuffix('32')}", *arguments)
