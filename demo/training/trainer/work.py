"""The work of a training thread: fit, watched, steered, and kept at the end."""

import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import nn

from demo.errors import message_of
from demo.training.runner import Ended, Training
from demo.training.trainer.fitting import Pace, epoch_seconds, fits_surely, fitted
from demo.training.trainer.pictures import confusion, filters, mistakes
from train.data.images import Splits
from train.fast.library import ready
from train.fast.machine import Plan
from train.learn.checkpoint import Metadata
from train.learn.finish import about, finish
from train.learn.fit import Epoch, Event, Step, TrainingStopped, fit, judge, scores_of
from train.learn.run import Run
from train.learn.stuck import Stuck
from train.task import Message, UsageError

log = logging.getLogger(__name__)
EVERY = 0.12  # seconds between two points of the curves
FILTERS_EVERY = 0.5
CALIBRATED = 1000  # validation images that the temperature is found from


class Glimpse:
    """The validation accuracy between epochs: a few images at a time, the mean of the last second and a half."""

    SHARE = 0.02  # of the time, at most
    SECONDS = 1.5

    def __init__(self, run: Run, splits: Splits, size: int = 48):
        self.run, self.images, self.size = run, splits.validation, size
        # shuffled, because near-copies may lie side by side
        self.order = torch.randperm(len(splits.validation), generator=torch.Generator().manual_seed(0))
        self.last: deque = deque()  # of (when, Measure)
        self.at, self.looks, self.spent, self.since = 0, 0, 0.0, time.perf_counter()

    def look(self) -> tuple[float, float] | None:
        """Loss and accuracy (0..1), or None when looking now would cost too much time."""
        began = time.perf_counter()
        if self.last and self.spent > self.SHARE * (began - self.since):
            return None
        few = self.images[self.order[self.at : self.at + self.size]]
        self.at = self.at + self.size if self.at + self.size < len(self.images) else 0
        self.last.append((began, judge(scores_of(self.run.result, few, self.run.task, self.run.plan), few.labels)))
        while len(self.last) > 3 and self.last[0][0] < began - self.SECONDS:
            self.last.popleft()
        self.looks += 1
        if self.looks > 1:  # the first one also prepares the network for this size of batch
            self.spent += time.perf_counter() - began
        count = sum(measure.count for _, measure in self.last)
        loss = sum(measure.loss * measure.count for _, measure in self.last) / count
        return loss, sum(measure.correct for _, measure in self.last) / count


Keep = Callable[[nn.Module, Metadata], None]


def train(
    training: Training, load: Callable[..., Splits], plan: Plan, keep: Keep, keep_every: float = math.inf
) -> None:
    """The whole of a training, in the thread that calls. What goes wrong is said in the events, never raised.

    `keep` is given the network at the end, and every `keep_every` seconds, for the process may be cut off.
    """
    settings = training.settings
    state, message, run, splits = "finished", "", None, None
    training.enter("loading")
    try:
        training.start_clock()  # loading too has a deadline: it may be a download
        splits = load(settings.task, settings.recipe, training.check)
        training.start_clock()
        training.check()
        # what is compiled for some seconds, once, is not waited for: the first run takes torch's layers
        fuse = plan.device == "cpu" and ready()
        splits = _fit_into_time(training, splits, load, plan, fuse)
        run = Run(settings.task, training.settings.recipe, seed=settings.seed, plan=plan, fuse=fuse)
        training.enter("training")
        with _interruptible(run, training.check):
            for _ in _every(keep_every, _watched(training, run, splits)):
                _keep(training, run, splits, keep)
    except Ended:
        state = "stopped"
    except (UsageError, TrainingStopped) as error:
        state, message = "failed", message_of(error.args[0] if isinstance(error, TrainingStopped) else error)
    except Exception:
        log.exception("a training failed")
        state = "failed"
        message = Message("Something went wrong in this training. The log of the server says more.", code="run.failed")
    training.stop_clock()
    if run is None or not run.steps_done:
        training.finish(state, message)
        return
    _keep(training, run, splits, keep)
    training.finish(state, message, True, _epochs(run, splits))


def _fit_into_time(training: Training, splits: Splits, load: Callable[..., Splits], plan: Plan, fuse: bool) -> Splits:
    """Gives a training whose recipe would take too long one that does not, says so, and returns its splits."""
    settings, most = training.settings, training.limits.seconds
    if fits_surely(settings.multiplications, splits, settings.recipe, most - training.clock()):
        return splits
    training.enter("fitting")
    trial = Run(settings.task, settings.recipe, seed=settings.seed, plan=plan, fuse=fuse)
    with _interruptible(trial, training.check):
        epoch = epoch_seconds(trial, splits)
    recipe = fitted(settings.recipe, epoch, most - training.clock())
    if recipe == settings.recipe:
        return splits
    training.settings = replace(settings, recipe=recipe)
    training.say("fitted", epochs=recipe.epochs, of=settings.recipe.epochs, share=recipe.share,
                 takes=round(epoch * settings.recipe.epochs), seconds=round(most))  # fmt: skip
    return splits if recipe.share == settings.recipe.share else load(settings.task, recipe, training.check)


