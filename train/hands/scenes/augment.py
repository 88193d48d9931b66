"""Hands as they appear in other people's photos: turned, mirrored, near, dim, blurred, on other grounds."""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from train.hands.crop import CONTEXT, CROP_SIDE, STORED_CONTEXT
from train.hands.scenes.camera import photographed
from train.learn.augment import uniform

FAR_OFF = 0.2  # share of crops that may be shifted twice as far


def hands(images: Tensor, generator: Generator, simulated: float = 1.0) -> Tensor:
    """Varied crops (N, 3, 192, 192) from stored crops (N, 4, 256, 256), red, green, blue and alpha in 0..1.

    Cut-out hands (alpha below 1) get a ground: another picture's corner, a colour or a gradient. A share of the crops,
    `simulated`, looks as if another camera had taken it in another light; the others keep their colours.
    """
    crops = varied_crops(images, generator)
    colours, alpha = crops[:, :3], crops[:, 3:]
    if bool((images[:, 3].amin((1, 2)) < 0.5).any()):
        colours = colours * alpha + grounds(images, generator) * (1 - alpha)
    if simulated > 0:
        retaken = photographed(colours, generator)
        if simulated < 1:
            chosen = _random(len(images), 1, 1, 1, like=images, generator=generator) < simulated
            retaken = torch.where(chosen, retaken, colours)
        colours = retaken
    return occluded(colours, generator).clamp(0, 1)


def centre_crops(images: Tensor, ground: Tensor | None = None) -> Tensor:
    """Stored crops (N, 4, 256, 256) in 0..1 without variation: (N, 3, 192, 192), as train.hands.crop would cut them.

    Cut-out hands get `ground` (N, 3, 192, 192), or grey.
    """
    count, zoom = len(images), CONTEXT / STORED_CONTEXT
    rows = torch.tensor([[zoom, 0.0, 0.0], [0.0, zoom, 0.0]], device=images.device).expand(count, 2, 3)
    grid = F.affine_grid(rows, [count, 4, CROP_SIDE, CROP_SIDE], align_corners=False)
    crops = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    alpha = crops[:, 3:]
    return crops[:, :3] * alpha + (0.5 if ground is None else ground) * (1 - alpha)


def varied_crops(images: Tensor, generator: Generator) -> Tensor:
    """Each stored crop turned by up to 25 degrees, perhaps mirrored, slanted, stretched, shifted by a finder's errors.

    FAR_OFF of them may be shifted twice as far, as when a finder is misled by a face beside the hand. One in eight is
    cut off at an edge within the hand, whose pixels are repeated outwards.
    """
    count = len(images)
    angle = uniform(count, -0.436, 0.436, images, generator)
    scale = uniform(count, 1.0, 1.8, images, generator) / STORED_CONTEXT  # context around the hand's box
    wide, high = (scale * uniform(count, -0.12, 0.12, images, generator).exp() for _ in range(2))
    mirror = uniform(count, -1, 1, images, generator).sign()
    slant = uniform(count, -0.12, 0.12, images, generator)
    far = torch.where(uniform(count, 0, 1, images, generator) < FAR_OFF, 2.0, 1.0)
    across, down = (far * uniform(count, -0.14, 0.14, images, generator) for _ in range(2))
    cos, sin = angle.cos(), angle.sin()
    rows = [mirror * cos * wide, (slant - sin) * high, across, mirror * sin * wide, cos * high, down]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), [count, 4, CROP_SIDE, CROP_SIDE], align_corners=False)
    outside = grid.abs().amax(-1, keepdim=True).permute(0, 3, 1, 2) > 1
    grid = _ending(grid, images, generator)
    crops = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    cut_out = images[:, 3:].amin((2, 3), keepdim=True) < 0.5
    crops[:, 3:] = torch.where(outside & cut_out, 0.0, crops[:, 3:])
    return crops


def _ending(grid: Tensor, images: Tensor, generator: Generator) -> Tensor:
    """Places to sample (N, H, W, 2), in one picture of eight limited by an edge, 0.28 to 0.5 from the middle."""
    count = len(images)
    edge = uniform(count, 0.28, 0.5, images, generator)
    edge = torch.where(uniform(count, 0, 1, images, generator) < 0.125, edge, 9.0)
    side = (uniform(count, 0, 4, images, generator)).long().view(-1, 1)
    limits = torch.where(torch.arange(4, device=images.device) == side, edge.view(-1, 1), 9.0).view(-1, 1, 1, 4)
    return torch.maximum(torch.minimum(grid, limits[..., :2]), -limits[..., 2:])


def grounds(images: Tensor, generator: Generator) -> Tensor:
    """A ground for each image, (N, 3, 192, 192): corners of the batch's photos, plain colours, gradients."""
    count = len(images)
    photos = (images[:, 3].amin((1, 2)) > 0.5).nonzero().squeeze(1)
    clouds = _random(count, 3, 3, 3, like=images, generator=generator)
    clouds = F.interpolate(clouds, size=(CROP_SIDE, CROP_SIDE), mode="bilinear")
    plain = (_random(count, 3, 1, 1, like=images, generator=generator) + 0.15 * (clouds - 0.5)).clamp(0, 1)
    kind = _random(count, 1, 1, 1, like=images, generator=generator)
    ground = torch.where(kind < 0.4, plain, clouds)
    if len(photos):
        chosen = photos[(_random(count, like=images, generator=generator) * len(photos)).long()]
        zoom = uniform(count, 0.15, 0.35, images, generator)
        left_or_right = uniform(count, -1, 1, images, generator).sign() * (1 - zoom)  # the hand is in the middle
        down = uniform(count, -1, 1, images, generator) * (1 - zoom)
        nothing = torch.zeros_like(zoom)
        rows = torch.stack([zoom, nothing, left_or_right, nothing, zoom, down], 1)
        grid = F.affine_grid(rows.view(-1, 2, 3), [count, 3, CROP_SIDE, CROP_SIDE], align_corners=False)
        corners = F.grid_sample(images[chosen, :3], grid, align_corners=False)
        ground = torch.where(kind < 0.6, corners, ground)
    return ground


def occluded(images: Tensor, generator: Generator) -> Tensor:
    """In a quarter of the images a rectangle is covered by one colour (DeVries and Taylor's cutout, 2017)."""
    count, side = len(images), images.shape[-1]
    size = uniform(count, 0.1, 0.35, images, generator)
    left, top = (uniform(count, 0, 1, images, generator) * (1 - size) for _ in range(2))
    place = (torch.arange(side, device=images.device) + 0.5) / side
    columns = (place > left.view(-1, 1)) & (place < (left + size).view(-1, 1))
    rows = (place > top.view(-1, 1)) & (place < (top + size).view(-1, 1))
    covered = (rows[:, None, :, None] & columns[:, None, None, :]) & (
        _random(count, 1, 1, 1, like=images, generator=generator) < 0.25
    )
    return torch.where(covered, _random(count, 3, 1, 1, like=images, generator=generator), images)


def _random(*shape: int, like: Tensor, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device).to(like.device)
