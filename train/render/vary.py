"""Renders as varied as other people's photos: any skin, lamp and camera, a hand held differently, any ground."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from train.data.pictures import PictureError, open_picture
from train.hands.scenes.no_hands import no_hand
from train.render.capsules import gaps
from train.render.poses import LETTERS, Pose, all_poses, letter_forms, turned
from train.render.scene import Colour, Light, Look, Shot, Stage
from train.render.skeleton import FINGERS, load
from train.task import UsageError

# The ten tones of the Monk Skin Tone Scale (Ellis Monk, 2019), from light to dark, sRGB.
TONES = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
GROUNDS = ("plain", "gradient", "noise", "stripes", "shapes", "objects", "bricks", "plants", "text")
DRAWN = 48  # grounds that are drawn once, then cut and tinted anew for each picture
DARKEST, BRIGHTEST = 0.04, 0.95  # linear light of the hand's median, and of its light parts, in a photo
CLOSE = -0.0025  # metres by which two fingers' capsules may overlap: flesh yields


@dataclass(frozen=True)
class Render:
    """One picture, and all that is known of it."""

    pixels: np.ndarray  # (side, side, 3) uint8
    pose: str  # a letter, or the name of another form of one, or of a hand that shows none
    box: tuple[float, float, float, float]  # of the hand without its forearm: left, top, right, bottom in pixels
    keypoints: np.ndarray  # (21, 2) in pixels, in hand trackers' order
    tone: float  # 0 the lightest skin, 1 the darkest
    left: bool  # a left hand

    @property
    def letter(self) -> str | None:
        """The letter it shows, or None."""
        return self.pose if self.pose in LETTERS else letter_forms().get(self.pose)


def renders(
    names: Sequence[str], count: int, rng: Generator, side: int = 224, folder: Path | None = None
) -> Iterator[Render]:
    """Yields `count` pictures of the poses of those names in turn, on parts of the folder's pictures, or of drawn ones.

    Raises UsageError for a folder without pictures.
    """
    stage, ground = Stage(side), grounds(rng, side, folder)
    for number in range(count):
        yield render(names[number % len(names)], stage, ground, rng)


def render(name: str, stage: Stage, ground: Callable[[], np.ndarray], rng: Generator) -> Render:
    """One picture of the pose of that name, varied."""
    tone = float(rng.uniform())
    look = varied_look(tone, rng)
    shot = stage.draw(varied_pose(all_poses()[name], rng), look)
    pixels = photographed(_shadowed(shot, ground(), rng), rng, shot.alpha)
    return Render(pixels, name, shot.box, shot.keypoints, tone, look.left)


def varied_pose(pose: Pose, rng: Generator, amount: float = 1.0) -> Pose:
    """The pose as held by another person: joints by some 5 degrees, the hand by some 12, no finger inside another."""
    turn = turned(*(amount * rng.normal(0, (10, 8, 8))))
    allowed = np.minimum(gaps(load().joints(pose.angles)), CLOSE + 0.0005)
    while amount > 0.05:
        together = rng.normal(0, 3)  # some hold all fingers straighter than others
        angles = {name: amount * rng.normal(0, (3.5, 4.5, 3.5, 2, 1.5)) for name in FINGERS}
        for name in FINGERS[1:]:
            angles[name][:2] += amount * together
        angles["wrist"] = amount * rng.normal(0, (9, 7))
        new = pose.moved(angles)
        if (gaps(load().joints(new.angles)) >= allowed - 0.0005).all():
            return replace(new, turn=turn @ pose.turn)
        amount *= 0.85
    return replace(pose, turn=turn @ pose.turn)


def varied_look(tone: float, rng: Generator) -> Look:
    """A hand of that tone (0 light to 1 dark), and any lamps and camera."""
    skin, palm = skin_colours(tone, rng)
    warm = rng.normal(0, 0.06)
    lamp_colour = (1 + warm, 1.0, 1 - warm)
    key = Light((rng.normal(0, 0.8), rng.normal(0.5, 0.7), 1.0), rng.uniform(0.25, 0.9), lamp_colour)
    fill = Light((rng.normal(0, 1.0), rng.normal(0, 0.8), 0.8), rng.uniform(0.0, 0.4))
    size = float(np.exp(rng.uniform(np.log(0.48), np.log(0.95))))
    free = max(1 - size, 0.05) * 0.9
    return Look(
        skin, palm,
        sleeve=tuple(rng.uniform(0.03, 0.95, 3)) if rng.random() < 0.5 else None,
        cuff=rng.uniform(0.0, 0.12), thick=rng.uniform(0.0004, 0.0026),
        stretch=tuple(np.exp(rng.normal(0, (0.06, 0.05, 0.05)))),
        gloss=rng.uniform(0.02, 0.35), ambient=rng.uniform(0.2, 0.6), lights=(key, fill),
        view=float(np.exp(rng.uniform(np.log(12), np.log(55)))),
        fill=size, middle=tuple(rng.uniform(-free, free, 2)), left=bool(rng.random() < 0.5),
    )  # fmt: skip


def skin_colours(tone: float, rng: Generator | None = None) -> tuple[Colour, Colour]:
    """Colours of the back and the palm of a hand of that tone, 0 light to 1 dark; varied where there is an rng."""
    scale = np.array([[int(name[i : i + 2], 16) / 255 for i in (0, 2, 4)] for name in TONES])
    place = tone * (len(scale) - 1)
    skin = np.array([np.interp(place, range(len(scale)), channel) for channel in scale.T])
    # hands are redder and less yellow than the scale's flat patches
    skin = skin * (1, 0.88, 0.84 + 0.12 * tone) * (1.02 - 0.12 * (1 - tone))
    palm = skin + (0.16 + 0.30 * tone) * (np.array([0.84, 0.60, 0.52]) - skin)
    if rng is not None:
        shade = np.exp(rng.normal(0, (0.06, 0.05, 0.07)))
        skin, palm = skin * shade, palm * shade * np.exp(rng.normal(0, 0.04))
    return tuple(skin.clip(0, 1)), tuple(palm.clip(0, 1))


def grounds(rng: Generator, side: int, folder: Path | None = None, few: int = DRAWN) -> Callable[[], np.ndarray]:
    """What gives a new ground (side, side, 3) uint8 at each call: part of a drawn picture, or of one in the folder.

    `few` pictures are drawn.
    """
    if folder is None:
        pool = [no_hand(rng, 2 * side, GROUNDS) for _ in range(few)]
    else:
        pool = list(_pictures(folder, 2 * side))

    def cut() -> np.ndarray:
        picture = pool[rng.integers(len(pool))]
        size = int(rng.uniform(0.4, 1.0) * min(picture.size))
        x, y = (int(rng.integers(0, edge - size + 1)) for edge in picture.size)
        part = picture.resize((side, side), Image.Resampling.BILINEAR, (x, y, x + size, y + size))
        if rng.random() < 0.4:
            part = part.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 5))))
        pixels = np.asarray(part)[:, :: rng.choice([-1, 1])]
        if folder is None:  # rooms are mostly greyer than drawings
            grey = pixels.mean(2, keepdims=True)
            pixels = grey + (pixels - grey) * rng.uniform(0, 0.7)
            pixels = (pixels - pixels.mean()) * rng.uniform(0.1, 0.8) + rng.uniform(20, 235)
        return pixels.clip(0, 255).astype(np.uint8)

    return cut


def _pictures(folder: Path, side: int) -> Iterator[Image.Image]:
    found = False
    for file in sorted(Path(folder).rglob("*")):
        if file.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"}:
            try:
                yield open_picture(file, longest=4 * side).convert("RGB")
                found = True
            except PictureError:
                continue
    if not found:
        raise UsageError(f"there are no pictures in {folder}")


def _shadowed(shot: Shot, ground: np.ndarray, rng: Generator) -> np.ndarray:
    """The hand over the ground; sometimes it casts a soft shadow."""
    if rng.random() < 0.4:
        side = ground.shape[0]
        alpha = Image.fromarray(shot.alpha).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.01, 0.06) * side)))
        moved = np.roll(np.asarray(alpha), tuple(int(step) for step in rng.normal(0, 0.06 * side, 2)), (0, 1))
        ground = ground * (1 - rng.uniform(0.1, 0.6) * moved[..., None] / 255)
    return shot.over(ground)


def photographed(pixels: np.ndarray, rng: Generator, hand: np.ndarray) -> np.ndarray:
    """Pixels (side, side, 3) in 0..255 as a camera would take them, uint8.

    It varies exposure, white balance, blur, resolution, sensor noise and compression.

    `hand` (side, side) uint8 says where the hand is: nobody would send, or could read, photos in which it is burnt out
    or lost in black.
    """
    side = pixels.shape[0]
    light = (pixels / 255) ** 2.2
    wanted = 0.24 * np.exp(rng.normal(0, 0.45))  # a camera exposes for the mean, within limits
    gain = np.clip(wanted / max(light.mean(), 0.01), 0.4, 4)
    low, high = np.percentile(light.mean(2)[hand > 128], (50, 90)) if (hand > 128).any() else (0.2, 0.5)
    gain = min(max(gain, DARKEST / max(low, 1e-3)), BRIGHTEST / max(high, 1e-3))
    light = light * gain * np.exp(rng.normal(0, 0.09, 3))
    gain = np.exp(rng.uniform(np.log(0.0002), np.log(0.006)))
    light = light + rng.standard_normal(light.shape, np.float32) * np.sqrt(gain * light.clip(0, 1) + (gain / 4) ** 2)
    tone = np.exp(rng.normal(0, 0.15))
    picture = Image.fromarray((255 * light.clip(0, 1) ** (tone / 2.2)).astype(np.uint8))
    kind = rng.random()
    if kind < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.008 * side))))
    elif kind < 0.35:
        picture = _moving(picture, int(rng.integers(3, max(4, side // 32))), rng)
    if rng.random() < 0.25:
        few = int(rng.uniform(0.25, 0.7) * side)
        picture = picture.resize((few, few), Image.Resampling.BOX).resize((side, side), Image.Resampling.BILINEAR)
    if rng.random() < 0.1:
        picture = picture.convert("L").convert("RGB")
    if rng.random() < 0.7:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(rng.integers(30, 95)))
        picture = Image.open(file)
    return np.asarray(picture.convert("RGB"))


def _moving(picture: Image.Image, length: int, rng: Generator) -> Image.Image:
    """The picture as if the hand had moved while the shutter was open: the mean of `length` pictures along a line."""
    angle = rng.uniform(0, np.pi)
    pixels = np.asarray(picture, np.float32)
    steps = np.arange(length) - (length - 1) / 2
    moves = np.round(np.outer(steps, (np.sin(angle), np.cos(angle)))).astype(int)
    return Image.fromarray(np.mean([np.roll(pixels, move, (0, 1)) for move in moves], axis=0).astype(np.uint8))
