"""Several processes that train one network together, each on a share of every batch.

`torchrun --nproc-per-node N -m train mnist` starts them. Gradients are averaged by torch's DistributedDataParallel,
over NCCL between GPUs and gloo between CPU processes.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from train.fast.machine import Plan


@dataclass(frozen=True)
class Workers:
    """This process's place among those that train together; by itself it is the first of one."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that prints and writes files."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This worker's part of a batch's indices (N,), never empty: one too many is given weight 0 by `weight`."""
        if self.count == 1:
            return batch
        part = batch[self.rank :: self.count]
        return part if len(part) else batch[:1]

    def weight(self, size: int) -> float:
        """What the mean loss over `share` is multiplied by, so that the workers' mean is the whole batch's mean."""
        return len(range(self.rank, size, self.count)) * self.count / size

    def averaging(self, model: nn.Module) -> nn.Module:
        """The network such that each backward pass leaves the mean of all workers' gradients."""
        return model if self.count == 1 else DistributedDataParallel(model)

    def total(self, values: Tensor, device: str) -> Tensor:
        """The sum over all workers, which talk to each other on that device."""
        if self.count == 1:
            return values
        values = values.to(device)
        distributed.all_reduce(values)
        return values

    def agreed(self, plan: Plan) -> Plan:
        """The first worker's plan for all, each on a device of its own."""
        if self.count == 1:
            return plan
        plans = [plan]
        distributed.broadcast_object_list(plans)
        return replace(plans[0], device=plan.device)


ALONE = Workers()


@contextlib.contextmanager
def join(device: str = "auto") -> Iterator[tuple[Workers, str]]:
    """Join the processes that torchrun started; yields this one's place and its device. Without torchrun: alone.

    Args:
        device: "auto" or "cuda" give each process a GPU of its own, where there are GPUs.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield ALONE, device
        return
    if device in ("auto", "cuda"):
        device = f"cuda:{os.environ['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Workers(distributed.get_rank(), count), device
    finally:
        distributed.destroy_process_group()


def threads_each(workers: Workers) -> int | None:
    """CPU threads for each worker such that none waits for another's; None where there is one worker."""
    if workers.count == 1:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores // int(os.environ.get("LOCAL_WORLD_SIZE", workers.count)), 1)
