"""Drawings that are not digits, made by program: scribbles, shapes and letters, to learn and measure refusal."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Letters that people draw just like a digit: nobody can tell O from 0 without its neighbours
LIKE_DIGITS = "OoIlSsZz"
# Where the common systems keep fonts; Pillow brings one of its own besides
FONT_FOLDERS = ("/usr/share/fonts", "/Library/Fonts", "/System/Library/Fonts/Supplemental", "C:/Windows/Fonts")
FONT_FAMILIES = ("DejaVu", "Liberation", "Arial", "Times", "Courier", "Georgia", "Verdana", "Comic", "Trebuc")


def scribble(random: np.random.Generator) -> list[np.ndarray]:
    """Strokes, (n, 2) float arrays within about 0..100, that no one would take for a digit."""
    kinds = (_tangle, _tangle, _zigzag, _spiral, _hatching, _lines, _shape, _wave, _dots)
    strokes = kinds[random.integers(len(kinds))](random)
    turn = random.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * random.uniform(0.7, 1.3, (1, 2))
    return [(stroke - 50) @ matrix + 50 for stroke in strokes]


def letter(random: np.random.Generator, which: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """A letter in a font, slanted, turned and stretched a little: mode L, 200 x 200, bright on dark."""
    picture = Image.new("L", (200, 200))
    ImageDraw.Draw(picture).text((100, 100), which, fill=255, font=font, anchor="mm")
    turn, slant = random.normal(0, 0.08), random.normal(0.05, 0.12)
    wide, high = random.uniform(0.75, 1.25, 2)
    matrix = np.array([[np.cos(turn), np.sin(turn) + slant], [-np.sin(turn), np.cos(turn)]]) / [[wide], [high]]
    offset = 100 - matrix @ [100, 100]
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    return picture.transform(picture.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


@lru_cache(maxsize=2)
def fonts(size: int = 110) -> tuple[ImageFont.FreeTypeFont, ...]:
    """Pillow's own font, and those of the usual Latin families that this machine has, in the order of their names."""
    files = sorted(
        file
        for folder in FONT_FOLDERS
        if Path(folder).is_dir()
        for file in Path(folder).rglob("*.ttf")
        if file.name.startswith(FONT_FAMILIES)
    )
    return (ImageFont.load_default(size), *(ImageFont.truetype(str(file), size) for file in files))


def _smooth(points: np.ndarray, count: int) -> np.ndarray:
    """`count` points along a Catmull-Rom curve through (n, 2) points."""
    p = np.concatenate([points[:1], points, points[-1:]])
    at = np.linspace(0, len(points) - 1 - 1e-6, count)
    i, t = at.astype(int), (at % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def _tangle(random) -> list[np.ndarray]:
    """Curves to and fro: what a pen tried out looks like."""
    return [
        _smooth(random.uniform(0, 100, (random.integers(7, 16), 2)), 120)
        for _ in range(random.choice([1, 1, 2]))
    ]  # fmt: skip


def _zigzag(random) -> list[np.ndarray]:
    count = random.integers(5, 12)
    y = np.where(np.arange(count) % 2, random.uniform(60, 100), random.uniform(0, 40)) + random.normal(0, 6, count)
    points = np.stack([np.linspace(0, 100, count), y], axis=1)
    return [points if random.random() < 0.5 else _smooth(points, 100)]


def _spiral(random) -> list[np.ndarray]:
    angle = np.linspace(0, random.uniform(2.2, 5) * 2 * np.pi, 150)
    radius = np.linspace(random.uniform(0, 10), 50, 150)
    return [50 + np.stack([np.cos(angle), np.sin(angle) * random.uniform(0.6, 1)], axis=1) * radius[:, None]]


def _hatching(random) -> list[np.ndarray]:
    """Parallel lines, some crossed by others: hatching, grids, #."""
    count = random.integers(2, 7)
    lines = [np.array([[x, random.uniform(0, 15)], [x, random.uniform(85, 100)]]) for x in np.linspace(5, 95, count)]
    if random.random() < 0.6:
        count = random.integers(1, 5)
        lines += [np.array([[0, y], [100, y]]) for y in np.linspace(10, 90, count + 2)[1:-1]]
    return lines


def _lines(random) -> list[np.ndarray]:
    """Straight lines at random: crosses, stars, sticks."""
    return [random.uniform(0, 100, (2, 2)) for _ in range(random.integers(3, 9))]


def _shape(random) -> list[np.ndarray]:
    """Triangles, squares, pentagons, stars, hearts of corners, some crossed out."""
    corners = random.integers(3, 7)
    step = 2 if corners >= 5 and random.random() < 0.6 else 1
    angle = np.arange(corners + 1) * step * 2 * np.pi / corners
    shape = [50 + 50 * np.stack([np.sin(angle), -np.cos(angle)], axis=1)]
    if random.random() < 0.4:
        shape += [random.uniform(0, 100, (2, 2)) for _ in range(random.integers(1, 3))]
    return shape


def _wave(random) -> list[np.ndarray]:
    x = np.linspace(0, 100, 120)
    turns = random.uniform(1.5, 6)
    y = 50 + random.uniform(10, 40) * np.sin(x / 100 * turns * 2 * np.pi + random.uniform(0, 6))
    loops = random.uniform(0, 25) * np.cos(x / 100 * turns * 2 * np.pi)
    return [np.stack([x + loops, y], axis=1)]


def _dots(random) -> list[np.ndarray]:
    """Dots and short dashes, apart from each other."""
    places = random.uniform(0, 100, (random.integers(2, 8), 2))
    return [place + random.normal(0, 4, (random.integers(1, 4), 2)) for place in places]
