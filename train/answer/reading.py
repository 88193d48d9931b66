"""What a reader answers about one digit or one hand."""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True, eq=False)
class Reading:
    """An answer, how sure it is, and what it rests on."""

    label: str | None  # None: refused, nothing like a digit or sign was found
    confidence: float  # 0..1, of the label; calibrated: right as often as it says
    top: tuple[tuple[str, float], ...] = ()  # all labels with their probabilities, most probable first
    note: str = ""  # in the user's words: why there is no answer, or what else it may be
    seen: np.ndarray | None = None  # (H, W) or (H, W, 3) uint8: what the network saw
    heat: np.ndarray | None = None  # (H, W) float32 in 0..1: where it looked, laid over `seen`
    box: tuple[float, float, float, float] | None = None  # left, top, right, bottom in the picture's pixels

    @property
    def sure(self) -> bool:
        """Whether the label is given without reserve."""
        return self.label is not None and not self.note


def refused(note: str, **more) -> Reading:
    """A reading that gives no answer and says why."""
    return Reading(None, 0.0, note=note, **more)


def ranked(labels: tuple[str, ...], probabilities) -> tuple[tuple[str, float], ...]:
    """Labels with their probabilities (a sequence of floats in the labels' order), most probable first.

    A network whose sums have overflowed knows nothing: all labels get the same probability.
    """
    if not np.isfinite(probabilities).all():
        probabilities = [1 / len(labels)] * len(labels)
    pairs = [(label, float(p)) for label, p in zip(labels, probabilities, strict=True)]
    return tuple(sorted(pairs, key=lambda pair: -pair[1]))


def softmax(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Scores (N, classes) as probabilities, which a temperature above 1 makes less sure."""
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def class_activation(shares: np.ndarray) -> list[np.ndarray]:
    """Where the answer comes from, as pictures: (28, 28) float32 in 0..1 each.

    Takes each place's share of the winning score, (N, h, w), at least 0 (see train.answer.parts.answer).
    """
    heats = []
    for share in shares:
        share = (share / max(float(share.max()), 1e-6) * 255).astype(np.uint8)
        heat = Image.fromarray(np.pad(share, 1)).resize((28, 28), Image.Resampling.BICUBIC)
        heats.append(np.asarray(heat, dtype=np.float32) / 255)
    return heats
