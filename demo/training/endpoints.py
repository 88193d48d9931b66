"""Plain routes of the training tab, and the named `/train`: a run is a stream, and ends when nobody reads it."""

import asyncio
import atexit
import json
import time
from collections.abc import AsyncIterator
from functools import partial

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from demo.host import host_of, visitor_of
from demo.limits import RunLimits
from demo.training.both import try_both
from demo.training.choices import choices
from demo.training.data import Shelf
from demo.training.runner import Slots, Training
from demo.training.settings import layer_table, networks, read_options, read_settings, task_of
from demo.training.store import Store
from demo.training.work import train
from demo.turns import Turn
from demo.wire import BadRequest, answered, body_of, parse, sentence
from train.answer.onnx import to_onnx
from train.fast.library import ready
from train.fast.machine import plan
from train.learn.checkpoint import load
from train.task import UsageError

PERIOD = 0.05  # seconds between two looks at what is new
PING = 0.5  # seconds after which an empty line shows whether somebody still reads
UNHEARD = 5.0  # seconds without anybody reading a call's events, after which nobody is thought to listen

limits = RunLimits()
store = Store(limits.kept, limits.kept_bytes)
shelf = Shelf()
how = plan()
slots = Slots(limits, partial(train, load=shelf.splits, plan=how, store=store))


@atexit.register
def close() -> None:
    """A thread that computes while Python ends would crash it; and nothing stays on the disk."""
    slots.close()
    store.clear()


def routes(app: FastAPI) -> None:
    """Adds train/run, steer, layers, line, choices, data, try and keep to `app`."""
    host, files = host_of(app), Turn(20)

    @app.post("/train/run", include_in_schema=False)
    @answered
    async def run(request: Request) -> StreamingResponse:
        """Starts a run and streams its events, one JSON object a line. Closing the connection ends the run."""
        wire = parse(await body_of(request, host.limits.body))
        pace = wire.pop("pace", "run")
        training = Training(read_settings(wire, limits), limits, visitor_of(request.scope))
        training.steer(pace)
        slots.check(training.visitor)
        lines = (json.dumps(event, separators=(",", ":")) + "\n" if event else "\n" async for event in follow(training))
        # a proxy must not save the stream up, nor a compressor
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": "identity"}
        return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)

    @app.post("/train/steer", include_in_schema=False)
    @answered
    async def steer(request: Request) -> JSONResponse:
        wire = parse(await body_of(request, host.limits.body))
        training = slots.find(str(wire.get("run")))
        if wire.get("do") == "stop":
            slots.leave(training, "stop")
        else:
            training.steer(wire.get("do"))
        return JSONResponse({"state": training.state})

    @app.post("/train/layers", include_in_schema=False)
    @answered
    async def table(request: Request) -> JSONResponse:
        wire = parse(await body_of(request, host.limits.body))
        task, network = task_of(wire), wire.get("network")
        if network not in networks(task):
            raise BadRequest("There is no such network.", code="settings.no_network")
        options = read_options(task, wire.get("options", {})) if network == "custom" else {}
        return JSONResponse(layer_table(task, network, options, limits))

    @app.get("/train/choices", include_in_schema=False)
    async def offered() -> JSONResponse:
        """What the form offers, and the limits."""
        return JSONResponse(choices(limits))

    @app.get("/train/line", include_in_schema=False)
    async def line() -> JSONResponse:
        """How many runs train now, and how many wait."""
        return JSONResponse({"training": slots.busy, "waiting": slots.waiting})

    @app.get("/train/data", include_in_schema=False)
    @answered
    async def data(task: str = "mnist") -> JSONResponse:
        """How many images there are of a task; the tab asks when it opens, so what a run needs is made ready."""
        if how.device == "cpu":
            ready()  # compiles meanwhile, once: it takes some seconds, which a first run need not wait for
        wanted = task_of({"task": task})
        try:
            splits = await shelf.await_splits(wanted, wanted.recipe("best"))
        except UsageError as error:  # an answer to the question that was asked
            return JSONResponse({"error": sentence(error), "code": error.message.code, "values": error.message.values})
        about = {"train": len(splits.train), "validation": len(splits.validation), "rendered": splits.rendered}
        return JSONResponse(about)

    @app.post("/train/try", include_in_schema=False)
    @answered
    async def own_drawing(request: Request, run: str = "") -> JSONResponse:
        body = await body_of(request, host.limits.picture)
        return JSONResponse(await host.pictures.take(try_both, store, run, body, gone=request.is_disconnected))

    @app.get("/train/keep", include_in_schema=False)
    @answered
    async def keep(run: str = "", form: str = "safetensors") -> FileResponse:
        path = store.path(run)
        if form not in ("safetensors", "onnx"):
            raise BadRequest("A network can be kept as safetensors or as onnx.", code="keep.form")
        if form == "onnx":
            path = path.with_suffix(".onnx")
            if not path.exists():
                await files.take(lambda: to_onnx(*load(store.path(run)), path))
        return FileResponse(path, media_type="application/octet-stream", filename=f"run-{run}.{form}")


def api(app: gr.Server) -> None:
    """Adds the named endpoint `/train`."""
    host = host_of(app)

    @app.api(name="train", concurrency_limit=None)
    async def train(settings: dict, request: gr.Request) -> AsyncIterator[dict]:
        """Train a network and stream its progress. Closing the connection or cancelling ends the run.

        Args:
            settings: {"task": "mnist" or "asl", "recipe": "best", "sprint" or "lesson"} and, in place of the recipe's
                own, any of network, epochs, batch_size, learning_rate, optimizer, schedule, augment, share, seed,
                options.

        Returns:
            JSON objects whose "kind" says what they tell: run, line, state, point, epoch, and at last end.
        """
        try:
            training = Training(read_settings(settings, limits), limits, visitor_of(request.request.scope))
            slots.check(training.visitor)
        except UsageError as error:
            raise gr.Error(sentence(error), print_exception=False) from None
        heard = time.monotonic()
        async for event in follow(training):
            if request.session_hash in host.listening:
                heard = time.monotonic()
            elif time.monotonic() - heard > UNHEARD:
                return
            if event and event["kind"] != "filters":
                yield event


async def follow(training: Training) -> AsyncIterator[dict | None]:
    """Puts a training in line and yields its events as they come; None now and then when there is nothing new.

    Whoever stops following, for whatever reason, ends the training.
    """
    sent, place, spoken = 0, None, 0.0
    try:
        try:
            slots.enter(training)
        except UsageError as error:
            yield {"kind": "end", "state": "failed", "message": str(error), "kept": False}
            return
        yield {"kind": "run", "run": training.id, "parameters": training.settings.parameters}
        while True:
            over = training.ended.is_set()  # looked at first, so that nothing said before the end is missed
            now = slots.place(training)
            if now != place:
                place = now
                yield {"kind": "line", "place": place}
            for event in training.events[sent:]:
                sent, spoken = sent + 1, time.monotonic()
                yield event
            if over:
                return
            if time.monotonic() - spoken > PING:
                spoken = time.monotonic()
                yield None
            await asyncio.sleep(PERIOD)
    finally:
        slots.leave(training)
