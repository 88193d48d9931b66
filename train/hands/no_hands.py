"""Pictures without a hand, drawn by program: what the finder must learn to refuse."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
SKINS = ((255, 224, 196), (241, 194, 150), (224, 172, 125), (198, 134, 92), (141, 85, 52), (92, 56, 34), (255, 219, 60))


def no_hand(rng: Generator, side: int = 256, kinds: Sequence[str] | None = None) -> Image.Image:
    """A picture without a hand, side x side, RGB, of one of the kinds (default: those for training)."""
    kind = rng.choice(list(kinds or TRAINED + LIVELY))
    picture = KINDS[kind](rng, side)
    if rng.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 4))))
    return picture


def colour(rng: Generator) -> Colour:
    """Any colour, one in three a skin's: colour alone must not make a hand."""
    if rng.random() < 0.33:
        skin = np.array(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.5, 1.05)
        return tuple(int(value) for value in skin.clip(0, 255))
    return tuple(int(value) for value in rng.integers(0, 256, 3))


def plain(rng: Generator, side: int) -> Image.Image:
    """One colour, or nearly."""
    return _noisy(rng, np.broadcast_to(np.array(colour(rng), float), (side, side, 3)), rng.uniform(0, 6))


def gradient(rng: Generator, side: int) -> Image.Image:
    """From one colour to another, in any direction or round."""
    y, x = np.mgrid[0:side, 0:side] / side - rng.uniform(0, 1, 2).reshape(2, 1, 1)
    angle = rng.uniform(0, 6.3)
    way = np.hypot(x, y) if rng.random() < 0.3 else x * np.cos(angle) + y * np.sin(angle)
    way = ((way - way.min()) / np.ptp(way))[..., None]
    return _noisy(rng, way * np.array(colour(rng)) + (1 - way) * np.array(colour(rng)), rng.uniform(0, 8))


def noise(rng: Generator, side: int) -> Image.Image:
    """Grains or clouds: random colours at one size of grain, or at several."""
    layers = np.zeros((side, side, 3))
    for cells in rng.choice([2, 4, 8, 16, 32, 64, 128], rng.integers(1, 4), replace=False):
        grains = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layers += np.asarray(Image.fromarray(grains).resize((side, side), Image.Resampling.BICUBIC), float) - 128
    return _noisy(rng, layers * rng.uniform(0.2, 1) + np.array(colour(rng)), 0)


def stripes(rng: Generator, side: int) -> Image.Image:
    """Blinds, planks, checks and waves."""
    y, x = np.mgrid[0:side, 0:side] / side
    angle, pitch = rng.choice([0, np.pi / 2, rng.uniform(0, 3.2)]), rng.uniform(3, 40)
    wave = np.sin(2 * np.pi * pitch * (x * np.cos(angle) + y * np.sin(angle) + 0.03 * np.sin(rng.uniform(2, 20) * y)))
    if rng.random() < 0.3:
        wave = wave * np.sin(2 * np.pi * pitch * (y * np.cos(angle) - x * np.sin(angle)))
    part = 1 / (1 + np.exp(-wave * rng.uniform(1, 12)))[..., None]
    return _noisy(rng, part * np.array(colour(rng)) + (1 - part) * np.array(colour(rng)), rng.uniform(0, 15))


def shapes(rng: Generator, side: int) -> Image.Image:
    """Ellipses, rectangles, polygons and lines on some ground."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 14)):
        middle, size = rng.uniform(0, side, 2), rng.uniform(0.03, 0.45, 2) * side
        box = [*(middle - size / 2), *(middle + size / 2)]
        match rng.integers(4):
            case 0:
                draw.ellipse(box, colour(rng), colour(rng), int(rng.integers(0, 6)))
            case 1:
                draw.rounded_rectangle(box, float(rng.uniform(0, size.min() / 2)), colour(rng))
            case 2:
                corners = middle + rng.uniform(-0.6, 0.6, (rng.integers(3, 8), 2)) * size
                draw.polygon([tuple(corner) for corner in corners], colour(rng))
            case _:
                draw.line(box, colour(rng), int(rng.integers(1, 22)))
    return picture


def text(rng: Generator, side: int) -> Image.Image:
    """Letters, words and digits, small and large."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ,.!?")
    for _ in range(rng.integers(1, 10)):
        size = float(side * np.exp(rng.uniform(np.log(0.05), np.log(0.8))))
        words = "".join(rng.choice(letters, max(1, int(side / size * rng.uniform(0.5, 2.5)))))
        draw.text(tuple(rng.uniform(-0.1, 0.7, 2) * side), words, colour(rng), ImageFont.load_default(size))
    return picture