def _keep(training: Training, run: Run, splits: Splits, keep: Keep) -> None:
    """Keep the network with a temperature as shipped ones get it, but of some validation images: it is quick."""
    notes = {"trained_in": "the training tab", "validation_accuracy": training.best or training.estimate}
    metadata = about(run, splits, notes=notes | {"ended": training.why or "finished"})
    finish(run, splits, metadata, lambda metadata: keep(run.result, metadata), few=CALIBRATED)


def _epochs(run: Run, splits: Splits) -> float:
    return run.steps_done / math.ceil(len(splits.train) / run.recipe.batch_size)


def _every(seconds: float, events: Iterator[Event]) -> Iterator[Event]:
    """One event every so many seconds; all are run through."""
    last = time.monotonic()
    for event in events:
        if time.monotonic() - last >= seconds:
            yield event
            last = time.monotonic()


def _watched(training: Training, run: Run, splits: Splits) -> Iterator[Event]:
    """Trains, and says what there is to see. Raises Ended when it is time to end."""
    glimpse, filters_at, pace = Glimpse(run, splits), 0.0, _pace(training, run, splits)
    for event in _steered(training, run, splits):
        if isinstance(event, Step):
            _shorten(training, run, pace)
            _say_point(training, event, glimpse.look())
            if event.step == event.steps or run.steps_done >= run.ends_at:
                training.say("checking")  # all validation images: it may take a while
            if time.monotonic() >= filters_at:
                training.say("filters", filters=filters(run.result))
                filters_at = time.monotonic() + FILTERS_EVERY
        elif isinstance(event, Stuck):
            training.say("stuck", message=str(event.message), code=event.message.code)
        else:
            _say_epoch(training, event, run, splits)
            pace.after_look(training.clock())
        yield event


def _pace(training: Training, run: Run, splits: Splits) -> Pace:
    batch = run.recipe.batch_size
    look = len(splits.validation) / (2 * batch)  # a step goes forward and back; measured after the first epoch
    return Pace(math.ceil(len(splits.train) / batch), run.recipe.epochs, look, training.limits.seconds)


def _shorten(training: Training, run: Run, pace: Pace) -> None:
    """Brings the end of a run nearer that would not end in time, and says so."""
    end = pace.after_step(training.clock(), run.steps_done)
    if end is not None:
        run.ends_at = end
        training.say("shortened", epochs=round(end / pace.steps, 2), of=run.recipe.epochs)


def _steered(training: Training, run: Run, splits: Splits) -> Iterator[Event]:
    """The events of fit, as slow as they are wanted. `fit` goes on where the run stands, so it can be begun anew."""
    single = training.turn()
    events = fit(run, splits, every=0 if single else EVERY)
    while (event := next(events, None)) is not None:
        yield event
        if isinstance(event, Step) and (event.step == event.steps or run.steps_done >= run.ends_at):
            continue  # the epoch's own event belongs to its last step
        wanted = training.turn()
        if wanted != single:
            single = wanted
            events.close()
            events = fit(run, splits, every=0 if single else EVERY)


def _say_point(training: Training, step: Step, validation: tuple[float, float] | None) -> None:
    clock = training.clock()
    if validation:
        training.estimate = validation[1]
    training.say(
        "point",
        at=round(step.epoch - 1 + step.step / step.steps, 4),
        seconds=round(clock, 2),
        loss=_short(step.loss),
        accuracy=_short(step.accuracy),
        validation=[_short(value) for value in validation] if validation else None,
        epoch=step.epoch,
        step=step.step,
        steps=step.steps,
        speed=round(step.images_per_second),
        left=round(clock / step.progress - clock, 1),
    )


def _say_epoch(training: Training, epoch: Epoch, run: Run, splits: Splits) -> None:
    training.best = max(training.best or 0.0, epoch.validation_accuracy)
    scores = run.validation_scores
    training.say(
        "epoch",
        epoch=epoch.epoch,
        at=round(_epochs(run, splits), 4),  # less than the epoch's number where the run ends within it
        seconds=round(training.clock(), 2),
        train=[_short(epoch.train_loss), _short(epoch.train_accuracy)],
        validation=[_short(epoch.validation_loss), _short(epoch.validation_accuracy)],
        confusion=confusion(scores, splits.validation.labels),
        mistakes=mistakes(scores, splits.validation),
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")


@contextlib.contextmanager
def _interruptible(run: Run, check: Callable) -> Iterator[None]:
    """Within, `check` is called before each layer of the network: validation too ends when it raises."""
    models = {id(model): model for model in (run.model, run.result)}.values()
    hooks = [layer.register_forward_pre_hook(check) for model in models for layer in model.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
