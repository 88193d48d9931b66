"""One safetensors file per network: its weights, and in the header all that rebuilds it. Never a pickle."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor, nn

from train.learn.networks import build
from train.task import Recipe, Task, UsageError

FOLDER = Path(__file__).parents[2] / "checkpoints"
FORMAT = "digits-and-signs 1"
MOST_HEADER = 100_000_000  # bytes; safetensors itself takes no longer header
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

    Args:
        training: tensors that let an unfinished run go on, kept beside the weights.
        half: keep the weights as float16, in half the space; they are float32 again when loaded.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    tensors |= {EXTRA + name: tensor.detach().cpu().contiguous() for name, tensor in (training or {}).items()}
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}  # shared memory is refused otherwise
    data = serialise(tensors, {"format": FORMAT, "about": json.dumps(asdict(metadata))})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path | str, task: str | None = None) -> tuple[nn.Module, Metadata]:
    """Rebuild the network from the file alone, in evaluation mode, on the CPU.

    Raises CheckpointError with the file's name and the reason: missing, damaged, not ours, another task's,
    or shapes that do not fit.
    """
    tensors, metadata = _read(Path(path), task)
    try:
        model = build(metadata.network, **metadata.options)
    except UsageError as error:
        raise CheckpointError(f"{path}: {error}") from None
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(EXTRA)}
    try:
        model.load_state_dict(weights)
        scores = model.eval()(torch.zeros(1, *metadata.input_shape))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path}: its weights do not fit network {metadata.network}: {reason}") from None
    if scores.shape[1] != len(metadata.labels):
        raise CheckpointError(f"{path}: {scores.shape[1]} scores for {len(metadata.labels)} labels")
    return model, metadata


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
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        # opened once: between two openings another process may have put a new checkpoint in its place
        with open(path, "rb") as file:
            start = file.read(8)
            start += file.read(min(int.from_bytes(start, "little"), MOST_HEADER))
            header = json.loads(start[8:]).get("__metadata__", {})
            tensors = {} if header_only else deserialise(start + file.read())
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file: {error}") from None
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path} is a safetensors file, but not one of ours: its header does not say so")
    try:
        metadata = Metadata(**json.loads(header["about"]))
        metadata = metadata.but(labels=tuple(metadata.labels), input_shape=tuple(metadata.input_shape))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its header cannot be understood: {error}") from None
    if task is not None and metadata.task != task:
        raise CheckpointError(f"{path} was trained for task {metadata.task}, not {task}")
    return tensors, metadata
