"""Sign Language MNIST: CSV files of 28x28 grey hands become tensors, once; then they come from the cache."""

import hashlib
import json
import logging
import os
import re
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from train.data.cache import cache_folder, keep
from train.data.images import Images
from train.data.sign_csv import parse
from train.task import UsageError

log = logging.getLogger(__name__)

KAGGLE = "datamunge/sign-language-mnist"
SHA256 = {
    "sign_mnist_train.csv": "b7ff39ad5f1210fa765ce11aa5f20c2e97fe467ffc22231aac923c863eef75c4",
    "sign_mnist_test.csv": "178c0dd21c4b0e86d58df12f14ea1e9efa795ad19d146802b3b28094a16d56ae",
}
SHA256_FORM = re.compile("[0-9a-f]{64}")
TRAIN_NAMES = ("sign_mnist_train.csv",)
TEST_NAMES = ("sign_mnist_test.csv", "sign_mnist_valid.csv")  # Kaggle's name, and the course's
FORMS = ("kaggle", "contiguous")  # labels 0..24 without 9, or 0..23


class NotAtHand(UsageError):
    """Sign Language MNIST is nowhere on this machine, and could not be downloaded."""


def load(train: bool, folder: Path | None = None, form: str | None = None) -> Images:
    """The training images (train=True) or the test images: pixels (N, 1, 28, 28), labels 0..23.

    Looked for in `folder`, else in the folder that SIGN_MNIST_DIR names, else in the cache, else downloaded
    from Kaggle. `form` says how the labels are numbered, "kaggle" or "contiguous", where the labels alone
    cannot tell. Raises NotAtHand where there is no data, and UsageError for a fault, with its file and line.
    """
    names = TRAIN_NAMES if train else TEST_NAMES
    return read_csv(find(names, folder), form)


def find(names: tuple[str, ...], folder: Path | None = None) -> Path:
    """The first file of one of those names.

    Raises UsageError where the named folder has none; where none was named, NotAtHand, with three ways to provide it.
    """
    folder = folder or os.environ.get("SIGN_MNIST_DIR")
    if folder:
        for name in names:
            for file in (
                Path(folder) / name,
                Path(folder) / Path(name).stem / name,
            ):  # Kaggle's zip nests them
                if file.is_file():
                    return file
        raise UsageError(f"there is no {' or '.join(names)} in {folder}")
    kept = cache_folder() / "sign-mnist"
    for name in names:
        if (kept / name).is_file():
            return kept / name
    return _download(names[0])


def _download(name: str) -> Path:
    try:
        import kagglehub  # slow to import, rarely needed

        file = Path(kagglehub.dataset_download(KAGGLE, path=name))
        if file.is_dir():
            file = file / name
        digest = _sha256(file)
    except Exception as error:  # no network, no such host, a changed API: all the same to the user
        raise NotAtHand(
            f"Sign Language MNIST is not on this machine and could not be downloaded "
            f"({type(error).__name__}). Three ways to provide it: (1) download it from "
            f"kaggle.com/datasets/{KAGGLE}, unpack it and pass its folder with --data DIR; (2) set the variable "
            f"SIGN_MNIST_DIR to that folder; (3) copy its CSV files into {cache_folder() / 'sign-mnist'}."
        ) from error
    if digest != SHA256[name]:
        raise UsageError(f"{file} was downloaded, but is not the expected file: its SHA-256 is {digest}")
    return file


def read_csv(file: Path, form: str | None = None) -> Images:
    """The images of one CSV file (columns label, pixel1..pixel784). Parsed once, then read from the cache.

    Raises UsageError with file and line for a wrong header, a short row, a pixel outside 0..255 or an
    impossible label, and where the labels fit both forms and `form` is None.
    """
    if form is not None and form not in FORMS:
        raise UsageError(f"labels are numbered as {' or '.join(FORMS)}, not {form!r}")
    labels, pixels = _cached(Path(file))
    return Images(pixels.view(-1, 1, 28, 28), contiguous(labels, form, Path(file)))


