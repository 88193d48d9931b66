"""What a ZeroGPU Space lends: a GPU for seconds, which count against the visitor's daily quota.

Elsewhere there is none. https://huggingface.co/docs/hub/spaces-zerogpu
"""

import importlib.util
import math
import os

from demo.limits import RunLimits
from train.task import Recipe

HERE = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true") and bool(importlib.util.find_spec("spaces"))
# What a run will take: careful guesses, for too little cuts a run off, and of too much the rest is given back
START = 12.0  # seconds for the process, CUDA and the images
STEP = 0.004  # seconds of a step, however small
SPEED = 2e12  # multiplications a second, forward and backward
MOST_IMAGES = 60_000  # that a task has to learn from


def seconds_for(recipe: Recipe, multiplications: int, limits: RunLimits) -> int:
    """Seconds of a GPU to ask for, for a run of a network that takes so many multiplications an image."""
    images = MOST_IMAGES * recipe.share * (1 - recipe.validation_share) * recipe.epochs
    needed = START + STEP * images / recipe.batch_size + 3 * images * multiplications / SPEED
    return math.ceil(min(1.5 * needed, limits.gpu_seconds))
