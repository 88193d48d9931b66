"""What a camera makes of a hand: light, exposure, white balance, blur, few pixels, sensor noise, tone curve, JPEG.

In the order in which it happens: light adds up in linear intensities, a sensor counts it with noise and is full at 1,
a tone curve makes brightness of it, JPEG loses some. Filters on finished pictures (contrast, gamma, white noise) make
other pictures than dim rooms and cheap webcams do: there, noise is strongest in the dark and white is white.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional as F

from train.learn.augment import uniform

GAMMA = 2.0  # brightness ** GAMMA is about the light's intensity; sRGB has 2.2, a square is quicker
PIXELS = (28, 40, 56, 80, 120)  # of a side at which small and distant hands are taken
SHARP = 0.4  # share of pictures taken at full resolution
MOTION = 9  # pixels of the longest streak, in pictures of 192


def photographed(images: Tensor, generator: Generator) -> Tensor:
    """Pictures (N, 3, H, H) in 0..1 as other cameras would have taken them in other light; same shape and range."""
    count, side = len(images), images.shape[-1]

    def each(low: float, high: float, number: int = 1) -> Tensor:
        return uniform(number * count, low, high, images, generator).view(count, number, 1, 1)

    light = images.clamp(0, 1).square()
    ramp = torch.linspace(-1, 1, side, device=images.device)
    light = light * (1 + each(-0.45, 0.45) * ramp) * (1 + each(-0.45, 0.45) * ramp.view(-1, 1))  # a lamp on one side
    kind = each(0, 1)
    stops = torch.where(kind < 0.25, each(-3.5, -1), torch.where(kind > 0.85, each(0.6, 1.8), each(-1, 0.6)))
    light = light * 2**stops * each(-0.3, 0.3, 3).exp()
    light = _moved(light, each(0, 1), each(0, np.pi), each(0.3, 1) * MOTION)
    # a camera makes up for part of the dark by gain, which amplifies the noise, too
    mean = light.mean((1, 2, 3), keepdim=True).clamp(min=1e-4)
    gain = (0.18 / mean).clamp(min=1, max=12) ** each(0, 0.9)
    shot, read = each(0, 0.012), each(0, 0.004)
    tone, contrast = each(-0.35, 0.35).exp() / GAMMA, each(-0.5, 0.5)
    colourful = each(0.4, 1.3) * (each(0, 1) > 0.12)
    quality, which = each(0, 1).flatten(), each(0, 1).flatten()
    result = torch.empty_like(images)
    edges = [SHARP + (1 - SHARP) * step / len(PIXELS) for step in range(len(PIXELS) + 1)]
    for low, high, pixels in zip([0, *edges[:-1]], edges, [side, *PIXELS], strict=True):
        chosen = ((which >= low) & (which < high + (high >= 1))).nonzero().squeeze(1)
        if not len(chosen):
            continue
        pixels = min(pixels, side)
        seen = F.interpolate(light[chosen], size=(pixels, pixels), mode="area")
        grains = torch.randn(seen.shape, generator=generator, device=generator.device).to(seen.device)
        seen = seen * gain[chosen] + grains * gain[chosen] * (shot[chosen] * seen + read[chosen] ** 2).sqrt()
        seen = seen.clamp(0, 1) ** tone[chosen]
        seen = seen + contrast[chosen] * seen * (1 - seen) * (2 * seen - 1)  # an S, or a flatter middle
        grey = seen.mean(1, keepdim=True)
        seen = (grey + (seen - grey) * colourful[chosen]).clamp(0, 1)
        seen = _compressed(seen, quality[chosen])
        result[chosen] = F.interpolate(seen, size=(side, side), mode="bilinear") if pixels < side else seen
    return result


def _moved(light: Tensor, whether: Tensor, angle: Tensor, length: Tensor) -> Tensor:
    """One in seven pictures blurred along a line, as by a hand or camera that moves while the shutter is open."""
    chosen = (whether.flatten() < 0.15).nonzero().squeeze(1)
    if not len(chosen):
        return light
    steps = torch.linspace(-0.5, 0.5, 2 * MOTION + 1, device=light.device).view(1, -1)
    scale = light.shape[-1] / 192
    x, y = (length[chosen].view(-1, 1) * scale * steps * turn for turn in (_cos(angle, chosen), _sin(angle, chosen)))
    kernels = torch.zeros(len(chosen), MOTION + 2, MOTION + 2, device=light.device)
    rows = torch.arange(len(chosen), device=light.device).view(-1, 1).expand_as(x)
    middle = (MOTION + 2) // 2
    kernels.index_put_(
        (rows, (middle + y).round().long(), (middle + x).round().long()), torch.ones_like(x), accumulate=True
    )
    kernels = kernels / kernels.sum((1, 2), keepdim=True)
    picked = light[chosen].transpose(0, 1)  # each picture is a channel, so that each has its own kernel
    padded = F.pad(picked, [middle] * 4, mode="replicate")
    blurred = F.conv2d(padded, kernels[:, None], groups=len(chosen))
    return light.index_copy(0, chosen, blurred.transpose(0, 1).to(light.dtype))


def _cos(angle: Tensor, chosen: Tensor) -> Tensor:
    return angle[chosen].view(-1, 1).cos()


def _sin(angle: Tensor, chosen: Tensor) -> Tensor:
    return angle[chosen].view(-1, 1).sin()


def _compressed(images: Tensor, quality: Tensor) -> Tensor:
    """Two pictures in five as JPEG leaves them, at qualities 20 to 90."""
    images = images.clone()
    for index in (quality < 0.4).nonzero().squeeze(1).tolist():
        pixels = (images[index] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=20 + int(70 * float(quality[index]) / 0.4))
        again = torch.from_numpy(np.asarray(Image.open(file)).copy())
        images[index] = again.permute(2, 0, 1).to(images) / 255
    return images
