"""What trains on this server: its limits, slots, processes and kept networks. None of it loads torch."""

import atexit
import logging
import os
import subprocess
import sys

from demo.errors import NotReady
from demo.limits import RunLimits
from demo.training.lent import parts_from_there
from demo.training.retell import retell
from demo.training.runner import Training
from demo.training.slots import Slots
from demo.training.store import Store
from demo.training.trainers import Trainers

log = logging.getLogger(__name__)
EXPORTED = 120  # seconds that an export may take
limits = RunLimits()
store = Store(limits.kept, limits.kept_bytes)
trainers = Trainers(limits.idle)


def work(training: Training) -> None:
    """A run, in a process of its own or on the GPU that a Space lends."""
    lent = training.settings.gpu_seconds
    retell(training, store, parts_from_there(training) if lent else trainers.run(training))


slots = Slots(limits, work)


@atexit.register
def close() -> None:
    """No process outlives this one, and nothing stays on the disk."""
    slots.close()
    trainers.close()
    store.clear()


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
