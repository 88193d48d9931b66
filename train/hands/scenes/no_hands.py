"""Pictures without a hand, drawn by program: what the finder must learn to refuse."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from train.hands.scenes.backdrops import colour, gradient, ground, noise, noisy, plain, skin_colour, stripes
from train.hands.scenes.figures import animal, face, robot, sketch


def no_hand(rng: Generator, side: int = 256, kinds: Sequence[str] | None = None) -> Image.Image:
    """A picture without a hand, side x side, RGB, of one of the kinds (default: those for training)."""
    kind = rng.choice(list(kinds or TRAINED + LIVELY))
    picture = KINDS[kind](rng, side)
    if rng.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 4))))
    return picture


def shapes(rng: Generator, side: int) -> Image.Image:
    """Ellipses, rectangles, polygons and lines on some ground."""
    picture = ground(rng, side)
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
    picture = ground(rng, side)
    draw = ImageDraw.Draw(picture)
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ,.!?")
    for _ in range(rng.integers(1, 10)):
        size = float(side * np.exp(rng.uniform(np.log(0.05), np.log(0.8))))
        words = "".join(rng.choice(letters, max(1, int(side / size * rng.uniform(0.5, 2.5)))))
        draw.text(tuple(rng.uniform(-0.1, 0.7, 2) * side), words, colour(rng), ImageFont.load_default(size))
    return picture


def arm(rng: Generator, side: int) -> Image.Image:
    """A skin-coloured bar with a round end, shaded: an arm, a sausage, a stump; no fingers."""
    picture = ground(rng, side)
    skin, mask = np.array(skin_colour(rng), float), Image.new("L", (side, side))
    start, end = rng.uniform(-0.2, 1.2, 2) * side, rng.uniform(0.2, 0.8, 2) * side
    wide = side * rng.uniform(0.06, 0.3)
    ImageDraw.Draw(mask).line([*start, *end], 255, int(wide))
    ImageDraw.Draw(mask).ellipse([*(end - wide / 2), *(end + wide / 2)], 255)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(side / 20)), float)[..., None] / 255
    return Image.composite(noisy(rng, skin * (0.5 + 0.5 * soft), 4), picture, mask)


def objects(rng: Generator, side: int) -> Image.Image:
    """A lamp, mug, bottle, house, ball or screen, out of simple shapes."""
    picture = ground(rng, side)
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


def plants(rng: Generator, side: int) -> Image.Image:
    """Flowers and leaves: thin parts around a middle, as fingers around a palm, but too many."""
    picture = ground(rng, side)
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


def fruit(rng: Generator, side: int) -> Image.Image:
    """Bananas, apples and grapes: round and bent things in warm colours."""
    picture = ground(rng, side)
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
KEPT = ("bricks", "robot", "fruit")  # never trained on: for measuring
TRAINED = tuple(kind for kind in KINDS if kind not in KEPT)
LIVELY = ("face", "animal", "sketch", "plants")  # those most like hands, drawn twice as often as the others
