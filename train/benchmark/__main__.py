"""How fast this machine trains and answers, against the lesson's loop: python -m train.benchmark [--quick] [--json F]

Times are medians; what is compared is interleaved in one run, after a warm-up that is not counted. Accuracies are those
of the last epoch on the test images, for every seed: nothing is chosen, no run is left out.
"""

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from train import lesson
from train.benchmark.answers import Figure, answers, loading
from train.commands import faults_in_words, run
from train.data.images import Splits
from train.data.splits import load_splits, load_test
from train.fast.library import library
from train.fast.machine import Plan, plan
from train.learn.fit import Step, fit, measure
from train.learn.run import Run
from train.task import ASL, MNIST, Recipe, Task, UsageError

SECTIONS = ("loop", "layers", "sprint", "best", "asl", "answers", "loading")
PAIRS, QUICK_PAIRS = 7, 5  # runs of the lesson's loop and of ours, in turn
STEPS, QUICK_STEPS = 100, 30  # of the lesson in each pair; ours makes four times as many
EPOCH_STEPS = 100  # from which --quick estimates an epoch of recipe best
SEEDS = {"sprint": 20, "best": 5, "asl": 10}


def machine(chosen: Plan) -> dict[str, str]:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = {"processor": f"{cpu}, {cores} cores"}
    if chosen.device.startswith("cuda"):
        about["gpu"] = torch.cuda.get_device_name(chosen.device)
    if hasattr(os, "getloadavg"):
        about["load average"] = f"{os.getloadavg()[0]:.1f} at the start"
    fused = ", fused layers" if chosen.device == "cpu" and library() else ""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return about | {"versions": versions, "plan": f"{chosen}{fused}"}


