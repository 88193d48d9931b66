"""What comes over the wire is checked here, and what goes out is packed here: nothing that comes in is trusted."""

import base64
import functools
import io
import json
import logging
from collections.abc import Awaitable, Callable

import numpy as np
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from PIL import Image
from starlette.exceptions import HTTPException

from demo.errors import WENT_WRONG, BadRequest, NotReady, TooLarge, TooMany, message_of, sentence
from demo.turns import Busy, Left
from train.answer.reading import Reading
from train.task import Message, UsageError

log = logging.getLogger(__name__)
MOST_STROKES, MOST_POINTS = 500, 20_000
MOST_SIDE = 10_000.0  # units of the pad, to either side


STATUS = {TooLarge: 413, TooMany: 429, Busy: 503, NotReady: 503}


# ---- out


def refusal(error: Exception | Message, status: int | None = None) -> JSONResponse:
    """An error as the page takes it: the sentence in English, and the code and values to say it in another language."""
    message = message_of(error)
    status = status or next((number for kind, number in STATUS.items() if isinstance(error, kind)), 400)
    return JSONResponse(
        {"error": sentence(message), "code": message.code, "values": message.values},
        status,
        headers={"Retry-After": "5"} if status in (429, 503) else None,
    )


def note_of(reading: Reading) -> dict:
    """A reading's note as the page takes it: in English, with the code and values to say it in another language."""
    note = reading.note
    return {"note": str(note), "note_code": getattr(note, "code", ""), "note_values": getattr(note, "values", {})}


def answered(route: Callable[..., Awaitable]) -> Callable[..., Awaitable]:
    """A route whose errors become answers: those for people in their words, others without their details."""

    @functools.wraps(route)
    async def answering(*args, **kwargs):
        try:
            return await route(*args, **kwargs)
        except Left:
            return Response(status_code=499)
        except UsageError as error:
            return refusal(error)
        except HTTPException as error:  # what the multipart parser says
            return refusal(Message("The form could not be read: {why}", code="form.broken", why=str(error.detail)))
        except Exception:
            log.exception("%s failed", route.__name__)
            return refusal(WENT_WRONG, 500)

    return answering


def pixels(picture: np.ndarray) -> dict:
    """An (H, W) picture of 0..255 as {"width", "height", "bytes"}: base64, a byte a pixel, row by row."""
    height, width = picture.shape
    return {"width": width, "height": height, "bytes": base64.b64encode(picture.astype(np.uint8).tobytes()).decode()}


def as_address(picture: np.ndarray | None, kind: str = "PNG", **options) -> str | None:
    """(H, W) or (H, W, 3) uint8 as a data: address that a page shows as it is."""
    if picture is None:
        return None
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def confidences(top: list | tuple) -> list[dict]:
    """Labels and probabilities, largest first, as the API tells them."""
    return [{"label": label, "confidence": round(float(share), 6)} for label, share in top]


# ---- in


async def body_of(request: Request, limit: int) -> bytes:
    """The request's body. Raises TooLarge as soon as it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def too_large(limit: int) -> TooLarge:
    """What is said of more than `limit` bytes."""
    most = f"{limit // 1_000_000} MB" if limit >= 1_000_000 else f"{limit // 1000} kB"
    return TooLarge("That is too large: at most {most} can be read.", code="body.large", most=most)


def parse(body: bytes) -> dict:
    """The JSON object in `body`; NaN and Infinity, which JSON does not have, are refused. Raises BadRequest."""

    def refuse(constant: str) -> None:
        raise BadRequest("JSON has plain numbers only.", code="json.number")

    try:
        wire = json.loads(body, parse_constant=refuse)
        if b"\\u" in body:  # half of a character can be read, but no answer can hold it
            json.dumps(wire, ensure_ascii=False).encode()
    except BadRequest:
        raise
    except (ValueError, RecursionError):
        raise BadRequest("That is not JSON.", code="json.broken") from None
    if not isinstance(wire, dict):
        raise BadRequest("A JSON object is expected.", code="json.object")
    return wire


def drawing(sheet: dict) -> tuple[list[np.ndarray], tuple[float, float]]:
    """Strokes, as (points, 2) float32 arrays, and the pad's width and height, in the same units. Raises BadRequest.

    `sheet` is {"strokes": [[x0, y0, x1, y1, ...], ...], "size": [width, height]}.
    """
    strokes, size = sheet.get("strokes"), sheet.get("size")
    if not isinstance(strokes, list) or not all(isinstance(stroke, list) for stroke in strokes):
        raise BadRequest("strokes must be lists of numbers: [[x0, y0, x1, y1, ...], ...].", code="strokes.lists")
    if len(strokes) > MOST_STROKES or sum(map(len, strokes)) > 2 * MOST_POINTS:
        raise BadRequest("That is too much ink to read. Clear the pad and try again.", code="strokes.many")
    if any(len(stroke) % 2 for stroke in strokes):
        raise BadRequest("A stroke must have as many x as y.", code="strokes.pairs")
    if not isinstance(size, list) or len(size) != 2 or not all(0 < side <= MOST_SIDE for side in _numbers(size)):
        raise BadRequest("size must be the pad's width and height.", code="strokes.size")
    arrays = [np.float32(_numbers(stroke)).reshape(-1, 2) for stroke in strokes if stroke]
    return arrays, (float(size[0]), float(size[1]))


def _numbers(values: list) -> list[float]:
    """`values`, if all of them are finite numbers of a sane size."""
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= MOST_SIDE:
            raise BadRequest("A drawing has plain numbers only, within the pad.", code="strokes.numbers")
    return values


def number_of(sheet: dict) -> int | None:
    """The whole number "seq" by which a page knows its own questions again. Raises BadRequest."""
    seq = sheet.get("seq")
    if not (seq is None or (type(seq) is int and abs(seq) < 2**53)):
        raise BadRequest("seq must be a whole number.", code="strokes.seq")
    return seq
