"""What a visitor may take, and all of them together: each limit, its setting, its default and what it protects.

A setting is an environment variable, DIGITS_AND_SIGNS_ and the limit's name. The README's table is `table()`.
"""

import math
import os
from dataclasses import Field, dataclass, field, fields

PREFIX = "DIGITS_AND_SIGNS_"


def limit(setting: str, default: float, unit: str, protects: str) -> Field:
    """A field whose value is the environment's, where that is a positive number, otherwise `default`."""
    about = {"setting": PREFIX + setting, "default": default, "unit": unit, "protects": protects}
    return field(default_factory=lambda: _from_environment(PREFIX + setting, default), metadata=about)


def _from_environment(name: str, default: float) -> float:
    try:
        value = float(os.environ.get(name, default))
    except ValueError:
        return default
    if not (value > 0 and math.isfinite(value)):
        return default
    return max(1, int(value)) if isinstance(default, int) else value


@dataclass(frozen=True)
class HostLimits:
    """Of the server: connections, requests, uploads and readings."""

    connections: int = limit("CONNECTIONS", 1000, "in all", "file descriptors and memory")
    header_seconds: float = limit("HEADER_SECONDS", 20.0, "seconds", "connections, from clients that never ask")
    body_seconds: float = limit("BODY_SECONDS", 120.0, "seconds", "memory, from bodies that never end")
    send_seconds: float = limit("SEND_SECONDS", 60.0, "seconds", "memory, from clients that do not read their answer")
    requests: int = limit("REQUESTS", 600, "open in all", "the event loop")
    requests_each: int = limit("REQUESTS_EACH", 200, "open a visitor", "everybody else")
    proxies: int = limit(
        "PROXIES", 0, "in front (on a Space 1)",
        "who a visitor is: as many addresses count at the end of `X-Forwarded-For`, the rest may be forged",
    )  # fmt: skip
    body: int = limit("BODY_BYTES", 200_000, "bytes", "memory and time: JSON, such as a drawing's strokes")
    picture: int = limit("PICTURE_BYTES", 25_000_000, "bytes", "memory: one picture file")
    bodies: int = limit("BODIES_BYTES", 250_000_000, "bytes in all", "memory: bodies on their way")
    uploads: int = limit("UPLOADS_BYTES", 500_000_000, "bytes in all", "the disk: pictures sent to the API")
    uploads_each: int = limit("UPLOADS_EACH_BYTES", 100_000_000, "bytes a visitor", "the others' uploads")
    upload_seconds: float = limit("UPLOAD_SECONDS", 600.0, "seconds", "the disk: an upload is deleted after that")
    readings: int = limit("READINGS", 100, "waiting in all", "the wait for an answer")


@dataclass(frozen=True)
class RunLimits:
    """Of trainings: how many, how long, how large."""

    seconds: float = limit(
        "TRAIN_SECONDS", 120.0, "seconds",
        "the line: a run ends then and keeps what it learned; a longer recipe is fitted to it, and again if the "
        "machine turns slower",
    )  # fmt: skip
    gpu_seconds: float = limit("TRAIN_GPU_SECONDS", 60.0, "seconds", "a visitor's daily share of a ZeroGPU Space's GPU")
    slots: int = limit("TRAIN_SLOTS", 1, "at once in all", "the processor")
    line: int = limit("TRAIN_LINE", 20, "waiting in all", "people's patience")
    each: int = limit("TRAIN_EACH", 8, "running or waiting a visitor", "the others' place in the line")
    pause: float = limit("TRAIN_PAUSE", 300.0, "seconds", "the slot, from a paused run")
    pause_when_awaited: float = limit("TRAIN_PAUSE_AWAITED", 30.0, "seconds", "the slot, while somebody waits for it")
    alone: float = limit("TRAIN_ALONE", 600.0, "seconds", "slot and memory, from a run that nobody follows")
    alone_when_awaited: float = limit("TRAIN_ALONE_AWAITED", 15.0, "seconds", "the slot, while somebody waits for it")
    epochs: int = limit("TRAIN_EPOCHS", 100, "epochs", "the line")
    batch_size: int = limit("TRAIN_BATCH", 1024, "images", "memory")
    parameters: int = limit("TRAIN_PARAMETERS", 5_000_000, "parameters", "memory")
    multiplications: int = limit("TRAIN_MULTIPLICATIONS", 50_000_000, "an image", "the processor")
    step: int = limit("TRAIN_STEP", 5_000_000_000, "multiplications a batch", "stopping at once: no step is long")
    idle: float = limit(
        "TRAIN_IDLE", 30.0, "seconds", "memory: a process that trains is let go when nobody has used it for so long"
    )
    kept: int = limit("TRAIN_KEPT", 100, "networks in all", "the disk: the oldest go first")
    kept_bytes: int = limit("TRAIN_KEPT_BYTES", 500_000_000, "bytes in all", "the disk")


def trusted_proxies() -> int:
    """`HostLimits.proxies` alone: each request asks for it, and all limits would take it longer."""
    return HostLimits.__dataclass_fields__["proxies"].default_factory()


def table() -> str:
    """All limits as a Markdown table, for the README."""
    rows = ["| setting | default | protects |", "|---|---|---|"]
    for each in (*fields(HostLimits), *fields(RunLimits)):
        about = each.metadata
        rows.append(f"| `{about['setting']}` | {about['default']:,.0f} {about['unit']} | {about['protects']} |")
    return "\n".join(rows)
