"""A training run on the command line: introduce it, show its progress, keep what it learned, resume it."""

import sys
from pathlib import Path

from train.commands import StopOnSignal
from train.data.images import Splits
from train.data.rendered import STAND_IN
from train.learn import checkpoint
from train.learn.checkpoint import CheckpointError, Metadata
from train.learn.finish import so_far
from train.learn.fit import Epoch, Event, Step, TrainingStopped, fit
from train.learn.networks import parameter_count
from train.learn.run import Run
from train.learn.stuck import Stuck
from train.task import HANDS, UsageError


def partial_path(out: Path) -> Path:
    """Where a run is kept while it is unfinished, if its network is to be saved at `out`."""
    return out.with_name(f"{out.stem}.partial.safetensors")


def introduce(run: Run, splits: Splits, asked: bool = False) -> None:
    """Say what is about to be trained, how, and what repeats it; `asked`: the user named this data."""
    recipe, computed = run.recipe, run.computed()
    if run.steps_done:
        steps = -(-len(splits.train) // recipe.batch_size)
        print(f"Going on from epoch {run.steps_done / steps:.2f} of {recipe.epochs}.")
    if splits.rendered and not asked:
        print(STAND_IN)
    workers = f"; {run.workers.count} workers" * (run.workers.count > 1)
    print(f"{run.task.title}: {len(splits.train):,} images to learn from, {len(splits.validation):,} to watch; "
          f"network {recipe.network}, {parameter_count(run.model):,} parameters; "
          f"{run.plan}, {run.layers} layers{workers}")  # fmt: skip
    layers = "" if run.task is HANDS else f" --layers {'fused' if run.fused else 'torch'}"
    print(f"What repeats it: --seed {run.seed} --device {computed['device']} --threads {computed['threads']} "
          f"--precision {computed['precision']}{layers}")  # fmt: skip


def learn(run: Run, splits: Splits, partial: Path, metadata: Metadata) -> bool:
    """Train to the end, showing progress and saving to `partial` after each epoch. False if Ctrl-C stopped it.

    Raises TrainingStopped, with the last good network in `partial`.
    """
    stop = StopOnSignal()
    try:
        for event in fit(run, splits):
            show(event)
            if isinstance(event, Epoch) or stop.asked:
                kept = _keep(partial, run, so_far(run, splits, metadata))
            if stop.asked and kept:
                print(f"\nStopped. The network so far is in {partial}; the same command with --resume goes on.")
            if stop.asked:
                return False
    except TrainingStopped:
        checkpoint.save(partial, run.result, so_far(run, splits, metadata))
        print(f"\nThe last good network is in {partial}.")
        raise
    finally:
        stop.restore()
    return True


def _keep(partial: Path, run: Run, metadata: Metadata) -> bool:
    """Save the unfinished run. Where that fails (a full disk), say so and go on: the training is worth more."""
    try:
        checkpoint.save(partial, run.result, metadata, run.state())
        return True
    except CheckpointError as error:
        print(f"\ntrain: {error}", file=sys.stderr)
        return False


def resume(run: Run, partial: Path, wanted: Metadata) -> None:
    """Restore the run from `partial`. Raises UsageError if that was started with another recipe, seed or data."""
    state, metadata = checkpoint.load_training(partial, run.task.name)
    changed = [name for name in ("recipe", "seed", "data_sha256") if _plain(metadata, name) != _plain(wanted, name)]
    if changed:
        raise UsageError(f"{partial} cannot go on: it was started with another {' and another '.join(changed)}")
    run.restore(state)


def _plain(metadata: Metadata, name: str):
    value = getattr(metadata, name)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()} if isinstance(value, dict) else value


def show(event: Event) -> None:
    """A progress bar that is redrawn, and a line for each epoch that stays."""
    if isinstance(event, Stuck):
        print(f"{_fresh_line()}{event.message}", flush=True)
        return
    if isinstance(event, Step):
        if sys.stdout.isatty():
            done = event.step * 30 // event.steps
            bar = "█" * done + "░" * (30 - done)
            print(f"\repoch {event.epoch}/{event.epochs} {bar} loss {event.loss:.4f}  accuracy {event.accuracy:.2%}  "
                  f"{event.images_per_second:,.0f} images/s ", end="", flush=True)  # fmt: skip
        return
    training = f"training: loss {event.train_loss:.4f}, accuracy {event.train_accuracy:.2%}"
    validation = f"validation: loss {event.validation_loss:.4f}, accuracy {event.validation_accuracy:.2%}"
    clock = f"{event.seconds:.0f} s, {event.seconds_left:.0f} s left"
    print(f"{_fresh_line()}epoch {event.epoch}/{event.epochs}  {training}  {validation}  {clock}", flush=True)


def _fresh_line() -> str:
    return "\r\033[K" if sys.stdout.isatty() else ""
