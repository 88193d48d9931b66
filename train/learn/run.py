"""A training run: the network, its optimiser, and how far it has come."""

import copy
import math

import torch
from torch import Generator, Tensor, nn

from train.fast import is_fused, quickest
from train.fast.machine import Plan
from train.learn.augment import AUGMENTATIONS
from train.learn.networks import build
from train.learn.randomness import DrawnFrom, drawing_from
from train.learn.workers import ALONE, Workers
from train.task import Recipe, Task, UsageError

LAYERS = ("fused", "torch")  # what may be asked for


class Run:
    """A training run: network, optimiser and how far it has come. What `fit` advances and `state` keeps."""

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        *,
        seed: int = 0,
        plan: Plan | None = None,
        model: nn.Module | None = None,
        workers: Workers = ALONE,
        fuse: bool = True,
    ):
        """Raises UsageError if the recipe names a network, augmentation, schedule or optimizer that is not there.

        Args:
            fuse: on a CPU, take fused layers (train/fast) if there is a C++ compiler; waits for it the first time.
        """
        if recipe.augment not in AUGMENTATIONS:
            raise UsageError(f"there is no augmentation {recipe.augment!r}; there are: {', '.join(AUGMENTATIONS)}")
        learning_rate_factor(recipe.schedule, 0.0)
        plan = plan or Plan()
        if model is None:
            with DrawnFrom(Generator().manual_seed(seed)):
                model = build(recipe.network, **recipe.options)
        self.task, self.recipe, self.seed, self.plan, self.workers = task, recipe, seed, plan, workers
        self.model = model.to(plan.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model) if recipe.average else None
        self.recorded = records_steps(plan, workers)
        self.optimizer = _optimizer(recipe, self.model, plan.device, self.recorded)
        fuse = fuse and plan.device == "cpu" and not self.recorded
        forward = quickest(self.model, fuse=fuse, compile=recipe.compile)
        self.fused = is_fused(forward)
        self.layers = "fused" if self.fused else "compiled" if hasattr(forward, "_orig_mod") else "torch"
        self.generator = None if plan.device.startswith("cuda") else Generator()  # a GPU's own is seeded for each step
        if plan.device == "cpu" and self.layers != "compiled":
            forward = drawing_from(forward, self.generator)
        self.forward = workers.averaging(forward)
        self.steps_done = 0
        self.ends_at = math.inf  # the step to end after, if before the recipe's last; may be set while it runs
        self.sums = torch.zeros(3, dtype=torch.float64)  # loss, correct and images of the epoch so far
        self.good: dict[str, Tensor] = {}  # the last weights seen to be finite
        self.validation_scores: Tensor | None = None  # (N, classes), of the last epoch that has ended

    @property
    def result(self) -> nn.Module:
        """The network as it would be used now: the moving average of the weights, where the recipe asks for one."""
        return self.model if self.average is None else self.average

    def computed(self) -> dict:
        """What decides the bits of the result beside task, recipe, seed and data: where and how it is computed."""
        plan, several = self.plan, {"workers": self.workers.count} if self.workers.count > 1 else {}
        layout = {} if plan.channels_last else {"channels_last": False}
        kept = {"device": plan.device, "threads": plan.threads, "precision": plan.precision, "layers": self.layers}
        return kept | layout | several

    def state(self) -> dict[str, Tensor]:
        """All that an interrupted run needs to go on exactly as if it had not been interrupted."""
        state = {"steps_done": torch.tensor(self.steps_done), "sums": self.sums.clone()}
        state |= {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        if self.average is not None:
            state |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in values.items()}
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to where `state` was taken. Raises UsageError if it is another network's."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}

        optimizer = self.optimizer.state_dict()
        for name, value in part("optimizer.").items():
            index, key = name.split(".", 1)
            optimizer["state"].setdefault(int(index), {})[key] = value.clone()
        try:
            self.model.load_state_dict(part("model."))
            if self.average is not None:
                self.average.load_state_dict(part("average."))
            self.optimizer.load_state_dict(optimizer)
            lay_out_as_parameters(self.optimizer)
            self.steps_done, self.sums = int(state["steps_done"]), state["sums"].clone()
        except (RuntimeError, KeyError, ValueError) as error:
            raise UsageError(f"the saved run does not fit this network and recipe: {error}") from None


def learning_rate_factor(schedule: str, progress: float) -> float:
    """What the peak learning rate is multiplied by when `progress` (0..1) of the steps are done.

    constant: 1. linear: falls from 1 to 0. cosine: 5 % linear warm-up, then half a cosine down to 0.
    onecycle: rises for 20 % of the steps and falls to 0 in a straight line (after Smith and Topin, 2017).
    """
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1 - progress
        case "cosine":
            warm = 0.05
            return progress / warm if progress < warm else (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) / 2
        case "onecycle":
            peak = 0.2
            return 0.04 + 0.96 * progress / peak if progress < peak else (1 - progress) / (1 - peak)
    raise UsageError(f"there is no schedule {schedule!r}; there are: constant, linear, cosine, onecycle")


@torch.no_grad()
def lay_out_as_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Have what the optimiser keeps of each parameter lie in memory as the parameter does.

    A file keeps tensors in one order, and a fused step goes through parameter and means side by side, place by place.
    """
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.dim():
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def records_steps(plan: Plan, workers: Workers) -> bool:
    """Whether a step is to be recorded once and replayed, as a CUDA graph."""
    return plan.device.startswith("cuda") and workers.count == 1


def _optimizer(recipe: Recipe, model: nn.Module, device: str, recorded: bool) -> torch.optim.Optimizer:
    # weight decay pulls on the weights of layers, not on biases and BatchNorm's scales
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    fused = device.startswith(("cpu", "cuda"))
    # in a recording a number would stay what it was; a tensor's value may change
    rate = torch.tensor(recipe.learning_rate, device=device) if recorded else recipe.learning_rate
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, betas=recipe.betas, fused=fused, capturable=recorded)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, betas=recipe.betas, fused=fused, capturable=recorded)
        case "sgd":
            momentum = recipe.betas[0]
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0, fused=fused)
    raise UsageError(f"there is no optimizer {recipe.optimizer!r}; there are: adam, adamw, sgd")
