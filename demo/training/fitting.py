"""A recipe that would take longer than the host allows, fitted to the time there is.

A run that is cut off at its deadline has never seen its learning rate fall, and a falling rate is what the last points
of accuracy come from. So what would not fit gets fewer epochs from its first step on, and its schedule runs over those.
"""

import math
import statistics
import time

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
