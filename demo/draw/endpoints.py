"""Fast plain routes of the Draw tab, strokes or a picture in, everything the pad draws out; and the named `/digit`.

The pad knows its strokes as movements and sends a few hundred bytes past Gradio's queue: one small request and one
small answer a reading.
"""

import contextlib
import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from demo.engine import FileData, gr
from demo.host import host_of
from demo.turns import Left
from demo.wire import (
    BadRequest,
    NotReady,
    answered,
    body_of,
    confidences,
    drawing,
    note_of,
    number_of,
    parse,
    pixels,
    sentence,
)
from train.answer.reading import Reading
from train.task import MNIST, UsageError

if TYPE_CHECKING:
    from train.digits.reader import DigitReader

log = logging.getLogger(__name__)
NO_NETWORK = NotReady(
    "There is no trained digit network yet. Train one with: python -m train mnist", code="digits.untrained"
)


@lru_cache(maxsize=1)
def _reader() -> "DigitReader":
    from train.digits.reader import DigitReader  # only now: the page opens without waiting for it

    return DigitReader()


def digit_reader() -> "DigitReader":
    """The digit network, loaded once. Raises NotReady while there is none: what is trained meanwhile is found."""
    try:
        return _reader()
    except UsageError:
        log.warning("the digit network cannot be used", exc_info=True)
        raise NO_NETWORK from None


def warm() -> None:
    """Reads a stroke, so that the first visitor does not wait for the network."""
    with contextlib.suppress(NotReady):  # then the first question will be told
        digit_reader().read_strokes([np.array([[300, 100], [300, 400]])], (600, 480))


def routes(app: FastAPI) -> None:
    """Adds `POST /read/strokes` (JSON) and `POST /read/digit` (a picture file as the body) to `app`."""
    host = host_of(app)

    @app.post("/read/strokes", include_in_schema=False)
    @answered
    async def strokes(request: Request) -> JSONResponse:
        body = await body_of(request, host.limits.body)
        return JSONResponse(await host.drawings.take(read_strokes, body, gone=request.is_disconnected))

    @app.post("/read/digit", include_in_schema=False)
    @answered
    async def digit(request: Request) -> JSONResponse:
        body = await body_of(request, host.limits.picture)
        return JSONResponse(await host.pictures.take(read_picture, body, gone=request.is_disconnected))

    @app.post("/gradio_api/run/digit", include_in_schema=False)
    @app.post("/gradio_api/api/digit", include_in_schema=False)
    @answered
    async def at_once(request: Request) -> JSONResponse:
        """`/digit`, asked and answered on one connection: past Gradio's engine, which takes longer than the reading."""
        call = parse(await body_of(request, host.limits.body))
        if not isinstance(call.get("data"), list) or not call["data"]:
            raise BadRequest('A call needs its arguments: {"data": [...]}.', code="call.data")
        began, data = time.monotonic(), host.uploads.read(call["data"][0])
        answer = await host.pictures.take(read_number, data, gone=request.is_disconnected)
        return JSONResponse({"data": [answer], "is_generating": False, "duration": time.monotonic() - began})


def api(app: gr.Server) -> None:
    """Adds the named endpoint `/digit`."""
    host = host_of(app)

    @app.api(name="digit", queue=False, concurrency_limit=None)
    async def digit(picture: FileData, request: gr.Request) -> dict:
        """Read the digit, or the number from left to right, in one picture file.

        Args:
            picture: a picture file, such as a PNG, JPEG or HEIC, of dark ink on light paper or the other way round.

        Returns:
            A dict with the label (null if there is no digit), the confidence of every label, largest first, a note in
            plain words, and each digit on its own in "digits".
        """
        try:
            data = host.uploads.read(picture)
            return await host.pictures.take(read_number, data, gone=host.gone(request))
        except (UsageError, Left) as error:
            raise gr.Error(sentence(error), print_exception=False) from None


def read_strokes(body: bytes) -> dict:
    """Reads the pad's JSON: {"strokes": [[x0, y0, x1, y1, ...], ...], "size": [width, height], "seq": n}."""
    sheet = parse(body)
    strokes, size = drawing(sheet)
    return {"seq": number_of(sheet), **as_json(digit_reader().read_strokes(strokes, size))}


def read_picture(body: bytes) -> dict:
    """Reads a picture file's bytes."""
    if not body:
        raise BadRequest("The picture file is empty.", code="upload.empty")
    return as_json(digit_reader().read(body))


def read_number(data: bytes) -> dict:
    """What `/digit` answers to a picture file's bytes."""
    from train.predict import answer  # only now: the page opens without waiting for it

    readings = digit_reader().read(data)
    whole = answer(readings)
    return {
        "label": whole["label"],
        "confidences": confidences(whole["top"]),
        "note": whole["note"],
        "digits": [{"label": each.label, "confidences": confidences(each.top), "note": each.note} for each in readings],
    }


def as_json(readings: list[Reading]) -> dict:
    """Everything the pad draws; probabilities are in the order of the digits 0..9."""
    return {"readings": [reading_as_json(reading) for reading in readings]}


def reading_as_json(reading: Reading) -> dict:
    """One digit; what was refused before the network saw it (nothing, a dot) has no picture and no probabilities."""
    top = dict(reading.top)
    return {
        "label": reading.label,
        "confidence": round(float(reading.confidence), 5),
        **note_of(reading),
        "probabilities": [round(float(top.get(label, 0.0)), 5) for label in MNIST.labels],
        "seen": None if reading.seen is None else pixels(reading.seen),
        "heat": None if reading.heat is None else pixels(np.clip(255 * reading.heat, 0, 255).round()),
        "box": None if reading.box is None else [round(float(edge), 1) for edge in reading.box],
    }
