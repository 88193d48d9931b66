"""The process that trains, python -m demo.training.trainer.child, started by the server (trainers.py).

It answers by standard output what comes by standard input, both as pickles, and ends when its input does: so it never
outlives the server, however that ended.
"""

import atexit
import contextlib
import ctypes
import faulthandler
import gc
import logging
import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from train.task import UsageError

log = logging.getLogger(__name__)
BEAT = 1.0  # seconds between two signs of life
HUNG = 60.0  # seconds without one, after which a process ends itself, or is ended
PERIOD = 0.05  # seconds between two parts of what a training tells
KEPT_EVERY = 20.0  # seconds between two networks that the server is given, should this process come to harm
NICENESS = 5  # readers go first


class Child:
    """What is asked (`asks`) and trained (one run at a time) in this process."""

    def __init__(self, come, go):
        """`come` and `go` are binary files."""
        self._come, self._go, self._sending = come, go, threading.Lock()
        self._asks: queue.SimpleQueue = queue.SimpleQueue()
        self._training = None
        self._busy: Callable[[], bool] = lambda: False

    def serve(self, load: Callable | None = None) -> None:
        """Never returns. `load` gives splits as train.data.splits.load_splits does."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        asks = self._ready(load)
        with contextlib.suppress(AttributeError, OSError):  # for the threads that come: getting ready was waited for
            os.nice(NICENESS)
        gc.freeze()  # what the process is made of stays: it need not be searched after each run
        self.say("ready")
        while True:
            kind, number, *arguments = self._asks.get()
            if kind == "run":
                threading.Thread(target=self._run, args=arguments, name="run", daemon=True).start()
            else:
                self._answer(asks, number, *arguments)

    def say(self, *words) -> None:
        """Tells the server. It may be gone: then this process is about to end."""
        with self._sending, contextlib.suppress(OSError, ValueError):
            pickle.dump(words, self._go)
            self._go.flush()

    def _ready(self, load: Callable | None) -> dict[str, Callable]:
        """Loads torch, and what else a training takes. What may be asked, by name."""
        from demo.training import settings, zero
        from demo.training.trainer.data import Shelf
        from demo.training.trainer.parts import parts
        from train.data.splits import load_splits
        from train.fast import library
        from train.fast.machine import plan

        self._parts, self._plan = parts, plan("cpu" if zero.HERE else "auto")  # the lent GPU is not this process's
        self._shelf = Shelf(load or load_splits)
        if self._plan.device == "cpu":
            library.ready()  # compiled once and meanwhile: a first run need not wait for it
        self._busy = lambda: library.compiling() or self._shelf.loading
        return {
            "settings": settings.read_settings,
            "layers": settings.read_layers,
            "images": self._shelf.count,
            "reading": _reading,
        }

    def _listen(self) -> None:
        try:
            while True:
                kind, *words = pickle.load(self._come)
                if kind == "order":
                    if training := self._training:
                        training.obey(*words)
                    continue
                if kind == "run":  # known from here on, so that no order is missed
                    self._training = self._begun(*words)
                    words = [0, self._training]
                self._asks.put((kind, *words))
        finally:  # the server is gone, or lets this process go
            leave()

    def _begun(self, settings, limits, order):
        from demo.training.runner import Training

        training = Training(settings, limits)
        training.obey(order)
        return training

    def _run(self, training) -> None:
        try:
            for part in self._parts(training, self._shelf.splits, self._plan, keep_every=KEPT_EVERY, period=PERIOD):
                self.say("part", *part)
        finally:
            self._training = training = None
            give_memory_back()
            self.say("over")

    def _answer(self, asks: dict[str, Callable], number: int, name: str, *arguments) -> None:
        try:
            answer = asks[name](*arguments)
        except UsageError as error:
            self.say("answer", number, None, error)
        except Exception:
            log.exception("%s could not be answered", name)
            self.say("answer", number, None, None)
        else:
            if isinstance(answer, Future):  # what takes long is waited for by no thread
                answer.add_done_callback(lambda done: self._answer({name: done.result}, number, name))
            else:
                self.say("answer", number, answer, None)

    def _beat(self) -> None:
        while True:
            # this watch needs no lock of Python's: it ends a process that hangs with the lock in its hand
            faulthandler.dump_traceback_later(HUNG, exit=True)
            self.say("alive", self._busy())
            time.sleep(BEAT)


def _reading(*arguments) -> dict:
    from demo.training.reading import reading  # only now: few networks need torch to read

    return reading(*arguments)


def give_memory_back() -> None:
    """Returns freed memory to the system: Python would keep what refers to itself, and glibc what is free."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def leave() -> None:
    """Ends this process at once, and the compilers that it has started: what computes is not waited for."""
    threading.Timer(3, os._exit, (0,)).start()
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    os._exit(0)


def main(load: Callable | None = None) -> None:
    """This process, from its start to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to hear
    # what anything prints goes to the log, and nothing reads what is meant for us
    come, go = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    logging.basicConfig(stream=sys.stderr)
    Child(come, go).serve(load)


if __name__ == "__main__":
    main()
