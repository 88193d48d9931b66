"""Receptive fields: the part of the picture that one place of a feature map sees."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Field:
    """For the places of one map, in the picture's pixels along either side (Araujo, Norris and Sim, 2019)."""

    size: int = 1  # pixels that one place sees
    jump: int = 1  # pixels between what two neighbours see
    offset: int = 0  # where the first place's field begins; below 0 it begins in the padding

    def of(self, place: int) -> tuple[int, int]:
        """First and last pixel, inclusive, that the place sees; beyond the picture's edges there is padding."""
        first = self.offset + place * self.jump
        return first, first + self.size - 1

    def after(self, layer: nn.Module, side: int) -> "Field":
        """The field behind a convolution or pooling that gets maps of `side` pixels; other layers change nothing."""
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            return self
        kernel, stride, padding = geometry(layer, side)
        return Field(self.size + (kernel - 1) * self.jump, self.jump * stride, self.offset - padding * self.jump)


def geometry(layer: nn.Module, side: int) -> tuple[int, int, int]:
    """Kernel, stride and padding before the first pixel, of a convolution or pooling with square kernels."""
    kernel, stride, padding = (_single(getattr(layer, name)) for name in ("kernel_size", "stride", "padding"))
    if type(layer).__name__ == "SamePadConv2d":  # pads as TensorFlow does: as much as a whole number of steps needs
        padding = max((-(-side // stride) - 1) * stride + kernel - side, 0) // 2
    return kernel, stride, padding


def _single(value) -> int:
    return value[0] if isinstance(value, tuple) else value
