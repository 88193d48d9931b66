"""The front door to the data: a task's training images split in two, or its test images."""

from dataclasses import replace
from pathlib import Path

from train.data import mnist, rendered, sign_mnist
from train.data.images import Images, Splits, split
from train.task import Recipe, Task


def load_splits(
    task: Task, recipe: Recipe, *, folder: Path | None = None, form: str | None = None, seed: int = 0
) -> Splits:
    """The task's training images, a seeded share of them set aside for validation.

    Args:
        folder: where the data lies, if not in the usual places.
        form: how Sign Language MNIST's labels are numbered, where the file alone cannot tell.
        seed: of the split. The recipe says how large the shares are.

    Where Sign Language MNIST is not here and cannot be downloaded, and no folder was named, the project's rendered
    signs stand in for it, and the splits say so. Raises UsageError if the data is missing or faulty.
    """
    groups, drawn = None, False
    if task.name == "mnist":
        images = mnist.load(train=True, folder=folder)
    else:
        images, drawn = rendered.or_sign_mnist(train=True, folder=folder, form=form)
        groups = None if drawn else sign_mnist.near_copies(images)
    both = split(images, recipe.validation_share, seed=seed, share=recipe.share, groups=groups)
    return replace(both, rendered=drawn)


def load_test(task: Task, *, folder: Path | None = None, form: str | None = None, drawn: bool = False) -> Images:
    """The task's test images: for the final figure, never for training or for choosing. Raises UsageError.

    `drawn` asks for those of the rendered signs, for a network that learned from rendered ones.
    """
    if drawn or (task.name != "mnist" and rendered.asked_for(folder)):
        return rendered.load(train=False)
    if task.name == "mnist":
        return mnist.load(train=False, folder=folder)
    return sign_mnist.load(train=False, folder=folder, form=form)
