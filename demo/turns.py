"""Turns for work that is done one at a time. Who waits for one holds no thread, so that a crowd stops nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from train.task import UsageError

Answer = TypeVar("Answer")


class Busy(UsageError):
    """More wait than can be answered soon: status 503."""


class Left(Exception):
    """The person who asked has left, or asks something newer: there is nobody to answer."""


class Turn:
    """One piece of work at a time, first come first served, in a thread of its own."""

    def __init__(self, line: int):
        """At most `line` may wait."""
        self.line, self.waiting = line, 0
        self._free, self._thread = asyncio.Lock(), None

    async def take(self, work: Callable[..., Answer], *arguments, gone: Callable[[], Awaitable[bool]] | None = None):
        """What `work(*arguments)` returns. Raises Busy when too many wait, Left if `gone` says so at its turn."""
        if self.waiting >= self.line:
            raise Busy("Too many people are asking at once. Try again in a moment.", code="server.busy")
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        try:
            if gone is not None and await gone():
                raise Left("Nobody waits for this answer any more.")
            if self._thread is None:  # not one of the threads that all share: others may fill those
                self._thread = anyio.CapacityLimiter(1)
            return await anyio.to_thread.run_sync(work, *arguments, limiter=self._thread)
        finally:
            self._free.release()
