"""One safetensors file per network: its weights, and in the header all that rebuilds it. Never a pickle."""

import contextlib
import itertools
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from glob import escape as glob_escape
from pathlib import Path
from types import NoneType

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor, nn

from train.data.cache import shipped
from train.learn.networks import build
from train.task import Recipe, Task, UsageError

FOLDER = shipped("checkpoints")
FORMAT = "digits-and-signs 1"
MOST_HEADER = 10_000_000  # bytes; ours have a few thousand
MOST_BYTES = 1_000_000_000  # the largest that is shipped has 12 MB
MOST_SIDE = 1024  # pixels of the pictures that a network takes
MOST_LABELS = 1000
FORGOTTEN = 3600  # seconds after which a temporary file is nobody's, whatever process has its number now
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
_numbers = itertools.count()
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
    faint_below: float = (
        0.0  # length of the last feature maps, as one vector, under which the network saw nothing known
    )
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


def save(
    path: Path | str,
    model: nn.Module,
    metadata: Metadata,
    training: dict[str, Tensor] | None = None,
    *,
    half: bool = False,
) -> None:
    """Write a checkpoint. Killed at any moment, it leaves the old file or the new one, never a part of one.

    Several threads and processes may save at one path: the last is kept. Raises CheckpointError.

    Args:
        training: tensors that let an unfinished run go on, kept beside the weights.
        half: keep the weights as float16, in half the space; they are float32 again when loaded.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    tensors |= {EXTRA + name: tensor.detach().cpu().contiguous() for name, tensor in (training or {}).items()}
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}  # shared memory is refused otherwise
    write(Path(path), serialise(tensors, {"format": FORMAT, "about": json.dumps(asdict(metadata))}))


def write(path: Path, data: bytes) -> None:
    """Put a file in place, whole or not at all. Raises CheckpointError that says why it cannot be."""
    with _writing(path) as (file, temporary, place):
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(temporary, place)


def check_destination(path: Path, size: int = 0) -> None:
    """Raise CheckpointError now, rather than after the training, if a file of `size` bytes cannot be saved there."""
    with _writing(path) as (file, _, _):
        file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[tuple]:
    """A temporary file beside the path, open; its name, and the name that it is to get. Gone at the end."""
    temporary = None
    try:
        place = path.resolve()  # a link stays a link
        if place.is_dir():
            raise CheckpointError("{path} is a folder: it needs a file's name", code="save.folder", path=str(path))
        if place.exists() and not place.is_file():
            raise CheckpointError(
                "{path} is a device or a pipe: only a file can be replaced", code="save.device", path=str(path)
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        _clear_away(place)
        temporary = place.with_name(f".{place.name}.{os.getpid()}.{next(_numbers)}.tmp")
        with open(temporary, "xb") as file:
            yield file, temporary, place
    except (OSError, ValueError, RuntimeError) as error:  # a name with a zero byte, a circle of links
        if isinstance(error, CheckpointError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(
            "{path} cannot be written: {reason}", code="save.failed", path=str(path), reason=reason
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _clear_away(place: Path) -> None:
    """Remove temporary files that killed processes have left beside the path."""
    for file in place.parent.glob(f".{glob_escape(place.name)}.*.tmp"):
        process = file.name.removeprefix(f".{place.name}.").split(".")[0]
        with contextlib.suppress(OSError):
            if not process.isdecimal() or (_runs(int(process)) and file.stat().st_mtime > time.time() - FORGOTTEN):
                continue
            file.unlink()


def _runs(process: int) -> bool:
    if os.name == "nt":  # there, asking would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def load(path: Path | str, task: str | None = None) -> tuple[nn.Module, Metadata]:
    """Rebuild the network from the file alone, in evaluation mode, on the CPU.

    Raises CheckpointError with the file's name and the reason: missing, damaged, not ours, another task's,
    or shapes that do not fit.
    """
    tensors, metadata = _read(Path(path), task)
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(EXTRA)}
    try:
        with torch.device("meta"):  # no memory yet, whatever sizes the file asks for, and no random numbers
            model = build(metadata.network, **metadata.options)
    except UsageError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # options can be anything
        raise CheckpointError(f"{path}: network {metadata.network} cannot be built: {error}") from None
    try:
        wanted = model.state_dict()
        for name in weights.keys() & wanted.keys():
            weights[name] = _as(weights[name], wanted[name], name)
        model.load_state_dict(weights, assign=True)
        with torch.inference_mode():
            scores = model.eval()(torch.zeros(1, *metadata.input_shape))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path}: its weights do not fit network {metadata.network}: {reason}") from None
    if scores.shape[1] != len(metadata.labels):
        raise CheckpointError(f"{path}: {scores.shape[1]} scores for {len(metadata.labels)} labels")
    if not scores.isfinite().all():
        raise CheckpointError(f"{path}: its weights give scores that are no numbers")
    return model, metadata


def _as(given: Tensor, wanted: Tensor, name: str) -> Tensor:
    """A file's weight in the network's type. Raises ValueError if it is of another kind, or holds no numbers."""
    if given.is_floating_point() != wanted.is_floating_point() or given.is_complex():
        raise ValueError(f"{name} is of type {given.dtype}, not {wanted.dtype}")
    if not given.isfinite().all():
        raise ValueError(f"{name} holds what is no number")
    return given.to(wanted.dtype, copy=True)


def load_training(path: Path | str, task: str | None = None) -> tuple[dict[str, Tensor], Metadata]:
    """The state of the unfinished run that the file keeps. Raises CheckpointError if it keeps none."""
    tensors, metadata = _read(Path(path), task)
    state = {name.removeprefix(EXTRA): tensor for name, tensor in tensors.items() if name.startswith(EXTRA)}
    if not state:
        raise CheckpointError(f"{path} holds a finished network, no unfinished run")
    return state, metadata


def read_metadata(path: Path | str) -> Metadata:
    """Only the header: quick, whatever the size. Raises CheckpointError."""
    return _read(Path(path), None, header_only=True)[1]


def _read(path: Path, task: str | None, header_only: bool = False) -> tuple[dict[str, Tensor], Metadata]:
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
            tensors = {} if header_only else deserialise(start + file.read())
    except (SafetensorError, OSError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}") from None
    except Exception as error:  # types that this torch does not know
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
