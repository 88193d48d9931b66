"""Grounds to draw on: one colour, a gradient, noise or stripes; and colours, of skin or any."""

import numpy as np
from numpy.random import Generator
from PIL import Image

Colour = tuple[int, int, int]
SKINS = ((255, 224, 196), (241, 194, 150), (224, 172, 125), (198, 134, 92), (141, 85, 52), (92, 56, 34), (255, 219, 60))


def colour(rng: Generator) -> Colour:
    """Any colour, one in three a skin's: colour alone must not make a hand."""
    if rng.random() < 0.33:
        skin = np.array(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.5, 1.05)
        return tuple(int(value) for value in skin.clip(0, 255))
    return tuple(int(value) for value in rng.integers(0, 256, 3))


def skin_colour(rng: Generator) -> list[int]:
    """A skin's colour, as it is or darker."""
    return [int(value) for value in np.array(SKINS[rng.integers(len(SKINS))]) * rng.uniform(0.6, 1)]


def ground(rng: Generator, side: int) -> Image.Image:
    """A ground of one of the four kinds below, plain ones most often: RGB, side x side."""
    return (plain, gradient, noise, stripes)[rng.choice(4, p=(0.35, 0.3, 0.2, 0.15))](rng, side)


def plain(rng: Generator, side: int) -> Image.Image:
    """One colour, or nearly."""
    return noisy(rng, np.broadcast_to(np.array(colour(rng), float), (side, side, 3)), rng.uniform(0, 6))


def gradient(rng: Generator, side: int) -> Image.Image:
    """From one colour to another, in any direction or round."""
    y, x = np.mgrid[0:side, 0:side] / side - rng.uniform(0, 1, 2).reshape(2, 1, 1)
    angle = rng.uniform(0, 6.3)
    way = np.hypot(x, y) if rng.random() < 0.3 else x * np.cos(angle) + y * np.sin(angle)
    way = ((way - way.min()) / np.ptp(way))[..., None]
    return noisy(rng, way * np.array(colour(rng)) + (1 - way) * np.array(colour(rng)), rng.uniform(0, 8))


def noise(rng: Generator, side: int) -> Image.Image:
    """Grains or clouds: random colours at one size of grain, or at several."""
    layers = np.zeros((side, side, 3))
    for cells in rng.choice([2, 4, 8, 16, 32, 64, 128], rng.integers(1, 4), replace=False):
        grains = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layers += np.asarray(Image.fromarray(grains).resize((side, side), Image.Resampling.BICUBIC), float) - 128
    return noisy(rng, layers * rng.uniform(0.2, 1) + np.array(colour(rng)), 0)


def stripes(rng: Generator, side: int) -> Image.Image:
    """Blinds, planks, checks and waves."""
    y, x = np.mgrid[0:side, 0:side] / side
    angle, pitch = rng.choice([0, np.pi / 2, rng.uniform(0, 3.2)]), rng.uniform(3, 40)
    wave = np.sin(2 * np.pi * pitch * (x * np.cos(angle) + y * np.sin(angle) + 0.03 * np.sin(rng.uniform(2, 20) * y)))
    if rng.random() < 0.3:
        wave = wave * np.sin(2 * np.pi * pitch * (y * np.cos(angle) - x * np.sin(angle)))
    part = 1 / (1 + np.exp(-wave * rng.uniform(1, 12)))[..., None]
    return noisy(rng, part * np.array(colour(rng)) + (1 - part) * np.array(colour(rng)), rng.uniform(0, 15))


def noisy(rng: Generator, pixels: np.ndarray, amount: float) -> Image.Image:
    """(side, side, 3) pixels as a picture, with noise of that standard deviation."""
    grains = rng.normal(0, amount, pixels.shape) if amount else 0
    return Image.fromarray((pixels + grains).clip(0, 255).astype(np.uint8))
