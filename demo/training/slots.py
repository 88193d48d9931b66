"""The slots in which trainings run on a shared host, and the line before them."""

import threading
import time
from collections import deque
from collections.abc import Callable

from demo.errors import BadRequest, TooMany
from demo.limits import RunLimits
from demo.training.runner import Training
from demo.turns import Busy


class Slots:
    """The slots for training and the line before them. Predictions never pass here.

    Whoever waits and is followed by nobody loses the place. A training that has ended can be found for a while: a page
    whose connection dropped meanwhile asks for it.
    """

    def __init__(self, limits: RunLimits, work: Callable[[Training], None]):
        self.limits = limits
        self._work = work
        self._line: deque[Training] = deque()
        self._running: dict[str, Training] = {}
        self._over: deque[tuple[float, Training]] = deque(maxlen=limits.kept)  # with when they ended
        self._lock = threading.Lock()

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
        self._let_go()
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
                self._drop(training)
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

    def find(self, run: str, ended: bool = False) -> Training:
        """The training of that id, in the line or in a slot, or `ended` not long ago. Raises BadRequest."""
        with self._lock:
            while self._over and time.monotonic() - self._over[0][0] > self.limits.alone:
                self._over.popleft()
            over = [training for _, training in self._over] if ended else []
            for training in (*self._running.values(), *self._line, *over):
                if training.id == run:
                    return training
        raise BadRequest("This run has ended.", code="run.ended")

    def place(self, training: Training) -> tuple[int, float]:
        """1 for the next in line and the seconds until its turn, as far as can be told; 0 and 0 for one not in line."""
        with self._lock:
            self._let_go()
            if training not in self._line:
                return 0, 0.0
            place = self._line.index(training)
            free = sorted(each.left() for each in self._running.values()) or [0.0]
            for _ in range(place):  # whoever stands before it takes the next slot that is free
                free = sorted([free[0] + self.limits.seconds, *free[1:]])
            return place + 1, free[0]

    @property
    def busy(self) -> int:
        """How many trainings hold a slot."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many trainings stand in line."""
        return len(self._line)

    def _let_go(self) -> None:
        """Those in line whom nobody follows any more lose their place."""
        for training in [each for each in self._line if each.forsaken]:
            training.end("gone")
            self._drop(training)

    def _drop(self, training: Training) -> None:
        self._line.remove(training)
        training.finish("stopped")
        self._over.append((time.monotonic(), training))
        training.ended.set()

    def _advance(self) -> None:
        self._let_go()
        while self._line and len(self._running) < self.limits.slots:
            training = self._line.popleft()
            training.awaited = False
            self._running[training.id] = training
            threading.Thread(target=self._run, args=(training,), name=f"training-{training.id}", daemon=True).start()
        for training in self._running.values():
            training.awaited = bool(self._line)
        for training in self._line:
            training.awaited = training is not self._line[-1]

    def _run(self, training: Training) -> None:
        try:
            self._work(training)
        finally:
            with self._lock:
                self._running.pop(training.id, None)
                training.thin()
                self._over.append((time.monotonic(), training))
                self._advance()
            training.ended.set()
