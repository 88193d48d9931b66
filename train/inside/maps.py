"""Every map of every layer for one picture, and how much each matters for the answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from train.inside.fields import Field, geometry
from train.learn.checkpoint import Metadata
from train.task import UsageError

Record = tuple[str, nn.Module, Tensor, Tensor]  # a layer that was passed: its name, itself, what it got and gave


class InsideError(UsageError):
    """A look inside that is not possible; the message says why."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer's output for one picture, its maps in the network's order."""

    name: str  # its path in the network: features.0
    kind: str  # Conv2d, BatchNorm2d, ReLU, ...
    maps: Tensor  # (maps, h, w) float32; what has no places is (features, 1, 1)
    matters: Tensor  # (maps,) gradient x activation, summed: how much each map adds to the answer's score, or takes
    field: Field | None  # None: each value sees the whole picture
    inputs: tuple[int, ...]  # shape of what it got, without the batch
    geometry: tuple[int, int, int] | None  # kernel, stride, padding of convolutions and poolings
    parameters: int

    @property
    def order(self) -> Tensor:
        """Numbers of the maps, the one that matters most first."""
        return self.matters.abs().argsort(descending=True, stable=True)

    @property
    def strongest(self) -> Tensor:
        """(maps, 2): row and column of each map's largest value."""
        at = self.maps.flatten(1).argmax(1)
        width = self.maps.shape[2]
        return torch.stack([at // width, at % width], 1)


@dataclass(frozen=True, eq=False)
class Trace:
    """What a network made of one picture, from its first layer to its answer."""

    layers: list[Layer]
    scores: Tensor  # (classes,) float32
    probabilities: Tensor  # (classes,) softmax of the scores by the checkpoint's temperature
    answer: int  # the class whose score the maps' importance is measured by


def trace(model: nn.Module, about: Metadata, pixels: Tensor, answer: int | None = None, part: str = "") -> Trace:
    """Send one picture through the network and keep what every layer makes of it.

    How much a map matters is the gradient of the answer's score with respect to the map, times the map, summed over
    its places (Shrikumar et al., 2016): to first order, what the score would lose without it.

    Args:
        model: in evaluation mode; it is neither copied nor changed.
        pixels: (C, H, W) uint8.
        answer: number of the class; default: the one with the highest score.
        part: only the first layer whose name begins with this, and those after it.

    Raises InsideError where the picture does not fit, or the network's weights are NaN or infinite.
    """
    records: list[Record] = []
    names: dict[nn.Module, list[str]] = {}  # one layer may stand in several places, as a Dropout does
    for name, layer in model.named_modules(remove_duplicate=False):
        if not list(layer.children()):
            names.setdefault(layer, []).append(name)

    def keep(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        passed = sum(other is layer for _, other, *_ in records)
        records.append((names[layer][passed], layer, inputs[0], output))

    at = normalised(about, pixels).requires_grad_()
    with torch.inference_mode(False), torch.enable_grad(), hooked([(layer, keep) for layer in names]):
        scores = model(at)[0]
        if not bool(scores.isfinite().all()):
            raise InsideError("This network's answer is not a number: its weights are damaged.", code="inside.nan")
        answer = int(scores.argmax()) if answer is None else answer
        # a layer may be passed more than once, or not on the way to the answer
        outputs = [output for *_, output in records]
        gradients = torch.autograd.grad(scores[answer], outputs, allow_unused=True)
    layers = _layers(records, gradients)
    first = next((index for index, layer in enumerate(layers) if layer.name.startswith(part)), 0)
    scores = scores.detach()
    return Trace(layers[first:], scores, (scores / about.temperature).softmax(0), answer)


def _layers(records: Sequence[Record], gradients: Sequence[Tensor | None]) -> list[Layer]:
    """What is told of each layer that was passed; a gradient is None where the answer does not depend on it."""
    layers, field = [], Field()
    for (name, layer, given, output), gradient in zip(records, gradients, strict=True):
        wide = output.dim() == 4
        if given.dim() == 4:
            field = field.after(layer, given.shape[-1])
        maps = output.detach()[0].float() if wide else output.detach().reshape(-1, 1, 1).float()
        pull = torch.zeros_like(output) if gradient is None else gradient
        spatial = isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
        layers.append(
            Layer(
                name,
                type(layer).__name__.replace("SamePad", ""),
                maps,
                (pull * output.detach())[0].float().reshape(len(maps), -1).sum(1),
                field if wide and output.shape[-1] > 1 else None,
                tuple(given.shape[1:]),
                geometry(layer, given.shape[-1]) if spatial else None,
                sum(parameter.numel() for parameter in layer.parameters()),
            )
        )
    return layers


def normalised(about: Metadata, pixels: Tensor) -> Tensor:
    """(C, H, W) uint8 -> (1, C, H, W) float32, as the network takes it. Raises InsideError for another shape."""
    if tuple(pixels.shape) != tuple(about.input_shape) or pixels.dtype != torch.uint8:
        shape, wanted = ("x".join(map(str, shape)) for shape in (pixels.shape, about.input_shape))
        raise InsideError(
            "This network takes pictures of {wanted} values, not {shape}.",
            code="inside.shape",
            wanted=wanted,
            shape=shape,
        )
    return (pixels.float()[None] / 255 - about.mean) / about.std


@contextmanager
def hooked(pairs: list[tuple[nn.Module, object]]) -> Iterator[None]:
    """Forward hooks on layers, (layer, hook) each, for the time of a `with`."""
    handles = [layer.register_forward_hook(hook) for layer, hook in pairs]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
