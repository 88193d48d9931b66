"""Varied copies of training images, made for a whole batch at once on its device."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from train.task import AUGMENTATION_NAMES

Augmentation = Callable[[Tensor, Generator | None], Tensor]


def uniform(count: int, low: float, high: float, like: Tensor, generator: Generator | None) -> Tensor:
    """(count,) float32 random numbers between low and high, on the device of `like`.

    They are drawn on the generator's device; without a generator by the device's own.
    """
    drawn = torch.rand(count, generator=generator, device=generator.device if generator else like.device)
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


def none(images: Tensor, generator: Generator | None) -> Tensor:
    """The images as they are."""
    return images


def affine(images: Tensor, generator: Generator | None) -> Tensor:
    """Turn by up to 10 degrees, scale by up to 10 % and shift by up to a tenth of the side."""
    count = len(images)
    angle = uniform(count, -0.1745, 0.1745, images, generator)
    scale = uniform(count, 0.9, 1.1, images, generator)
    shift = uniform(2 * count, -0.2, 0.2, images, generator).view(count, 2)
    return warp(images, angle, scale, torch.zeros_like(angle), shift)


def shift(images: Tensor, generator: Generator | None) -> Tensor:
    """Turn by up to 10 degrees, scale by up to 10 %, slant a little and shift by up to 2 pixels of 28."""
    count = len(images)
    angle = uniform(count, -0.1745, 0.1745, images, generator)
    scale = uniform(count, 0.9, 1.1, images, generator)
    slant = uniform(count, -0.15, 0.15, images, generator)
    by = uniform(2 * count, -0.14, 0.14, images, generator).view(count, 2)
    return warp(images, angle, scale, slant, by)


def digits(images: Tensor, generator: Generator | None) -> Tensor:
    """Handwriting's variety: turned, slanted, wider, narrower, shifted, bent as rubber (Simard et al., 2003), thicker.

    Angles up to 8 degrees, sides up to 8 %, slant up to 0.15, shifts up to 1.5 pixels of 28.
    """
    count, side = len(images), images.shape[-1]
    angle = uniform(count, -0.14, 0.14, images, generator)
    slant = uniform(count, -0.15, 0.15, images, generator)
    wide, high = uniform(2 * count, -0.08, 0.08, images, generator).exp().view(2, count)
    by = uniform(2 * count, -3 / side, 3 / side, images, generator).view(2, count)
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack([cos * wide, cos * slant - sin * high, by[0], sin * wide, sin * slant + cos * high, by[1]], 1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    # rubber: displacements at 5 x 5 places, 0.6 pixels on average, and smooth between them
    device = generator.device if generator else images.device
    bend = torch.randn(count, 2, 5, 5, generator=generator, device=device).to(images.device) * (1.2 / side)
    between = _between(5, side, images.device)
    grid = grid + (between @ bend @ between.T).permute(0, 2, 3, 1)
    images = F.grid_sample(images, grid, align_corners=False)
    return thickened(images, uniform(count, -1.3, 1.3, images, generator))


@cache
def _between(places: int, side: int, device: torch.device) -> Tensor:
    """(side, places): the weights of bicubic interpolation from a few places to all pixels of a side."""
    each = torch.eye(places).view(1, places, places, 1)
    return F.interpolate(each, size=(side, 1), mode="bicubic", align_corners=True)[0, :, :, 0].T.contiguous().to(device)


def thickened(images: Tensor, by: Tensor) -> Tensor:
    """Strokes made thicker where `by` (N,) is above 0.9, thinner below -0.9, by at most 0.4 of a pixel each side."""
    more, less = ((sign * by - 0.9).clamp(0, 0.4).view(-1, 1, 1, 1) for sign in (1, -1))
    return images + more * (_spread(images) - images) - less * (images + _spread(-images))


def _spread(images: Tensor) -> Tensor:
    """Each pixel becomes the brightest of itself and its eight neighbours; the border stays."""
    wide = images.clone()
    wide[..., 1:-1] = torch.maximum(torch.maximum(images[..., :-2], images[..., 2:]), images[..., 1:-1])
    high = wide.clone()
    high[..., 1:-1, :] = torch.maximum(torch.maximum(wide[..., :-2, :], wide[..., 2:, :]), wide[..., 1:-1, :])
    return high


AUGMENTATIONS: dict[str, Augmentation] = dict(zip(AUGMENTATION_NAMES, (none, affine, shift, digits), strict=True))
