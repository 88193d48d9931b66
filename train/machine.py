"""How this machine computes: device, threads and precision."""

from dataclasses import dataclass

import torch

from train.task import UsageError


@dataclass(frozen=True)
class Plan:
    """Where and how the arithmetic is done."""

    device: str = "cpu"  # cpu, cuda, cuda:1, mps
    threads: int = 1  # of the CPU, for one operation
    precision: str = "float32"  # or bfloat16: weights stay float32, products are computed in bfloat16

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads != 1)}" if self.device == "cpu" else ""
        return f"{self.device}{threads}, {self.precision}"


def plan(device: str = "auto", threads: int | None = None, precision: str | None = None) -> Plan:
    """The plan for this machine; what is given overrides what would be chosen. Raises UsageError."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"there is no device {device!r} here: {str(error).splitlines()[0]}") from None
    return Plan(device, threads or 1, precision or "float32")
