"""What a checkpoint holds, and the proof that saving and loading changes nothing."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from train.inside.maps import normalised
from train.learn import checkpoint
from train.learn.checkpoint import Metadata


@dataclass(frozen=True)
class Held:
    """One tensor of a checkpoint."""

    name: str
    shape: tuple[int, ...]
    kind: str  # float32, int64, ...
    size: int  # bytes
    learned: bool  # a parameter; else a buffer, such as BatchNorm's running mean


def contents(model: nn.Module) -> list[Held]:
    """All tensors of a network's state, in its order."""
    learned = {name for name, _ in model.named_parameters()}
    return [
        Held(name, tuple(t.shape), str(t.dtype).removeprefix("torch."), t.numel() * t.element_size(), name in learned)
        for name, t in model.state_dict().items()
    ]


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """Scores of one picture before a network was saved, and after it was loaded again."""

    size: int  # bytes of the file
    before: Tensor  # (classes,)
    after: Tensor


def round_trip(model: nn.Module, about: Metadata, pixels: Tensor) -> RoundTrip:
    """Save the network to a temporary file, rebuild it from that file alone, and let both read (C, H, W) uint8."""
    with tempfile.TemporaryDirectory(prefix="digits-and-signs-") as folder:
        path = Path(folder) / "network.safetensors"
        checkpoint.save(path, model, about)
        size = path.stat().st_size
        loaded, _ = checkpoint.load(path)
    x = normalised(about, pixels)
    with torch.no_grad():
        return RoundTrip(size, model(x)[0], loaded(x)[0])
