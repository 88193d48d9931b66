"""How far probabilities can be trusted: the temperature that makes them honest, and the error that is left."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.data.images import Images
from train.learn.step import to_input
from train.task import Task

# Share of the digits' median strength: the largest that refuses no digit of CHOOSING_WRITERS (train/digits/extra.py).
FAINT = 0.55


def temperature_for(scores: Tensor, labels: Tensor) -> float:
    """The number that scores (N, classes) are to be divided by so that the labels become most likely.

    Temperature scaling (Guo et al., 2017). The likelihood has a single best place, found by golden-section search
    between 0.2 and 5.
    """
    low, high = torch.log(torch.tensor([0.2, 5.0], dtype=torch.float64)).tolist()
    ratio = (5**0.5 - 1) / 2
    scores = scores.double()

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(scores / torch.tensor(log_temperature).exp(), labels).item()

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(30):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return round(float(torch.tensor((low + high) / 2).exp()), 4)


def faintest(model: nn.Module, images: Images, task: Task) -> float:
    """The strength of the last feature maps below which a network that learned outliers has seen nothing it knows.

    To give ten equal scores it must keep its last features near zero, and so it does for unknown inputs in general
    (Dhamija et al., 2018, train for that). The images are known ones: FAINT of their median strength is the limit.
    """
    device, strengths = next(model.parameters()).device, []
    with torch.inference_mode():
        for at in range(0, len(images), 500):
            maps = model.features(to_input(images[at : at + 500].to(device), task.mean, task.std))
            strengths.append(maps.flatten(1).norm(dim=1))
    return round(FAINT * torch.cat(strengths).median().item(), 3)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Expected calibration error: |accuracy - confidence| in equal bins of confidence, weighted by their images.

    Takes (N, classes) probabilities and (N,) labels; gives 0..1.
    """
    confidence, answer = probabilities.double().max(dim=1)
    right = (answer == labels).double()
    which = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).scatter_add_(0, which, right - confidence)
    return float(gaps.abs().sum() / len(labels))
