"""A recipe that would take longer than the host allows, fitted to the time there is.

A run that is cut off at its deadline has never seen its learning rate fall, and a falling rate is what the last points
of accuracy come from. So what would not fit gets fewer epochs from its first step on, and its schedule runs over those.
And where the machine turns slower on the way, the end comes nearer, and the schedule with it.
"""

import bisect
import math
import statistics
import time
from collections import deque

from train.data.images import Splits
from train.learn.fit import fit, scores_of
from train.learn.run import Run
from train.task import Recipe

SURE = 4e9  # multiplications a second that any host manages: what fits at that pace is not measured
STEP = 1e-3  # seconds of a step's own, beside its multiplications
MARGIN = 0.85  # of the time that is left: neighbours, looks at the validation images
TRIAL = 1.0  # seconds of training to find the pace, at most two steps more


def fits_surely(multiplications: int, splits: Splits, recipe: Recipe, seconds: float) -> bool:
    """Whether a recipe fits on the slowest host; `multiplications` are those of one image's way forward."""
    count = len(splits.train)
    steps = math.ceil(count / recipe.batch_size)
    epoch = multiplications * (3 * count + len(splits.validation)) / SURE + STEP * steps
    return recipe.epochs * epoch < MARGIN * seconds


def epoch_seconds(trial: Run, splits: Splits) -> float:
    """How long an epoch takes, by some steps of a run that is thrown away."""
    times = []
    last = began = time.perf_counter()
    for _ in fit(trial, splits, every=0):
        now = time.perf_counter()
        times.append(now - last)
        last = now
        if len(times) > 3 and now - began > TRIAL:
            break
    some = splits.validation[slice(0, 250)]
    last = time.perf_counter()
    scores_of(trial.result, some, trial.task, trial.plan)
    looking = (time.perf_counter() - last) * len(splits.validation) / len(some)
    step = statistics.median(times[2:] or times)  # the first ones also make things ready
    return step * math.ceil(len(splits.train) / trial.recipe.batch_size) + looking


def fitted(recipe: Recipe, epoch: float, seconds: float) -> Recipe:
    """The recipe with as many of its epochs as fit; if not even one does, with a share of the data as well."""
    usable = MARGIN * max(seconds, 0.0)
    if recipe.epochs * epoch <= usable:
        return recipe
    epochs = max(1, math.floor(usable / epoch))
    share = recipe.share if epoch <= usable else max(0.01, round(recipe.share * usable / epoch, 2))
    return recipe.but(epochs=epochs, share=share)


class Pace:
    """Whether a run that is under way will end in time; where it will not, the step at which it should end.

    The pace is that of the last quarter of the time that is left, so a run is changed seldom, and surely near its end.
    A run that was shortened is not made longer again: its learning rate would have to rise.
    """

    LATE = 0.95  # of the time that is left: who needs more is shortened, to MARGIN of it

    def __init__(self, steps: int, epochs: int, look: float, seconds: float):
        """A run of `epochs` epochs of `steps` steps, of which each ends in a look at the validation images that takes
        as long as `look` steps; at `seconds` on its clock it is cut off."""
        self.steps, self.end, self.look, self.seconds = steps, epochs * steps, look, seconds
        self.marks: deque[tuple[float, int]] = deque()  # (seconds, steps done), looks left out

    def after_step(self, now: float, done: int) -> int | None:
        """The end, in steps from the run's beginning, if it has changed; `done` are made at `now` on its clock."""
        left = self.seconds - now
        self.marks.append((now, done))
        while len(self.marks) > 2 and self.marks[1][0] <= now - max(1.0, left / 4):
            self.marks.popleft()
        since, before = self.marks[0]
        if now - since < max(1.0, left / 4) or done == before:
            return None
        step = (now - since) / (done - before)
        if self._work(done, self.end) * step <= self.LATE * left:
            return None
        ends = range(done + 1, self.end + 1)
        self.end = done + bisect.bisect_right(ends, MARGIN * left / step, key=lambda end: self._work(done, end))
        return self.end

    def after_look(self, now: float) -> None:
        """An epoch has ended at `now`: what passed since its last step was the look."""
        if len(self.marks) > 1:
            (since, before), (last, done) = self.marks[0], self.marks[-1]
            if done > before and last > since:
                self.look = (now - last) * (done - before) / (last - since)
            self.marks = deque((when + now - last, done) for when, done in self.marks)

    def _work(self, done: int, end: int) -> float:
        """From step `done` to the end, in steps."""
        return end - done + (math.ceil(end / self.steps) - done // self.steps) * self.look
