"""The chart of the 24 letters in assets/signs, on a light and on a dark ground: python -m train.render.chart"""

import sys
from pathlib import Path

from PIL import Image

from train.render.poses import LETTERS, all_poses
from train.render.scene import Colour, Light, Look, Stage
from train.render.vary import skin_colours

FOLDER = Path(__file__).parents[2] / "assets" / "signs"
GROUNDS: dict[str, Colour] = {"light": (0.90, 0.91, 0.93), "dark": (0.12, 0.14, 0.18)}
TONE = 0.47
SIDE = 320


def look() -> Look:
    """Soft light from above, so that every digit stands out."""
    skin, palm = skin_colours(TONE)
    lights = (Light((-0.5, 0.9, 1.0), 0.62), Light((0.9, 0.1, 0.8), 0.28))
    return Look(skin, palm, gloss=0.12, ambient=0.42, lights=lights, view=22, fill=0.68)


def main() -> int:
    """Draws all pictures anew; returns 0."""
    stage = Stage(SIDE, samples=3)
    for name, ground in GROUNDS.items():
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
        for letter in LETTERS:
            picture = Image.fromarray(stage.draw(all_poses()[letter], look()).over(ground))
            picture.save(FOLDER / name / f"{letter}.webp", quality=88, method=6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
