"""One step of gradient descent: as it stands on a CPU, recorded once and replayed as a CUDA graph on a GPU."""

import contextlib
import warnings
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from train.data.images import NO_CLASS, FeatureMaps, Images
from train.fast.machine import Plan
from train.learn.augment import AUGMENTATIONS
from train.learn.randomness import DrawnFrom, mixed
from train.learn.recording import State, aside, copied, difference, put_back, record
from train.learn.run import Run, learning_rate_factor

UNRECORDED = 3  # steps made one by one before the recording: they create what is made lazily, and choose kernels
AHEAD = 32  # steps that a GPU may be behind: enough to keep it busy, few enough to stop and to show losses at once


class TrainingStep:
    """Gradient descent on one batch after the other.

    What differs from step to step lies in tensors on the device and in its random generator. So on CUDA the whole step,
    from uint8 pixels to the moving average, becomes one CUDA graph, and Python does no more than to start it.
    """

    def __init__(self, run: Run, images: Images):
        """Steps for that run, on images that lie on its device."""
        device = run.plan.device
        self.run, self.images, self.on_gpu = run, images, device.startswith("cuda")
        self.outliers = bool((images.labels == NO_CLASS).any())  # asked once: to ask makes the device wait
        self.sums = torch.zeros(2, device=device)  # loss and correct answers since they were last taken
        self.unsummed: list[tuple[Tensor, Tensor, Tensor]] = []  # of steps not yet in them: loss, scores, labels
        self.count = 0  # of these images
        self.batch = torch.zeros(run.recipe.batch_size, dtype=torch.int64, device=device)
        self.decay = torch.zeros((), device=device) if run.recorded else 0.0  # what the moving average keeps
        self.generator = run.generator
        self.parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
        self.stream = torch.cuda.Stream(device) if self.on_gpu and run.recorded else None
        self.precision = precision(run.plan)
        # a GPU's own generator is seeded for each step, for only that is known to a recording
        self.drawing = DrawnFrom(self.generator) if device == "cpu" else None
        self.replay: Callable[[], None] | None = None
        self.unrecorded = 0

    def __call__(self, batch: Tensor, progress: float) -> None:
        """A step on the images of those indices (N,) int64, when `progress` (0..1) of all steps are done."""
        run = self.run
        self._prepare(progress)
        if run.recorded and len(batch) == len(self.batch):
            self.batch.copy_(batch)
            batch = self.batch
            if self.replay is None and self.unrecorded >= UNRECORDED:
                self._record(progress)
        if self.replay and batch is self.batch:
            self.replay()
        else:
            with aside(self.stream):
                self._descend(batch)
            self.unrecorded += 1
        self.count += len(range(run.workers.rank, len(batch), run.workers.count))
        run.steps_done += 1
        if self.on_gpu and run.steps_done % AHEAD == 0:
            torch.cuda.current_stream(run.plan.device).synchronize()

    def take_sums(self) -> Tensor:
        """Summed loss, correct answers and images since the last call, (3,) float32 on the CPU.

        The device is waited for.
        """
        self._sum_up()
        sums = torch.cat([self.sums.cpu(), torch.tensor([self.count])])
        self.sums.zero_()
        self.count = 0
        return sums

    def _prepare(self, progress: float) -> None:
        """Set all that varies from step to step, but for the batch."""
        run = self.run
        # early weights are worth little: the average begins short and grows to the recipe's length
        decay = min(run.recipe.average, (1 + run.steps_done) / (10 + run.steps_done))
        self._set(run.recipe.learning_rate * learning_rate_factor(run.recipe.schedule, progress), decay)
        _seed(run, self.generator)

    def _set(self, learning_rate: float, decay: float) -> None:
        run = self.run
        for group in run.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(learning_rate)
            else:
                group["lr"] = learning_rate
        self.decay = self.decay.fill_(decay) if isinstance(self.decay, Tensor) else decay

    def _record(self, progress: float) -> None:
        """Record the step, and trust the recording if a trial shows that it does what the step itself does."""
        try:
            replay = record(lambda: self._descend(self.batch), self.stream)
            wrong = self._tried(replay)
        except RuntimeError as error:
            wrong, replay = str(error).strip().splitlines()[0], None
            self.unsummed.clear()
            self.run.optimizer.zero_grad(set_to_none=True)
        self._prepare(progress)
        if not wrong:
            self.replay = replay
            return
        self.run.recorded = False
        warnings.warn(f"this GPU's steps cannot be recorded, training is slower: {wrong}", stacklevel=2)

    def _tried(self, replay: Callable[[], None]) -> str:
        """What a replayed step does wrong, beside an unrecorded one from the same state, which is then put back.

        For the trial all that varies is other than when it was recorded: a number that the recording froze shows.
        """
        state, batch = self._state(), self.batch.clone()
        before = copied(state)
        results = []
        for step in (lambda: self._descend(self.batch), replay):
            self._set(self.run.recipe.learning_rate / 2, self.run.recipe.average / 2)
            self.batch.copy_((batch + 1) % len(self.images))
            _seed(self.run, self.generator, other=1)
            try:
                with aside(self.stream):
                    step()
                results.append(copied(state))
            finally:
                put_back(state, before)
                self.batch.copy_(batch)
        return difference(before, *results)

    def _state(self) -> State:
        """All that a step changes, but for what the next one sets."""
        run = self.run
        state = {"weights": self.parameters, "BatchNorm's statistics": list(run.model.buffers()), "sums": [self.sums]}
        if run.average is not None:
            state["average"] = list(run.average.state_dict().values())
        for values in run.optimizer.state.values():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    state.setdefault(f"the optimiser's {name}", []).append(value)
        return state

    def _descend(self, batch: Tensor) -> None:
        """The step itself. Nothing in it may depend on a number that changes, or wait for the device."""
        run, recipe = self.run, self.run.recipe
        weight = run.workers.weight(len(batch))
        batch = run.workers.share(batch)
        images = self.images.at(batch)
        inputs, labels = self._inputs(images), images.labels
        with self.precision, self.drawing or contextlib.nullcontext():
            scores = run.forward(inputs)
        if self.drawing and not self.drawing.drew:  # nothing in it was random: later steps need no watching
            self.drawing = None
        loss = loss_of(scores.float(), labels, recipe.label_smoothing, self.outliers)
        for parameter in self.parameters:  # what optimizer.zero_grad does, without its 50 microseconds of overhead
            parameter.grad = None
        (loss * weight if weight != 1 else loss).backward()
        run.optimizer.step()
        if run.average is not None:
            _move_average(run.average, run.model, self.decay)
        if weight > 0:
            self.unsummed.append((loss.detach() * len(labels), scores.detach(), labels))
        if run.recorded or len(self.unsummed) == AHEAD:
            self._sum_up()

    def _inputs(self, images: Images) -> Tensor:
        task, recipe = self.run.task, self.run.recipe
        channels_last = self.run.plan.channels_last
        return to_input(images, task.mean, task.std, recipe.augment, self.generator, channels_last)

    def _sum_up(self) -> None:
        """Add steps to the sums, many at once: one by one would cost more than a convolution."""
        if not self.unsummed:
            return
        losses, scores, labels = zip(*self.unsummed, strict=True)
        self.unsummed.clear()
        correct = (torch.cat(scores).argmax(1) == torch.cat(labels)).sum()
        self.sums += torch.stack([torch.stack(losses).sum(), correct])