def face(rng: Generator, side: int) -> Image.Image:
    """A drawn face: head, hair, eyes, mouth, ears, neck and shoulders, some of them."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    radius = side * rng.uniform(0.08, 0.48)
    x, y = rng.uniform(0.25, 0.75, 2) * side
    tall, skin, hair, dark = rng.uniform(0.9, 1.4), tuple(_skin(rng)), colour(rng), colour(rng)

    def oval(across: float, down: float, wide: float, high: float, fill: Colour) -> None:
        middle = x + across * radius, y + down * radius * tall
        half = wide * radius, high * radius * tall
        draw.ellipse([middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]], fill)

    if rng.random() < 0.6:
        oval(0, 2.3, rng.uniform(1.2, 2), 1, colour(rng))
        oval(0, 1.1, 0.35, 0.5, skin)
    oval(0, rng.uniform(-0.4, 0), 1.1, rng.uniform(0.9, 1.3), hair)
    for ear in (-1, 1):
        oval(ear, 0, 0.18, 0.25, skin)
    oval(0, 0.05, 1, 1, skin)
    for eye in (-1, 1):
        oval(0.4 * eye, -0.2, 0.2, 0.13, (255, 255, 255))
        oval(0.4 * eye, -0.2, 0.09, 0.1, dark)
        draw.line([x + eye * 0.2 * radius, y - 0.5 * radius, x + eye * 0.6 * radius, y - 0.5 * radius], dark, 3)
    oval(0, 0.15, 0.08, 0.2, tuple(int(value * 0.85) for value in skin))
    mouth = [x - 0.45 * radius, y + 0.2 * radius, x + 0.45 * radius, y + 0.75 * radius]
    draw.chord(mouth, 0, 180, (190, 60, 70)) if rng.random() < 0.5 else draw.arc(mouth, 10, 170, (150, 40, 50), 4)
    if rng.random() < 0.25:
        for eye in (-1, 1):
            middle = x + 0.4 * eye * radius, y - 0.2 * radius
            draw.ellipse(
                [*(v - 0.28 * radius for v in middle), *(v + 0.28 * radius for v in middle)], outline=dark, width=3
            )
    return picture


def arm(rng: Generator, side: int) -> Image.Image:
    """A skin-coloured bar with a round end, shaded: an arm, a sausage, a stump; no fingers."""
    picture = _ground(rng, side)
    skin, mask = np.array(_skin(rng), float), Image.new("L", (side, side))
    start, end = rng.uniform(-0.2, 1.2, 2) * side, rng.uniform(0.2, 0.8, 2) * side
    wide = side * rng.uniform(0.06, 0.3)
    ImageDraw.Draw(mask).line([*start, *end], 255, int(wide))
    ImageDraw.Draw(mask).ellipse([*(end - wide / 2), *(end + wide / 2)], 255)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(side / 20)), float)[..., None] / 255
    return Image.composite(_noisy(rng, skin * (0.5 + 0.5 * soft), 4), picture, mask)


def objects(rng: Generator, side: int) -> Image.Image:
    """A lamp, mug, bottle, house, ball or screen, out of simple shapes."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 4)):
        x, y = rng.uniform(0.1, 0.7, 2) * side
        s, a, b = side * rng.uniform(0.15, 0.5), colour(rng), colour(rng)
        match rng.integers(6):
            case 0:  # mug
                draw.arc([x + 0.55 * s, y + 0.2 * s, x + 1.05 * s, y + 0.75 * s], -90, 90, a, max(2, int(0.09 * s)))
                draw.rounded_rectangle([x, y, x + 0.8 * s, y + s], 0.1 * s, a)
                draw.ellipse([x, y - 0.1 * s, x + 0.8 * s, y + 0.1 * s], b)
            case 1:  # bottle
                draw.rounded_rectangle([x + 0.13 * s, y - 0.4 * s, x + 0.27 * s, y + 0.2 * s], 4, b)
                draw.rounded_rectangle([x, y, x + 0.4 * s, y + 1.2 * s], 0.12 * s, a)
            case 2:  # house
                draw.rectangle([x, y, x + s, y + 0.8 * s], a)
                draw.polygon([(x - 0.1 * s, y), (x + 0.5 * s, y - 0.5 * s), (x + 1.1 * s, y)], b)
            case 3:  # lamp
                draw.line([x + 0.5 * s, y, x + 0.5 * s, y + 1.5 * s], b, max(2, int(0.06 * s)))
                draw.polygon([(x + 0.3 * s, y), (x + 0.7 * s, y), (x + s, y + 0.5 * s), (x, y + 0.5 * s)], a)
            case 4:  # ball
                for part in np.linspace(0, 0.4, 8):
                    shade = tuple(int(value * (0.6 + part)) for value in a)
                    draw.ellipse([x + part * s, y + part * s, x + (1 - part) * s, y + (1 - part) * s], shade)
            case _:  # screen
                draw.rectangle([x, y, x + 1.4 * s, y + 0.9 * s], (20, 20, 20))
                draw.rectangle([x + 0.05 * s, y + 0.05 * s, x + 1.35 * s, y + 0.85 * s], a)
                draw.text((x + 0.1 * s, y + 0.1 * s), "words\nand more", b, ImageFont.load_default(0.2 * s))
    return picture


