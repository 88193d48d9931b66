"""Training on the GPU of a ZeroGPU Space, which lends one for seconds to a process of its own.

Hugging Face's package `spaces` forks that process, counts its time against the visitor's daily quota and ends it when
the time that was asked for is over. Nothing but what it yields comes back: so a run yields its network again and again.
Elsewhere this module does nothing. https://huggingface.co/docs/hub/spaces-zerogpu
"""

import importlib.util
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from demo.engine import LocalContext, gr
from demo.limits import RunLimits
from train.task import Message, Recipe

if TYPE_CHECKING:
    from demo.training.runner import Training
    from demo.training.settings import Settings
    from demo.training.store import Store

log = logging.getLogger(__name__)
HERE = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true") and bool(importlib.util.find_spec("spaces"))
PERIOD = 0.2  # seconds between two parts of what comes back; between two of them a run can be stopped
KEPT_EVERY = 2.0  # seconds between two networks that come back
# What a run will take: careful guesses, for too little cuts a run off, and of too much the rest is given back
START = 12.0  # seconds for the process, CUDA and the images
STEP = 0.004  # seconds of a step, however small
SPEED = 2e12  # multiplications a second, forward and backward
MOST_IMAGES = 60_000  # that a task has to learn from

Part = tuple[list[dict], bytes | None]  # events, and the network as the bytes of a checkpoint if there is a newer one


def seconds_for(recipe: Recipe, multiplications: int, limits: RunLimits) -> int:
    """Seconds of a GPU to ask for, for a run of a network that takes so many multiplications an image."""
    images = MOST_IMAGES * recipe.share * (1 - recipe.validation_share) * recipe.epochs
    needed = START + STEP * images / recipe.batch_size + 3 * images * multiplications / SPEED
    return math.ceil(min(1.5 * needed, limits.gpu_seconds))


def _lent(work: Callable) -> Callable:
    """`work` with a GPU lent to it for as long as its last argument says; by itself where none is lent."""
    if not HERE:
        return work
    import spaces

    return spaces.GPU(work, duration=lambda settings, limits, seconds: seconds)


@_lent
def run_there(settings: "Settings", limits: RunLimits, seconds: int) -> Iterator[Part]:
    """A run in the process that has the GPU. Whoever closes it ends it."""
    from demo.training.runner import Training
    from demo.training.work import train
    from train.data.splits import load_splits
    from train.fast.machine import plan

    # it ends by itself before it would be ended, and so with its last words
    own = Training(replace(settings, gpu_seconds=0), replace(limits, seconds=max(seconds - START / 2, seconds / 2)))
    own.follow(1)
    kept = _Kept()
    work = threading.Thread(
        target=train,
        args=(own, lambda task, recipe, check: load_splits(task, recipe), plan(), kept),
        kwargs={"keep_every": KEPT_EVERY},
        daemon=True,
    )
    work.start()
    told = 0
    try:
        while True:
            work.join(PERIOD)
            over = not work.is_alive()  # looked at first, so that nothing said before the end is missed
            events = own.events[told:]
            told += len(events)
            yield events, kept.take()
            if over:
                return
    finally:
        own.end("gone")
        work.join(5)


class _Kept:
    """A store that holds the last network as bytes, until they are taken."""

    def __init__(self):
        self._data: bytes | None = None

    def keep(self, run: str, model, metadata) -> None:
        from train.learn import checkpoint

        with tempfile.TemporaryDirectory(prefix="digits-and-signs-") as folder:
            path = Path(folder) / "network.safetensors"
            checkpoint.save(path, model, metadata)
            self._data = path.read_bytes()

    def take(self) -> bytes | None:
        data, self._data = self._data, None
        return data


def train_there(training: "Training", store: "Store", run: Callable[..., Iterator[Part]] = run_there) -> None:
    """The whole of a training on the GPU, in the thread that calls. What goes wrong is said in the events."""
    network, end = None, {}
    training.enter("loading")
    if training.asked:  # `spaces` looks here for whose quota it is, and for the sockets that the process must close
        LocalContext.request.set(training.asked[0])
        LocalContext.blocks.set(training.asked[1])
    training.start_clock()
    parts = run(training.settings, training.limits, training.settings.gpu_seconds)
    state, message, began = "stopped", "", time.monotonic()
    try:
        for events, newer in parts:
            network = newer or network
            for event in events:
                end = _retold(training, event) or end
            if training.forsaken:
                training.end("gone")
            if training.why:
                break
    except gr.Error as error:  # how `spaces` says that there is none, or that the time is over
        if training.settings.gpu_seconds and time.monotonic() - began >= training.settings.gpu_seconds - PERIOD:
            training.end("deadline")
        else:
            state, message = "failed", Message("The GPU was not given: {why}", code="run.gpu", why=str(error.message))
    except Exception:
        log.exception("a training on the GPU failed")
        state = "failed"
        message = Message("Something went wrong in this training. The log of the server says more.", code="run.failed")
    finally:
        parts.close()
    if end:
        state, message = end["state"], Message(end["message"])
        message.code, message.values = end["code"], end["values"]
        if end["why"]:
            training.end(end["why"])
        training.best, training.estimate = end["best"], end["estimate"]
    if network is not None:
        try:
            store.keep_file(training.id, network)
        except OSError:
            log.exception("a trained network could not be kept")
            network = None
            message = message or Message("The network could not be kept: the server's disk is full.", code="run.disk")
    training.finish(state, message, network is not None, end.get("epochs", 0.0))


def _retold(training: "Training", event: dict) -> dict | None:
    """Says what was said there, and returns its last words when they come."""
    if event["kind"] == "end":
        return event
    if event["kind"] == "state":
        training.enter(event["state"])
    else:
        training.events.append(event)
    return None
