"""One step of learning on one picture: loss, gradients, the step, and what it changed."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.inside.maps import InsideError, hooked, normalised
from train.learn.checkpoint import Metadata


@dataclass(frozen=True)
class Layerwise:
    """What one step did to one layer's weights: lengths of vectors (square roots of sums of squares)."""

    name: str
    weights: float
    gradient: float
    step: float


@dataclass(frozen=True, eq=False)
class Step:
    """One step of Adam: before it, its gradients, after it."""

    loss: float  # cross-entropy before
    loss_after: float
    before: Tensor  # (classes,) probabilities, temperature 1, as the loss takes them
    after: Tensor
    layers: list[Layerwise]


class Pupil:
    """A network that learns from single pictures, with Adam as in the lessons; the original network stays as it is.

    BatchNorm and dropout are as in evaluation, so that only the step itself changes anything.
    """

    def __init__(self, model: nn.Module, about: Metadata):
        self.model, self.about = deepcopy(model).eval(), about
        self.optimizer = torch.optim.Adam([p for p in self.model.parameters() if p.requires_grad])

    def copy(self) -> "Pupil":
        """A copy that knows as much and learns on independently."""
        other = Pupil(self.model, self.about)
        other.optimizer.load_state_dict(deepcopy(self.optimizer.state_dict()))  # else the moments are shared
        return other

    def learn(self, pixels: Tensor, label: int, rate: float) -> Step:
        """One step on a picture (C, H, W) uint8 that shows class `label`, at a learning rate.

        Raises InsideError for a class that does not exist, and where the loss is no longer a number.
        """
        if not 0 <= label < len(self.about.labels):
            raise InsideError("There is no class {label}.", code="inside.no_class", label=label)
        x, target = normalised(self.about, pixels), torch.tensor([label])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        old = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        with torch.inference_mode(False), torch.enable_grad():
            self.optimizer.zero_grad()
            scores = self.model(x)
            loss = F.cross_entropy(scores, target)
            if not bool(loss.isfinite()):
                raise InsideError("The loss is no longer a number: take steps back.", code="inside.lost")
            loss.backward()
            self.optimizer.step()
        with torch.no_grad():
            after = self.model(x)
        return Step(
            float(loss.detach()),
            float(F.cross_entropy(after, target)),
            scores.detach()[0].softmax(0),
            after[0].softmax(0),
            self._layerwise(old),
        )

    def _layerwise(self, old: dict[str, Tensor]) -> list[Layerwise]:
        layers = []
        for name, layer in self.model.named_modules():
            own = dict(layer.named_parameters(prefix=name, recurse=False))
            own = {key: p for key, p in own.items() if p.grad is not None}
            if own:
                sums = ([old[key] for key in own], [p.grad for p in own.values()],
                        [p.detach() - old[key] for key, p in own.items()])  # fmt: skip
                layers.append(Layerwise(name, *(float(sum(v.square().sum() for v in each).sqrt()) for each in sums)))
        return layers


def silent(model: nn.Module, about: Metadata, pictures: Tensor) -> dict[str, float]:
    """For each ReLU, by name, the share of its maps (or units) that are 0 everywhere, for all of some pictures.

    Takes (N, C, H, W) uint8. What is silent for all pictures has no gradient and learns no more: a dead ReLU.
    """
    shares: dict[str, float] = {}

    def hook(name: str):
        def keep(_, __, output: Tensor) -> None:
            across = [axis for axis in range(output.dim()) if axis != 1]
            shares[name] = float((output.amax(across) <= 0).float().mean())

        return keep

    relus = [(layer, hook(name)) for name, layer in model.named_modules() if isinstance(layer, nn.ReLU)]
    with torch.no_grad(), hooked(relus):
        model(torch.cat([normalised(about, picture) for picture in pictures]))
    return shares
