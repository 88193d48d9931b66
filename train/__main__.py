"""Train a network, or print its layers: python -m train mnist|asl, python -m train summary mnist|asl"""

import argparse
import sys
from pathlib import Path

from train.commands import STOPPED, check_options, faults_in_words, lasting_output
from train.commands import run as run_command
from train.data.images import Splits
from train.data.rendered import STAND_IN
from train.data.sign_mnist import FORMS
from train.data.splits import load_splits, load_test
from train.digits.extra import UNSURE_BELOW, about_extra, with_extra
from train.fast import machine
from train.fast.machine import Plan
from train.learn import checkpoint
from train.learn.calibrate import faintest
from train.learn.finish import about, finish
from train.learn.fit import TrainingStopped, fit, judge, scores_of
from train.learn.layer_table import summary
from train.learn.networks import build, check_fits, parameter_count
from train.learn.run import LAYERS, Run
from train.learn.workers import Workers, join, threads_each
from train.progress import learn, partial_path, resume
from train.task import HANDS, TASKS, Recipe, Task, UsageError, task_named

BYTES_KEPT = 20  # for each parameter: its weight, average, two moments of the optimiser, and the weight being trained
# Of a recipe's fields, those that training on photos has no use for: its pictures are varied and set aside otherwise
UNHEEDED = ("network", "options", "augment", "validation_share", "share")


