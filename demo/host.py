"""What all tabs of one server share: its limits, the turns of the readers, the uploads, and who a visitor is."""

import os
import tempfile
from collections import Counter
from pathlib import Path

from fastapi import FastAPI

from demo.limits import HostLimits
from demo.turns import Turn
from demo.uploads import Uploads


class Host:
    """One server's shared state."""

    def __init__(self, limits: HostLimits | None = None):
        self.limits = limits or HostLimits()
        self.drawings = Turn(self.limits.readings)  # a drawing is read in milliseconds: it waits for no photo
        self.pictures = Turn(self.limits.readings)  # of all tabs and endpoints: one picture is decoded at a time
        self.uploads = Uploads(Path(tempfile.mkdtemp(prefix="digits-and-signs-")), self.limits)
        self.listening: Counter[str] = Counter()  # Gradio's sessions and events whose stream somebody reads


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
