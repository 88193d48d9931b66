"""What a checkpoint says of itself, and its weights as arrays: read without torch."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import NoneType

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as deserialise

from train.data.cache import shipped
from train.task import Recipe, Task, UsageError

FOLDER = shipped("checkpoints")
FORMAT = "digits-and-signs 1"
MOST_HEADER = 10_000_000  # bytes; ours have a few thousand
MOST_BYTES = 1_000_000_000  # the largest that is shipped has 12 MB
MOST_SIDE = 1024  # pixels of the pictures that a network takes
MOST_LABELS = 1000
NUMBER = (int, float)
TYPES = {  # what may stand in a header, for each of Metadata's fields
    "task": str, "network": str, "labels": (list, tuple), "mean": NUMBER, "std": NUMBER,
    "input_shape": (list, tuple), "options": dict, "recipe": dict, "epochs": NUMBER, "seed": int,
    "temperature": NUMBER, "unsure_below": NUMBER, "faint_below": NUMBER, "data_sha256": str, "versions": dict,
    "test_accuracy": (*NUMBER, NoneType), "test_count": int, "date": str, "notes": dict,
}  # fmt: skip
RANGES = {  # least and most, both within
    "mean": (-1e6, 1e6), "std": (1e-6, 1e6), "epochs": (0, 1e9), "temperature": (1e-3, 1e3), "unsure_below": (0, 1),
    "faint_below": (0, 1e9), "test_accuracy": (0, 1), "test_count": (0, 1e12),
}  # fmt: skip
EXTRA = "training."  # tensors under this prefix are the state of an unfinished run, not weights


class CheckpointError(UsageError):
    """A checkpoint that cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class Metadata:
    """What a checkpoint says of itself."""

    task: str
    network: str  # a key of networks.NETWORKS
    labels: tuple[str, ...]
    mean: float
    std: float
    input_shape: tuple[int, int, int]
    options: dict = field(default_factory=dict)  # of the network
    recipe: dict = field(default_factory=dict)
    epochs: float = 0  # trained; whole unless the run was stopped within one
    seed: int = 0
    temperature: float = 1.0  # logits are divided by it, so that confidences are right as often as they say
    unsure_below: float = 0.5  # confidence under which an answer is not given
    faint_below: float = 0.0  # norm of the last feature maps, as one vector, under which nothing known was seen
    data_sha256: str = ""
    versions: dict = field(default_factory=dict)
    test_accuracy: float | None = None  # 0..1, measured when training ended
    test_count: int = 0
    date: str = ""
    notes: dict = field(default_factory=dict)  # anything else worth keeping, such as figures

    @classmethod
    def of(cls, task: Task, recipe: Recipe, **more) -> "Metadata":
        """Metadata of a network trained for this task by this recipe."""
        return cls(task.name, recipe.network, task.labels, task.mean, task.std, task.input_shape,
                   options=dict(recipe.options), recipe=asdict(recipe), **more)  # fmt: skip

    @classmethod
    def from_json(cls, about: dict) -> "Metadata":
        """Metadata as a header has it. Raises ValueError that names the field which cannot be."""
        for name, value in about.items():
            kind = TYPES.get(name, object)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not object):
                raise ValueError(f"{name} cannot be {str(value)[:40]!r}")
            least, most = RANGES.get(name, (-math.inf, math.inf))
            if name in RANGES and value is not None and not least <= value <= most:  # nor is NaN within
                raise ValueError(f"{name} is {value}, not from {least:g} to {most:g}")
        read = cls(**about)
        labels, shape = tuple(read.labels), tuple(read.input_shape)
        if not 1 <= len(labels) <= MOST_LABELS or not all(isinstance(label, str) for label in labels):
            raise ValueError(f"labels must be 1 to {MOST_LABELS} words")
        if len(shape) != 3 or not all(type(side) is int and 1 <= side <= MOST_SIDE for side in shape) or shape[0] > 4:
            raise ValueError(f"input_shape must be channels, height and width, not {str(shape)[:60]}")
        return replace(read, labels=labels, input_shape=shape)

    def but(self, **changes) -> "Metadata":
        """This metadata with some fields replaced."""
        return replace(self, **changes)


def default_path(task: str, recipe: str = "best") -> Path:
    """Where a network trained by that recipe is kept: the app reads those of `best`."""
    return FOLDER / (f"{task}.safetensors" if recipe == "best" else f"{task}-{recipe}.safetensors")


def read_metadata(path: Path | str) -> Metadata:
    """Only the header: quick, whatever the size. Raises CheckpointError."""
    return read(Path(path), None, header_only=True)[1]


def read_weights(path: Path | str, task: str | None = None) -> tuple[dict[str, np.ndarray], Metadata]:
    """The weights as arrays, of the types that they are kept in. Raises CheckpointError."""
    arrays, metadata = read(Path(path), task, deserialise)
    return {name: array for name, array in arrays.items() if not name.startswith(EXTRA)}, metadata


def read(
    path: Path, task: str | None, parse: Callable[[bytes], dict] = deserialise, header_only: bool = False
) -> tuple[dict, Metadata]:
    """The tensors of a file, as `parse` makes them of its bytes, and its metadata. Raises CheckpointError."""
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path} is {'a folder' if path.is_dir() else 'a device or a pipe'}, not a checkpoint")
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        # opened once: between two openings another process may have put a new checkpoint in its place
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_BYTES // 10**6} MB")
            start = file.read(8)
            start += file.read(min(int.from_bytes(start, "little"), MOST_HEADER))
            header = json.loads(start[8:]).get("__metadata__", {})
            ours = header.get("format") == FORMAT
            tensors = {} if header_only else parse(start + file.read())
    except (SafetensorError, OSError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}") from None
    except Exception as error:  # types that the library does not know
        raise CheckpointError(f"{path} cannot be read: {type(error).__name__}") from None
    if not ours:
        raise CheckpointError(f"{path} is a safetensors file, but not one of ours: its header does not say so")
    try:
        metadata = Metadata.from_json(json.loads(header["about"]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: its header cannot be understood: {error}") from None
    if task is not None and metadata.task != task:
        raise CheckpointError(f"{path} was trained for task {metadata.task}, not {task}")
    return tensors, metadata


def check_scores(scores: np.ndarray, about: Metadata, path: Path | str) -> None:
    """Raise CheckpointError unless the scores (N, classes) of some picture fit the labels and are numbers."""
    if scores.shape[1] != len(about.labels):
        raise CheckpointError(f"{path}: {scores.shape[1]} scores for {len(about.labels)} labels")
    if not np.isfinite(scores).all():
        raise CheckpointError(f"{path}: its weights give scores that are NaN or infinite")
