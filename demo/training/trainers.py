"""The processes that train, seen from the server: started when first wanted, let go when they have been idle.

Each does one training at a time. Torch takes hundreds of megabytes, which only the end of a process gives back; and
what ends such a process, a crash or a lack of memory, takes nothing else along.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

from demo.errors import NotReady
from demo.training.retell import Lost
from demo.training.runner import Training
from demo.training.trainer.child import HUNG
from train.task import Message

if TYPE_CHECKING:  # it loads torch
    from demo.training.trainer.parts import Part

log = logging.getLogger(__name__)
COMMAND = (sys.executable, "-m", "demo.training.trainer.child")
PERIOD = 0.05  # seconds between two looks at what a training is asked
OVER = object()
ASLEEP = 30.0  # seconds without a look, after which silence is no sign
LAST_WORDS = 30.0  # seconds in which a run that is told to end must have ended

UNSTARTED = Message("The process that trains could not be started. The log of the server says more.",
                    code="run.unstarted")  # fmt: skip
DIED = Message("The process that trains has ended all of a sudden: perhaps there was not enough memory. "
               "The log of the server says more.", code="run.died")  # fmt: skip
STUCK = Message("The process that trains did not answer any more, and was ended.", code="run.stuck")


class Trainer:
    """One process that trains."""

    def __init__(self, command: tuple[str, ...] = COMMAND):
        self.training: Training | None = None  # that it does now
        self.used = self.heard = self._checked = time.monotonic()
        self.gone: Message | None = None  # why it cannot be used any more
        self._ready = self._busy = False
        self._asks: dict[int, Future] = {}
        self._numbers, self._lock = itertools.count(), threading.Lock()
        self._parts: queue.SimpleQueue = queue.SimpleQueue()  # of Part; OVER at a run's end, None at the process's
        self._words: queue.SimpleQueue[tuple | None] = queue.SimpleQueue()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path)))}
        # not in the terminal's group of processes, which Ctrl-C reaches
        apart = {"start_new_session": True, "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, **apart
            )
        except OSError:
            log.exception("the process that trains could not be started")
            self.process, self.gone = None, UNSTARTED
            return
        for work in (self._listen, self._speak):
            threading.Thread(target=work, name=f"trainer{work.__name__}", daemon=True).start()

    def idle_since(self) -> float:
        """When it was last used; now, if it is in use."""
        return time.monotonic() if self.training or self._asks or self._busy else self.used

    def ask(self, name: str, *arguments) -> Future:
        """What the process answers to one of child.py's asks."""
        future, number = Future(), next(self._numbers)
        with self._lock:
            self.used = time.monotonic()
            if self.gone:
                future.set_exception(NotReady(self.gone))
            else:
                self._asks[number] = future
                self._words.put(("ask", number, name, *arguments))
        return future

    def run(self, training: Training) -> "Iterator[Part]":
        """The parts of a training, whose orders are passed on meanwhile. Raises Lost if the process comes to harm."""
        told, over, ends = None, False, None
        try:
            while not over:
                if training.forsaken:
                    training.end("gone")
                order = training.order
                if told is None and training.why:  # it has not begun: who leaves need not wait until it could
                    over = True
                    return
                if told is None and self._ready:
                    self._words.put(("run", training.settings, training.limits, order))
                    told = order
                elif told not in (None, order):
                    self._words.put(("order", order))
                    told = order
                if self.gone and self._parts.empty():
                    raise Lost(self.gone)
                if training.why or training.clock() > training.limits.seconds:
                    ends = ends or time.monotonic() + LAST_WORDS
                    if time.monotonic() > ends:
                        self.end(STUCK)
                self.check()
                with contextlib.suppress(queue.Empty):
                    part = self._parts.get(timeout=PERIOD)
                    over = part is OVER
                    if not over and part is not None:
                        yield part
        finally:
            if not over:
                self.end(DIED)  # nobody knows what it is at
            self.used, self.training = time.monotonic(), None

    def check(self) -> None:
        """Ends a process that has given no sign of life for long."""
        now = time.monotonic()
        if now - self._checked > ASLEEP:  # nobody looked for long: this process itself may have been asleep
            self.heard = now
        self._checked = now
        if not self.gone and now - self.heard > HUNG:
            self.end(STUCK)

    def end(self, why: Message = DIED) -> None:
        """Ends it at once."""
        self.gone = self.gone or why
        if self.process:
            with contextlib.suppress(OSError):
                self.process.kill()

    def let_go(self) -> None:
        """Has it end by itself, which it does at once."""
        self.gone = self.gone or DIED
        self._words.put(None)

    def _speak(self) -> None:
        """Passes on what is to be said, in a thread of its own: a process that does not listen holds up nobody."""
        with contextlib.suppress(OSError, ValueError), self.process.stdin as to:
            while (words := self._words.get()) is not None:
                pickle.dump(words, to)
                to.flush()

    def _listen(self) -> None:
        try:
            while True:
                kind, *words = pickle.load(self.process.stdout)
                self.heard = time.monotonic()
                if kind == "alive":
                    (self._busy,) = words
                elif kind == "ready":
                    self._ready = True
                elif kind == "part":
                    self._parts.put(tuple(words))
                elif kind == "over":
                    self._parts.put(OVER)
                elif kind == "answer":
                    self._answered(*words)
        except Exception as error:  # cut off in the midst of a word: it need not be EOFError
            if not isinstance(error, EOFError):
                log.warning("what the process that trains said could not be understood: %r", error)
        unasked = not self.gone
        self.end(DIED if self._ready else UNSTARTED)
        self._words.put(None)
        status = self.process.wait()
        self.process.stdout.close()
        if unasked:
            log.warning("the process that trains has ended with status %s", status)
        with self._lock:
            left, self._asks = self._asks, {}
        for future in left.values():
            future.set_exception(NotReady(self.gone))
        self._parts.put(None)

    def _answered(self, number: int, answer, error: Exception | None) -> None:
        with self._lock:
            future = self._asks.pop(number)
            self.used = time.monotonic()
        if answer is None:
            future.set_exception(error or RuntimeError("the process that trains could not answer"))
        else:
            future.set_result(answer)


