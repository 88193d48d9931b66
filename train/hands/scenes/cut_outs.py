"""Hands cut out on black: which pixels are the hand."""

import numpy as np
from PIL import Image, ImageFilter

from train.hands.boxes import Box

BLACK = 12  # of 255: a ground that was painted over is darker than this
HAND = 28  # a brighter pixel is the hand's; between the two lies the rim, which is shadow


def is_cut_out(picture: Image.Image) -> bool:
    """Whether this is a hand alone on pure black: most of the border and much of the picture have no light."""
    brightest = np.asarray(picture.convert("RGB")).max(2)
    border = np.concatenate([brightest[0], brightest[-1], brightest[:, 0], brightest[:, -1]])
    dark = (border < BLACK).mean() >= 0.6 and (brightest < BLACK).mean() >= 0.15
    return bool(dark and (brightest > HAND).mean() >= 0.02)


def alpha_of(picture: Image.Image) -> Image.Image:
    """Where a cut-out hand is (mode L): what is not nearly black, its edge smoothed and its rim taken off."""
    mask = np.asarray(picture.convert("RGB")).max(2) > HAND
    soft = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
    return soft.point([min(max(int((value - 90) * 2.2), 0), 255) for value in range(256)])


def outline_of(picture: Image.Image) -> Box:
    """The box around a cut-out hand in the picture's pixels; single bright specks are left out."""
    rows, columns = np.nonzero(np.asarray(picture.convert("RGB")).max(2) > HAND)
    left, right = np.percentile(columns, (0.3, 99.7))
    top, bottom = np.percentile(rows, (0.3, 99.7))
    return left, top, right + 1, bottom + 1
