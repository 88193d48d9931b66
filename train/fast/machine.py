"""How this machine computes: device, threads and precision, chosen by trying them for a moment."""

import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch.nn import functional as F

from train.task import UsageError

PRECISIONS = ("float32", "bfloat16")
SECONDS = 0.5  # for all trials, apart from the warm-up
ROUNDS = 8  # of each candidate, in turn: a neighbour's burst hits them all; twice as many where it is in doubt


@dataclass(frozen=True)
class Plan:
    """Where and how the arithmetic is done."""

    device: str = "cpu"  # cpu, cuda, cuda:1, mps
    threads: int = 1  # of the CPU, for one operation
    precision: str = "float32"  # or bfloat16: weights stay float32, products are computed in bfloat16
    channels_last: bool = True  # how pictures and feature maps lie in memory: a pixel's channels side by side

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads != 1)}" if self.device == "cpu" else ""
        return f"{self.device}{threads}, {self.precision}{', contiguous' * (not self.channels_last)}"


def plan(
    device: str = "auto", threads: int | None = None, precision: str | None = None, calibrate: bool = False
) -> Plan:
    """The plan for this machine; what is given overrides what would be chosen. Raises UsageError.

    Args:
        calibrate: on a CPU, measure for a fraction of a second which threads and precision train fastest now;
            else one thread, and bfloat16 if the processor has it in hardware.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"there is no device {device!r} here: {str(error).splitlines()[0]}") from None
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    if precision is not None and precision not in PRECISIONS:
        raise UsageError(f"there is no precision {precision!r}; there are: {', '.join(PRECISIONS)}")
    if device == "cpu" and calibrate and (threads is None or precision is None):
        return _fastest(threads, precision)
    return Plan(device, threads or 1, precision or _precision_of(device))


def keep_freed_memory(most: int = 2**28) -> None:
    """Have glibc keep up to `most` bytes that were freed, because the next step needs them again.

    Else each step may give its feature maps back to the system and ask for them anew, a page at a time. Elsewhere than
    on glibc nothing happens.
    """
    trim_threshold, mmap_threshold = -1, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not on macOS, musl or Windows
        return
    mallopt(mmap_threshold, 2**25)  # blocks of up to 32 MB, the most there is, come from what was kept
    mallopt(trim_threshold, most)


def _precision_of(device: str) -> str:
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    # processors that only emulate bfloat16 are slower with it
    return "bfloat16" if device == "cpu" and cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16 in hardware, in half the time of float32."""
    return cpu_has_amx() or _cpu_has("avx512_bf16")


def cpu_has_amx() -> bool:
    """Whether this processor multiplies whole matrices (AMX), several times faster again."""
    return _cpu_has("amx_tile")


def _cpu_has(what: str) -> bool:
    return getattr(torch.cpu, f"_is_{what}_supported", bool)()  # not every version of torch can tell


def _fastest(threads: int | None, precision: str | None) -> Plan:
    """Train a small convolution in each way, interleaved, and take the fastest.

    The shortest times tell which precision suits the processor, whatever else runs; the medians tell how many threads
    other programs leave room for.
    """
    most = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = [threads] if threads else sorted({1, most})
    precisions = [precision] if precision else ["float32", *["bfloat16"] * cpu_has_bfloat16()]
    candidates = [Plan("cpu", count, kind) for count in counts for kind in precisions]
    before = torch.get_num_threads()
    try:
        _try(candidates[0])  # torch's first run takes three times as long
        times = {candidate: [_try(candidate)] for candidate in candidates}
        warm = {candidate: first for candidate, (first,) in times.items()}
        until = time.perf_counter() + SECONDS
        for done in range(2 * ROUNDS):
            # in doubt, when the least times tell otherwise, it goes on: a burst passes, a busy neighbour stays
            if done >= ROUNDS and _best(times, min) == _best(times, median):
                break
            for candidate in candidates:
                # two threads beside a busy neighbour can take seconds: what is far behind is not tried again
                if time.perf_counter() < until and warm[candidate] < 4 * min(warm.values()):
                    times[candidate].append(_try(candidate))
    finally:
        torch.set_num_threads(before)
    return _best(times, median)


def _best(times: dict[Plan, list[float]], figure: Callable[[list[float]], float]) -> Plan:
    """The plan with the least median, or other figure, of its times; in each number of threads the one with the least.

    Times lists the warm-up first, which counts only where there is nothing else.
    """
    times = {candidate: values[1:] or values for candidate, values in times.items()}
    by_count = [[c for c in times if c.threads == count] for count in {candidate.threads for candidate in times}]
    best = [min(group, key=lambda candidate: min(times[candidate])) for group in by_count]
    return min(best, key=lambda candidate: figure(times[candidate]))


def _try(candidate: Plan) -> float:
    """Seconds for a forward and a backward pass of a layer such as our networks have."""
    torch.set_num_threads(candidate.threads)
    with torch.random.fork_rng(devices=[]):
        images = torch.randn(32, 32, 14, 14).contiguous(memory_format=torch.channels_last)
        weight = torch.randn(64, 32, 3, 3).contiguous(memory_format=torch.channels_last).requires_grad_()
    started = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=candidate.precision == "bfloat16"):
        out = F.max_pool2d(F.relu(F.conv2d(images, weight, padding=1)), 2)
    out.float().sum().backward()
    return time.perf_counter() - started
