"""Plain routes of the training tab, and the named `/train`: a run is a stream of events."""

import time
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from demo.engine import gr
from demo.host import UNHEARD, host_of, visitor_of
from demo.training import zero
from demo.training.both import try_both
from demo.training.choices import choices
from demo.training.follow import follow, lines
from demo.training.runner import Training
from demo.training.settings import task_of
from demo.training.workshop import close, keep_onnx, limits, slots, store, trainers
from demo.turns import Turn
from demo.wire import BadRequest, NotReady, answered, body_of, parse, sentence
from train.task import UsageError

__all__ = ["api", "close", "routes"]


def routes(app: FastAPI) -> None:
    """Adds train/run, steer, layers, line, choices, data, try and keep to `app`."""
    _add_runs(app)
    _add_form(app)
    _add_results(app)


def _add_runs(app: FastAPI) -> None:
    """A run is started, followed and steered."""
    host = host_of(app)

    @app.post("/train/run", include_in_schema=False)
    @answered
    async def run(request: Request) -> StreamingResponse:
        """Starts a run and streams its events, one JSON object a line. It goes on when the connection drops."""
        wire = parse(await body_of(request, host.limits.body))
        pace = wire.pop("pace", "run")
        training = Training(await trainers.ask("settings", wire, limits), limits, visitor_of(request.scope))
        if zero.HERE:
            training.asked = gr.Request(request), app.get_blocks()
        training.steer(pace)
        slots.check(training.visitor)
        return _stream(training)

    @app.get("/train/run", include_in_schema=False)
    @answered
    async def again(run: str = "") -> StreamingResponse:
        """The events of a run from its start, for a page that was reloaded or whose connection dropped."""
        return _stream(slots.find(run, ended=True), enter=False)

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


def _add_form(app: FastAPI) -> None:
    """What the form asks before a run: choices, data, layers, the line."""
    host = host_of(app)

    @app.post("/train/layers", include_in_schema=False)
    @answered
    async def table(request: Request) -> JSONResponse:
        wire = parse(await body_of(request, host.limits.body))
        return JSONResponse(await trainers.ask("layers", wire, limits))

    @app.get("/train/choices", include_in_schema=False)
    async def offered() -> JSONResponse:
        """What the form offers, and the limits."""
        trainers.get_ready()  # for whoever looks at the form will train
        return JSONResponse(choices(limits))

    @app.get("/train/line", include_in_schema=False)
    async def line() -> JSONResponse:
        """How many runs train now, and how many wait."""
        return JSONResponse({"training": slots.busy, "waiting": slots.waiting})

    @app.get("/train/data", include_in_schema=False)
    @answered
    async def data(task: str = "mnist") -> JSONResponse:
        """How many images there are of a task; the tab asks when it opens, so what a run needs is made ready."""
        try:
            return JSONResponse(await trainers.ask("images", task_of({"task": task})))
        except NotReady as error:  # an answer to the question that was asked
            return JSONResponse({"error": sentence(error), "code": error.message.code, "values": error.message.values})


def _add_results(app: FastAPI) -> None:
    """What a run has learned is tried and kept."""
    host, files = host_of(app), Turn(20)

    @app.post("/train/try", include_in_schema=False)
    @answered
    async def own_drawing(request: Request, run: str = "") -> JSONResponse:
        body = await body_of(request, host.limits.picture)
        return JSONResponse(await try_both(store, trainers, host.pictures, run, body, request.is_disconnected))

    @app.get("/train/keep", include_in_schema=False)
    @answered
    async def keep(run: str = "", form: str = "safetensors") -> FileResponse:
        path = store.path(run)
        if form not in ("safetensors", "onnx"):
            raise BadRequest("A network can be kept as safetensors or as onnx.", code="keep.form")
        if form == "onnx":
            await files.take(keep_onnx, run)
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
        try:
            wanted = await trainers.ask("settings", settings, limits)
            training = Training(wanted, limits, visitor_of(request.request.scope))
            if zero.HERE:
                training.asked = request, app.get_blocks()
            slots.check(training.visitor)
        except UsageError as error:
            raise gr.Error(sentence(error), print_exception=False) from None
        heard = time.monotonic()
        async for event in follow(slots, training):
            if request.session_hash in host.listening:
                heard = time.monotonic()
            elif time.monotonic() - heard > UNHEARD:
                return
            if event and event["kind"] != "filters":
                yield event


def _stream(training, enter: bool = True) -> StreamingResponse:
    # a proxy must not save the stream up, nor a compressor
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": "identity"}
    events = follow(slots, training, enter=enter, stays=True)
    return StreamingResponse(lines(events), media_type="application/x-ndjson", headers=headers)
