"""Which features push which class, up or down: from the flattened maps to the scores."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from train.inside.maps import InsideError, hooked, normalised
from train.learn.checkpoint import Metadata


@dataclass(frozen=True, eq=False)
class Pushes:
    """Every feature's push on every class: for each class, they and `constant` sum to its score."""

    values: Tensor  # (features,) what Flatten passes on, float32
    shape: tuple[int, int, int]  # maps, h, w: feature (m * h + row) * w + column is that place of map m
    pushes: Tensor  # (classes, features)
    constant: Tensor  # (classes,) what is left: the biases' part
    scores: Tensor  # (classes,)

    def largest(self, label: int, most: int = 20) -> list[tuple[int, int, int, float, float]]:
        """Map, row, column, value and push of the features that push a class most, up or down, largest first."""
        _, height, width = self.shape
        order = self.pushes[label].abs().argsort(descending=True, stable=True)[:most].tolist()
        return [
            (
                index // (height * width),
                index // width % height,
                index % width,
                float(self.values[index]),
                float(self.pushes[label, index]),
            )
            for index in order
        ]


def pushes(model: nn.Module, about: Metadata, pixels: Tensor) -> Pushes:
    """Gradient of every score with respect to the flattened features, times the features.

    Behind Flatten the networks have only Linear, ReLU and what does nothing in evaluation, so that a score is a sum
    of such pushes and of the biases', exactly. Takes (C, H, W) uint8. Raises InsideError without a Flatten.
    """
    flattens = [layer for layer in model.modules() if isinstance(layer, nn.Flatten)]
    if not flattens:
        raise InsideError("This network flattens nothing.", code="inside.no_flatten")
    caught = []

    def cut(_, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        caught.append((inputs[0].shape, output.detach().requires_grad_()))
        return caught[0][1]  # what is before it needs no gradient

    with torch.inference_mode(False), torch.enable_grad(), hooked([(flattens[0], cut)]):
        scores = model(normalised(about, pixels))[0]
        shape, features = caught[0]
        slopes = [torch.autograd.grad(score, features, retain_graph=True)[0][0] for score in scores]
    values, scores = features.detach()[0], scores.detach()
    each = torch.stack(slopes) * values
    return Pushes(values, tuple(shape[1:]), each, scores - each.sum(1), scores)
