"""Training as a generator of events: the command line prints them, the browser plots them, a test steps them."""

import contextlib
import copy
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.augment import AUGMENTATIONS
from train.dataset import NO_CLASS, Images, Splits
from train.machine import Plan
from train.models import build, pooling_first
from train.task import Recipe, Task, UsageError
from train.workers import ALONE, Workers


class TrainingStopped(RuntimeError):
    """Training cannot go on; the message says why. The run's network holds the last good weights."""


@dataclass(frozen=True)
class Step:
    """Some training steps were made. Loss and accuracy (0..1) are over the images since the last Step."""

    epoch: int  # from 1
    epochs: int
    step: int  # within the epoch, from 1
    steps: int  # in an epoch
    loss: float
    accuracy: float
    images_per_second: float

    @property
    def progress(self) -> float:
        """Share of the whole run that is done, 0..1."""
        return (self.epoch - 1 + self.step / self.steps) / self.epochs


@dataclass(frozen=True)
class Epoch:
    """An epoch has ended. Losses and accuracies (0..1) are sums over images, divided by their number."""

    epoch: int
    epochs: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float  # since fit was started
    seconds_left: float


Event = Step | Epoch


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


def _optimizer(recipe: Recipe, model: nn.Module, device: str) -> torch.optim.Optimizer:
    # weight decay pulls on the weights of layers, not on biases and BatchNorm's scales
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    fused = device.startswith(("cpu", "cuda"))
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=fused)
        case "adamw":
            return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=fused)
        case "sgd":
            momentum = recipe.betas[0]
            return torch.optim.SGD(
                groups, lr=recipe.learning_rate, momentum=momentum, nesterov=momentum > 0, fused=fused
            )
    raise UsageError(f"there is no optimizer {recipe.optimizer!r}; there are: adam, adamw, sgd")


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
    ):
        """Raises UsageError if the recipe names a network, augmentation, schedule or optimizer that is not there."""
        if recipe.augment not in AUGMENTATIONS:
            raise UsageError(f"there is no augmentation {recipe.augment!r}; there are: {', '.join(AUGMENTATIONS)}")
        learning_rate_factor(recipe.schedule, 0.0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = model if model is not None else build(recipe.network, **recipe.options)
        plan = plan or Plan()
        self.task, self.recipe, self.seed, self.plan, self.workers = task, recipe, seed, plan, workers
        self.model = model.to(plan.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model) if recipe.average else None
        self.optimizer = _optimizer(recipe, self.model, plan.device)
        quick = pooling_first(self.model)
        self.forward = workers.together(_compiled(quick) if recipe.compile else quick)
        self.steps_done = 0
        self.sums = torch.zeros(3, dtype=torch.float64)  # loss, correct and images of the epoch so far
        self.good: dict[str, Tensor] = {}  # the last weights seen to be finite
        self.validation_scores: Tensor | None = None  # (N, classes), of the last epoch that has ended

    @property
    def result(self) -> nn.Module:
        """The network as it would be used now: the moving average of the weights, where the recipe asks for one."""
        return self.model if self.average is None else self.average

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
            self.steps_done, self.sums = int(state["steps_done"]), state["sums"].clone()
        except (RuntimeError, KeyError, ValueError) as error:
            raise UsageError(f"the saved run does not fit this network and recipe: {error}") from None


def fit(run: Run, splits: Splits, *, every: float = 0.1) -> Iterator[Event]:
    """Train to the end of the recipe, yielding a Step at most each `every` seconds and an Epoch after each epoch.

    Stop by closing the generator, pause by not asking for the next event; every=0 yields each step. The data
    is moved to the device once. The randomness of a step depends on the seed and the step's number alone, so
    that a restored run repeats it: on a CPU the weights are bitwise those of an unbroken run.

    Raises TrainingStopped if the loss is no longer finite.
    """
    recipe, plan = run.recipe, run.plan
    if plan.device == "cpu":
        torch.set_num_threads(plan.threads)
    elif plan.device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")  # TF32
        torch.backends.cudnn.benchmark = True  # batches are all of one size: the fastest way is worth looking for
    splits = splits.to(plan.device)
    count = len(splits.train)
    steps = math.ceil(count / recipe.batch_size)
    started, started_at = time.perf_counter(), run.steps_done
    outliers = bool((splits.train.labels == NO_CLASS).any())  # asked once: to ask makes the device wait
    _remember(run)
    ended_untold = run.steps_done % steps == 0 and run.sums[2] > 0  # stopped between last step and Epoch event
    for epoch in range(run.steps_done // steps + (not ended_untold), recipe.epochs + 1):
        order = torch.randperm(count, generator=_generator(run.seed, -epoch)).to(plan.device)
        since, clock = torch.zeros(3, device=plan.device), time.perf_counter()
        run.model.train()
        for step in range(run.steps_done - (epoch - 1) * steps + 1, steps + 1):
            batch = order[(step - 1) * recipe.batch_size : step * recipe.batch_size]
            weight = run.workers.weight(len(batch))
            batch = splits.train[run.workers.share(batch)]
            since += _train_step(run, batch, run.steps_done / (steps * recipe.epochs), outliers, weight) * (weight > 0)
            run.steps_done += 1
            elapsed = time.perf_counter() - clock
            if elapsed >= every or step == steps:
                loss, correct, images = since.tolist()  # the only place where the device is waited for
                run.sums += since.cpu()
                _check_finite(run, loss)
                speed = images / elapsed * run.workers.count
                yield Step(epoch, recipe.epochs, step, steps, loss / images, correct / images, speed)
                run.model.train()  # whoever looked at the network may have switched it
                since.zero_()
                clock = time.perf_counter()
        loss, correct, images = run.workers.total(run.sums, plan.device).tolist()
        run.sums.zero_()
        run.validation_scores = scores_of(run.result, splits.validation, run.task, plan)
        validation = judge(run.validation_scores, splits.validation.labels)
        seconds = time.perf_counter() - started
        left = seconds / max(run.steps_done - started_at, 1) * (steps * recipe.epochs - run.steps_done)
        yield Epoch(epoch, recipe.epochs, loss / images, correct / images, validation.loss, validation.accuracy,
                    seconds, left)  # fmt: skip
    run.model.eval()
    run.result.eval()


def _train_step(run: Run, batch: Images, progress: float, outliers: bool = False, weight: float = 1.0) -> Tensor:
    """One step of gradient descent; returns summed loss, correct answers and images, (3,) float32 on the device."""
    recipe = run.recipe
    generator = _generator(run.seed, run.steps_done * run.workers.count + run.workers.rank)
    _seed_dropout(generator.initial_seed(), run.plan.device)
    inputs = to_input(batch.pixels, run.task.mean, run.task.std, recipe.augment, generator)
    with precision(run.plan):
        scores = run.forward(inputs)
    loss = loss_of(scores.float(), batch.labels, recipe.label_smoothing, outliers)
    for group in run.optimizer.param_groups:
        group["lr"] = recipe.learning_rate * learning_rate_factor(recipe.schedule, progress)
    run.optimizer.zero_grad(set_to_none=True)
    (loss * weight if weight != 1 else loss).backward()
    run.optimizer.step()
    if run.average is not None:
        # early weights are worth little: the average begins short and grows to the recipe's length
        _move_average(run.average, run.model, min(recipe.average, (1 + run.steps_done) / (10 + run.steps_done)))
    with torch.no_grad():
        correct = (scores.argmax(1) == batch.labels).sum()
        return torch.stack([loss * len(batch), correct.float(), torch.full_like(loss, len(batch))])


def loss_of(scores: Tensor, labels: Tensor, label_smoothing: float, outliers: bool) -> Tensor:
    """Mean cross-entropy of (N, classes) scores. An outlier, labelled NO_CLASS, should get equal shares for all."""
    loss = F.cross_entropy(
        scores, labels, label_smoothing=label_smoothing, ignore_index=NO_CLASS, reduction="sum" if outliers else "mean"
    )
    if outliers:
        equal_shares = -scores.log_softmax(dim=1).mean(dim=1)
        loss = (loss + (equal_shares * (labels == NO_CLASS)).sum()) / len(labels)
    return loss


def to_input(pixels: Tensor, mean: float, std: float, augment: str = "none", generator=None) -> Tensor:
    """uint8 pixels (N, C, H, W) as a network takes them: varied by the augmentation, then normalised, float32.

    Features, which a frozen part of a network has seen already, are taken as they are.
    """
    if pixels.dtype == torch.float16:
        return pixels.float()
    images = pixels.float() / 255
    if augment != "none":
        images = AUGMENTATIONS[augment](images, generator)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def precision(plan: Plan):
    """The context in which the network computes: products in bfloat16 where the plan says so."""
    if plan.precision == "bfloat16":
        return torch.autocast(plan.device.split(":")[0], torch.bfloat16)
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Measure:
    """How a network did on labelled images."""

    count: int
    correct: int
    loss: float  # mean cross-entropy per image

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0..1."""
        return self.correct / self.count


def scores_of(model: nn.Module, images: Images, task: Task, plan: Plan, batch_size: int = 500) -> Tensor:
    """The network's scores (N, classes) float32 for all images, without augmentation, on the plan's device."""
    was_training = model.training
    model.eval()
    with torch.inference_mode(), precision(plan):
        parts = [
            model(to_input(images.pixels[at : at + batch_size].to(plan.device), task.mean, task.std)).float()
            for at in range(0, len(images), batch_size)
        ]
    model.train(was_training)
    return torch.cat(parts)


def measure(model: nn.Module, images: Images, task: Task, plan: Plan) -> Measure:
    """Loss and right answers over all images: sums over images, not means of batch means."""
    return judge(scores_of(model, images, task, plan), images.labels)


def judge(scores: Tensor, labels: Tensor) -> Measure:
    """Loss and right answers of scores (N, classes) against labels (N,) on any device."""
    labels = labels.to(scores.device)
    loss = F.cross_entropy(scores, labels, reduction="sum").item()
    return Measure(len(labels), int((scores.argmax(1) == labels).sum()), loss / len(labels))


def _generator(seed: int, number: int) -> torch.Generator:
    # splitmix-like mixing: neighbouring numbers must not give related streams
    mixed = (seed * 0x9E3779B97F4A7C15 + (number & 0xFFFFFFFF) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    mixed = ((mixed ^ (mixed >> 31)) * 0x94D049BB133111EB) % 2**63
    return torch.Generator().manual_seed(mixed)


def _seed_dropout(seed: int, device: str) -> None:
    # torch.manual_seed seeds every device there might be, and for each that sleeps keeps a stack trace
    torch.default_generator.manual_seed(seed)
    if device.startswith("cuda"):
        torch.cuda.manual_seed(seed)
    elif device == "mps":
        torch.mps.manual_seed(seed)


@torch.no_grad()
def _move_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    new, old = model.state_dict(), average.state_dict()
    moving = [name for name, tensor in old.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([old[name] for name in moving], [new[name] for name in moving], 1 - decay)


def _check_finite(run: Run, loss: float) -> None:
    if math.isfinite(loss):
        _remember(run)
        return
    with torch.no_grad():
        run.model.load_state_dict({n: t for n, t in run.good.items() if not n.startswith("average.")})
        if run.average is not None:
            prefix = "average."
            run.average.load_state_dict({n[len(prefix) :]: t for n, t in run.good.items() if n.startswith(prefix)})
    run.model.eval()
    raise TrainingStopped(
        "The loss is no longer a number: the weights grew without bound. The last good weights are kept. "
        f"Try a smaller learning rate than {run.recipe.learning_rate:g}."
    )


def _remember(run: Run) -> None:
    """Keep a copy of the weights if they are finite: a step may spoil them before the loss shows it."""
    tensors = dict(run.model.state_dict())
    if run.average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in run.average.state_dict().items()}
    norms = torch._foreach_norm([tensor for tensor in tensors.values() if tensor.is_floating_point()])
    if math.isfinite(float(torch.stack(norms).sum())):
        run.good = {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _compiled(model: nn.Module) -> nn.Module:
    if shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or shutil.which("cl"):
        return torch.compile(model)
    return model
