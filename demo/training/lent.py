"""Training on the GPU of a ZeroGPU Space, which lends one for seconds to a process of its own.

Hugging Face's package `spaces` forks that process, counts its time against the visitor's daily quota and ends it when
the time that was asked for is over. Nothing but what it yields comes back: so a run yields its network again and again.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from demo.engine import LocalContext, gr
from demo.limits import RunLimits
from demo.training import zero
from demo.training.retell import Lost
from demo.training.runner import Training
from demo.training.settings import Settings

if TYPE_CHECKING:  # it loads torch
    from demo.training.trainer.parts import Part

PERIOD = 0.2  # seconds between two parts of what comes back; between two of them a run can be stopped
KEPT_EVERY = 2.0  # seconds between two networks that come back


def _lent(work: Callable) -> Callable:
    """`work` with a GPU lent to it for as long as its last argument says; by itself where none is lent."""
    if not zero.HERE:
        return work
    import spaces

    return spaces.GPU(work, duration=lambda settings, limits, seconds: seconds)


@_lent
def run_there(settings: Settings, limits: RunLimits, seconds: int) -> "Iterator[Part]":
    """A run in the process that has the GPU. Whoever closes it ends it."""
    from demo.training.trainer.parts import parts
    from train.data.splits import load_splits
    from train.fast.machine import plan

    # it ends by itself before it would be ended, and so with its last words
    most = max(seconds - zero.START / 2, seconds / 2)
    own = Training(replace(settings, gpu_seconds=0), replace(limits, seconds=most))
    yield from parts(own, lambda task, recipe, check: load_splits(task, recipe), plan(),
                     keep_every=KEPT_EVERY, period=PERIOD)  # fmt: skip


def parts_from_there(training: Training, run: Callable = run_there) -> "Iterator[Part]":
    """The parts of a training on the GPU. Raises Lost if it is not given one."""
    if training.asked:  # `spaces` looks here for whose quota it is, and for the sockets that the process must close
        LocalContext.request.set(training.asked[0])
        LocalContext.blocks.set(training.asked[1])
    training.start_clock()
    asked, began = training.settings.gpu_seconds, time.monotonic()
    found = run(training.settings, training.limits, asked)
    try:
        for part in found:
            yield part
            if training.forsaken:
                training.end("gone")
            if training.why:
                return
    except gr.Error as error:  # how `spaces` says that there is none, or that the time is over
        if not asked or time.monotonic() - began < asked - PERIOD:
            raise Lost("The GPU was not given: {why}", code="run.gpu", why=str(error.message)) from None
        training.end("deadline")
    finally:
        found.close()
