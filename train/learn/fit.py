"""Training as a generator of events: the command line prints them, the browser plots them, a test steps them."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.data.images import Images, Splits
from train.fast.machine import Plan, keep_freed_memory
from train.learn.randomness import generator_for
from train.learn.run import Run
from train.learn.step import TrainingStep, precision, to_input
from train.learn.stuck import Stuck, StuckWatch
from train.learn.trial import check_plan, needs_trial
from train.task import Message, Task


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
    progress: float  # share of the whole run that is done, 0..1


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


Event = Step | Epoch | Stuck


def fit(run: Run, splits: Splits, *, every: float = 0.1) -> Iterator[Event]:
    """Train to the end of the recipe, yielding at most one Step every `every` seconds and an Epoch after each epoch.

    A run that learns nothing yields a Stuck, once, after some hundreds of steps.

    Stop by closing the generator, pause by not asking for the next event; every=0 yields each step. To end before the
    recipe does, set `run.ends_at`: the learning rate falls to its end by that step.

    The data is moved to the device once. The randomness of a step depends on the seed and the step's number alone, so
    that a restored run repeats it: on a CPU the weights are bitwise those of an unbroken run.

    Raises TrainingStopped if the loss is no longer finite.
    """
    splits = _ready(run, splits)
    recipe, count = run.recipe, len(splits.train)
    steps = math.ceil(count / recipe.batch_size)
    started, started_at = time.perf_counter(), run.steps_done
    descend = TrainingStep(run, splits.train)
    watch = StuckWatch(splits.train.labels, len(run.task.labels), run.steps_done)
    some = splits.validation[:100]
    _remember(run)
    ended_untold = run.steps_done % steps == 0 and run.sums[2] > 0  # stopped between last step and Epoch event
    for epoch in range(run.steps_done // steps + (not ended_untold), recipe.epochs + 1):
        if run.steps_done >= _end(run, steps) and not run.sums[2]:
            break  # it ends earlier than its recipe
        order = torch.randperm(count, generator=generator_for(run.seed, -epoch)).to(run.plan.device)
        batches = order.split(recipe.batch_size)[run.steps_done - (epoch - 1) * steps :]
        for step in _steps(run, batches, descend, epoch, steps, every):
            yield step
            last = run.steps_done >= _end(run, steps)
            message = watch(step.loss, run.steps_done, last, lambda: scores_of(run.model, some, run.task, run.plan))
            if message:
                yield Stuck(epoch, step.step, message)
        loss, correct, images = run.workers.total(run.sums, run.plan.device).tolist()
        run.sums.zero_()
        run.validation_scores = scores_of(run.result, splits.validation, run.task, run.plan)
        validation = judge(run.validation_scores, splits.validation.labels)
        seconds = time.perf_counter() - started
        left = seconds / max(run.steps_done - started_at, 1) * (_end(run, steps) - run.steps_done)
        yield Epoch(epoch, recipe.epochs, loss / images, correct / images, validation.loss, validation.accuracy,
                    seconds, left)  # fmt: skip
    run.model.eval()
    run.result.eval()


def _ready(run: Run, splits: Splits) -> Splits:
    """Move the data to the run's device, set torch up for it, and try the plan where it needs a trial."""
    splits = splits.to(run.plan.device)
    if run.plan.device == "cpu":
        torch.set_num_threads(run.plan.threads)
        keep_freed_memory()
    elif run.plan.device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")  # TF32
        torch.backends.cudnn.benchmark = True  # batches are all of one size: finding the fastest algorithm pays
    if needs_trial(run.plan):
        check_plan(run, splits.train)
    return splits


def _end(run: Run, steps: int) -> int:
    """The step after which a run with `steps` steps an epoch ends; `run.ends_at` may bring it forward at any time."""
    return min(steps * run.recipe.epochs, run.ends_at)


def _steps(
    run: Run, batches: Sequence[Tensor], descend: TrainingStep, epoch: int, steps: int, every: float
) -> Iterator[Step]:
    """The rest of an epoch of `steps` steps, reported every `every` seconds."""
    clock = time.perf_counter()
    run.model.train()
    for batch in batches:
        if run.steps_done >= _end(run, steps):
            break
        descend(batch, progress=run.steps_done / _end(run, steps))
        step, end = run.steps_done - (epoch - 1) * steps, _end(run, steps)
        if time.perf_counter() - clock >= every or step == steps or run.steps_done == end:
            sums = descend.take_sums()
            run.sums += sums
            loss, correct, images = sums.tolist()
            _check_finite(run, loss)
            speed = images / (time.perf_counter() - clock) * run.workers.count
            yield Step(epoch, run.recipe.epochs, step, steps, loss / images, correct / images, speed,
                       run.steps_done / end)  # fmt: skip
            run.model.train()  # whoever looked at the network may have switched it
            clock = time.perf_counter()


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
            model(to_input(some.to(plan.device), task.mean, task.std, channels_last=plan.channels_last)).float()
            for some in (images[at : at + batch_size] for at in range(0, len(images), batch_size))
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
        Message(
            "The loss is no longer a number: the weights grew without bound. The last good weights are kept. "
            "Try a smaller learning rate than {rate}.",
            code="training.diverged",
            rate=f"{run.recipe.learning_rate:g}",
        )
    )


def _remember(run: Run) -> None:
    """Keep a copy of the weights if they are finite: a step may spoil them before the loss shows it."""
    tensors = dict(run.model.state_dict())
    if run.average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in run.average.state_dict().items()}
    norms = torch._foreach_norm([tensor for tensor in tensors.values() if tensor.is_floating_point()])
    if math.isfinite(float(torch.stack(norms).sum())):
        run.good = {name: tensor.detach().clone() for name, tensor in tensors.items()}
