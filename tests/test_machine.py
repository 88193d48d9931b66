"""How this machine computes: what is asked for is obeyed, what is not is measured, quickly."""

import itertools
import os
import platform
import subprocess
import sys
import time

import pytest
import torch

from train.fast import machine
from train.fast.machine import Plan, plan
from train.task import UsageError


def test_what_is_asked_for_is_obeyed():
    assert plan("cpu", threads=2, precision="float32", calibrate=True) == Plan("cpu", 2, "float32")
    assert plan("cpu", threads=1, calibrate=True).threads == 1
    assert plan("cpu", precision="float32", calibrate=True).precision == "float32"


def test_a_calibration_is_short_and_leaves_torch_as_it_was():
    before, state = torch.get_num_threads(), torch.get_rng_state()
    plan("cpu", calibrate=True)
    started = time.process_time()
    chosen = plan("cpu", calibrate=True)
    assert time.process_time() - started < 1.5  # of processor time: well under a second on a quiet machine
    assert chosen.device == "cpu" and chosen.threads >= 1 and chosen.precision in ("float32", "bfloat16")
    assert torch.get_num_threads() == before and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("two_are_disturbed", [False, True])
def test_bursts_of_a_neighbour_decide_on_threads_but_not_on_precision(monkeypatch, two_are_disturbed):
    times = {(1, "float32"): [3], (1, "bfloat16"): [2, 9, 9, 9], (2, "float32"): [2], (2, "bfloat16"): [1, 1, 1, 9]}
    if two_are_disturbed:
        times[2, "float32"] = times[2, "bfloat16"] = [1, 20, 20, 20]
    tried = {key: itertools.cycle(values) for key, values in times.items()}
    monkeypatch.setattr(machine, "_try", lambda plan: next(tried[plan.threads, plan.precision]))
    monkeypatch.setattr(machine, "cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    assert plan("cpu", calibrate=True) == Plan("cpu", 1 if two_are_disturbed else 2, "bfloat16")


def test_the_plan_reads_well():
    assert str(Plan("cpu", 1, "bfloat16")) == "cpu, 1 thread, bfloat16" and str(Plan("cuda")) == "cuda, float32"


@pytest.mark.parametrize("wrong", [{"device": "abacus"}, {"threads": 0}, {"precision": "float8"}])
def test_what_does_not_exist_is_refused(wrong):
    with pytest.raises(UsageError, match=r"abacus|threads|float8"):
        plan(**{"device": "cpu", **wrong})


FAULTS = """
import resource, sys, torch
from train.fast.machine import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for round in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(3_000_000) for _ in range(6)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory in their own ways")
def test_freed_memory_is_kept_for_the_next_step():
    """Pages asked of the system anew, in the last of six rounds of 72 MB."""
    gives_back = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072"}  # as glibc begins; what it learns varies

    def faults(how: str) -> int:
        command = [sys.executable, "-c", FAULTS, how]
        return int(subprocess.run(command, env=gives_back, capture_output=True, check=True).stdout)

    assert faults("keep") < 100 < 5_000 < faults("as it is")
