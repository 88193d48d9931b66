"""What trains on this server: its limits, slots, images and kept networks.

This module loads torch, which takes seconds and hundreds of megabytes: `endpoints` opens it when first wanted.
"""

import atexit
import logging
import os
import subprocess
import sys

from demo.limits import RunLimits
from demo.training import zero
from demo.training.both import try_both
from demo.training.choices import choices
from demo.training.data import Shelf
from demo.training.follow import follow, lines
from demo.training.runner import Training
from demo.training.settings import layer_table, networks, read_options, read_settings, task_of
from demo.training.slots import Slots
from demo.training.store import Store
from demo.training.work import train
from demo.wire import NotReady
from train.fast.library import ready
from train.fast.machine import plan

__all__ = ["Training", "choices", "follow", "get_ready", "keep_onnx", "layer_table", "limits", "lines",
           "networks", "read_options", "read_settings", "shelf", "slots", "store", "task_of", "try_both"]  # fmt: skip

log = logging.getLogger(__name__)
EXPORTED = 120  # seconds that an export may take
limits = RunLimits()
store = Store(limits.kept, limits.kept_bytes)
shelf = Shelf()
how = plan("cpu" if zero.HERE else "auto")  # there, `spaces` tells this process of a GPU that it does not have


def work(training: Training) -> None:
    """A run, here or on the GPU that a Space lends."""
    if training.settings.gpu_seconds:
        zero.train_there(training, store)
    else:
        train(training, shelf.splits, how, store)


slots = Slots(limits, work)


@atexit.register
def close() -> None:
    """A thread that computes while Python ends would crash it; and nothing stays on the disk."""
    slots.close()
    store.clear()


def get_ready() -> None:
    """Compiles what training uses, once and meanwhile: it takes some seconds, which a first run need not wait for."""
    if how.device == "cpu":
        ready()


def keep_onnx(run: str) -> None:
    """Writes a run's network as ONNX beside its checkpoint. Raises UsageError.

    In a process of its own: torch's exporter takes seconds, and memory that it would never give back.
    """
    path = store.path(run)
    onnx = path.with_suffix(".onnx")
    if onnx.exists():
        return
    command = [sys.executable, "-m", "train.export", str(path), str(onnx)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path)))}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=EXPORTED)
        why = done.stderr if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why or not onnx.exists():
        log.warning("run %s could not be written as ONNX: %s", run, why[-2000:])
        raise NotReady("This network could not be made into an ONNX file here.", code="keep.onnx")
