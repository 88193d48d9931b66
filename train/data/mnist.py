"""MNIST: 60,000 training and 10,000 test images of handwritten digits, from the files in assets/mnist."""

import gzip
import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from train.data.cache import cache_folder, shipped
from train.data.images import Images
from train.task import UsageError

ASSETS = shipped("assets", "mnist")
MD5 = {  # of the original files
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
COUNTS = {"train": 60_000, "t10k": 10_000}


def load(train: bool, folder: Path | None = None) -> Images:
    """The training images (train=True) or the test images: pixels (N, 1, 28, 28).

    The four original files are checked by their MD5s and unpacked once, into the cache; torchvision downloads those
    that are missing or damaged. `folder` (default: assets/mnist) is only read. Raises UsageError where the files are
    neither there nor can be downloaded.
    """
    root, name = cache_folder() / "mnist", "train" if train else "t10k"
    raw, count = root / "MNIST" / "raw", COUNTS[name]
    try:
        return _read(raw, name, count)
    except (ValueError, OSError):  # not unpacked yet, or the cache is damaged
        try:
            _unpack(root, folder or ASSETS)
        except OSError as error:
            raise UsageError(
                f"MNIST cannot be unpacked in {root.parent} ({error.strerror}): set the variable "
                "DIGITS_AND_SIGNS_CACHE to a folder that can be written"
            ) from None
    return _read(raw, name, count)


def _read(raw: Path, name: str, count: int) -> Images:
    """The unpacked files: a header of 4 bytes and 4 for each dimension, then the data. Raises ValueError otherwise."""
    pixels = _values(raw / f"{name}-images-idx3-ubyte", (count, 28, 28))
    labels = _values(raw / f"{name}-labels-idx1-ubyte", (count,))
    return Images(torch.from_numpy(pixels)[:, None], torch.from_numpy(labels).to(torch.int64))


def _values(file: Path, sizes: tuple[int, ...]) -> np.ndarray:
    data = np.fromfile(file, np.uint8)
    head = np.array([0x800 + len(sizes), *sizes], ">i4").tobytes()
    if data[: len(head)].tobytes() != head:
        raise ValueError(f"{file} does not begin as MNIST's files do")
    return data[len(head) :].reshape(sizes).copy()  # a copy is aligned; a view that begins behind the header is not


def _unpack(root: Path, folder: Path) -> None:
    """Unpack in a folder of our own, then rename it into place: another process may be doing the same."""
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="mnist-") as temporary:
        raw = Path(temporary) / "new" / "MNIST" / "raw"
        raw.mkdir(parents=True)
        sound = []
        for name, digest in MD5.items():
            data = (folder / name).read_bytes() if (folder / name).is_file() else b""
            if hashlib.md5(data, usedforsecurity=False).hexdigest() == digest:
                (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress(data))
                sound.append(name)
        if len(sound) < len(MD5):
            _download(raw, folder)
        if root.exists():
            root.rename(Path(temporary) / "old")  # damaged, or just made by another process and as good as ours
        try:
            raw.parents[1].rename(root)
        except OSError:
            if not root.exists():  # else another process was quicker, and its files are the same
                raise


def _download(raw: Path, folder: Path) -> None:
    """Download the files that `folder` lacks or has damaged, and unpack all."""
    from torchvision.datasets import MNIST  # slow to import, and rarely needed: the project brings the files

    for file in folder.glob("*-ubyte.gz"):
        shutil.copyfile(file, raw / file.name)
    for file in raw.glob("*-ubyte"):
        file.unlink()
    try:
        MNIST(raw.parents[1], download=True)  # unpacks what passes the MD5 check, downloads the rest
    except Exception as error:  # urllib, ssl, socket and zlib errors
        raise UsageError(
            f"MNIST's files in {folder} are missing or damaged, and could not be downloaded ({error}). "
            "Put train-images-idx3-ubyte.gz and its three companions there."
        ) from error
    for archive in raw.glob("*.gz"):
        archive.unlink()
