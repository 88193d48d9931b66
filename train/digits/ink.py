"""Where a picture holds ink: any colour on any ground, transparency, uneven light, ruled paper."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFilter

LONGEST_SHEET = 1000  # a longer picture is shrunk first: digits stay legible, and time stays bounded
FAINTEST = 24  # of 255: a smaller difference from the ground is noise or JPEG's ringing, not ink
FLAT = 14  # of 255: edge pixels that differ by less than this are one ground
LIGHT_SIDE = 80  # pixels of the longer side of the small copy that uneven light is estimated on
INK = 64  # of 255: from here on a pixel is cut out as ink
RULED_FROM = 90  # of 255: above this a pixel may be part of a ruled line
PIECES = 16  # sections in which a ruled line is followed: it may lean, and pass behind ink
RULE_SPAN = 0.85  # of the picture's width or height: thin straight ink that long is a ruled line, not a digit


@dataclass(frozen=True)
class Ink:
    """What was drawn: strength (H, W) uint8, 0 ground to 255 full ink, cut to the ink's bounding box.

    Pixel (x, y) of it lies at (left + x, top + y) * scale in the source picture.
    """

    strength: np.ndarray
    left: int
    top: int
    scale: float
    from_photo: bool = False  # the ground was uneven: what touches the picture's edge may not be ink


def find_ink(picture: Image.Image) -> Ink | None:
    """The ink of a picture in mode L, RGB or RGBA; None if there is none.

    The ground is the colour of most of the picture's edge. Where the edge has no single colour (a photo), the ground
    is a median over a wide neighbourhood, which follows the light, and ink is what is darker or lighter than that,
    whichever stands out more.
    """
    scale = max(max(picture.size) / LONGEST_SHEET, 1.0)
    if scale > 1:
        size = [max(round(side / scale), 1) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    if picture.mode == "RGBA":
        picture = _flatten(picture)
    ground = _plain_ground(picture)
    difference = _unlike(picture, ground) if ground is not None else _unlike_surroundings(picture.convert("L"))
    strength = _stretch(difference)
    if strength is None:
        return None
    strength = np.asarray(_without_rules(strength))
    (left, top), (width, height) = box_of(strength >= INK)
    if not width:
        return None
    return Ink(strength[top : top + height, left : left + width], left, top, scale, from_photo=ground is None)


def box_of(mask: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Top left corner (x, y) and size (width, height) of what is true in (H, W) bool; size 0, 0 if nothing is."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return (0, 0), (0, 0)
    left, top = int(columns[0]), int(rows[0])
    return (left, top), (int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)


def _flatten(picture: Image.Image) -> Image.Image:
    """Transparent parts become black or white, whichever is further from the colour of the opaque parts. To RGB."""
    alpha = picture.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return picture.convert("RGB")
    grey = picture.convert("L")
    weights = np.asarray(alpha, dtype=np.float32)
    total = weights.sum()
    dark = total > 0 and (np.asarray(grey) * weights).sum() / total < 128
    below = Image.new("RGB", picture.size, (255, 255, 255) if dark else (0, 0, 0))
    below.paste(picture.convert("RGB"), mask=alpha)
    return below


def _plain_ground(picture: Image.Image) -> tuple[int, ...] | int | None:
    """The colour that most of the picture's edge has, or None if the edge has no single colour."""
    pixels = np.asarray(picture)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).reshape(-1, len(picture.getbands()))
    ground = np.partition(edge, len(edge) // 2, axis=0)[len(edge) // 2]
    far = (np.abs(edge.astype(np.int16) - ground) > FLAT).sum(axis=1)
    if np.count_nonzero(far) > 0.3 * len(edge):
        return None
    colour = tuple(int(channel) for channel in ground)
    return colour if len(colour) > 1 else colour[0]


def _unlike(picture: Image.Image, ground) -> Image.Image:
    """How much each pixel differs from the ground, in the channel where it does most. Mode L."""
    extremes = set(ground) if isinstance(ground, tuple) else {ground}
    if extremes == {255}:  # most grounds are white or black, for which there is a quicker way
        difference = ImageChops.invert(picture)
    elif extremes == {0}:
        difference = picture
    else:
        difference = ImageChops.difference(picture, Image.new(picture.mode, picture.size, ground))
    box = difference.getbbox()
    if box is None or len(difference.getbands()) == 1:
        return difference.convert("L")
    first, *others = difference.crop(box).split()  # the rest is ground alone
    for band in others:
        first = ImageChops.lighter(first, band)
    whole = Image.new("L", picture.size)
    whole.paste(first, box)
    return whole


def _unlike_surroundings(grey: Image.Image) -> Image.Image:
    """How much each pixel is darker than its surroundings, or lighter if that is what stands out. Mode L."""
    grey = grey.filter(ImageFilter.GaussianBlur(max(grey.size) / 700))
    step = max(round(max(grey.size) / LIGHT_SIDE), 1)
    small = grey.reduce(step) if min(grey.size) >= step else grey
    ground = small.filter(ImageFilter.MedianFilter(15)).filter(ImageFilter.GaussianBlur(3))
    ground = np.asarray(ground.resize(grey.size, Image.Resampling.BILINEAR), dtype=np.float32)
    # ink takes a share of the light away, so the difference is relative to the light there is
    unlike = (np.asarray(grey, dtype=np.float32) - ground) * (200 / np.maximum(ground, 40))
    darker, lighter = np.maximum(-unlike, 0), np.maximum(unlike, 0)
    stands_out = darker if np.mean(darker**2) >= np.mean(lighter**2) else lighter
    noise = 3 * 1.4826 * np.median(np.abs(unlike))
    return Image.fromarray(np.clip(stands_out - noise, 0, 255).astype(np.uint8))


def _stretch(difference: Image.Image) -> Image.Image | None:
    """Scale so that ground becomes 0 and ink 255, by Otsu's threshold (1979); None if nothing stands out."""
    counts = np.array(difference.histogram(), dtype=np.float64)
    values = np.arange(256)
    if counts[FAINTEST:].sum() == 0:
        return None
    below = counts.cumsum()
    sums = (counts * values).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.nan_to_num((sums * below[-1] / below - sums[-1]) ** 2 * below / np.maximum(above, 1e-9))
    threshold = max(int(between[:-1].argmax()), FAINTEST // 2)
    ink = counts[threshold + 1 :].cumsum()
    full = threshold + 1 + int(np.searchsorted(ink, ink[-1] / 2))  # the median of what is ink
    if full < FAINTEST:
        return None
    low = min(FAINTEST / 3, full / 4)
    table = np.clip((values - low) * 255 / (full - low), 0, 255).astype(np.uint8)
    return difference.point(table.tolist())


def _without_rules(strength: Image.Image) -> Image.Image:
    """Take away ruled lines: thin straight ink from edge to edge, except where other ink crosses it."""
    pixels = np.asarray(strength)
    if min(pixels.shape) < 60:
        return strength
    rules = None
    for turned in (pixels, pixels.T):
        # a quick check first, as few sketches have rules: a rule inks some row at both ends
        ends = turned[:, : turned.shape[1] // PIECES], turned[:, -(turned.shape[1] // PIECES) :]
        if all(((end > RULED_FROM).sum(axis=1) > 0.8 * end.shape[1]).any() for end in ends):
            found = _rules(turned > RULED_FROM)
            found = found.T if turned is not pixels else found
            rules = found if rules is None else rules | found
    return strength if rules is None else Image.fromarray(np.where(rules, np.uint8(0), pixels))


def _rules(inked: np.ndarray) -> np.ndarray:
    """The pixels of thin lines along most of the rows, crossings spared. (H, W) bool -> (H, W) bool.

    The width is cut into PIECES; a row of a piece is ruled if it is inked from end to end (a lean of one row
    is allowed for) while the rows a little above and below it are not.
    """
    height, width = inked.shape
    pieces = np.array_split(np.arange(width), PIECES)
    loose = inked | _shift(inked, 1) | _shift(inked, -1)
    full = np.stack([loose[:, piece].mean(axis=1) for piece in pieces], axis=1) > 0.9
    apart = max(height // 50, 4)
    thin = full & ~_shift(full, apart) & ~_shift(full, -apart)
    wander = max(height // 60, 2)  # rows that a rule may lean over its whole length
    # the line is there from edge to edge, and for half of its length nothing else is near it
    rows = (_spread(full, wander).mean(axis=1) >= RULE_SPAN) & (_spread(thin, wander).mean(axis=1) >= RULE_SPAN / 2)
    ruled = _spread(thin, wander).any(axis=1, keepdims=True) & rows[:, None] & _spread(full, 1)
    marked = np.zeros_like(inked)
    for index, piece in enumerate(pieces):
        marked[:, piece] = inked[:, piece] & ruled[:, index, None]
    # ink that goes on above and below the rule is a stroke that crosses it
    rest = inked & ~marked
    return marked & ~(_shift(rest, apart) & _shift(rest, -apart))


def _shift(mask: np.ndarray, rows: int) -> np.ndarray:
    moved = np.zeros_like(mask)
    if rows > 0:
        moved[rows:] = mask[:-rows]
    else:
        moved[:rows] = mask[-rows:]
    return moved


def _spread(mask: np.ndarray, rows: int) -> np.ndarray:
    wide = mask.copy()
    for by in range(1, rows + 1):
        wide |= _shift(mask, by) | _shift(mask, -by)
    return wide
