"""Drawings most easily taken for a hand: faces, animals and robots, in colour or in outline."""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from train.hands.scenes.backdrops import Colour, colour, ground, skin_colour


def face(rng: Generator, side: int) -> Image.Image:
    """A drawn face: head, hair, eyes, mouth, ears, neck and shoulders, some of them."""
    picture = ground(rng, side)
    draw = ImageDraw.Draw(picture)
    radius = side * rng.uniform(0.08, 0.48)
    x, y = rng.uniform(0.25, 0.75, 2) * side
    tall, skin, hair, dark = rng.uniform(0.9, 1.4), tuple(skin_colour(rng)), colour(rng), colour(rng)

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


def sketch(rng: Generator, side: int) -> Image.Image:
    """A face, a stick figure or scribbles, in outline: as drawn with a pen, or as an emoji."""
    picture = ground(rng, side) if rng.random() < 0.5 else Image.new("RGB", (side, side), (250, 250, 248))
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


def animal(rng: Generator, side: int) -> Image.Image:
    """A drawn cat or bear: ears, eyes, nose, whiskers, body and tail."""
    picture = ground(rng, side)
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


def robot(rng: Generator, side: int) -> Image.Image:
    """A robot: a box with lamps for eyes, a grid for a mouth and an antenna."""
    picture = ground(rng, side)
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
