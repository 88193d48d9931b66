"""The embedded set of rendered signs, 28 x 28 grey: python -m train.render.small [--out FILE --seed S]"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from train.data.rendered import FILE
from train.hands.crop import crop
from train.render.poses import LETTERS
from train.render.scene import Stage
from train.render.vary import grounds, render

TRAIN, TEST = 210, 40  # pictures of each letter
DRAWN_SIDE = 112  # pixels of the picture that the hand is cut out of
STEP = 8  # of grey: fewer steps pack better, and 28 x 28 photos have no more


def main(arguments: list[str] | None = None) -> int:
    """Draw the set anew and write it; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m train.render.small", description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    stage = Stage(DRAWN_SIDE)
    parts = {name: pictures(count, stage, rng) for name, count in (("train", TRAIN), ("test", TEST))}
    options.out.parent.mkdir(exist_ok=True)
    arrays = {f"{part}_pixels": pixels for part, (pixels, _) in parts.items()}
    arrays |= {f"{part}_labels": labels for part, (_, labels) in parts.items()}
    np.savez_compressed(options.out, **arrays)
    print(f"{sum(len(labels) for _, labels in parts.values()):,} pictures in {options.out}")
    return 0


def pictures(count: int, stage: Stage, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` pictures of each letter, mixed: pixels (N, 28, 28) uint8 and labels 0..23 (N,) uint8."""
    ground = grounds(rng, stage.side)
    labels = rng.permutation(np.repeat(np.arange(len(LETTERS), dtype=np.uint8), count))
    return np.stack([_picture(LETTERS[label], stage, ground, rng) for label in labels]), labels


def _picture(letter: str, stage: Stage, ground, rng: np.random.Generator) -> np.ndarray:
    """The hand cut out of a picture, a little off centre, as in Sign Language MNIST: (28, 28) uint8."""
    one = render(letter, stage, ground, rng)
    left, top, right, bottom = one.box
    aside = rng.normal(0, 0.05, 2) * max(right - left, bottom - top)
    box = (left + aside[0], top + aside[1], right + aside[0], bottom + aside[1])
    seen = crop(one.pixels, box, context=float(rng.uniform(1.05, 1.3)), side=28)
    grey = np.asarray(Image.fromarray(seen).convert("L"))
    return (grey // STEP * STEP + STEP // 2).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
