"""MNIST: 60,000 training and 10,000 test images of handwritten digits, from the files in assets/mnist."""

import shutil
import tempfile
from pathlib import Path

import torch

from train.data.cache import cache_folder, shipped
from train.data.images import Images
from train.task import UsageError

ASSETS = shipped("assets", "mnist")


def load(train: bool, folder: Path | None = None) -> Images:
    """The training images (train=True) or the test images: pixels (N, 1, 28, 28).

    The four original files are read by torchvision, which checks their MD5s and downloads those that are
    missing or damaged. `folder` (default: assets/mnist) is only read; the unpacked files lie in the cache.
    Raises UsageError where the files are neither there nor can be downloaded.
    """
    from torchvision.datasets import MNIST  # only now: it takes seconds, and whoever only reads digits does without

    root = cache_folder() / "mnist"
    try:
        dataset = MNIST(root, train=train)
    except (RuntimeError, ValueError, OSError, AssertionError):  # not unpacked yet, or the cache is damaged
        try:
            _unpack(root, folder or ASSETS)
        except OSError as error:
            raise UsageError(
                f"MNIST cannot be unpacked in {root.parent} ({error.strerror}): set the variable "
                "DIGITS_AND_SIGNS_CACHE to a folder that can be written"
            ) from None
        dataset = MNIST(root, train=train)
    return Images(dataset.data.unsqueeze(1), dataset.targets.to(torch.int64))


def _unpack(root: Path, folder: Path) -> None:
    """Unpack in a folder of our own, then rename it into place: another process may be doing the same."""
    from torchvision.datasets import MNIST

    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="mnist-") as temporary:
        raw = Path(temporary) / "new" / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for file in folder.glob("*-ubyte.gz"):
            shutil.copyfile(file, raw / file.name)
        try:
            MNIST(raw.parents[1], download=True)  # unpacks what passes the MD5 check, downloads the rest
        except Exception as error:  # urllib, ssl, socket and zlib errors
            raise UsageError(
                f"MNIST's files in {folder} are missing or damaged, and could not be downloaded ({error}). "
                "Put train-images-idx3-ubyte.gz and its three companions there."
            ) from error
        for archive in raw.glob("*.gz"):
            archive.unlink()
        if root.exists():
            root.rename(Path(temporary) / "old")  # damaged, or just made by another process and as good as ours
        try:
            raw.parents[1].rename(root)
        except OSError:
            if not root.exists():  # else another process was quicker, and its files are the same
                raise
