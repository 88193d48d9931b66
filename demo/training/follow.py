"""How a training is followed: its events as they come, as often as somebody asks for them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from demo.training.runner import Training
from demo.training.slots import Slots
from train.task import UsageError

PERIOD = 0.05  # seconds between two looks at what is new
PING = 0.5  # seconds after which an empty line shows whether somebody still reads
LINE = 1.0  # seconds between two estimates of the wait


async def follow(
    slots: Slots, training: Training, enter: bool = True, stays: bool = False
) -> AsyncIterator[dict | None]:
    """The events of a training from its start; None now and then when there is nothing new.

    Args:
        enter: puts it in line first.
        stays: it goes on when its follower leaves, for a while (`Training.forsaken`); otherwise that ends it.
    """
    sent, place, looked, spoken = 0, None, 0.0, 0.0
    training.follow(1)
    try:
        try:
            if enter:
                slots.enter(training)
        except UsageError as error:
            yield {"kind": "end", "state": "failed", "message": str(error), "code": error.message.code,
                   "values": error.message.values, "kept": False}  # fmt: skip
            return
        yield {"kind": "run", "run": training.id, "parameters": training.settings.parameters}
        while True:
            over = training.ended.is_set()  # looked at first, so that nothing said before the end is missed
            now, seconds = slots.place(training)
            if now != place or (now and time.monotonic() - looked > LINE):
                place, looked = now, time.monotonic()
                yield {"kind": "line", "place": place, "seconds": round(seconds)}
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
        training.follow(-1)
        if not stays:
            slots.leave(training)


async def lines(events: AsyncIterator[dict | None]) -> AsyncIterator[str]:
    """Events as lines of JSON, empty ones where there is nothing new."""
    async for event in events:
        yield json.dumps(event, separators=(",", ":")) + "\n" if event else "\n"
