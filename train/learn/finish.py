"""The end of a run: what its checkpoint says of it, its temperature, and its figure on test images."""

import datetime
import math
import platform
from collections.abc import Callable
from dataclasses import replace

import torch

from train.data.images import Images, Splits
from train.learn.calibrate import temperature_for
from train.learn.checkpoint import Metadata
from train.learn.fit import Measure, measure, scores_of
from train.learn.run import Run


def about(run: Run, splits: Splits, **more) -> Metadata:
    """What a checkpoint of this run says of itself from its beginning; `more` are other fields of Metadata."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Metadata.of(
        run.task, run.recipe, seed=run.seed, data_sha256=splits.digest(), versions=versions, date=date, **more
    )


def so_far(run: Run, splits: Splits, metadata: Metadata) -> Metadata:
    """The same with the epochs that are done and, among the notes, what repeats the run beside recipe and seed."""
    epochs = run.steps_done / math.ceil(len(splits.train) / run.recipe.batch_size)
    return metadata.but(epochs=epochs, notes=metadata.notes | run.computed())


def finish(
    run: Run,
    splits: Splits,
    metadata: Metadata,
    save: Callable[[Metadata], None],
    *,
    temperature: float | None = None,
    few: int | None = None,
    test: Callable[[], Images] | None = None,
) -> Measure | None:
    """Calibrate the run's network, save it, measure it on test images, save that too; returns what was measured.

    Args:
        save: keeps `run.result` with the metadata it is given. Called before the test, too, which may fail.
        temperature: where it is known; otherwise found on validation images.
        few: find the temperature on this many validation images only, a fixed random choice: quick, and for a run that
            was stopped within an epoch.
        test: gives the test images, which are then read in float32, as `train.evaluate` reads them.
    """
    run.result.eval()
    if temperature is None:
        temperature = _temperature(run, splits.validation, few)
    metadata = so_far(run, splits, metadata).but(temperature=temperature)
    save(metadata)
    if test is None:
        return None
    result = measure(run.result, test(), run.task, replace(run.plan, precision="float32"))
    save(metadata.but(test_accuracy=result.accuracy, test_count=result.count))
    return result


def _temperature(run: Run, validation: Images, few: int | None) -> float:
    scores = run.validation_scores
    if few is not None:
        validation = validation[torch.randperm(len(validation), generator=torch.Generator().manual_seed(0))[:few]]
    if few is not None or scores is None:  # None in a run that was resumed after its last epoch
        scores = scores_of(run.result, validation, run.task, run.plan)
    return temperature_for(scores.cpu(), validation.labels) if scores.isfinite().all() else 1.0
