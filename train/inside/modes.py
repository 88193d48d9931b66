"""A network in training and in evaluation: what BatchNorm and dropout do in each."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.inside.maps import InsideError, hooked, normalised
from train.learn.checkpoint import Metadata

BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
DROPOUTS = (nn.Dropout, nn.Dropout2d)


@dataclass(frozen=True, eq=False)
class Normalised:
    """One BatchNorm layer and one picture of a batch: what comes in and what goes out in either mode."""

    name: str
    before: Tensor  # (maps, h, w) of the picture, as it comes in (in evaluation)
    evaluation: Tensor  # (maps, h, w), normalised by the mean and variance kept from training
    training: Tensor  # (maps, h, w), the batch in training mode all the way: by its own mean and variance
    kept: Tensor  # (2, maps): mean and variance kept from training
    batch: Tensor  # (2, maps): mean and variance of this batch, in training mode


def batchnorm(model: nn.Module, about: Metadata, batch: Tensor) -> list[Normalised]:
    """The first picture of a batch (N, C, H, W) uint8 at every BatchNorm layer, in evaluation and in training.

    The network keeps its mode and its running averages: hooks put the other mode's output in place.
    Raises InsideError for a batch of fewer than two pictures.
    """
    if len(batch) < 2:
        raise InsideError("BatchNorm in training needs a batch of two or more.", code="inside.batch")
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, BATCHNORMS)}
    seen: dict[str, list] = {name: [] for name in layers}

    def keep(name: str):
        def hook(_, inputs: tuple[Tensor], output: Tensor) -> None:
            seen[name] += [inputs[0][0], output[0]]

        return hook

    def train(name: str):
        def hook(layer, inputs: tuple[Tensor], _) -> Tensor:
            x = inputs[0]
            output = F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=layer.eps)
            across = [axis for axis in range(x.dim()) if axis != 1]
            seen[name] += [output[0], torch.stack([x.mean(across), x.var(across, correction=1)])]
            return output

        return hook

    inputs = torch.cat([normalised(about, picture) for picture in batch])
    with torch.no_grad():
        with hooked([(layer, keep(name)) for name, layer in layers.items()]):
            model(inputs)
        with hooked([(layer, train(name)) for name, layer in layers.items()]):
            model(inputs)
    return [
        Normalised(
            name,
            *(_as_maps(tensor) for tensor in seen[name][:3]),
            torch.stack([layer.running_mean, layer.running_var]).float(),
            seen[name][3].float(),
        )
        for name, layer in layers.items()
    ]


def _as_maps(values: Tensor) -> Tensor:
    return values.float() if values.dim() == 3 else values.float()[:, None, None]


def has_dropout(model: nn.Module) -> bool:
    """Whether the network has dropout to apply in training."""
    return any(isinstance(layer, DROPOUTS) and layer.p > 0 for layer in model.modules())


def throws(
    model: nn.Module, about: Metadata, pixels: Tensor, count: int = 50, seed: int = 0, rate: float | None = None
) -> Tensor:
    """The answers to one picture (C, H, W) uint8 with dropout as in training, drawn anew `count` times.

    Everything else is as in evaluation. `rate` replaces the layers' own; a network without dropout gets it before
    its last fully connected layer. Returns probabilities (count, classes).
    """
    generator = torch.Generator().manual_seed(seed)

    def throw(x: Tensor, share: float) -> Tensor:
        if share >= 1:
            return torch.zeros_like(x)
        kept = torch.rand(x.shape, generator=generator) >= share
        return x * kept / (1 - share)

    def after(layer, inputs: tuple[Tensor], _) -> Tensor:
        return throw(inputs[0], layer.p if rate is None else rate)

    drops = [layer for layer in model.modules() if isinstance(layer, DROPOUTS)]
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1:]
    with torch.no_grad(), hooked([(layer, after) for layer in drops]):
        before = [] if drops else [layer.register_forward_pre_hook(lambda _, inputs: (throw(inputs[0], rate or 0.0),))
                                   for layer in last]  # fmt: skip
        try:
            scores = model(normalised(about, pixels).repeat(count, 1, 1, 1))
        finally:
            for handle in before:
                handle.remove()
    return (scores / about.temperature).softmax(1)