def animal(rng: Generator, side: int) -> Image.Image:
    """A drawn cat or bear: ears, eyes, nose, whiskers, body and tail."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    x, y = rng.uniform(0.3, 0.7, 2) * side
    r, fur, dark = side * rng.uniform(0.1, 0.3), colour(rng), tuple(int(value) for value in rng.integers(0, 90, 3))
    draw.ellipse([x - 1.2 * r, y + 0.6 * r, x + 1.2 * r, y + 3 * r], fur)
    draw.arc([x + 0.5 * r, y + 0.5 * r, x + 2.3 * r, y + 2.5 * r], -60, 120, fur, max(3, int(0.25 * r)))
    for ear in (-1, 1):
        if rng.random() < 0.7:
            draw.polygon(
                [(x + ear * 0.9 * r, y), (x + ear * 0.9 * r, y - 1.3 * r), (x + ear * 0.2 * r, y - 0.8 * r)], fur
            )
        else:
            draw.ellipse([x + ear * 0.7 * r - 0.4 * r, y - 1.2 * r, x + ear * 0.7 * r + 0.4 * r, y - 0.4 * r], fur)
    draw.ellipse([x - r, y - r, x + r, y + r], fur)
    for eye in (-1, 1):
        draw.ellipse([x + eye * 0.4 * r - 0.15 * r, y - 0.4 * r, x + eye * 0.4 * r + 0.15 * r, y], dark)
        for slope in (-0.2, 0, 0.2):
            draw.line([x + eye * 0.2 * r, y + 0.3 * r, x + eye * 1.3 * r, y + (0.3 + slope) * r], dark, 2)
    draw.polygon([(x - 0.12 * r, y + 0.1 * r), (x + 0.12 * r, y + 0.1 * r), (x, y + 0.3 * r)], (220, 120, 130))
    return picture


def bricks(rng: Generator, side: int) -> Image.Image:
    """A wall of bricks or tiles."""
    picture = Image.new("RGB", (side, side), colour(rng))
    draw, wide, base = ImageDraw.Draw(picture), side * rng.uniform(0.08, 0.35), np.array(colour(rng))
    high, gap = wide * rng.uniform(0.3, 1), rng.uniform(1, 5)
    for row in range(int(side / high) + 1):
        for column in range(-1, int(side / wide) + 1):
            left = (column + 0.5 * (row % 2)) * wide
            fill = tuple(int(v) for v in (base * rng.uniform(0.75, 1.1)).clip(0, 255))
            draw.rectangle([left, row * high, left + wide - gap, (row + 1) * high - gap], fill)
    return picture


def plants(rng: Generator, side: int) -> Image.Image:
    """Flowers and leaves: thin parts around a middle, as fingers around a palm, but too many."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 6)):
        x, y = rng.uniform(0.1, 0.9, 2) * side
        long, petals, fill = side * rng.uniform(0.08, 0.35), int(rng.integers(7, 16)), colour(rng)
        draw.line([x, y, x + rng.uniform(-20, 20), side], (40, 120, 50), 4)
        for angle in np.arange(petals) * 2 * np.pi / petals + rng.uniform(0, 1):
            tip = x + long * np.cos(angle), y + long * np.sin(angle)
            draw.line([x, y, *tip], fill, max(2, int(2.5 * long / petals)))
        draw.ellipse([x - 0.2 * long, y - 0.2 * long, x + 0.2 * long, y + 0.2 * long], colour(rng))
    return picture


