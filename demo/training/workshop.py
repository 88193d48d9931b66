"""What trains on this server: its limits, slots, images and kept networks; and how a run is followed.

This module loads torch, which takes seconds and hundreds of megabytes: `endpoints` opens it when first wanted.
"""

import asyncio
import atexit
import time
from collections.abc import AsyncIterator
from functools import partial

from demo.limits import RunLimits
from demo.training.both import try_both
from demo.training.choices import choices
from demo.training.data import Shelf
from demo.training.runner import Slots, Training
from demo.training.settings import layer_table, networks, read_options, read_settings, task_of
from demo.training.store import Store
from demo.training.work import train
from train.answer.onnx import to_onnx
from train.fast.library import ready
from train.fast.machine import plan
from train.learn.checkpoint import load
from train.task import UsageError

__all__ = ["Training", "choices", "follow", "get_ready", "keep_onnx", "layer_table", "limits", "networks",
           "read_options", "read_settings", "shelf", "slots", "store", "task_of", "try_both"]  # fmt: skip
PERIOD = 0.05  # seconds between two looks at what is new
PING = 0.5  # seconds after which an empty line shows whether somebody still reads

limits = RunLimits()
store = Store(limits.kept, limits.kept_bytes)
shelf = Shelf()
how = plan()
slots = Slots(limits, partial(train, load=shelf.splits, plan=how, store=store))


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
    """Writes a run's network as ONNX beside its checkpoint. Raises UsageError."""
    path = store.path(run)
    if not path.with_suffix(".onnx").exists():
        to_onnx(*load(path), path.with_suffix(".onnx"))


async def follow(training: Training) -> AsyncIterator[dict | None]:
    """Puts a training in line and yields its events as they come; None now and then when there is nothing new.

    Whoever stops following, for whatever reason, ends the training.
    """
    sent, place, spoken = 0, None, 0.0
    try:
        try:
            slots.enter(training)
        except UsageError as error:
            yield {"kind": "end", "state": "failed", "message": str(error), "kept": False}
            return
        yield {"kind": "run", "run": training.id, "parameters": training.settings.parameters}
        while True:
            over = training.ended.is_set()  # looked at first, so that nothing said before the end is missed
            now = slots.place(training)
            if now != place:
                place = now
                yield {"kind": "line", "place": place}
            for event in training.events[sent:]:
                sent, spoken = sent + 1, time.monotonic()
                yield event
            if over:
                return
            if time.monotonic() - spoken > PING:
                spoken = time.monotonic()
                yield None
            await asyncio.sleep(PERIOD)
    finally:
        slots.leave(training)
