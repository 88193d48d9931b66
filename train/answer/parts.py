"""What a network is asked when it reads: its parts, as functions of tensors.

A network of `features` and `classifier` has one part, which gives scores and where they come from. Others list their
own in a dictionary `parts`. ONNX graphs are made of these functions, and where there is no graph torch runs them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

MANY = 5  # stands for any number of pictures: a number that no layer compares it with


@dataclass(frozen=True)
class Part:
    """One question to a network: a function (network, *inputs) -> outputs, a tuple of tensors."""

    ask: Callable[..., tuple[Tensor, ...]]
    inputs: dict[str, tuple[int, ...]]  # shapes by name
    outputs: tuple[str, ...]
    many: bool = True  # the inputs' first size, MANY here, may vary


class Live:
    """A network whose parts torch runs; asked like train.answer.frozen.Frozen."""

    def __init__(self, model: nn.Module, input_shape: tuple[int, int, int]):
        self.model, self.parts = model.float().eval(), parts_of(model, input_shape)

    def __call__(self, part: str, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The part's outputs for its inputs, all float32."""
        with torch.no_grad():
            outputs = self.parts[part].ask(self.model, *map(torch.from_numpy, arrays))
        return tuple(output.numpy() for output in outputs)

    def weight(self, name: str) -> np.ndarray:
        """One of the network's weights."""
        return self.model.state_dict()[name].numpy()


def parts_of(model: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, Part]:
    """The parts of a network that takes pictures of this shape."""
    if isinstance(getattr(model, "parts", None), dict):
        return model.parts
    return {"answer": Part(answer, {"pixels": (MANY, *input_shape)}, ("maps", "scores", "shares"))}


def answer(model: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised pixels (N, C, H, W) -> the last feature maps, the scores, and each place's share of the best score.

    The shares (N, h, w), at least 0, are feature maps times the score's gradient with respect to them, summed over maps
    (HiResCAM; Draelos and Carin, 2020). Where the features end with a pooling, the maps before it are taken, because
    pooling loses places.
    """
    layers = list(model.features) if isinstance(model.features, nn.Sequential) else [model.features]
    pooling = layers[-1:] if isinstance(layers[-1], nn.MaxPool2d) else []
    at = pixels
    for layer in layers[: len(layers) - len(pooling)]:
        at = layer(at)
    with torch.enable_grad():
        maps = at = at.detach().requires_grad_()
        for layer in pooling:
            maps = layer(maps)
        scores = model.classifier(maps)
        (slopes,) = torch.autograd.grad(scores.amax(1).sum(), at)
    return maps.detach(), scores.detach(), (at.detach() * slopes).sum(1).clamp(min=0)
