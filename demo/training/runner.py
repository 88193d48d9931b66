"""One training on a shared host: steered and followed from outside, and with an end that always comes.

A training runs in a thread of its own, in a process that has torch; one in the server stands for it, tells its events
(retell.py) and passes on how it is steered. It ends at its recipe's end, when stopped, at its deadline, and when nobody
has followed it for a while. Whatever its end, the network keeps what it has learned.
"""

import secrets
import threading
import time

from demo.errors import BadRequest
from demo.limits import RunLimits
from demo.training.settings import Settings


class Ended(Exception):
    """Raised inside a training to end it at once, in the middle of a step if need be."""


class Training:
    """One training, from the line to its end. Safe to steer and to follow from any thread.

    `events` only grows: each is a JSON object with the key "kind": state, fitted, shortened, point,
    filters, checking, epoch, stuck, end.
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
        self.asked: tuple | None = None  # on a ZeroGPU Space: Gradio's request and blocks, for its quota
        self._wish, self._wishes = "run", 0  # or pause, step; and how often something was wished
        self._end = ""  # why it shall end: stop, gone, deadline
        self._wake = threading.Condition()
        self._resumed = 0.0  # when the clock last started
        self._followers, self._alone_since = 0, time.monotonic()

    # ---- from outside

    def steer(self, wish: str) -> None:
        """Asks for run, pause, step (one batch, then pause) or stop. Raises BadRequest for anything else."""
        if wish not in ("run", "pause", "step", "stop"):
            raise BadRequest("A run can be told to run, pause, step or stop.", code="run.steer")
        if wish == "stop":
            self.end("stop")
            return
        if wish in ("pause", "step") and self.settings.gpu_seconds:
            raise BadRequest("A run on the GPU does not wait: its seconds are counted.", code="run.gpu_pause")
        with self._wake:
            self._wish, self._wishes = wish, self._wishes + 1
            self._wake.notify_all()

    def end(self, why: str) -> None:
        """Ends it at once, keeping what it has learned; `why` is stop, gone (nobody follows) or deadline."""
        with self._wake:
            self._end = self._end or why
            self._wake.notify_all()

    def follow(self, more: int) -> None:
        """One follower more (1), or one less (-1)."""
        with self._wake:
            self._followers += more
            self._alone_since = time.monotonic()

    @property
    def forsaken(self) -> bool:
        """Whether nobody has followed it for so long that nobody is thought to come back."""
        most = self.limits.alone_when_awaited if self.awaited else self.limits.alone
        return not self._followers and time.monotonic() - self._alone_since > most

    def left(self) -> float:
        """Seconds for which it will still hold its slot, as far as can be told: at most what the host allows."""
        most, point = max(0.0, self.limits.seconds - self.clock()), self._last_point()
        return min(most, point["left"]) if point else most

    @property
    def came_to(self) -> float:
        """The epochs that it has trained, as its last point tells."""
        point = self._last_point()
        return point["at"] if point else 0.0

    def _last_point(self) -> dict | None:
        return next((event for event in reversed(self.events) if event["kind"] == "point"), None)

    @property
    def order(self) -> tuple[int, str, str, bool]:
        """All that was asked of it from outside, for the one in another process that does the work."""
        return self._wishes, self._wish, self._end, self.awaited

    def obey(self, order: tuple[int, str, str, bool]) -> None:
        """Does what was asked of the one that stands for it elsewhere."""
        wishes, wish, end, self.awaited = order
        if end:
            self.end(end)
        elif wishes != self._wishes:
            self.steer(wish)
            self._wishes = wishes

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
        if not self._end and self.forsaken:
            self._end = "gone"
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
                    elif self.forsaken:
                        self._end = "gone"
                self.start_clock()
            if self._wish == "run" and self.state == "paused" and not self._end:
                self.enter("training")
            single = self._wish == "step"
            if single:
                self._wish = "pause"
        self.check()
        return single

    def finish(
        self, state: str, message: str = "", kept: bool = False, epochs: float = 0.0, seconds: float | None = None
    ) -> None:
        """Says its last words: finished, stopped or failed, and whether its network can be used.

        `seconds` are those of its clock, where another process knows better.
        """
        self.stop_clock()
        self.seconds = self.seconds if seconds is None else seconds
        self.say("end", state=state, message=str(message), code=getattr(message, "code", ""),
                 values=getattr(message, "values", {}), why=self._end, kept=kept, best=self.best,
                 estimate=self.estimate, seconds=round(self.seconds, 2), epochs=round(epochs, 4))  # fmt: skip
        self.state = state

    def thin(self) -> None:
        """Forgets the filters on their way: who finds it again after its end sees the last ones."""
        told = [at for at, event in enumerate(self.events) if event["kind"] == "filters"]
        for at in told[:-1]:
            self.events[at] = {"kind": "filters", "filters": None}

    @property
    def why(self) -> str:
        """Why it was ended from outside; empty if it was not."""
        return self._end
