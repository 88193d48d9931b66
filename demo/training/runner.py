"""Trainings on a shared host: a few slots, a line before them, and an end that always comes.

A training runs in a thread of its own. It ends at its recipe's end, when stopped, at its deadline, and as soon as
nobody follows it any more. Whatever its end, the network keeps what it has learned.
"""

import atexit
import contextlib
import ctypes
import gc
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable

from demo.limits import RunLimits
from demo.training.settings import Settings
from demo.turns import Busy
from demo.wire import BadRequest, TooMany

NICENESS = 5  # readers go first


class Ended(Exception):
    """Raised inside a training to end it at once, in the middle of a step if need be."""


class Training:
    """One training, from the line to its end. Safe to steer and to follow from any thread.

    `events` grows and never changes: each is a JSON object with the key "kind": line, state, point, filters,
    epoch, end.
    """

    def __init__(self, settings: Settings, limits: RunLimits, visitor: str = ""):
        self.visitor = visitor
        self.id = secrets.token_urlsafe(9)
        self.settings, self.limits = settings, limits
        self.state = "waiting"  # then loading, training or paused, and one of finished, stopped, failed
        self.events: list[dict] = []
        self.seconds = 0.0  # trained, without pauses
        self.ended = threading.Event()
        self.awaited = False  # somebody stands in line for this slot
        self.best: float | None = None  # validation accuracy after an epoch, 0..1
        self.estimate: float | None = None  # of it, between epochs
        self._wish = "run"  # or pause, step
        self._end = ""  # why it shall end: stop, gone, deadline
        self._wake = threading.Condition()
        self._resumed = 0.0  # when the clock last started

    # ---- from outside

    def steer(self, wish: str) -> None:
        """Asks for run, pause, step (one batch, then pause) or stop. Raises BadRequest for anything else."""
        if wish not in ("run", "pause", "step", "stop"):
            raise BadRequest("A run can be told to run, pause, step or stop.", code="run.steer")
        if wish == "stop":
            self.end("stop")
            return
        with self._wake:
            self._wish = wish
            self._wake.notify_all()

    def end(self, why: str) -> None:
        """Ends it at once, keeping what it has learned; `why` is stop, gone (nobody follows) or deadline."""
        with self._wake:
            self._end = self._end or why
            self._wake.notify_all()

    # ---- from its own thread

    def say(self, kind: str, **more) -> None:
        """Adds an event for those who follow."""
        self.events.append({"kind": kind, **more})

    def enter(self, state: str, **more) -> None:
        """Goes over to another state, and says so."""
        self.state = state
        self.say("state", state=state, **more)

    def check(self, *_) -> None:
        """Raises Ended when it is time to end. Called before each layer, so that no wait is long."""
        if not self._end and self.clock() > self.limits.seconds:
            self._end = "deadline"
        if self._end:
            raise Ended

    def clock(self) -> float:
        """Seconds trained so far."""
        running = time.monotonic() - self._resumed if self._resumed else 0.0
        return self.seconds + running

    def start_clock(self) -> None:
        """From now on it trains."""
        self._resumed = time.monotonic()

    def stop_clock(self) -> None:
        """From now on it does not train."""
        self.seconds, self._resumed = self.clock(), 0.0

    def turn(self) -> bool:
        """Waits as long as it is paused; then whether exactly one step is wanted."""
        with self._wake:
            if self._wish == "pause":
                self.stop_clock()
                self.enter("paused")
                since = time.monotonic()
                while self._wish == "pause" and not self._end:
                    self._wake.wait(0.25)
                    most = self.limits.pause_when_awaited if self.awaited else self.limits.pause
                    if time.monotonic() - since > most:
                        self._end = "pause"
                self.start_clock()
            if self._wish == "run" and self.state == "paused" and not self._end:
                self.enter("training")
            single = self._wish == "step"
            if single:
                self._wish = "pause"
        self.check()
        return single

    def finish(self, state: str, message: str = "", kept: bool = False, epochs: float = 0.0) -> None:
        """Says its last words: finished, stopped or failed, and whether its network can be used."""
        self.stop_clock()
        self.say("end", state=state, message=str(message), code=getattr(message, "code", ""),
                 values=getattr(message, "values", {}), why=self._end, kept=kept, best=self.best,
                 estimate=self.estimate, seconds=round(self.seconds, 2), epochs=round(epochs, 4))  # fmt: skip
        self.state = state

    @property
    def why(self) -> str:
        """Why it was ended from outside; empty if it was not."""
        return self._end


