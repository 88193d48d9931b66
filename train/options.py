"""What training can be asked for on the command line, and what follows for its recipe and its machine."""

import argparse
from pathlib import Path

from train.data.sign_mnist import FORMS
from train.fast import machine
from train.fast.machine import Plan
from train.learn import checkpoint
from train.learn.run import LAYERS
from train.task import TASKS, Recipe


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line of a training run."""
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
    parser.add_argument("--strokes", type=Path, metavar="FILE", help="mnist: also learn from pen strokes (UCI's "
                        "pendigits-orig.tra), and from scribbles and letters what is not a digit")  # fmt: skip
    parser.add_argument("--photos", type=Path, metavar="DIR", action="append", help="asl: train the photo network: "
                        "a folder for each letter, or images and labels with YOLO boxes; repeatable")  # fmt: skip
    parser.add_argument("--per-letter", type=int, metavar="N", help="with --photos: at most N photos of a "
                        "letter and signer; photos with a given box are all used")  # fmt: skip
    parser.add_argument(
        "--looks",
        type=int,
        default=24_000,
        metavar="N",
        help="with --photos: how many varied crops of hands to look at (default 24,000)",
    )
    parser.add_argument("--simulated", type=float, default=0.5, metavar="SHARE", help="with --photos: share of "
                        "looks that imitate another camera in another light, 0 to 1 (default 0.5)")  # fmt: skip
    parser.add_argument("--tune", type=int, default=1, metavar="EPOCHS", help="with --photos: epochs, after the "
                        "head's, in which the backbone's last blocks learn, too (default 1; 0: none)")  # fmt: skip
    parser.add_argument("--features", type=Path, metavar="FILE", action="append", default=[], help="with --photos: "
                        "keep what the backbone's early blocks make of the photos in this file, or take it from there; "
                        "several files, made with different seeds, are used together")  # fmt: skip
    parser.add_argument("--boxes", type=Path, metavar="FILE", help="with --photos: where the hands are, as kept by "
                        "python -m train.hands.training.agree (default: looked for now)")  # fmt: skip
    parser.add_argument("--start", type=Path, metavar="FILE", help="with --photos: the network to go on from")
    parser.add_argument("--leave-out", metavar="GROUP", action="append", default=[], help="with --photos: measure on "
                        "this folder or signer instead of learning from it; may be repeated")  # fmt: skip
    parser.add_argument("--out", type=Path, help="checkpoint to write (default: in checkpoints/)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    return parser.parse_args(arguments)


def changed_recipe(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with the changes that the command line asks for. Raises UsageError."""
    given = {"epochs": options.epochs, "batch_size": options.batch_size, "learning_rate": options.lr}
    return recipe.with_settings(options.set).but(**{name: value for name, value in given.items() if value is not None})


def plan_for(options: argparse.Namespace, device: str, threads: int | None, partial: Path) -> Plan:
    """The fastest plan now; but a resumed run goes on with its own threads and precision, to get the same bits."""
    threads, precision = options.threads or threads, options.precision
    if options.resume:
        notes = checkpoint.read_metadata(partial).notes
        threads, precision = threads or notes.get("threads"), precision or notes.get("precision")
    return machine.plan(device, threads, precision, calibrate=True)
