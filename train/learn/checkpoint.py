"""One safetensors file per network: its weights, and in the header all that rebuilds it. Never a pickle."""

import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from glob import escape as glob_escape
from pathlib import Path

import torch
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor, nn

from train.learn.metadata import (
    EXTRA,
    FOLDER,
    FORMAT,
    CheckpointError,
    Metadata,
    check_scores,
    default_path,
    read,
    read_metadata,
)
from train.learn.networks import build
from train.task import UsageError

__all__ = ["FOLDER", "CheckpointError", "Metadata", "check_destination", "default_path", "load", "load_training",
           "packed", "read_metadata", "save", "write"]  # fmt: skip
FORGOTTEN = 3600  # seconds after which a temporary file is nobody's, whatever process has its number now
_numbers = itertools.count()


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
    write(Path(path), packed(model, metadata, training, half=half))


def packed(
    model: nn.Module, metadata: Metadata, training: dict[str, Tensor] | None = None, *, half: bool = False
) -> bytes:
    """The checkpoint that `save` writes, as bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    tensors |= {EXTRA + name: tensor.detach().cpu().contiguous() for name, tensor in (training or {}).items()}
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}  # shared memory is refused otherwise
    return serialise(tensors, {"format": FORMAT, "about": json.dumps(asdict(metadata))})


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
    if os.name == "nt":  # there os.kill would end the process
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
    tensors, metadata = read(Path(path), task, deserialise)
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
    check_scores(scores.numpy(), metadata, path)
    return model, metadata


def _as(given: Tensor, wanted: Tensor, name: str) -> Tensor:
    """A file's weight in the network's type. Raises ValueError if it is of another kind, or holds NaN or infinity."""
    if given.is_floating_point() != wanted.is_floating_point() or given.is_complex():
        raise ValueError(f"{name} is of type {given.dtype}, not {wanted.dtype}")
    if not given.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity")
    return given.to(wanted.dtype, copy=True)


def load_training(path: Path | str, task: str | None = None) -> tuple[dict[str, Tensor], Metadata]:
    """The state of the unfinished run that the file keeps. Raises CheckpointError if it keeps none."""
    tensors, metadata = read(Path(path), task, deserialise)
    state = {name.removeprefix(EXTRA): tensor for name, tensor in tensors.items() if name.startswith(EXTRA)}
    if not state:
        raise CheckpointError(f"{path} holds a finished network, no unfinished run")
    return state, metadata
