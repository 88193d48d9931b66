"""How a convolution makes one map: the sum, over all maps it gets, of each one's own convolution."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.inside.fields import geometry
from train.inside.maps import InsideError, hooked, normalised
from train.learn.checkpoint import Metadata


@dataclass(frozen=True, eq=False)
class Sum:
    """One map of a convolution, taken apart: `parts` summed over the first axis, plus `bias`, is `result`."""

    numbers: Tensor  # (inputs,) which of the layer's input maps; all, but for a convolution in groups
    inputs: Tensor  # (inputs, H, W) the maps it got
    kernels: Tensor  # (inputs, k, k) the kernel for each
    parts: Tensor  # (inputs, h, w) what each adds, at each place
    bias: float
    result: Tensor  # (h, w)
    stride: int
    padding: int

    @property
    def shares(self) -> Tensor:
        """(inputs,) how much of all that is added and taken each input map adds or takes; they sum to 1."""
        sizes = self.parts.abs().sum((1, 2))
        return sizes / sizes.sum().clamp(min=1e-12)


def channel_sum(model: nn.Module, about: Metadata, pixels: Tensor, name: str, number: int) -> Sum:
    """Take map `number` of the convolution called `name` apart, for one picture (C, H, W) uint8.

    Raises InsideError where there is no such convolution, or no such map in it.
    """
    layer = dict(model.named_modules()).get(name)
    if not isinstance(layer, nn.Conv2d):
        raise InsideError("There is no convolution {name}.", code="inside.no_convolution", name=name)
    if not 0 <= number < layer.out_channels:
        raise InsideError(
            "{name} has {count} maps: there is no number {number}.",
            code="inside.no_map",
            name=name,
            count=layer.out_channels,
            number=number,
        )
    caught = []
    with torch.no_grad(), hooked([(layer, lambda _, inputs, output: caught.append((inputs[0], output)))]):
        model(normalised(about, pixels))
        given, output = caught[0]
        per_group = layer.in_channels // layer.groups
        first = number // (layer.out_channels // layer.groups) * per_group
        inputs = given[:, first : first + per_group]
        kernels = layer.weight.detach()[number]  # (inputs, k, k)
        # the same convolution, each input map with its own kernel and the results kept apart
        kernel, stride, padding = geometry(layer, given.shape[-1])
        rows, columns = (_pads(kernel, stride, padding, size, out) for size, out in
                         zip(given.shape[2:], output.shape[2:], strict=True))  # fmt: skip
        parts = F.conv2d(F.pad(inputs, (*columns, *rows)), kernels[:, None], stride=stride, groups=per_group)
    bias = 0.0 if layer.bias is None else float(layer.bias.detach()[number])
    return Sum(
        torch.arange(first, first + per_group),
        inputs[0].float(),
        kernels.float(),
        parts[0].float(),
        bias,
        output[0, number].float(),
        stride,
        padding,
    )


def _pads(kernel: int, stride: int, before: int, size: int, out: int) -> tuple[int, int]:
    """Padding before and after, so that exactly `out` places come out."""
    return before, max((out - 1) * stride + kernel - size - before, 0)