def loss_of(scores: Tensor, labels: Tensor, label_smoothing: float, outliers: bool) -> Tensor:
    """Mean cross-entropy of (N, classes) scores. An outlier, labelled NO_CLASS, should get equal shares for all."""
    loss = F.cross_entropy(
        scores, labels, label_smoothing=label_smoothing, ignore_index=NO_CLASS, reduction="sum" if outliers else "mean"
    )
    if outliers:
        equal_shares = -scores.log_softmax(dim=1).mean(dim=1)
        loss = (loss + (equal_shares * (labels == NO_CLASS)).sum()) / len(labels)
    return loss


def to_input(
    images: Images,
    mean: float,
    std: float,
    augment: str = "none",
    generator: Generator | None = None,
    channels_last: bool = True,
) -> Tensor:
    """Images as a network takes them, (N, C, H, W) float32: varied by the augmentation, then normalised.

    Feature maps, which the rest of a network takes, stay as they are.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    if isinstance(images, FeatureMaps):
        return images.pixels.float().contiguous(memory_format=layout)
    pixels = images.pixels.float().div_(255)
    if augment != "none":
        pixels = AUGMENTATIONS[augment](pixels, generator)
    return pixels.sub_(mean).div_(std).contiguous(memory_format=layout)


def precision(plan: Plan):
    """The context in which the network computes: products in bfloat16 where the plan says so."""
    if plan.precision == "bfloat16":
        return torch.autocast(plan.device.split(":")[0], torch.bfloat16)
    return contextlib.nullcontext()


def _seed(run: Run, generator: Generator | None, other: int = 0) -> None:
    """What is random in the next step, augmentation and dropout, follows from the run's seed and the step's number."""
    seed = mixed(run.seed + other, run.steps_done * run.workers.count + run.workers.rank)
    if generator is not None:
        generator.manual_seed(seed)
    # torch.manual_seed seeds every device there might be, and keeps a stack trace for each that is not yet in use
    device = torch.device(run.plan.device)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@torch.no_grad()
def _move_average(average: nn.Module, model: nn.Module, decay: float | Tensor) -> None:
    new, old = model.state_dict(), average.state_dict()
    moving = [name for name, tensor in old.items() if tensor.is_floating_point()]
    new, old = [new[name] for name in moving], [old[name] for name in moving]
    if isinstance(decay, Tensor):
        steps = torch._foreach_sub(new, old)
        torch._foreach_mul_(steps, 1 - decay)
        torch._foreach_add_(old, steps)
    else:
        torch._foreach_lerp_(old, new, 1 - decay)
