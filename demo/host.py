"""What all tabs of one server share: its limits, the turns of the readers, the uploads, and who a visitor is."""

import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI

from demo.limits import HostLimits
from demo.turns import Turn
from demo.uploads import Uploads

UNHEARD = 5.0  # seconds without anybody reading a call's events, after which nobody is thought to listen
AT_ONCE = re.compile(r"/gradio_api/(run|api)/")  # calls of Gradio's that are answered on their own connection


class Host:
    """One server's shared state."""

    def __init__(self, limits: HostLimits | None = None):
        self.limits = limits or HostLimits()
        self.drawings = Turn(self.limits.readings)  # a drawing is read in milliseconds: it waits for no photo
        self.pictures = Turn(self.limits.readings)  # of all tabs and endpoints: one picture is decoded at a time
        self.uploads = Uploads(Path(tempfile.mkdtemp(prefix="digits-and-signs-")), self.limits)
        self.listening: Counter[str] = Counter()  # Gradio's sessions and events whose stream somebody reads

    def gone(self, request) -> Callable[[], Awaitable[bool]]:
        """What tells, later, whether the caller of a named endpoint has left; `request` is Gradio's, of the call."""
        called, asked = time.monotonic(), request.request

        async def left() -> bool:
            if AT_ONCE.search(asked.scope["path"]):
                return await asked.is_disconnected()
            return request.session_hash not in self.listening and time.monotonic() - called > UNHEARD

        return left


def host_of(app: FastAPI) -> Host:
    """The host of an app, made when first asked for."""
    if not hasattr(app.state, "host"):
        app.state.host = Host()
    return app.state.host


def visitor_of(scope: dict) -> str:
    """Who asks, as far as one can know: an address.

    On a Space everybody comes through one proxy, which adds the visitor's address at the end of X-Forwarded-For. What
    stands before it may be forged, and where there is no such proxy, all of it.
    """
    if os.environ.get("SPACE_ID"):
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                return value.decode("latin-1").rsplit(",", 1)[-1].strip()
    client = scope.get("client")
    return client[0] if client else ""
