"""Varied copies of training images, made for a whole batch at once on its device."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

Augmentation = Callable[[Tensor, Generator], Tensor]


def uniform(count: int, low: float, high: float, like: Tensor, generator: Generator) -> Tensor:
    """(count,) float32 random numbers between low and high, drawn on the generator's device."""
    drawn = torch.rand(count, generator=generator, device=generator.device)
    return (low + (high - low) * drawn).to(like.device)


def warp(images: Tensor, angle: Tensor, scale: Tensor, shear: Tensor, shift: Tensor) -> Tensor:
    """Turn, scale, slant and shift each image; what comes from outside is the nearest edge pixel.

    Args:
        images: (N, C, H, W) float.
        angle: (N,) radians. scale: (N,), above 1 enlarges. shear: (N,), horizontal shift per height.
        shift: (N, 2) in half widths, x right and y down.
    """
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = torch.stack([cos, sin + shear * cos, -shift[:, 0], -sin, cos - shear * sin, -shift[:, 1]], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def none(images: Tensor, generator: Generator) -> Tensor:
    """The images as they are."""
    return images


def affine(images: Tensor, generator: Generator) -> Tensor:
    """Turn by up to 10 degrees, scale by up to 10 % and shift by up to a tenth of the side."""
    count = len(images)
    angle = uniform(count, -0.1745, 0.1745, images, generator)
    scale = uniform(count, 0.9, 1.1, images, generator)
    shift = uniform(2 * count, -0.2, 0.2, images, generator).view(count, 2)
    return warp(images, angle, scale, torch.zeros_like(angle), shift)


def shift(images: Tensor, generator: Generator) -> Tensor:
    """Turn by up to 10 degrees, scale by up to 10 %, slant a little and shift by up to 2 pixels of 28."""
    count = len(images)
    angle = uniform(count, -0.1745, 0.1745, images, generator)
    scale = uniform(count, 0.9, 1.1, images, generator)
    slant = uniform(count, -0.15, 0.15, images, generator)
    by = uniform(2 * count, -0.14, 0.14, images, generator).view(count, 2)
    return warp(images, angle, scale, slant, by)


AUGMENTATIONS: dict[str, Augmentation] = {"none": none, "affine": affine, "shift": shift}
