"""What all tabs of one server share: its limits, the turns of the readers, the uploads, and who a visitor is."""

import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI

from demo.limits import HostLimits, trusted_proxies
from demo.turns import Turn
from demo.uploads import Uploads

PORT = re.compile(r"^(\[.*\]|[^:]*):\d+$")  # some proxies add it; each connection has another
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

    Each proxy in front (`HostLimits.proxies`; on a Space there is one) adds the address that asked it at the end of
    X-Forwarded-For. As many addresses count: what stands before them may be forged, and so may all of them where there
    are fewer, since then the request did not come through the proxies.
    """
    if proxies := trusted_proxies() or bool(os.environ.get("SPACE_ID")):
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        told = [each for each in map(str.strip, ",".join(values).split(",")) if each]
        if len(told) >= proxies:
            return PORT.sub(r"\1", told[-proxies])
    client = scope.get("client")
    return client[0] if client else ""
