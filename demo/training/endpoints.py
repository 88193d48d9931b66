"""Plain routes of the training tab, and the named `/train`: a run is a stream of events."""

import importlib
import sys
import time
from collections.abc import AsyncIterator
from types import ModuleType

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from demo.engine import gr
from demo.host import UNHEARD, host_of, visitor_of
from demo.training import zero
from demo.turns import Turn
from demo.wire import BadRequest, answered, body_of, parse, sentence
from train.task import UsageError

_opening = Turn(200)


async def opened() -> ModuleType:
    """demo.training.workshop, and torch with it: loaded when first wanted, in a thread, for readers go on meanwhile."""
    return await _opening.take(importlib.import_module, "demo.training.workshop")


def close() -> None:
    """Ends all runs, when the server ends."""
    # it may be only half loaded yet
    if slots := getattr(sys.modules.get("demo.training.workshop"), "slots", None):
        slots.close()


def routes(app: FastAPI) -> None:
    """Adds train/run, steer, layers, line, choices, data, try and keep to `app`."""
    host, files = host_of(app), Turn(20)

    @app.post("/train/run", include_in_schema=False)
    @answered
    async def run(request: Request) -> StreamingResponse:
        """Starts a run and streams its events, one JSON object a line. It goes on when the connection drops."""
        wire, shop = parse(await body_of(request, host.limits.body)), await opened()
        pace = wire.pop("pace", "run")
        training = shop.Training(shop.read_settings(wire, shop.limits), shop.limits, visitor_of(request.scope))
        if zero.HERE:
            training.asked = gr.Request(request), app.get_blocks()
        training.steer(pace)
        shop.slots.check(training.visitor)
        return _stream(shop, training)

    @app.get("/train/run", include_in_schema=False)
    @answered
    async def again(run: str = "") -> StreamingResponse:
        """The events of a run from its start, for a page that was reloaded or whose connection dropped."""
        shop = await opened()
        return _stream(shop, shop.slots.find(run, ended=True), enter=False)

    @app.post("/train/steer", include_in_schema=False)
    @answered
    async def steer(request: Request) -> JSONResponse:
        wire, shop = parse(await body_of(request, host.limits.body)), await opened()
        training = shop.slots.find(str(wire.get("run")))
        if wire.get("do") == "stop":
            shop.slots.leave(training, "stop")
        else:
            training.steer(wire.get("do"))
        return JSONResponse({"state": training.state})

    @app.post("/train/layers", include_in_schema=False)
    @answered
    async def table(request: Request) -> JSONResponse:
        wire, shop = parse(await body_of(request, host.limits.body)), await opened()
        task, network = shop.task_of(wire), wire.get("network")
        if network not in shop.networks(task):
            raise BadRequest("There is no such network.", code="settings.no_network")
        options = shop.read_options(task, wire.get("options", {})) if network == "custom" else {}
        answer = shop.layer_table(task, network, options, shop.limits)
        if wire.get("gpu"):
            answer["gpu_seconds"] = shop.read_settings(wire, shop.limits).gpu_seconds
        return JSONResponse(answer)

    @app.get("/train/choices", include_in_schema=False)
    async def offered() -> JSONResponse:
        """What the form offers, and the limits."""
        shop = await opened()
        return JSONResponse(shop.choices(shop.limits))

    @app.get("/train/line", include_in_schema=False)
    async def line() -> JSONResponse:
        """How many runs train now, and how many wait."""
        shop = await opened()
        return JSONResponse({"training": shop.slots.busy, "waiting": shop.slots.waiting})

    @app.get("/train/data", include_in_schema=False)
    @answered
    async def data(task: str = "mnist") -> JSONResponse:
        """How many images there are of a task; the tab asks when it opens, so what a run needs is made ready."""
        shop = await opened()
        shop.get_ready()
        wanted = shop.task_of({"task": task})
        try:
            splits = await shop.shelf.await_splits(wanted, wanted.recipe("best"))
        except UsageError as error:  # an answer to the question that was asked
            return JSONResponse({"error": sentence(error), "code": error.message.code, "values": error.message.values})
        about = {"train": len(splits.train), "validation": len(splits.validation), "rendered": splits.rendered}
        return JSONResponse(about)

    @app.post("/train/try", include_in_schema=False)
    @answered
    async def own_drawing(request: Request, run: str = "") -> JSONResponse:
        body, shop = await body_of(request, host.limits.picture), await opened()
        work = shop.try_both, shop.store, run, body
        return JSONResponse(await host.pictures.take(*work, gone=request.is_disconnected))

    @app.get("/train/keep", include_in_schema=False)
    @answered
    async def keep(run: str = "", form: str = "safetensors") -> FileResponse:
        shop = await opened()
        path = shop.store.path(run)
        if form not in ("safetensors", "onnx"):
            raise BadRequest("A network can be kept as safetensors or as onnx.", code="keep.form")
        if form == "onnx":
            await files.take(shop.keep_onnx, run)
            path = path.with_suffix(".onnx")
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
                options, gpu (on a Space that lends one).

        Returns:
            JSON objects whose "kind" says what they tell: run, line, state, point, epoch, and at last end.
        """
        shop = await opened()
        try:
            wanted = shop.read_settings(settings, shop.limits)
            training = shop.Training(wanted, shop.limits, visitor_of(request.request.scope))
            if zero.HERE:
                training.asked = request, app.get_blocks()
            shop.slots.check(training.visitor)
        except UsageError as error:
            raise gr.Error(sentence(error), print_exception=False) from None
        heard = time.monotonic()
        async for event in shop.follow(shop.slots, training):
            if request.session_hash in host.listening:
                heard = time.monotonic()
            elif time.monotonic() - heard > UNHEARD:
                return
            if event and event["kind"] != "filters":
                yield event


def _stream(shop: ModuleType, training, enter: bool = True) -> StreamingResponse:
    # a proxy must not save the stream up, nor a compressor
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": "identity"}
    events = shop.follow(shop.slots, training, enter=enter, stays=True)
    return StreamingResponse(shop.lines(events), media_type="application/x-ndjson", headers=headers)
