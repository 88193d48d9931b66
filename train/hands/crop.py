"""The one way from a picture and a hand's box to a square crop: for training, folders, the browser and the camera."""

import numpy as np
from PIL import Image

from train.hands.boxes import Box

CROP_SIDE = 192  # pixels of the crop that the photo network sees
CONTEXT = 1.35  # side of that crop, relative to the longer side of the hand's box
LONGEST = 1280  # pixels of the longer side that larger photos are shrunk to; boxes are in the shrunk photo's pixels
STORED_SIDE, STORED_CONTEXT = 256, 2.0  # of the larger crops that training keeps, to turn, shift and scale them


def square(box: Box, context: float = CONTEXT) -> Box:
    """The square around a box's centre whose side is `context` times the box's longer side."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top, 2.0) * context / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - half, y - half, x + half, y + half


def crop(picture: Image.Image | np.ndarray, box: Box, context: float = CONTEXT, side: int = CROP_SIDE) -> np.ndarray:
    """The square around the hand's box as (side, side, C) uint8, C as in the picture (RGB or RGBA).

    Outside the picture its edge pixels are repeated; transparent pictures stay transparent there.
    """
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    left, top, right, _ = square(box, context)
    size = max(round(right - left), 2)
    left, top = round(left), round(top)
    # only what lies in the picture is copied; the rest repeats its edge
    inside = pixels[
        min(max(top, 0), height - 1) : max(min(top + size, height), 1),
        min(max(left, 0), width - 1) : max(min(left + size, width), 1),
    ]
    before_y, before_x = min(max(-top, 0), size - 1), min(max(-left, 0), size - 1)
    after_y, after_x = max(size - before_y - inside.shape[0], 0), max(size - before_x - inside.shape[1], 0)
    pads = ((before_y, after_y), (before_x, after_x), (0, 0))
    padded = np.pad(inside, pads) if pixels.shape[2] == 4 else np.pad(inside, pads, mode="edge")
    resample = Image.Resampling.BOX if size > side else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(padded[:size, :size]).resize((side, side), resample))


def as_input(crops: np.ndarray) -> np.ndarray:
    """Crops (N, H, W, 3) uint8 as the networks take them: (N, 3, H, W) float32 in 0..1."""
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32) / 255


def box_without_finder(picture: Image.Image) -> Box:
    """The box to assume where no hand was looked for: a square in the middle that takes most of the picture."""
    return middle(picture, 0.84)


def middle(picture: Image.Image, share: float = 1.0) -> Box:
    """The square in the picture's middle whose side is that share of its shorter side."""
    width, height = picture.size
    half = min(width, height) * share / 2
    return width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half
