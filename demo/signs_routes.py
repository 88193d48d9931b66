"""The route read/sign: one picture from the page, checked, read by a network, answered as JSON.

It stands beside Gradio's queue: a live camera asks several times a second, and an answer takes one request.
"""

import asyncio
import base64
import io
import logging
import math
import threading
from dataclasses import dataclass

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from demo import signs_readers
from train.answer.reading import Reading
from train.data.pictures import open_picture
from train.task import UsageError

log = logging.getLogger(__name__)
MOST_BYTES = 25_000_000
FORM_ROOM = 100_000  # for the other fields and the multipart marks
LONGEST = 1280  # pixels of the longer side that a network is shown, and that boxes are counted in
_one_at_a_time = threading.Lock()  # page and API: two readings at once only slow each other


class TooLarge(UsageError):
    """More bytes than the route takes."""


@dataclass(frozen=True)
class Question:
    """What the page asks: a picture file, which network, and where the hand is, if the person said so."""

    file: bytes
    network: str = "photo"
    box: tuple[float, float, float, float] | None = None  # left, top, right, bottom in pixels
    live: bool = False  # a camera's frame: no heat map
    preview: bool = False  # send the picture back as JPEG, for browsers that cannot decode it


def routes(app: FastAPI) -> None:
    """Add read/sign and read/sign/networks to the app."""
    turn = asyncio.Lock()  # who waits for a turn holds no thread, so that a crowd does not stop the other tabs

    @app.get("/read/sign/networks", include_in_schema=False)
    async def networks():
        return await run_in_threadpool(signs_readers.available)

    @app.post("/read/sign", include_in_schema=False)
    async def sign(request: Request):
        try:
            question = await _question(request)
            async with turn:
                if await request.is_disconnected():  # the page has moved on to a newer question
                    return Response(status_code=499)
                return await run_in_threadpool(_answer, question)
        except TooLarge as error:
            return _refusal(413, error)
        except signs_readers.NotReady as error:
            return _refusal(503, error)
        except UsageError as error:
            return _refusal(400, error)
        except HTTPException as error:  # what the multipart parser says
            return JSONResponse({"error": f"The form could not be read: {error.detail}"}, 400)
        except Exception:
            log.exception("reading a sign failed")
            return JSONResponse({"error": "Something went wrong while reading this picture."}, 500)


def sentence(error: Exception) -> str:
    """An error's message as a sentence: capital letter, full stop."""
    words = str(error)
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def _refusal(status: int, error: Exception) -> JSONResponse:
    return JSONResponse({"error": sentence(error)}, status)


async def _question(request: Request) -> Question:
    taken = 0

    async def receive():
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BYTES + FORM_ROOM:
            raise TooLarge(f"this file is too large: at most {MOST_BYTES // 1_000_000} MB can be read")
        return message

    async with Request(request.scope, receive).form(max_files=1, max_fields=8, max_part_size=1000) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise UsageError("send one picture in the field 'file'")
        data = await file.read()
        if len(data) > MOST_BYTES:
            raise TooLarge(f"this file is too large: at most {MOST_BYTES // 1_000_000} MB can be read")
        return Question(
            file=data,
            network=_network(form.get("network", "photo")),
            box=_box(form.get("box")),
            live=bool(form.get("live")),
            preview=bool(form.get("preview")),
        )


def _network(name) -> str:
    if name not in signs_readers.READERS:
        raise UsageError(f"there is no such network; there are: {', '.join(signs_readers.READERS)}")
    return name


def _box(text) -> tuple[float, float, float, float] | None:
    """A box from 'left,top,right,bottom'. Raises UsageError unless these are four finite numbers in order."""
    if not text:
        return None
    try:
        box = tuple(float(value) for value in text.split(","))
    except (ValueError, AttributeError):
        box = ()
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise UsageError("the box must be four numbers: left, top, right, bottom, in pixels")
    left, top, right, bottom = box
    if right - left < 1 or bottom - top < 1:
        raise UsageError("the box must be at least one pixel wide and high")
    return box


def _answer(question: Question) -> dict:
    picture = open_picture(question.file, longest=LONGEST)
    reading = _read(picture, question)
    answer = {
        **summary(reading),
        "top": [[label, round(float(share), 5)] for label, share in reading.top],
        "box": None if reading.box is None else [round(float(edge), 1) for edge in reading.box],
        "width": picture.width,
        "height": picture.height,
        "seen": _as_address(reading.seen),
        "heat": None if reading.heat is None else _as_address(np.round(reading.heat * 255).astype(np.uint8)),
    }
    if question.preview:
        answer["preview"] = _as_address(np.asarray(picture.convert("RGB")), "JPEG", quality=92)
    return answer


def read(file: bytes, network: str | None = None) -> Reading:
    """Read one picture file's bytes, by the best network there is unless one is named. Raises UsageError."""
    question = Question(file, network or signs_readers.best())
    return _read(open_picture(file, longest=LONGEST), question)


def _read(picture: Image.Image, question: Question) -> Reading:
    box = question.box and _within(question.box, picture)
    reader = signs_readers.reader(question.network)
    with _one_at_a_time:
        if box is None and question.network == "lesson" and signs_readers.best() == "photo":
            box = signs_readers.reader("photo").read(picture, quick=True).box  # the lesson's network finds no hands
        return reader.read(picture, box=box, quick=question.live)


def _within(box: tuple[float, ...], picture: Image.Image) -> tuple[float, float, float, float]:
    """The part of the box that lies on the picture. Raises UsageError if there is none."""
    left, top, right, bottom = box
    left, right = max(left, 0), min(right, picture.width)
    top, bottom = max(top, 0), min(bottom, picture.height)
    if right - left < 1 or bottom - top < 1:
        raise UsageError("the box lies outside the picture")
    return left, top, right, bottom


def summary(reading: Reading) -> dict:
    """The part of a reading that the API tells: label, confidences, note."""
    return {
        "label": reading.label,
        "confidences": [{"label": label, "confidence": round(float(p), 5)} for label, p in reading.top],
        "note": reading.note,
    }


def _as_address(pixels: np.ndarray | None, kind: str = "PNG", **options) -> str | None:
    """(H, W) or (H, W, 3) uint8 as a data: address that a page shows as it is."""
    if pixels is None:
        return None
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
