"""Rendered signs, 28 x 28 grey, that are part of the project and stand in for Sign Language MNIST.

Drawn by `python -m train.render.small` from the hand in assets/hand; nobody's photo is among them. The keys of the file
are train_pixels, train_labels, test_pixels, test_labels: (N, 28, 28) uint8 and (N,) 0..23, A..Y without J.
"""

from pathlib import Path

import numpy as np
import torch

from train.data import sign_mnist
from train.data.cache import shipped
from train.data.images import Images
from train.task import UsageError

FILE = shipped("assets", "rendered", "signs-28.npz")

STAND_IN = (
    "Sign Language MNIST is not on this machine and could not be downloaded. Rendered hands, which are part of the "
    "project, stand in for it: what is reached on them says nothing about photos. --data DIR names a folder with it."
)


def or_sign_mnist(train: bool, folder: Path | None = None, form: str | None = None) -> tuple[Images, bool]:
    """Images, and whether they are rendered: Sign Language MNIST, or the rendered signs without it.

    A `folder` that is the rendered signs' own asks for them. See `sign_mnist.load` for the rest.
    """
    if asked_for(folder):
        return load(train), True
    try:
        return sign_mnist.load(train, folder, form), False
    except sign_mnist.NotAtHand:
        return load(train), True


def asked_for(folder: Path | None) -> bool:
    """Whether somebody named the folder of the rendered signs in place of one with Sign Language MNIST."""
    return folder is not None and Path(folder).resolve() == FILE.parent.resolve()


def lesson_sets(folder: Path | None = None) -> tuple[Images, Images]:
    """The lesson's training and validation images; says so where they are rendered ones. Raises UsageError."""
    (training, drawn), (validation, drawn_too) = or_sign_mnist(True, folder), or_sign_mnist(False, folder)
    if drawn or drawn_too:
        if not asked_for(folder):
            print(STAND_IN)
        return load(train=True), load(train=False)
    return training, validation


def load(train: bool) -> Images:
    """The training images (train=True) or the test images. Raises UsageError where the file is missing or damaged."""
    part = "train" if train else "test"
    try:
        with np.load(FILE) as arrays:
            pixels, labels = arrays[f"{part}_pixels"], arrays[f"{part}_labels"]
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(f"the rendered signs in {FILE} cannot be read: {error}") from None
    return Images(torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))