@faults_in_words(TrainingStopped)
def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["summary"]:
        return _summary(arguments[1:])
    options = _options(arguments)
    check_options(options)
    with lasting_output():
        if options.photos:
            return _train_photos(options)
        with join(options.device) as (workers, device):
            return _train(options, workers, device)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Train a network on a GPU, or on a CPU where there is none.",
        epilog="python -m train summary mnist|asl prints a network's layers, sizes and parameters. "
        "torchrun --nproc-per-node N -m train ... trains with N processes, a GPU each where there are GPUs.",
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--recipe", help="best (default), lesson, ...: how it is trained")
    parser.add_argument("--epochs", type=int, help="default: the recipe's, as for the next two")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--lr", type=float, help="learning rate, at its peak where the schedule varies it")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="any other setting of the recipe, such as optimizer=sgd or share=0.1")  # fmt: skip
    parser.add_argument("--seed", type=int, help="of weights, order and augmentation (default: the recipe's)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--precision", choices=machine.PRECISIONS)
    parser.add_argument("--layers", choices=LAYERS, help="of the CPU: fused into one pass of C++ where that is "
                        "quicker, or torch's own (default: fused where they can be had)")  # fmt: skip
    parser.add_argument("--data", type=Path, help="folder of the data, if not in the usual places")
    parser.add_argument("--labels", choices=FORMS, help="how Sign Language MNIST's labels are numbered")
    parser.add_argument("--strokes", type=Path, metavar="FILE", help="mnist: learn also from pen strokes (UCI's "
                        "pendigits-orig.tra), and from scribbles and letters what is no digit")  # fmt: skip
    parser.add_argument("--photos", type=Path, metavar="DIR", action="append", help="asl: train the photo network: "
                        "a folder for each letter, or images and labels with YOLO boxes; repeatable")  # fmt: skip
    parser.add_argument("--per-letter", type=int, metavar="N", help="with --photos: at most N of a letter and "
                        "signer, but all whose box is given")  # fmt: skip
    parser.add_argument("--looks", type=int, default=24_000, metavar="N", help="with --photos: at varied hands in all")
    parser.add_argument("--simulated", type=float, default=1.0, metavar="SHARE", help="with --photos: of looks as by "
                        "another camera in another light, 0 to 1 (default 1)")  # fmt: skip
    parser.add_argument("--features", type=Path, metavar="FILE", action="append", default=[], help="with --photos: "
                        "keep what the backbone made of them there, or take it from there; from several files, which "
                        "other seeds made, together")  # fmt: skip
    parser.add_argument("--boxes", type=Path, metavar="FILE", help="with --photos: where the hands are, as kept by "
                        "python -m train.hands.agree (default: looked for now)")  # fmt: skip
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
    from train.hands.agree import Agreement, by_boxes, kept_boxes
    from train.hands.networks import HandBackbone
    from train.hands.photos import at_most, list_photos, load_crops

    recipe = _photo_recipe(options)
    options.seed = recipe.seed if options.seed is None else options.seed
    out = options.out or checkpoint.default_path("asl", "photos")
    partial = partial_path(out)
    checkpoint.check_destination(out)
    plan = _plan(options, options.device, None, partial)
    photos = [photo for folder in options.photos for photo in list_photos(folder)]
    photos = at_most(photos, options.per_letter) if options.per_letter else photos
    missing = [file for file in options.features if not file.exists()]
    if missing and len(options.features) > 1:
        raise UsageError(f"there is no file {missing[0]}: of several --features each must have been made before")
    print(f"{len(photos):,} photos; {plan}")
    backbone = HandBackbone().load_pretrained()
    if options.features and all(file.exists() for file in options.features):
        features = fit_photos.joined([fit_photos.load_features(file) for file in options.features])
        photographed = max(number for number, group in enumerate(features.groups, 1) if group)  # drawn ones come last
        watch = fit_photos.to_watch(features.groups[:photographed], options.leave_out, seed=options.seed)
    else:
        where = by_boxes(kept_boxes(options.boxes)) if options.boxes else Agreement.shipped()
        crops = load_crops(photos, where, beside=fit_photos.BESIDE, seed=options.seed)
        watch = fit_photos.to_watch(crops.groups, options.leave_out, seed=options.seed)
        features = fit_photos.extract_features(
            backbone, crops, plan, looks=options.looks, watch=watch, seed=options.seed, simulated=options.simulated
        )
        if options.features:
            fit_photos.save_features(options.features[0], features)
    splits = fit_photos.splits_of(features, watch)
    head = checkpoint.load(options.start, "asl")[0].head if options.start else None
    run = fit_photos.start(recipe, plan, options.seed, head)
    notes = {"groups": sorted(set(features.groups) - {"", *options.leave_out}), "left_out": options.leave_out}
    notes |= {"went_on_from": str(options.start.name)} if options.start else {}
    metadata = about(run, splits, notes=notes)
    if options.resume:
        resume(run, partial, metadata)
    _introduce(run, splits)
    if not learn(run, splits, partial, metadata):
        return STOPPED
    hands = fit_photos.about_network()
    metadata = metadata.but(
        network=hands.network,
        options=hands.options,
        labels=hands.labels,
        unsure_below=hands.unsure_below,
        notes=hands.notes | notes,
    )
    result = finish(
        run,
        splits,
        metadata,
        lambda metadata: checkpoint.save(out, fit_photos.assembled(run, backbone), metadata, half=True),
        temperature=hands.temperature,
        test=(lambda: splits.validation) if options.leave_out else None,  # photos set aside show people learned from
    )
    partial.unlink(missing_ok=True)
    result = result or judge(scores_of(run.result, splits.validation, HANDS, run.plan), splits.validation.labels)
    # of photos set aside from the looks of one seed, those of others may have been learned from
    where = "photos set aside" if len(options.features) < 2 else "photos that were partly learned from"
    where = f"photos of {', '.join(options.leave_out)}" if options.leave_out else where
    print(f"{result.correct:,} of {result.count:,} {where} right, {result.accuracy:.2%}. Saved in {out}")
    return 0


def _photo_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe of the photo network. Raises UsageError for options that it does not heed."""
    if options.task != "asl":
        raise UsageError("--photos holds hand signs: it goes with asl")
    for name in ("data", "labels", "strokes", "layers"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name} does not go with --photos, which has data and layers of its own")
    if options.recipe not in (None, *HANDS.recipes):
        raise UsageError(f"with --photos there is no recipe {options.recipe!r}; there are: {', '.join(HANDS.recipes)}")
    recipe = HANDS.recipe(options.recipe or "photos")
    changed = _changed(recipe, options)
    unheeded = [name for name in UNHEEDED if getattr(changed, name) != getattr(recipe, name)]
    if unheeded:
        raise UsageError(f"--set {unheeded[0]} does not go with --photos: see train/hands/fit_photos.py")
    return changed


def _changed(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with what the command line says otherwise."""
    given = {"epochs": options.epochs, "batch_size": options.batch_size, "learning_rate": options.lr}
    return recipe.with_settings(options.set).but(**{name: value for name, value in given.items() if value is not None})


