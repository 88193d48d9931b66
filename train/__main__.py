"""Train a network, or print its layers: python -m train mnist|asl, python -m train summary mnist|asl"""

import argparse
import datetime
import platform
import sys
from pathlib import Path

import torch

from train.commands import STOPPED, StopOnSignal, check_options, lasting_output
from train.commands import run as run_command
from train.data.images import Splits
from train.data.rendered import STAND_IN
from train.data.sign_mnist import FORMS
from train.data.splits import load_splits, load_test
from train.digits.extra import UNSURE_BELOW, about_extra, with_extra
from train.fast.machine import Plan, plan
from train.learn import checkpoint
from train.learn.calibrate import faintest, temperature_for
from train.learn.checkpoint import CheckpointError, Metadata
from train.learn.fit import Epoch, Event, Step, TrainingStopped, fit, judge, measure, scores_of
from train.learn.layer_table import summary
from train.learn.networks import build, check_fits, parameter_count
from train.learn.run import Run
from train.learn.stuck import Stuck
from train.learn.workers import Workers, join, threads_each
from train.task import HANDS, TASKS, Recipe, Task, UsageError, task_named

BYTES_KEPT = 20  # for each parameter: its weight, average, two moments of the optimiser, and the weight being trained


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["summary"]:
            return _summary(arguments[1:])
        options = _options(arguments)
        check_options(options)
        with lasting_output():
            if options.photos:
                return _train_photos(options)
            with join(options.device) as (workers, device):
                return _train(options, workers, device)
    except (UsageError, TrainingStopped) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Train a network on a GPU, or on a CPU where there is none.",
        epilog="python -m train summary mnist|asl prints a network's layers, sizes and parameters. "
        "torchrun --nproc-per-node N -m train ... trains with N processes, a GPU each where there are GPUs.",
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--recipe", default="best", help="best (default), lesson, ...: how it is trained")
    parser.add_argument("--epochs", type=int, help="default: the recipe's, as for the next two")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--lr", type=float, help="learning rate, at its peak where the schedule varies it")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="any other setting of the recipe, such as optimizer=sgd or share=0.1")  # fmt: skip
    parser.add_argument("--seed", type=int, help="of weights, order and augmentation (default: the recipe's)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    parser.add_argument("--data", type=Path, help="folder of the data, if not in the usual places")
    parser.add_argument("--labels", choices=FORMS, help="how Sign Language MNIST's labels are numbered")
    parser.add_argument("--strokes", type=Path, metavar="FILE", help="mnist: learn also from pen strokes (UCI's "
                        "pendigits-orig.tra), and from scribbles and letters what is no digit")  # fmt: skip
    parser.add_argument("--photos", type=Path, metavar="DIR", action="append", help="asl: train the photo network: "
                        "a folder for each letter, or images and labels with YOLO boxes; repeatable")  # fmt: skip
    parser.add_argument("--per-letter", type=int, metavar="N", help="with --photos: at most N of a letter and signer")
    parser.add_argument("--looks", type=int, default=24_000, metavar="N", help="with --photos: at varied hands in all")
    parser.add_argument("--features", type=Path, metavar="FILE", help="with --photos: keep what the backbone made of "
                        "them there, or take it from there")  # fmt: skip
    parser.add_argument("--start", type=Path, metavar="FILE", help="with --photos: the network to go on from")
    parser.add_argument("--leave-out", metavar="GROUP", action="append", default=[], help="with --photos: measure on "
                        "this folder or signer instead of learning from it; may be repeated")  # fmt: skip
    parser.add_argument("--out", type=Path, help="checkpoint to write (default: in checkpoints/)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    return parser.parse_args(arguments)


def _summary(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m train summary")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--recipe", default="lesson")
    options = parser.parse_args(arguments)
    task = task_named(options.task)
    print(summary(build(task.recipe(options.recipe).network), task.input_shape))
    return 0


def _train_photos(options: argparse.Namespace) -> int:
    from train.hands import fit_photos
    from train.hands.agree import Agreement
    from train.hands.networks import HandBackbone
    from train.hands.photos import at_most, list_photos, load_crops

    if options.task != "asl":
        raise UsageError("--photos holds hand signs: it goes with asl")
    out = options.out or checkpoint.default_path("asl", "photos")
    checkpoint.check_destination(out)
    recipe = HANDS.recipe("photos").but(epochs=options.epochs, batch_size=options.batch_size, learning_rate=options.lr)
    options.seed = recipe.seed if options.seed is None else options.seed
    how = plan(options.device, options.threads, options.precision, calibrate=True)
    photos = [photo for folder in options.photos for photo in list_photos(folder)]
    photos = at_most(photos, options.per_letter) if options.per_letter else photos
    print(f"{len(photos):,} photos; {how}")
    backbone = HandBackbone().load_pretrained()
    if options.features and options.features.exists():
        features = fit_photos.load_features(options.features)
        photographed = [group for group in features.groups if group]
        watch = fit_photos.to_watch(photographed, options.leave_out, seed=options.seed)
    else:
        crops = load_crops(photos, Agreement.shipped(), beside=fit_photos.BESIDE, seed=options.seed)
        watch = fit_photos.to_watch(crops.groups, options.leave_out, seed=options.seed)
        features = fit_photos.extract_features(
            backbone, crops, how, looks=options.looks, watch=watch, seed=options.seed
        )
        if options.features:
            fit_photos.save_features(options.features, features)
    splits = fit_photos.splits_of(features, watch)
    head = checkpoint.load(options.start, "asl")[0].head if options.start else None
    run = fit_photos.start(recipe, how, options.seed, head)
    for event in fit(run, splits):
        show(event)
    result = measure(run.result, splits.validation, HANDS, run.plan)
    about, hands = describe(HANDS, recipe, splits, options.seed), fit_photos.about_network()
    notes = {"groups": sorted(set(features.groups) - {"", *options.leave_out}), "left_out": options.leave_out}
    notes |= {"went_on_from": str(options.start.name)} if options.start else {}
    metadata = about.but(
        network=hands.network,
        options=hands.options,
        labels=hands.labels,
        epochs=recipe.epochs,
        temperature=hands.temperature,
        unsure_below=hands.unsure_below,
        notes=hands.notes | notes,
    )
    if options.leave_out:
        metadata = metadata.but(test_accuracy=result.accuracy, test_count=result.count)
    checkpoint.save(out, fit_photos.assembled(run, backbone), metadata, half=True)
    where = f"photos of {', '.join(options.leave_out)}" if options.leave_out else "photos set aside"
    print(f"{result.correct:,} of {result.count:,} {where} right, {result.accuracy:.2%}. Saved in {out}")
    return 0


def _train(options: argparse.Namespace, workers: Workers, device: str) -> int:
    task = task_named(options.task)
    if options.strokes and task.name != "mnist":
        raise UsageError("--strokes holds digits: it goes with mnist")
    recipe = task.recipe(options.recipe)
    recipe = recipe.with_settings(options.set).but(
        epochs=options.epochs, batch_size=options.batch_size, learning_rate=options.lr
    )
    options.seed = recipe.seed if options.seed is None else options.seed
    out = options.out or checkpoint.default_path(task.name, recipe.name)
    checkpoint.check_destination(out)
    partial = out.with_name(f"{out.stem}.partial.safetensors")
    how = workers.agreed(_plan(options, device, threads_each(workers), partial))
    run = Run(task, recipe, seed=options.seed, plan=how, workers=workers)
    check_fits(run.model, task, recipe.network)
    if workers.first:
        checkpoint.check_destination(out, BYTES_KEPT * parameter_count(run.model))
    splits = load_splits(task, recipe, folder=options.data, form=options.labels)
    if options.strokes:
        splits = with_extra(splits, options.strokes)
    metadata = describe(task, recipe, splits, options.seed)
    metadata = metadata.but(notes={"threads": how.threads, "precision": how.precision})
    if splits.rendered:
        metadata = metadata.but(notes=metadata.notes | {"data": "rendered"})
    if options.strokes:
        metadata = metadata.but(notes=metadata.notes | about_extra(), unsure_below=UNSURE_BELOW)
    steps = -(-len(splits.train) // recipe.batch_size)
    if options.resume:
        _resume(run, partial, metadata)
    if not workers.first:  # its work is the gradients; the first worker shows and saves
        for _ in fit(run, splits):
            pass
        return 0
    if options.resume:
        print(f"Going on from epoch {run.steps_done / steps:.2f} of {recipe.epochs}.")
    if splits.rendered:
        print(STAND_IN)
    together = ", fused layers" * run.fused + f"; {workers.count} workers" * (workers.count > 1)
    print(f"{task.title}: {len(splits.train):,} images to learn from, {len(splits.validation):,} to watch; "
          f"network {recipe.network}, {parameter_count(run.model):,} parameters; {how}{together}")  # fmt: skip

    stop = StopOnSignal()
    try:
        for event in fit(run, splits):
            show(event)
            if isinstance(event, Epoch) or stop.asked:
                kept = _keep(partial, run, metadata.but(epochs=run.steps_done / steps))
            if stop.asked and kept:
                print(f"\nStopped. The network so far is in {partial}; the same command with --resume goes on.")
            if stop.asked:
                return STOPPED
    except TrainingStopped:
        checkpoint.save(partial, run.result, metadata.but(epochs=run.steps_done / steps))
        print(f"\nThe last good network is in {partial}.")
        raise
    finally:
        stop.restore()

    if run.validation_scores is None:  # resumed after its last epoch
        run.validation_scores = scores_of(run.result, splits.validation, task, how)
    if judge(run.validation_scores, splits.validation.labels).accuracy < 2 / len(task.labels):
        print("It has learned nothing: with so large steps its ReLUs have died. Try a smaller --lr, or another --seed.")
    temperature = temperature_for(run.validation_scores.cpu(), splits.validation.labels)
    metadata = metadata.but(epochs=run.steps_done / steps, temperature=temperature)
    if options.strokes:
        metadata = metadata.but(faint_below=faintest(run.result, splits.validation, task))
    checkpoint.save(out, run.result, metadata)  # before the test: what was learned is not lost if that fails
    exact = plan(how.device, how.threads, "float32")  # as train.evaluate measures
    result = measure(
        run.result, load_test(task, folder=options.data, form=options.labels, drawn=splits.rendered), task, exact
    )
    checkpoint.save(out, run.result, metadata.but(test_accuracy=result.accuracy, test_count=result.count))
    partial.unlink(missing_ok=True)
    print(f"Test: {result.correct:,} of {result.count:,} right, {result.accuracy:.2%}. Saved in {out}")
    return 0


def _keep(partial: Path, run: Run, metadata: Metadata) -> bool:
    """Save the unfinished run. Where that fails (a full disk), say so and go on: the training is worth more."""
    try:
        checkpoint.save(partial, run.result, metadata, run.state())
        return True
    except CheckpointError as error:
        print(f"\ntrain: {error}", file=sys.stderr)
        return False


def describe(task: Task, recipe: Recipe, splits: Splits, seed: int) -> Metadata:
    """What a checkpoint of this training says of itself, but for what only its end tells."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Metadata.of(task, recipe, seed=seed, data_sha256=splits.digest(), versions=versions, date=date)


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


def _plan(options: argparse.Namespace, device: str, threads: int | None, partial: Path) -> Plan:
    """The fastest plan now; but a resumed run goes on with its own threads and precision, to get the same bits."""
    threads, precision = options.threads or threads, options.precision
    if options.resume:
        notes = checkpoint.read_metadata(partial).notes
        threads, precision = threads or notes.get("threads"), precision or notes.get("precision")
    return plan(device, threads, precision, calibrate=True)


def _resume(run: Run, partial: Path, wanted: Metadata) -> None:
    state, metadata = checkpoint.load_training(partial, run.task.name)
    changed = [name for name in ("recipe", "seed", "data_sha256") if _plain(metadata, name) != _plain(wanted, name)]
    if changed:
        raise UsageError(f"{partial} cannot go on: it was started with another {' and another '.join(changed)}")
    run.restore(state)


def _plain(metadata: Metadata, name: str):
    value = getattr(metadata, name)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    run_command(main)
