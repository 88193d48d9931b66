"""The route read/sign: one picture from the page, checked, read by a network, answered as JSON; and the named `/sign`.

The route stands beside Gradio's queue: a live camera asks several times a second, and an answer takes one request.
"""

import math
from dataclasses import dataclass

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from PIL import Image
from starlette.datastructures import UploadFile

from demo.engine import FileData, gr
from demo.host import host_of
from demo.signs import readers
from demo.turns import Left, Turn
from demo.wire import BadRequest, answered, as_address, confidences, note_of, sentence, too_large
from train.answer.reading import Reading
from train.data.pictures import open_picture
from train.hands.crop import LONGEST
from train.task import UsageError


@dataclass(frozen=True)
class Question:
    """What the page asks: a picture file, which network, and where the hand is, if the person said so."""

    file: bytes
    network: str = "photo"
    box: tuple[float, float, float, float] | None = None  # left, top, right, bottom in pixels
    live: bool = False  # a camera's frame: no heat map
    preview: bool = False  # send the picture back as JPEG, for browsers that cannot decode it


def routes(app: FastAPI) -> None:
    """Adds read/sign and read/sign/networks to the app."""
    host, loading = host_of(app), Turn(100)

    @app.get("/read/sign/networks", include_in_schema=False)
    @answered
    async def networks() -> JSONResponse:
        return JSONResponse(await loading.take(readers.available))

    @app.post("/read/sign", include_in_schema=False)
    @answered
    async def sign(request: Request) -> JSONResponse:
        question = await _question(request, host.limits.picture)
        # the page may have moved on to a newer question
        return JSONResponse(await host.pictures.take(_answer, question, gone=request.is_disconnected))


def api(app: gr.Server) -> None:
    """Adds the named endpoint `/sign`."""
    host = host_of(app)

    @app.api(name="sign", queue=False, concurrency_limit=None)
    async def sign(image: FileData, request: gr.Request) -> dict:
        """Read the signed letter in one picture file.

        Args:
            image: a picture file, such as a JPEG, PNG or HEIC, of one hand that signs a letter of ASL.

        Returns:
            A dict with the label (null if there is no hand sign), the confidence of every letter, largest first, and a
            note in plain words.
        """
        try:
            data = host.uploads.read(image)
            return summary(await host.pictures.take(read, data, gone=host.gone(request)))
        except (UsageError, Left) as error:
            raise gr.Error(sentence(error), print_exception=False) from None


async def _question(request: Request, most: int) -> Question:
    async with request.form(max_files=1, max_fields=8, max_part_size=1000) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise BadRequest("Send one picture in the field 'file'.", code="sign.file")
        data = await file.read()
        if len(data) > most:
            raise too_large(most)
        return Question(
            file=data,
            network=_network(form.get("network", "photo")),
            box=_box(form.get("box")),
            live=bool(form.get("live")),
            preview=bool(form.get("preview")),
        )


def _network(name) -> str:
    if name not in readers.READERS:
        names = ", ".join(readers.READERS)
        raise BadRequest("There is no such network; there are: {names}.", code="sign.network", names=names)
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
        raise BadRequest("The box must be four numbers: left, top, right, bottom, in pixels.", code="sign.box")
    left, top, right, bottom = box
    if right - left < 1 or bottom - top < 1:
        raise BadRequest("The box must be at least one pixel wide and high.", code="sign.small_box")
    return box


def _answer(question: Question) -> dict:
    picture = open_picture(question.file, longest=LONGEST)
    reading = _read(picture, question)
    answer = {
        **summary(reading),
        **note_of(reading),
        "top": [[label, round(float(share), 5)] for label, share in reading.top],
        "box": None if reading.box is None else [round(float(edge), 1) for edge in reading.box],
        "width": picture.width,
        "height": picture.height,
        "seen": as_address(reading.seen),
        "heat": None if reading.heat is None else as_address(np.round(reading.heat * 255).astype(np.uint8)),
    }
    if question.preview:
        answer["preview"] = as_address(np.asarray(picture.convert("RGB")), "JPEG", quality=92)
    return answer


def read(file: bytes, network: str | None = None) -> Reading:
    """Read one picture file's bytes, by the best network there is unless one is named. Raises UsageError."""
    question = Question(file, network or readers.best())
    return _read(open_picture(file, longest=LONGEST), question)


def _read(picture: Image.Image, question: Question) -> Reading:
    box = question.box and _within(question.box, picture)
    reader = readers.reader(question.network)
    if box is None and question.network == "lesson" and readers.best() == "photo":
        box = readers.reader("photo").read(picture, quick=True).box  # the lesson's network finds no hands
    return reader.read(picture, box=box, quick=question.live)


def _within(box: tuple[float, ...], picture: Image.Image) -> tuple[float, float, float, float]:
    """The part of the box that lies on the picture. Raises UsageError if there is none."""
    left, top, right, bottom = box
    left, right = max(left, 0), min(right, picture.width)
    top, bottom = max(top, 0), min(bottom, picture.height)
    if right - left < 1 or bottom - top < 1:
        raise BadRequest("The box lies outside the picture.", code="sign.box_outside")
    return left, top, right, bottom


def summary(reading: Reading) -> dict:
    """The part of a reading that the API tells: label, confidences, note."""
    return {
        "label": reading.label,
        "confidences": confidences(reading.top),
        "note": reading.note,
    }