def contiguous(labels: Tensor, form: str | None, file: Path) -> Tensor:
    """Labels (N,) in either form as class numbers 0..23, int64. Raises UsageError."""
    has_9, has_24 = bool((labels == 9).any()), bool((labels == 24).any())
    if has_24 and (has_9 or form == "contiguous"):
        line = int((labels == (9 if has_9 else 24)).nonzero()[0]) + 2
        raise UsageError(
            f"{file}, line {line}: an impossible label: 24 is only in Kaggle's form, and 9 (J) only in the contiguous"
            + ("" if has_9 else ", which was asked for")
        )
    if has_9 and form == "kaggle":
        line = int((labels == 9).nonzero()[0]) + 2
        raise UsageError(f"{file}, line {line}: label 9 (J) does not exist in Kaggle's form, which was asked for")
    if not has_9 and not has_24 and form is None:
        raise UsageError(
            f"{file}: neither 9 nor 24 is among the labels, so they may be Kaggle's (0..24 without 9) or contiguous "
            "(0..23). Say which with --labels kaggle or --labels contiguous."
        )
    labels = labels.to(torch.int64)
    if has_24 or form == "kaggle":
        labels = labels - (labels > 9).to(torch.int64)
    return labels


def _cached(file: Path) -> tuple[Tensor, Tensor]:
    """Labels (N,) uint8 as the file has them, and pixels (N, 784) uint8. Works without a cache, too."""
    try:
        kept = cache_folder() / "sign-mnist" / f"{_digest(file)}.safetensors"
    except UsageError as error:
        log.warning("%s. Until then the file is parsed each time.", error)
        return parse(file)
    tensors = _read(kept)
    if tensors is None:
        labels, pixels = parse(file)
        tensors = {"labels": labels, "pixels": pixels}
        _keep(kept, save(tensors, {"sha256": _sha256_of(tensors)}))
    return tensors["labels"], tensors["pixels"]


def _read(kept: Path) -> dict[str, Tensor] | None:
    """What the cache holds, if it is there and is what was put there."""
    try:
        with safe_open(kept, "pt") as opened:
            wanted = opened.metadata()["sha256"]
            tensors = {name: opened.get_tensor(name) for name in ("labels", "pixels")}
    except Exception:  # not there yet, or damaged: safetensors has its own errors
        return None
    labels, pixels = tensors["labels"], tensors["pixels"]
    good = labels.dtype == pixels.dtype == torch.uint8 and pixels.shape == (len(labels), 784) and len(labels) > 0
    return tensors if good and int(labels.max()) <= 24 and _sha256_of(tensors) == wanted else None


def _digest(file: Path) -> str:
    """SHA-256 of a file. Hashing 83 MB takes longer than loading: an unchanged one is known by name, size and time."""
    status = file.stat()
    known_as = hashlib.sha256(f"{file.resolve()}|{status.st_size}|{status.st_mtime_ns}".encode()).hexdigest()[:32]
    note = cache_folder() / "sign-mnist" / f"{known_as}.json"
    try:
        digest = json.loads(note.read_text())["sha256"]
        if SHA256_FORM.fullmatch(digest):
            return digest
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = _sha256(file)
    _keep(note, json.dumps({"sha256": digest}).encode())
    return digest


def _keep(file: Path, data: bytes) -> None:
    try:
        keep(file, data)
    except OSError as error:
        log.warning("%s cannot be written (%s): the file is parsed each time.", file.parent, error.strerror)


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256_of(tensors: dict[str, Tensor]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(t.numpy().data).digest() for t in tensors.values())).hexdigest()


def near_copies(images: Images, alike: float = 0.93) -> Tensor:
    """Group numbers (N,) int64: images of one group are near-copies of each other, directly or in a chain.

    Sign Language MNIST was made from about 1,700 photos by filters and small rotations, so that a random
    validation split is full of copies of training images. Two images of one letter are near-copies if the
    correlation of their pixels is above `alike`; groups are the connected components.
    """
    groups = torch.arange(len(images))
    for label in images.labels.unique():
        members = (images.labels == label).nonzero().squeeze(1)
        vectors = images.pixels[members].flatten(1).float()
        vectors = torch.nn.functional.normalize(vectors - vectors.mean(1, keepdim=True), dim=1)
        linked = vectors @ vectors.T > alike
        linked.fill_diagonal_(True)
        names = torch.arange(len(members))
        while True:  # each takes the smallest name among its neighbours, until nothing changes
            smallest = torch.where(linked, names, len(members)).amin(1)
            if torch.equal(smallest, names):
                break
            names = smallest
        groups[members] = members[names]
    return groups
