"""Plain routes of the training tab: a run is one streamed answer, and ends when nobody reads it any more."""

import asyncio
import atexit
import json
import time
from collections.abc import AsyncIterator
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from demo.runner import Slots, Training
from demo.training_data import Shelf
from demo.training_settings import Limits, layer_table, networks, read_options, read_settings
from demo.training_store import Store
from demo.training_try import try_both
from demo.training_work import train
from train.answer.onnx import to_onnx
from train.fast.machine import plan
from train.learn.checkpoint import load
from train.task import UsageError, task_named

MOST_BYTES = 20_000  # of settings
MOST_PICTURE_BYTES = 25_000_000
PERIOD = 0.05  # seconds between two looks at what is new
PING = 0.5  # seconds after which an empty line shows whether somebody still reads

limits = Limits()
store = Store()
shelf = Shelf()
how = plan()
slots = Slots(limits, partial(train, load=shelf.splits, plan=how, store=store))


@atexit.register
def close() -> None:
    """A thread that computes while Python ends would crash it; and nothing stays on the disk."""
    slots.close()
    store.clear()


def routes(app: FastAPI) -> None:
    """Adds train/run, train/steer, train/layers, train/data, train/try and train/keep to `app`."""

    @app.post("/train/run", include_in_schema=False)
    async def run(request: Request):
        """Starts a run and streams its events, one JSON object a line. Closing the connection ends the run."""
        return await _answered(_run(request))

    @app.post("/train/steer", include_in_schema=False)
    async def steer(request: Request):
        return await _answered(_steer(request))

    @app.post("/train/layers", include_in_schema=False)
    async def table(request: Request):
        return await _answered(_layers(request))

    @app.get("/train/line", include_in_schema=False)
    async def line():
        """How many runs train now, and how many wait."""
        return {"training": slots.busy, "waiting": slots.waiting}

    @app.get("/train/data", include_in_schema=False)
    async def data(task: str = "mnist"):
        return await _answered(_data(task))

    @app.post("/train/try", include_in_schema=False)
    async def own_drawing(request: Request, run: str):
        return await _answered(_try(request, run))

    @app.get("/train/keep", include_in_schema=False)
    async def keep(run: str, form: str = "safetensors"):
        return await _answered(_keep(run, form))


async def _answered(answer):
    try:
        return await answer
    except UsageError as error:
        return JSONResponse({"error": str(error)}, 400)


async def _run(request: Request) -> StreamingResponse:
    wire = await read_json(request)
    pace = wire.pop("pace", "run")
    training = Training(read_settings(wire, limits), limits)
    training.steer(pace)
    events = follow(training)
    lines = (json.dumps(event, separators=(",", ":")) + "\n" if event else "\n" async for event in events)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy must not save the stream up
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


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


async def _steer(request: Request) -> JSONResponse:
    wire = await read_json(request)
    training = slots.find(str(wire.get("run")))
    if wire.get("do") == "stop":
        slots.leave(training, "stop")
    else:
        training.steer(wire.get("do"))
    return JSONResponse({"state": training.state})


async def _layers(request: Request) -> JSONResponse:
    wire = await read_json(request)
    task = task_named(str(wire.get("task")))
    network = wire.get("network")
    if network not in networks(task):
        raise UsageError("There is no such network.")
    options = read_options(task, wire.get("options", {})) if network == "custom" else {}
    return JSONResponse(layer_table(task, network, options, limits))


async def _data(name: str) -> JSONResponse:
    task = task_named(name)
    try:
        splits = await run_in_threadpool(shelf.splits, task, task.recipe("best"))
    except UsageError as error:
        return JSONResponse({"error": str(error)})  # an answer to the question that was asked
    return JSONResponse({"train": len(splits.train), "validation": len(splits.validation)})


async def _keep(run: str, form: str) -> FileResponse:
    path = store.path(run)
    if form not in ("safetensors", "onnx"):
        raise UsageError("A network can be kept as safetensors or as onnx.")
    if form == "onnx":
        path = path.with_suffix(".onnx")
        if not path.exists():
            await run_in_threadpool(lambda: to_onnx(*load(store.path(run)), path))
    return FileResponse(path, media_type="application/octet-stream", filename=f"run-{run}.{form}")


async def _try(request: Request, run: str) -> JSONResponse:
    body = await read_body(request, MOST_PICTURE_BYTES)
    return JSONResponse(await run_in_threadpool(try_both, store, run, body))


async def read_body(request: Request, most: int) -> bytes:
    """The request's body. Raises UsageError as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise UsageError(f"That is too much: at most {most // 1000} kB can be read.")
    return bytes(body)


async def read_json(request: Request) -> dict:
    """The request's body as a JSON object. Raises UsageError if it is none, or too long."""
    body = await read_body(request, MOST_BYTES)
    try:
        wire = json.loads(body)  # NaN and Infinity pass here, and are refused where a number is checked
    except (ValueError, RecursionError):
        raise UsageError("That is not JSON.") from None
    if not isinstance(wire, dict):
        raise UsageError("A JSON object is expected.")
    return wire
