"""Train a network, or print its layers: python -m train mnist|asl, python -m train summary mnist|asl"""

import argparse
import sys

from train.commands import STOPPED, check_options, faults_in_words, lasting_output
from train.commands import run as run_command
from train.data.images import Splits
from train.data.splits import load_splits, load_test
from train.digits.extra import UNSURE_BELOW, about_extra, with_extra
from train.learn import checkpoint
from train.learn.calibrate import faintest
from train.learn.finish import about, finish
from train.learn.fit import TrainingStopped, fit
from train.learn.layer_table import summary
from train.learn.networks import build, check_fits, parameter_count
from train.learn.run import Run
from train.learn.workers import Workers, join, threads_each
from train.options import changed_recipe, plan_for, read_options
from train.progress import introduce, learn, partial_path, resume
from train.task import TASKS, Recipe, Task, UsageError, task_named

BYTES_KEPT = 20  # for each parameter: its weight, average, two moments of the optimiser, and the weight being trained


@faults_in_words(TrainingStopped)
def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["summary"]:
        return _summary(arguments[1:])
    options = read_options(arguments)
    check_options(options)
    with lasting_output():
        if options.photos:
            from train.photo_head import train_photos

            return train_photos(options)
        with join(options.device) as (workers, device):
            return _train(options, workers, device)


def _summary(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m train summary")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--recipe", default="lesson")
    options = parser.parse_args(arguments)
    task = task_named(options.task)
    print(summary(build(task.recipe(options.recipe).network), task.input_shape))
    return 0


def _train(options: argparse.Namespace, workers: Workers, device: str) -> int:
    task = task_named(options.task)
    _check_task(options, task)
    recipe = changed_recipe(task.recipe(options.recipe or "best"), options)
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
    if not workers.first:  # it only contributes gradients; the first worker prints and saves
        for _ in fit(run, splits):
            pass
        return 0
    introduce(run, splits, asked=options.data is not None)
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
    """The run before its first step. Raises UsageError if its network or layers do not suit."""
    partial = partial_path(options.out or checkpoint.default_path(task.name, recipe.name))
    plan = workers.agreed(plan_for(options, device, threads_each(workers), partial))
    layers = options.layers or (checkpoint.read_metadata(partial).notes.get("layers") if options.resume else None)
    run = Run(task, recipe, seed=options.seed, plan=plan, workers=workers, fuse=layers in (None, "fused"))
    check_fits(run.model, task, recipe.network)
    if layers == "fused" and not run.fused:
        raise UsageError("there are no fused layers for this network here: they are for a CPU, with a C++ compiler. "
                         "--layers torch takes torch's own")  # fmt: skip
    return run


def _about(options: argparse.Namespace, run: Run, splits: Splits) -> checkpoint.Metadata:
    metadata = about(run, splits, notes={"data": "rendered"} if splits.rendered else {})
    if options.strokes:
        metadata = metadata.but(notes=metadata.notes | about_extra(), unsure_below=UNSURE_BELOW)
    return metadata


if __name__ == "__main__":
    run_command(main)
