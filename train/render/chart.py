"""The chart in assets/signs, on a light and on a dark ground: python -m train.render.chart

24 letters, which stand still and can be read, and J and Z: how they begin, how they end, and the path of the fingertip.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from train.render.film import LENGTH, film, key_at
from train.render.poses import LETTERS, all_poses
from train.render.scene import Colour, Light, Look, Stage
from train.render.vary import skin_colours

FOLDER = Path(__file__).parents[2] / "assets" / "signs"
GROUNDS: dict[str, Colour] = {"light": (0.90, 0.91, 0.93), "dark": (0.12, 0.14, 0.18)}
TONE = 0.47
PICTURE_SIDE = 320  # pixels
TIPS = {"J": 20, "Z": 8}  # which of the 21 points draws the letter
ACROSS = 0.36  # width in metres that the pictures of movements show
ARROW: dict[str, tuple[int, int, int]] = {"light": (21, 101, 192), "dark": (130, 190, 255)}
GHOST = 0.28  # opacity, 0..1, of the hand where the movement ends


def look() -> Look:
    """Soft light from above, so that every finger stands out."""
    skin, palm = skin_colours(TONE)
    lights = (Light((-0.5, 0.9, 1.0), 0.62), Light((0.9, 0.1, 0.8), 0.28))
    return Look(skin, palm, gloss=0.12, ambient=0.42, lights=lights, view=22, fill=0.68)


def main() -> int:
    """Draw all pictures anew; returns 0."""
    stage = Stage(PICTURE_SIDE, samples=3)
    for name, ground in GROUNDS.items():
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
        for letter in LETTERS:
            picture = Image.fromarray(stage.draw(all_poses()[letter], look()).over(ground))
            picture.save(FOLDER / name / f"{letter}.webp", quality=88, method=6)
        for letter in TIPS:
            moving(letter, stage, name).save(FOLDER / name / f"{letter}.webp", quality=88, method=6)
    return 0


def moving(letter: str, stage: Stage, ground: str) -> Image.Image:
    """J or Z: the hand as it begins, faint as it ends, and an arrow along the fingertip's path."""
    keys = [key for key in film(letter) if key.letter == letter]
    times = np.linspace(keys[1].time, keys[-2].time, 41)
    drawn = []
    for time in times:
        key = key_at(keys, time)
        middle = 2 * key.at * LENGTH / ACROSS - (0, 0.1)
        drawn.append(stage.draw(key.pose, replace(look(), across=ACROSS, middle=tuple(middle))))
    start, end = drawn[0].over(GROUNDS[ground]), drawn[-1].over(GROUNDS[ground])
    bare = drawn[0].alpha[..., None] < 128
    picture = np.where(bare, (1 - GHOST) * start + GHOST * end, start)
    way = [tuple(shot.keypoints[TIPS[letter]]) for shot in drawn]
    return _with_arrow(Image.fromarray(picture.astype(np.uint8)), way, ARROW[ground])


def _with_arrow(picture: Image.Image, way: list[tuple[float, float]], colour: tuple[int, int, int]) -> Image.Image:
    """The picture with an arrow along the path `way`, soft at its edges and with a pale rim."""
    more = 4
    mask = Image.new("L", (more * picture.width, more * picture.height))
    pen = ImageDraw.Draw(mask)
    points = [(more * x, more * y) for x, y in way]
    last, before = np.array(points[-1]), np.array(points[-3])
    along = (last - before) / np.linalg.norm(last - before)
    across = np.array([-along[1], along[0]])
    pen.line([*points[:-1], tuple(last - along * more * 4)], 255, width=more * 8, joint="curve")
    pen.ellipse([*(np.array(points[0]) - more * 9), *(np.array(points[0]) + more * 9)], fill=255)
    back, wide = last - along * more * 8, across * more * 15
    pen.polygon([tuple(corner) for corner in (last + along * more * 14, back + wide, back - wide)], fill=255)
    rim = mask.filter(ImageFilter.MaxFilter(4 * more + 1)).reduce(more)
    picture.paste((255, 255, 255) if sum(colour) < 450 else (20, 24, 32), (0, 0), rim.point(lambda v: v * 3 // 4))
    picture.paste(colour, (0, 0), mask.reduce(more))
    return picture


if __name__ == "__main__":
    sys.exit(main())
