"""A training that another process does, told as if it were here: its events, its network, its end."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from demo.training.runner import Training
from demo.training.store import Store
from train.task import Message, UsageError

if TYPE_CHECKING:  # it loads torch
    from demo.training.trainer.parts import Part

log = logging.getLogger(__name__)


class Lost(UsageError):
    """The process that trained is gone; the message says why, to visitors."""


def retell(training: Training, store: Store, parts: "Iterator[Part]") -> None:
    """The whole of a training, in the thread that calls. What goes wrong is said in the events, never raised.

    Whatever becomes of the other process, the last network that came from it is kept.
    """
    network, end = None, {}
    state, message = "stopped", ""
    training.enter("starting")
    try:
        for events, newer in parts:
            network = newer or network
            for event in events:
                end = _retold(training, event) or end
    except Lost as error:
        state, message = "failed", error.message
    except Exception:
        log.exception("a training in another process failed")
        state = "failed"
        message = Message("Something went wrong in this training. The log of the server says more.", code="run.failed")
    if end:
        state, message = end["state"], Message(end["message"])
        message.code, message.values = end["code"], end["values"]
        if end["why"]:
            training.end(end["why"])
        training.best, training.estimate = end["best"], end["estimate"]
    if network is not None:
        try:
            store.keep(training.id, network)
        except OSError:
            log.exception("a trained network could not be kept")
            network = None
            message = message or Message("The network could not be kept: the server's disk is full.", code="run.disk")
    training.finish(state, message, network is not None, end.get("epochs", training.came_to), end.get("seconds"))


def _retold(training: Training, event: dict) -> dict | None:
    """Says what was said there, and returns its last words when they come. The clock goes as it goes there."""
    if event["kind"] == "end":
        return event
    if event["kind"] == "state":
        if event["state"] == "paused":
            training.stop_clock()
        elif event["state"] == "loading" or training.state in ("loading", "paused"):
            training.start_clock()
        training.enter(event["state"])
    else:
        training.events.append(event)
    return None
