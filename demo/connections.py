"""Connections: how many there may be, and how long a client may take to say what it wants.

Uvicorn waits for a request's headers, and for a client to read its answer, as long as it takes, and has no setting for
that.
"""

import uvicorn

from demo.limits import HostLimits

GOODBYE = 2  # seconds that open streams, such as a training's, get when the server ends


def limit_connections(config: uvicorn.Config, limits: HostLimits) -> None:
    """Sets the limits of a server that runs: its configuration is read for each new connection."""
    config.limit_concurrency = limits.connections
    config.timeout_graceful_shutdown = GOODBYE
    if not issubclass(config.http_protocol_class, _Hurried):
        config.http_protocol_class = type(
            "Hurried",
            (_Hurried, config.http_protocol_class),
            {"most": limits.header_seconds, "most_unread": limits.send_seconds},
        )


class _Hurried:
    """Mixed into uvicorn's protocol: a connection ends if headers do not come, or an answer does not go, in time."""

    most, most_unread = 20.0, 60.0
    _timer = _unread = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        if self._timer is None and (before is None or before.response_complete):
            self._start()  # a next request on the same connection
        super().data_received(data)
        if self.cycle is not before:  # its headers are complete
            self._stop()

    def pause_writing(self) -> None:
        """Called when more of an answer waits than the client's side takes."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.most_unread, self.transport.abort)

    def resume_writing(self) -> None:
        self._read()
        super().resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop()
        self._read()
        super().connection_lost(error)

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _start(self) -> None:
        self._timer = self.loop.call_later(self.most, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