def _train(options: argparse.Namespace, workers: Workers, device: str) -> int:
    task = task_named(options.task)
    _check_task(options, task)
    recipe = _changed(task.recipe(options.recipe or "best"), options)
    options.seed = recipe.seed if options.seed is None else options.seed
    out = options.out or checkpoint.default_path(task.name, recipe.name)
    checkpoint.check_destination(out)
    run = _run(options, task, recipe, workers, device)
    if workers.first:
        checkpoint.check_destination(out, BYTES_KEPT * parameter_count(run.model))
    splits = load_splits(task, recipe, folder=options.data, form=options.labels)
    splits = with_extra(splits, options.strokes) if options.strokes else splits
    metadata = _about(options, run, splits)
    if options.resume:
        resume(run, partial_path(out), metadata)
    if not workers.first:  # its work is the gradients; the first worker shows and saves
        for _ in fit(run, splits):
            pass
        return 0
    _introduce(run, splits, asked=options.data is not None)
    if not learn(run, splits, partial_path(out), metadata):
        return STOPPED
    if options.strokes:
        metadata = metadata.but(faint_below=faintest(run.result, splits.validation, task))
    result = finish(
        run,
        splits,
        metadata,
        lambda metadata: checkpoint.save(out, run.result, metadata),
        test=lambda: load_test(task, folder=options.data, form=options.labels, drawn=splits.rendered),
    )
    partial_path(out).unlink(missing_ok=True)
    print(f"Test: {result.correct:,} of {result.count:,} right, {result.accuracy:.2%}. Saved in {out}")
    return 0


def _check_task(options: argparse.Namespace, task: Task) -> None:
    if options.strokes and task.name != "mnist":
        raise UsageError("--strokes holds digits: it goes with mnist")
    if options.leave_out:
        raise UsageError("--leave-out names a folder or signer of --photos, which is not there")


def _run(options: argparse.Namespace, task: Task, recipe: Recipe, workers: Workers, device: str) -> Run:
    """The run as it begins. Raises UsageError if its network does not suit the task, or has no layers as asked for."""
    partial = partial_path(options.out or checkpoint.default_path(task.name, recipe.name))
    plan = workers.agreed(_plan(options, device, threads_each(workers), partial))
    layers = options.layers or (checkpoint.read_metadata(partial).notes.get("layers") if options.resume else None)
    run = Run(task, recipe, seed=options.seed, plan=plan, workers=workers, fuse=layers in (None, "fused"))
    check_fits(run.model, task, recipe.network)
    if layers == "fused" and not run.fused:
        raise UsageError("there are no fused layers for this network here: they are for a CPU, with a C++ compiler. "
                         "--layers torch takes torch's own")  # fmt: skip
    return run


def _plan(options: argparse.Namespace, device: str, threads: int | None, partial: Path) -> Plan:
    """The fastest plan now; but a resumed run goes on with its own threads and precision, to get the same bits."""
    threads, precision = options.threads or threads, options.precision
    if options.resume:
        notes = checkpoint.read_metadata(partial).notes
        threads, precision = threads or notes.get("threads"), precision or notes.get("precision")
    return machine.plan(device, threads, precision, calibrate=True)


def _about(options: argparse.Namespace, run: Run, splits: Splits) -> checkpoint.Metadata:
    metadata = about(run, splits, notes={"data": "rendered"} if splits.rendered else {})
    if options.strokes:
        metadata = metadata.but(notes=metadata.notes | about_extra(), unsure_below=UNSURE_BELOW)
    return metadata


def _introduce(run: Run, splits: Splits, asked: bool = False) -> None:
    """Say what is about to be trained, how, and what repeats it; `asked`: somebody named this data."""
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


if __name__ == "__main__":
    run_command(main)