class Slots:
    """The slots for training and the line before them. Predictions never pass here."""

    def __init__(self, limits: RunLimits, work: Callable[[Training], None]):
        self.limits = limits
        self._work = work
        self._line: deque[Training] = deque()
        self._running: dict[str, Training] = {}
        self._lock = threading.Lock()
        # what the server is made of stays: to search it for garbage after each run would take a quarter of a second
        gc.freeze()
        atexit.register(gc.unfreeze)  # at the end of the program all goes

    def enter(self, training: Training) -> None:
        """Starts it, or puts it in line. Raises Busy when the line is too long, TooMany when it is one's own."""
        with self._lock:
            self._check(training.visitor)
            self._line.append(training)
            self._advance()

    def check(self, visitor: str) -> None:
        """Raises Busy or TooMany if a training of this visitor's could not even wait now."""
        with self._lock:
            self._check(visitor)

    def _check(self, visitor: str) -> None:
        if len(self._line) >= self.limits.line:
            raise Busy("Too many people are waiting to train. Try again in a few minutes.", code="run.line")
        mine = sum(each.visitor == visitor for each in (*self._line, *self._running.values()))
        if visitor and mine >= self.limits.each:
            raise TooMany(
                "You have as many runs as one visitor may have: {count}. Stop one of them first.",
                code="run.many",
                count=mine,
            )

    def leave(self, training: Training, why: str = "gone") -> None:
        """Ends it, wherever it is."""
        training.end(why)
        with self._lock:
            if training in self._line:
                self._line.remove(training)
                training.finish("stopped")
                training.ended.set()
                self._advance()

    def close(self, seconds: float = 2) -> None:
        """Ends all trainings and waits for that, `seconds` at most."""
        with self._lock:
            everyone = [*self._line, *self._running.values()]
        for training in everyone:
            self.leave(training, "stop")
        until = time.monotonic() + seconds
        for training in everyone:
            training.ended.wait(max(0, until - time.monotonic()))

    def find(self, run: str) -> Training:
        """The training of that id, in the line or in a slot. Raises BadRequest."""
        with self._lock:
            for training in (*self._running.values(), *self._line):
                if training.id == run:
                    return training
        raise BadRequest("This run has ended.", code="run.ended")

    def place(self, training: Training) -> int:
        """1 for the next in line, 0 for one that is not in line."""
        with self._lock:
            return self._line.index(training) + 1 if training in self._line else 0

    @property
    def busy(self) -> int:
        """How many trainings hold a slot."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many trainings stand in line."""
        return len(self._line)

    def _advance(self) -> None:
        while self._line and len(self._running) < self.limits.slots:
            training = self._line.popleft()
            self._running[training.id] = training
            threading.Thread(target=self._run, args=(training,), name=f"training-{training.id}", daemon=True).start()
        for training in self._running.values():
            training.awaited = bool(self._line)

    def _run(self, training: Training) -> None:
        with contextlib.suppress(AttributeError, OSError):  # on Linux niceness is a thread's own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            self._work(training)
        finally:
            with self._lock:
                self._running.pop(training.id, None)
                self._advance()
            give_memory_back()
            training.ended.set()


def give_memory_back() -> None:
    """Returns freed memory to the system: Python would keep what refers to itself, and glibc what is free."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