def loop(chosen: Plan, quick: bool) -> Iterator[Figure]:
    """Images a second of the lesson's loop and of ours: same network, same batch of 64, same data, same optimiser."""
    started = time.perf_counter()
    steps, threads = QUICK_STEPS if quick else STEPS, torch.get_num_threads()
    # at the lesson's rate some seeds never learn, and compute zeros
    recipe = MNIST.recipe("lesson").but(learning_rate=1e-3, epochs=1)
    model = lesson.mnist_cnn().to(chosen.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    loader = DataLoader(lesson.mnist_data()[0], batch_size=recipe.batch_size, shuffle=True)
    splits = load_splits(MNIST, recipe.but(share=4 * steps * recipe.batch_size / 48_000))
    lessons = {f"lesson, {count} thread{'s' * (count > 1)}": count for count in sorted({1, threads})}
    rates: dict[str, list[float]] = {name: [] for name in (*lessons, "ours")}
    for pair in range(-1, QUICK_PAIRS if quick else PAIRS):
        for name, count in lessons.items():
            torch.set_num_threads(count)
            clock = time.perf_counter()
            lesson.train(model, itertools.islice(loader, steps), optimizer, chosen.device)
            rates[name].append(steps * recipe.batch_size / (time.perf_counter() - clock))
        rates["ours"].append(len(splits.train) / _train(Run(MNIST, recipe, plan=chosen), splits)[0])
        if pair < 0:
            warm = time.perf_counter() - started
            rates = {name: [] for name in rates}
    torch.set_num_threads(threads)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    better = max(lessons, key=medians.get)
    ratios = [ours / theirs for ours, theirs in zip(rates["ours"], rates[better], strict=True)]
    for name, rate in medians.items():
        yield Figure(f"{name}, images a second", f"{rate:,.0f}", {"median": rate, "all": rates[name]})
    ratio = statistics.median(ratios)
    yield Figure(f"ours to {better}, {len(ratios)} pairs", f"{ratio:.1f} times", {"median": ratio, "all": ratios})
    yield Figure("warm-up, not counted", f"{warm:.1f} s", {"seconds": warm})


def layers(chosen: Plan, quick: bool, folder: Path | None) -> Iterator[Figure]:
    """A training step of each recipe with fused layers beside one with torch's own."""
    if chosen.device != "cpu" or library() is None:
        raise UsageError("layers are fused on a CPU only, if there is a C++ compiler")
    for task, name in ((MNIST, "lesson"), (MNIST, "sprint"), (MNIST, "best"), (ASL, "best")):
        recipe = task.recipe(name).but(epochs=1)
        splits = load_splits(task, recipe, folder=folder if task is ASL else None)
        times: dict[bool, list[float]] = {True: [], False: []}
        for pair in range(-1, QUICK_PAIRS if quick else PAIRS):
            for fuse in times:
                seconds, run = _train(Run(task, recipe, plan=chosen, fuse=fuse), splits, most=10)
                times[fuse] += [seconds / run.steps_done] * (pair >= 0)
        middle = {fuse: statistics.median(values) for fuse, values in times.items()}
        ratio = statistics.median(torchs / ours for ours, torchs in zip(*times.values(), strict=True))
        shown = f"{middle[True] * 1e3:.1f} ms, torch's {middle[False] * 1e3:.1f} ms: {ratio:.1f} times"
        yield Figure(f"a step of {name} on {task.title}", shown, {"ours": times[True], "torch": times[False]})


def seeds(task: Task, recipe: Recipe, chosen: Plan, count: int, folder: Path | None = None) -> Iterator[Figure]:
    """Seconds from data in memory to the trained network, and accuracy on the test images, over `count` seeds."""
    splits, test = load_splits(task, recipe, folder=folder), load_test(task, folder=folder)
    warm = _train(Run(task, recipe.but(epochs=1, share=0.1), plan=chosen), splits, most=20)[0]
    times, accuracies = [], []
    for seed in range(count):
        seconds, run = _train(Run(task, recipe, seed=seed, plan=chosen), splits)
        times.append(seconds)
        accuracies.append(measure(run.result, test, task, Plan(chosen.device, chosen.threads)).accuracy)  # float32
        print(f"  seed {seed}: {accuracies[-1]:.2%}, {seconds:.2f} s", file=sys.stderr, flush=True)
    mean, middle = statistics.fmean(accuracies), statistics.median(times)
    spread = f" ± {statistics.stdev(accuracies):.2%}" if count > 1 else ""
    numbers = {"mean": mean, "accuracies": accuracies, "seconds": times, "median_seconds": middle, "test": len(test)}
    epochs = "one epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    shown = f"{mean:.2%}{spread}, least {min(accuracies):.2%}"
    yield Figure(f"test accuracy, {count} seeds of {epochs}", shown, numbers)
    yield Figure("seconds of training", f"{middle:.2f} s (from {min(times):.2f} to {max(times):.2f})")
    yield Figure("warm-up of 20 steps, not counted", f"{warm:.2f} s", {"seconds": warm})


def epoch(task: Task, recipe: Recipe, chosen: Plan, folder: Path | None) -> Iterator[Figure]:
    """Seconds of one epoch, estimated from some of its steps, where there is no time for whole trainings."""
    splits = load_splits(task, recipe, folder=folder)
    _train(Run(task, recipe, plan=chosen), splits, most=20)
    seconds, run = _train(Run(task, recipe, plan=chosen), splits, most=EPOCH_STEPS)
    steps = math.ceil(len(splits.train) / recipe.batch_size)
    what = f"one epoch of {recipe.epochs}, {len(splits.train):,} images, by {run.steps_done} of {steps} steps"
    seconds *= steps / run.steps_done
    yield Figure(what, f"{seconds:.1f} s", {"seconds": seconds})


def _train(run: Run, splits: Splits, most: int | None = None) -> tuple[float, Run]:
    """Seconds spent in training steps, `most` at most, and the trained run."""
    spent, clock = 0.0, time.perf_counter()
    for event in fit(run, splits, every=0 if most else float("inf")):
        if isinstance(event, Step):  # an Epoch comes after validation, which is not counted
            spent += time.perf_counter() - clock
        if most and run.steps_done >= most:
            break
        clock = time.perf_counter()
    return spent, run


def sections(options: argparse.Namespace, chosen: Plan) -> Iterator[tuple[str, str, Callable[[], Iterator[Figure]]]]:
    """Name, title and work of each section that was asked for."""
    quick = options.quick

    def count(name: str, quickly: int) -> int:
        return options.seeds or (quickly if quick else SEEDS[name])

    signs = ASL.recipe("best")
    work = {
        "loop": ("The lesson's MNIST network, batches of 64", lambda: loop(chosen, quick)),
        "layers": ("Fused layers beside torch's own", lambda: layers(chosen, quick, options.data)),
        "sprint": ("MNIST, recipe sprint", lambda: seeds(MNIST, MNIST.recipe("sprint"), chosen, count("sprint", 3))),
        "best": ("MNIST, recipe best", lambda: epoch(MNIST, MNIST.recipe("best"), chosen, None) if quick
                 else seeds(MNIST, MNIST.recipe("best"), chosen, count("best", 0))),
        "asl": ("Sign Language MNIST, recipe best", lambda: epoch(ASL, signs, chosen, options.data) if quick
                else seeds(ASL, signs, chosen, count("asl", 0), options.data)),
        "answers": ("One picture read, on one thread", lambda: answers(quick)),
        "loading": ("Loading", lambda: loading(options.data)),
    }  # fmt: skip
    yield from ((name, *work[name]) for name in SECTIONS if name in options.only)


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m train.benchmark", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under two minutes: fewer pairs and seeds, single epochs")
    parser.add_argument("--only", type=lambda text: text.split(","), default=SECTIONS, metavar="NAME,...",
                        help=f"some of: {', '.join(SECTIONS)}")  # fmt: skip
    parser.add_argument("--seeds", type=int, help="how many, for sprint (20), best (5) and asl (10)")
    parser.add_argument("--json", type=Path, metavar="F", help="keep all numbers in this file too")
    parser.add_argument("--data", type=Path, help="the folder of Sign Language MNIST, if not in the usual places")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, mps")
    parser.add_argument("--threads", type=int, help="CPU threads of our loop; default: what is fastest now")
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    options = parser.parse_args(arguments)
    unknown = set(options.only) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    chosen = plan(options.device, options.threads, options.precision, calibrate=True)
    about = machine(chosen)
    for name, value in about.items():
        print(f"{name:<14}{value}")
    kept = {"machine": about, "quick": options.quick, "figures": {}}
    for name, title, work in sections(options, chosen):
        print(f"\n{title}\n{'-' * 90}", flush=True)
        figures = []
        try:
            for figure in work():
                figures.append(figure)
                print(f"{figure.what:<54}{figure.shown:>36}", flush=True)
        except UsageError as error:  # such as: Sign Language MNIST is not here
            print(f"left out: {error}")
            figures.append(Figure("left out", str(error)))
        kept["figures"][name] = [asdict(figure) for figure in figures]
        if options.json:  # after each section: a long run that is interrupted keeps what it has
            options.json.write_text(json.dumps(kept, indent=1))
    return 0


if __name__ == "__main__":
    run(main)