def sketch(rng: Generator, side: int) -> Image.Image:
    """A face, a stick figure or scribbles, in outline: as drawn with a pen, or as an emoji."""
    picture = _ground(rng, side) if rng.random() < 0.5 else Image.new("RGB", (side, side), (250, 250, 248))
    draw, pen, thick = ImageDraw.Draw(picture), colour(rng), int(rng.integers(1, 7))
    x, y = rng.uniform(0.25, 0.75, 2) * side
    r = side * rng.uniform(0.08, 0.4)
    if rng.random() < 0.3:
        points = np.array([x, y]) + np.cumsum(rng.normal(0, side / 12, (40, 2)), 0)
        draw.line([tuple(point) for point in points], pen, thick, "curve")
        return picture
    draw.ellipse([x - r, y - r, x + r, y + r], colour(rng) if rng.random() < 0.5 else None, pen, thick)
    for eye in (-0.4, 0.4):
        draw.ellipse([x + (eye - 0.1) * r, y - 0.4 * r, x + (eye + 0.1) * r, y - 0.1 * r], pen)
    draw.arc([x - 0.5 * r, y - 0.3 * r, x + 0.5 * r, y + 0.6 * r], 20, 160, pen, thick)
    if rng.random() < 0.5:  # a body; its hands have no fingers
        draw.line([x, y + r, x, y + 3 * r], pen, thick)
        for way in (-1, 1):
            draw.line([x, y + 1.4 * r, x + way * 1.2 * r, y + rng.uniform(0.8, 2.4) * r], pen, thick)
            draw.line([x, y + 3 * r, x + way * r, y + 4.5 * r], pen, thick)
    return picture


def robot(rng: Generator, side: int) -> Image.Image:
    """A robot: a box with lamps for eyes, a grid for a mouth and an antenna."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    x, y = rng.uniform(0.3, 0.7, 2) * side
    r, metal, lamp = side * rng.uniform(0.1, 0.35), colour(rng), colour(rng)
    draw.line([x, y - r, x, y - 1.5 * r], metal, 4)
    draw.ellipse([x - 0.12 * r, y - 1.6 * r, x + 0.12 * r, y - 1.36 * r], lamp)
    draw.rectangle([x - 1.2 * r, y + 1.1 * r, x + 1.2 * r, y + 3 * r], metal)
    draw.rounded_rectangle([x - r, y - r, x + r, y + r], 0.2 * r, metal)
    for eye in (-0.45, 0.45):
        draw.rectangle([x + (eye - 0.2) * r, y - 0.5 * r, x + (eye + 0.2) * r, y - 0.1 * r], lamp)
    for tooth in np.linspace(-0.6, 0.4, 6):
        draw.rectangle([x + tooth * r, y + 0.3 * r, x + (tooth + 0.12) * r, y + 0.6 * r], (30, 30, 30))
    return picture


def fruit(rng: Generator, side: int) -> Image.Image:
    """Bananas, apples and grapes: round and bent things in warm colours."""
    picture = _ground(rng, side)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 5)):
        x, y = rng.uniform(0.15, 0.85, 2) * side
        r, ripe = side * rng.uniform(0.08, 0.3), tuple(int(v) for v in rng.uniform((180, 60, 20), (255, 220, 110)))
        match rng.integers(3):
            case 0:
                start = rng.uniform(0, 360)
                draw.arc([x - r, y - r, x + r, y + r], start, start + 130, ripe, max(3, int(0.35 * r)))
            case 1:
                draw.ellipse([x - r, y - 0.9 * r, x + r, y + r], ripe)
                draw.line([x, y - 0.8 * r, x + 0.2 * r, y - 1.3 * r], (90, 60, 30), 4)
            case _:
                for place in rng.normal(0, 0.45, (14, 2)) * r + (x, y):
                    draw.ellipse([*(place - 0.2 * r), *(place + 0.2 * r)], ripe, (60, 30, 40))
    return picture


KINDS: dict[str, Callable[[Generator, int], Image.Image]] = {
    draw.__name__: draw
    for draw in (
        plain,
        gradient,
        noise,
        stripes,
        shapes,
        text,
        face,
        sketch,
        arm,
        objects,
        animal,
        plants,
        bricks,
        robot,
        fruit,
    )
}
KEPT = ("bricks", "robot", "fruit")  # never trained on: they measure
TRAINED = tuple(kind for kind in KINDS if kind not in KEPT)
LIVELY = ("face", "animal", "sketch", "plants")  # those most like hands are drawn twice as often


def _skin(rng: Generator) -> list[int]:
    return [int(value) for value in np.array(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.6, 1)]


def _ground(rng: Generator, side: int) -> Image.Image:
    return (plain, gradient, noise, stripes)[rng.choice(4, p=(0.35, 0.3, 0.2, 0.15))](rng, side)


def _noisy(rng: Generator, pixels: np.ndarray, amount: float) -> Image.Image:
    grains = rng.normal(0, amount, pixels.shape) if amount else 0
    return Image.fromarray((pixels + grains).clip(0, 255).astype(np.uint8))
