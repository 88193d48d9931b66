"""Fast plain routes of the Draw tab: strokes or a picture in, everything the pad draws out.

They bypass Gradio's queue: one small request and one small answer a reading. Nothing that comes over the wire is
trusted; whatever is wrong with it is answered in plain words with status 400.
"""

import asyncio
import base64
import json
import logging
from collections.abc import Callable
from functools import lru_cache

import anyio
import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from train.answer.reading import Reading
from train.digits.reader import DigitReader
from train.learn.checkpoint import CheckpointError
from train.task import MNIST, UsageError

log = logging.getLogger(__name__)

MAX_STROKE_BYTES = 200_000  # the pad sends a few hundred; a wild scribble is 20,000
MAX_STROKES, MAX_POINTS = 500, 20_000
MAX_PICTURE_BYTES = 30_000_000
MAX_SIZE = 10_000.0
NO_NETWORK = "There is no trained digit network yet. Train one with: python -m train mnist"


class BadRequest(UsageError):
    """What came over the wire is not a drawing; the message says why, in plain words."""


@lru_cache(maxsize=1)
def digit_reader() -> DigitReader:
    """The digit network, loaded once. Raises CheckpointError while there is none."""
    return DigitReader()


def routes(app: FastAPI) -> None:
    """Adds `POST /read/strokes` (JSON) and `POST /read/digit` (a picture file as the body) to `app`."""
    turn = asyncio.Lock()  # one network, one reading at a time; who waits does not block the server

    async def answer(request: Request, limit: int, read: Callable[[bytes], dict]) -> JSONResponse:
        try:
            body = await body_of(request, limit)
            async with turn:
                if await request.is_disconnected():  # the pad has moved on to a newer drawing
                    return JSONResponse({"error": "Overtaken by a newer drawing."}, 400)
                return JSONResponse(await anyio.to_thread.run_sync(read, body))
        except CheckpointError:
            return JSONResponse({"error": NO_NETWORK}, 503)
        except UsageError as error:
            return JSONResponse({"error": sentence(error)}, 400)
        except Exception:
            log.exception("reading digits failed")
            return JSONResponse({"error": "Something went wrong while reading this."}, 500)

    @app.post("/read/strokes", include_in_schema=False)
    async def strokes(request: Request) -> JSONResponse:
        return await answer(request, MAX_STROKE_BYTES, read_strokes)

    @app.post("/read/digit", include_in_schema=False)
    async def digit(request: Request) -> JSONResponse:
        return await answer(request, MAX_PICTURE_BYTES, read_picture)


async def body_of(request: Request, limit: int) -> bytes:
    """The request's body, given up as soon as it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BadRequest(
                f"That is too much to read at once (over {limit // 1000} kB). Clear the pad and try again."
            )
    return bytes(body)


def read_strokes(body: bytes) -> dict:
    """Reads the pad's JSON: {"strokes": [[x0, y0, x1, y1, ...], ...], "size": [width, height], "seq": n}."""
    sheet = parse(body)
    strokes, size = strokes_of(sheet), size_of(sheet)
    return {"seq": sheet.get("seq"), **as_json(digit_reader().read_strokes(strokes, size))}


def read_picture(body: bytes) -> dict:
    """Reads a picture file's bytes."""
    if not body:
        raise BadRequest("The picture file is empty.")
    return as_json(digit_reader().read(body))


def parse(body: bytes) -> dict:
    """The JSON object in `body`; NaN and Infinity, which JSON does not have, are refused."""

    def refuse(constant: str) -> None:
        raise BadRequest(f"A drawing has plain numbers only, not {constant}.")

    try:
        sheet = json.loads(body, parse_constant=refuse)
    except BadRequest:
        raise
    except (ValueError, RecursionError):
        raise BadRequest("That is not a drawing: it is not JSON.") from None
    seq = sheet.get("seq") if isinstance(sheet, dict) else None
    if not isinstance(sheet, dict) or not (seq is None or (type(seq) is int and abs(seq) < 2**53)):
        raise BadRequest("That is not a drawing: strokes, size and a whole number seq are expected.")
    return sheet


def strokes_of(sheet: dict) -> list[np.ndarray]:
    """The strokes as (points, 2) float32 arrays in the pad's units."""
    strokes = sheet.get("strokes")
    if not isinstance(strokes, list) or not all(isinstance(stroke, list) for stroke in strokes):
        raise BadRequest("strokes must be lists of numbers: [[x0, y0, x1, y1, ...], ...].")
    if len(strokes) > MAX_STROKES or sum(map(len, strokes)) > 2 * MAX_POINTS:
        raise BadRequest("That is too much ink to read. Clear the pad and try again.")
    if any(len(stroke) % 2 for stroke in strokes):
        raise BadRequest("A stroke must have as many x as y.")
    return [np.float32(numbers(stroke)).reshape(-1, 2) for stroke in strokes if stroke]


def size_of(sheet: dict) -> tuple[float, float]:
    """The pad's (width, height) in the same units as its strokes."""
    size = sheet.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(0 < side <= MAX_SIZE for side in numbers(size)):
        raise BadRequest("size must be the pad's width and height.")
    return float(size[0]), float(size[1])


def numbers(values: list) -> list[float]:
    """`values`, if all of them are finite numbers of a sane size."""
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= MAX_SIZE:
            raise BadRequest("A drawing has plain numbers only, within the pad.")
    return values


def as_json(readings: list[Reading]) -> dict:
    """Everything the pad draws; probabilities are in the order of the digits 0..9."""
    return {"readings": [reading_as_json(reading) for reading in readings]}


def reading_as_json(reading: Reading) -> dict:
    """One digit; what was refused before the network saw it (nothing, a dot) has no picture and no probabilities."""
    top = dict(reading.top)
    return {
        "label": reading.label,
        "confidence": round(float(reading.confidence), 5),
        "note": reading.note,
        "probabilities": [round(float(top.get(label, 0.0)), 5) for label in MNIST.labels],
        "seen": None if reading.seen is None else pixels(reading.seen),
        "heat": None if reading.heat is None else pixels(np.clip(255 * reading.heat, 0, 255).round()),
        "box": None if reading.box is None else [round(float(edge), 1) for edge in reading.box],
    }


def pixels(picture: np.ndarray) -> dict:
    """An (H, W) picture of 0..255 as {"width", "height", "bytes"}: base64, a byte a pixel, row by row."""
    height, width = picture.shape
    return {"width": width, "height": height, "bytes": base64.b64encode(picture.astype(np.uint8).tobytes()).decode()}


def sentence(error: Exception) -> str:
    """An error's message as a sentence: capital letter, full stop."""
    words = str(error)
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")