class Trainers:
    """All processes that train: as many as there are trainings, and one that is ready while somebody is at the tab."""

    def __init__(self, idle: float, command: tuple[str, ...] = COMMAND):
        """`idle` are the seconds after which one that nobody uses is let go."""
        self._idle, self._command = idle, command
        self._all: list[Trainer] = []
        self._lock = threading.Lock()
        self._watch: threading.Thread | None = None
        self._closed = False

    @property
    def processes(self) -> list[int]:
        """Their numbers."""
        return [each.process.pid for each in self._all if not each.gone]

    def get_ready(self) -> None:
        """Starts one, if there is none: it takes some seconds, which a first run need not wait for."""
        self._one()

    async def ask(self, name: str, *arguments):
        """What a process answers to one of child.py's asks. Raises UsageError, NotReady if it comes to harm."""
        trainer = self._one()
        answer = asyncio.wrap_future(trainer.ask(name, *arguments))
        while True:
            done, _ = await asyncio.wait([answer], timeout=5)
            if done:
                return answer.result()
            trainer.check()

    def run(self, training: Training) -> "Iterator[Part]":
        """The parts of a training in a process that does no other."""
        return self._one(training).run(training)

    def _one(self, training: Training | None = None) -> Trainer:
        """One to ask; or, for a training, one that does no other."""
        with self._lock:
            self._all = [each for each in self._all if not each.gone]
            free = [each for each in self._all if not each.training] or ([] if training else self._all)
            if free:
                trainer = free[0]
            else:
                trainer = Trainer(self._command)
                self._all.append(trainer)
            trainer.used, trainer.training = time.monotonic(), training or trainer.training
            if self._closed:
                trainer.end()
            if self._watch is None:
                self._watch = threading.Thread(target=self._let_go, name="trainers", daemon=True)
                self._watch.start()
            return trainer

    def _let_go(self) -> None:
        """Lets go who has been idle; ends when nobody is left."""
        while True:
            time.sleep(min(1.0, self._idle / 4))
            with self._lock:
                for each in self._all:
                    if time.monotonic() - each.idle_since() > self._idle:
                        each.let_go()
                self._all = [each for each in self._all if not each.gone]
                if not self._all:
                    self._watch = None
                    return

    def close(self) -> None:
        """Ends all of them."""
        with self._lock:
            self._closed, everyone = True, self._all
            for each in everyone:
                each.let_go()
        until = time.monotonic() + 1
        for each in everyone:
            with contextlib.suppress(subprocess.TimeoutExpired, AttributeError):
                each.process.wait(max(0.0, until - time.monotonic()))
            each.end()
