"""The training tab: choose, watch, steer, compare, try and keep; and the `/train` endpoint that streams.

The page's own script (`static/training.*`) reads a run as one streamed answer and draws it; see training_routes.py.
"""

import json
import time
from collections.abc import AsyncIterator

import gradio as gr

from demo.page import page
from demo.runner import Training
from demo.training_routes import follow, limits, routes
from demo.training_settings import OPTIMIZERS, SCHEDULES, networks, read_settings
from train.learn.augment import AUGMENTATIONS
from train.task import TASKS, UsageError

__all__ = ["routes", "tab"]

SCRIPTS = (
    "draw.pad.js",
    "training.chart.js",
    "training.form.js",
    "training.runs.js",
    "training.sights.js",
    "training.try.js",
    "training.js",
)
UNHEARD = 0.8  # seconds without anybody fetching a message, after which nobody is thought to listen


def tab() -> None:
    """Declares the tab inside an open `gr.Tab`: components, then the `/train` endpoint."""
    page("training", SCRIPTS, before=f"const CHOICES = {json.dumps(choices())};")
    settings = gr.JSON(value={"task": "mnist", "recipe": "best", "epochs": 1}, visible=False, label="settings")
    progress = gr.JSON(visible=False, label="progress")
    start = gr.Button(visible=False)

    start.click(train, settings, progress, api_name="train", concurrency_limit=None)


def choices() -> dict:
    """All that the page offers, and the limits it shows."""
    return {
        "tasks": {
            name: {
                "title": task.title,
                "labels": task.labels,
                "networks": networks(task),
                "recipes": {each.name: _recipe(each) for each in task.recipes.values()},
            }
            for name, task in TASKS.items()
        },
        "optimizers": OPTIMIZERS,
        "schedules": SCHEDULES,
        "augmentations": list(AUGMENTATIONS),
        "limits": {
            "seconds": limits.seconds,
            "epochs": limits.epochs,
            "batch_size": limits.batch_size,
            "parameters": limits.parameters,
            "pause": limits.pause,
        },
    }


def _recipe(recipe) -> dict:
    names = ("explanation", "network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment",
             "share")  # fmt: skip
    return {name: getattr(recipe, name) for name in names}


async def train(settings: dict, request: gr.Request) -> AsyncIterator[dict]:
    """Trains a network and streams its progress. Closing the connection or cancelling ends the run.

    `settings`: {"task": "mnist" or "asl", "recipe": "best" or "lesson"} and, in place of the recipe's own, any of
    network, epochs, batch_size, learning_rate, optimizer, schedule, augment, share, seed, options. Yields JSON
    objects whose "kind" says what they tell: run, line, state, point, epoch, and at last end.
    """
    try:
        training = Training(read_settings(settings, limits), limits)
    except UsageError as error:
        raise gr.Error(str(error), print_exception=False) from None
    heard = time.monotonic()
    async for event in follow(training):
        if not _unread(request):
            heard = time.monotonic()
        elif time.monotonic() - heard > UNHEARD:
            return
        if event and event["kind"] != "filters":
            yield event


def _unread(request: gr.Request) -> int:
    """Messages that wait for this client; they pile up if it started a run and never listens."""
    try:
        messages = request.request.app.get_blocks()._queue.pending_messages_per_session[request.session_hash]
    except (AttributeError, KeyError):
        return 0
    return messages.qsize()
