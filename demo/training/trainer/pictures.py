"""What one watches beside the curves: filters as they form, the confusion matrix, the surest mistakes."""

import base64

import torch
from torch import Tensor, nn

from train.data.images import Images

MOST_FILTERS = 32
MOST_MISTAKES = 12


def filters(model: nn.Module) -> dict | None:
    """The first convolution's kernels as grey pictures, each stretched over 0..255 around its own zero (128).

    Returns {"count", "width", "height", "bytes"}: base64, a byte a pixel, filter after filter; None without one.
    """
    first = next((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    if first is None:
        return None
    kernels = first.weight.detach().float().mean(1)[:MOST_FILTERS].cpu()  # (filters, height, width)
    strongest = kernels.abs().amax((1, 2), keepdim=True).clamp_min(1e-12)
    return _pictures((kernels / strongest * 127 + 128).round().clamp(0, 255).nan_to_num(128))


def confusion(scores: Tensor, labels: Tensor) -> list[list[int]]:
    """How often each class (row) was read as each class (column), from scores (N, classes)."""
    classes = scores.shape[1]
    pairs = labels.to(scores.device) * classes + scores.argmax(1)
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes).tolist()


def mistakes(scores: Tensor, images: Images) -> dict:
    """The images that were read wrongly with the most confidence.

    Returns their pictures as `filters` does, with "is" and "read" (class numbers) and "sure" (0..1) for each.
    """
    sure, read = scores.softmax(1).max(1)
    wrong = (read != images.labels.to(read.device)).nonzero().squeeze(1)
    worst = wrong[sure[wrong].argsort(descending=True)[:MOST_MISTAKES]]
    pictures = images.pixels[worst.to(images.pixels.device)].float().mean(1).round().cpu()
    return {
        **_pictures(pictures),
        "is": images.labels[worst.to(images.labels.device)].tolist(),
        "read": read[worst].tolist(),
        "sure": [round(value, 4) for value in sure[worst].tolist()],
    }


def _pictures(pixels: Tensor) -> dict:
    """(N, H, W) float in 0..255 as the page takes pictures."""
    count, height, width = pixels.shape
    data = base64.b64encode(pixels.to(torch.uint8).numpy().tobytes()).decode()
    return {"count": count, "width": width, "height": height, "bytes": data}
