"""What fused layers compute, forward and backward, by the C++ in `native`. Feature maps are channels_last."""

import torch
from torch import Generator, Tensor, nn

from train.fast.library import call, library


def product_type() -> torch.dtype:
    """The type of numbers that is multiplied here: float32, or what autocast asks for."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


class FirstConvolution(torch.autograd.Function):
    """Convolution of pictures (N, 1, H, W) by (C, 1, K, K), ReLU and 2 x 2 pooling. Pictures get no gradient."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x = x.float().contiguous()
        kind = product_type()
        out, places = _halved((len(x), len(weight), *x.shape[2:]), kind)
        call(f"convolve_pool_{weight.shape[-1]}", kind, x, weight, bias, out, places, *_sizes(x, len(weight)))
        ctx.save_for_backward(x, places, weight)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, places, weight = ctx.saved_tensors
        grad_weight, grad_bias = torch.empty_like(weight), torch.empty(len(weight))
        grad, side = _channels_last(grad), weight.shape[-1]
        sizes = _sizes(x, len(grad_bias))
        call(f"convolve_pool_backward_{side}", grad.dtype, x, grad, places, grad_weight, grad_bias, *sizes)
        return None, grad_weight, grad_bias


class Winograd(torch.autograd.Function):
    """Convolution of (N, C, H, W) by (D, C, 3, 3), float32 or bfloat16; ReLU and 2 x 2 pooling too if `pool` is set."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, pool: bool) -> Tensor:
        x = _channels_last(x)
        n, channels, height, width = x.shape
        shape = n, len(weight), height + 2 * padding - 2, width + 2 * padding - 2
        out, places = _halved(shape, x.dtype) if pool else (_empty(shape, x.dtype), None)
        strides = weight.stride(1), weight.stride(3)
        ctx.sizes = n, height, width, channels, len(weight), padding, *strides, torch.get_num_threads()
        call("winograd", x.dtype, x, weight, bias, out, places, *ctx.sizes)
        ctx.save_for_backward(x, weight, places)
        ctx.has_bias = bias is not None
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, places = ctx.saved_tensors
        grads = torch.empty_like(x), torch.empty_like(weight), torch.empty(len(weight))
        call("winograd_backward", x.dtype, x, _channels_last(grad), places, weight, *grads, *ctx.sizes)
        return *grads[:2], grads[2] if ctx.has_bias else None, None, None


class Linear(torch.autograd.Function):
    """Flattened (N, ...) times (D, K) in bfloat16, a bias, and ReLU if `relu` is set: (N, D)."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        x = _channels_last(x) if x.dim() == 4 else x.contiguous()
        pixels = x.shape[2] * x.shape[3] if x.dim() == 4 else 1
        flat = torch.empty(len(x), library().flat_row(weight.shape[1]), dtype=x.dtype)
        out = torch.empty(len(x), len(weight), dtype=x.dtype)
        ctx.sizes = int(relu), len(x), pixels, weight.shape[1] // pixels, len(weight), torch.get_num_threads()
        call("linear", x.dtype, x, weight, bias, flat, out, *ctx.sizes)
        ctx.save_for_backward(flat, out, weight)
        ctx.shape = x.shape
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        flat, out, weight = ctx.saved_tensors
        grad_x = _empty(ctx.shape, out.dtype) if len(ctx.shape) == 4 else torch.empty(ctx.shape, dtype=out.dtype)
        grads = grad_x, torch.empty_like(weight), torch.empty(len(weight))
        call("linear_backward", out.dtype, flat, out, grad.contiguous(), weight, *grads, *ctx.sizes)
        return *grads, None


class Normalisation(torch.autograd.Function):
    """BatchNorm of (N, C, H, W), whose running statistics it moves, ReLU, and 2 x 2 pooling if `pool` is set."""

    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, shift: Tensor, norm: nn.BatchNorm2d, pool: bool) -> Tensor:
        x = _channels_last(x)
        out, places = _halved(x.shape, x.dtype) if pool else (torch.empty_like(x), None)
        mean, inverse = torch.empty_like(scale), torch.empty_like(scale)
        numbers = (norm.eps, norm.momentum, norm.running_mean, norm.running_var, mean, inverse)
        call("normalise", x.dtype, x, scale, shift, *numbers, out, places, *_sizes(x, x.shape[1]))
        ctx.save_for_backward(x, scale, shift, mean, inverse, places)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, mean, inverse, places = ctx.saved_tensors
        grad = _channels_last(grad)
        grad_x, grad_scale, grad_shift = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(shift)
        given, wanted = (x, grad, places, scale, shift, mean, inverse), (grad_x, grad_scale, grad_shift)
        call("normalise_backward", x.dtype, *given, *wanted, *_sizes(x, x.shape[1]))
        return grad_x, grad_scale, grad_shift, None, None


class Dropping(torch.autograd.Function):
    """Dropout: what is dropped follows from a seed, and so need not be kept for the way back."""

    @staticmethod
    def forward(ctx, x: Tensor, probability: float, generator: Generator | None = None) -> Tensor:
        ctx.probability, ctx.seed = probability, int(torch.empty((), dtype=torch.int64).random_(generator=generator))
        return _dropped(x, probability, ctx.seed)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        return _dropped(grad, ctx.probability, ctx.seed), None, None


def _dropped(x: Tensor, probability: float, seed: int) -> Tensor:
    x = _channels_last(x)
    out = torch.empty_like(x)
    call("dropout", x.dtype, x, out, x.numel(), probability, seed, torch.get_num_threads())
    return out


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _halved(shape: tuple[int, ...], kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Room for what pooling leaves of (N, C, H, W), and for the place of the largest among each four."""
    n, channels, height, width = shape
    half = n, channels, height // 2, width // 2
    return _empty(half, kind), _empty(half, torch.uint8)


def _empty(shape: tuple[int, ...], kind: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=kind, memory_format=torch.channels_last)


def _sizes(x: Tensor, channels: int) -> tuple[int, ...]:
    n, _, height, width = x.shape
    return n, height, width, channels, torch.get_num_threads()
