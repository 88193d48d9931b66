"""What the page asks about: a network, a picture and the steps it has learned since; checked, for it comes by wire."""

import base64
import binascii
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from demo.inside.networks import Network
from demo.wire import BadRequest, drawing
from train.data.pictures import on_ground, open_picture
from train.digits.strokes import redraw

MOST_LESSONS, MOST_PICTURES = 60, 8
LOWEST_RATE, HIGHEST_RATE = 1e-5, 10.0


@dataclass(frozen=True)
class Lesson:
    """One step of learning: on which picture, what it shows, and how fast."""

    pixels: bytes  # as the network takes them, uint8
    label: int
    rate: float


def picture_of(wire: dict, network: Network) -> Tensor:
    """The picture asked about as the network takes it, (C, H, W) uint8.

    `wire` has one of: strokes and size, drawn as one digit; pixels, base64 of as many bytes as the network takes
    values, or of a 28 x 28 picture; picture, base64 of a picture file. Raises BadRequest.
    """
    shape = network.about.input_shape
    if "pixels" in wire:
        data = _bytes(wire["pixels"])
        if len(data) == prod(shape):
            return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(shape)
        if len(data) != 28 * 28:
            raise BadRequest("That is no picture of 28 × 28 pixels.", code="inside.pixels")
        return _fitted(np.frombuffer(data, np.uint8).reshape(28, 28), shape)
    if "picture" in wire:
        return _fitted(np.asarray(on_ground(open_picture(_bytes(wire["picture"]), longest=512))), shape)
    strokes, _ = drawing(wire)
    if not strokes:
        raise BadRequest("Nothing is drawn here yet.", code="inside.blank")
    return _fitted(redraw(strokes), shape)


def _fitted(pixels: np.ndarray, shape: tuple[int, int, int]) -> Tensor:
    """(H, W) or (H, W, 3) uint8 as (C, H, W), scaled."""
    channels, height, width = shape
    if pixels.shape[:2] == (height, width) and (pixels.ndim == 3) == (channels == 3):
        fitted = pixels
    else:
        picture = Image.fromarray(pixels).convert("RGB" if channels == 3 else "L")
        side = min(picture.size)  # its middle square
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        fitted = np.asarray(picture.crop((left, top, left + side, top + side)).resize((width, height)))
    tensor = torch.from_numpy(np.array(fitted, dtype=np.uint8))
    return tensor[None] if tensor.dim() == 2 else tensor.permute(2, 0, 1).contiguous()


def lessons_of(wire: dict, network: Network) -> tuple[Lesson, ...]:
    """The steps learned so far: {"pictures": [base64, ...], "lessons": [[picture, label, rate], ...]}."""
    pictures, lessons = wire.get("pictures", []), wire.get("lessons", [])
    if not isinstance(pictures, list) or not isinstance(lessons, list):
        raise BadRequest("Steps of learning are a list.", code="inside.lessons")
    if len(lessons) > MOST_LESSONS or len(pictures) > MOST_PICTURES:
        raise BadRequest(
            "At most {most} steps can be made here. Take some back, or start again.",
            code="inside.many_lessons",
            most=MOST_LESSONS,
        )
    seen = [picture_of({"pixels": picture}, network).numpy().tobytes() for picture in pictures]
    return tuple(_lesson(each, seen, network) for each in lessons)


def _lesson(entry, seen: list[bytes], network: Network) -> Lesson:
    if not isinstance(entry, list) or len(entry) != 3:
        raise BadRequest("A step of learning has a picture, a label and a rate.", code="inside.lesson")
    picture, label, rate = entry
    if type(picture) is not int or not 0 <= picture < len(seen):
        raise BadRequest("A step of learning has a picture, a label and a rate.", code="inside.lesson")
    return Lesson(seen[picture], label_of(label, network), rate_of(rate))


def label_of(value, network: Network) -> int:
    """A class by its number. Raises BadRequest."""
    return whole(value, 0, len(network.about.labels) - 1)


def rate_of(value) -> float:
    """A learning rate. Raises BadRequest."""
    if type(value) not in (int, float) or not LOWEST_RATE <= value <= HIGHEST_RATE:
        raise BadRequest(
            "A learning rate is a number from {low} to {high}.",
            code="inside.rate",
            low=LOWEST_RATE,
            high=HIGHEST_RATE,
        )
    return float(value)


def whole(value, low: int, high: int) -> int:
    """A whole number within limits. Raises BadRequest."""
    if type(value) is not int or not low <= value <= high:
        raise BadRequest("A whole number from {low} to {high} is needed.", code="inside.whole", low=low, high=high)
    return value


def _bytes(text) -> bytes:
    if not isinstance(text, str):
        raise BadRequest("A picture is sent in base64.", code="inside.base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("A picture is sent in base64.", code="inside.base64") from None
