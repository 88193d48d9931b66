"""Whether a run learns at all: said while it runs, with the reason, and not only at its end."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from train.data.images import NO_CLASS
from train.task import Message

STEPS = 300  # whose mean loss is judged: a network that learns is far below guessing by then, whatever the recipe
FEWEST = 20  # at the end of a shorter run
GUESSING = 0.98  # of the loss of guessing: from there on nothing worth the name has been learned


@dataclass(frozen=True)
class Stuck:
    """The run learns nothing; the message says why and what may help. Told once."""

    epoch: int
    step: int  # within the epoch
    message: Message


class StuckWatch:
    """Compares the mean loss of some hundred steps with that of guessing by the labels' frequencies alone."""

    def __init__(self, labels: Tensor, classes: int, steps_done: int = 0):
        """A watch over the steps after the first `steps_done`.

        Labels (N,) to learn from may hold NO_CLASS: of these the best guess is an equal share for all.
        """
        counts = torch.bincount(labels[labels != NO_CLASS], minlength=classes).double()
        shares = counts / counts.sum().clamp(min=1)
        known = float(counts.sum()) / len(labels)
        even = torch.tensor(float(classes)).log().item()
        self.guessing = known * -float(torch.xlogy(shares, shares).sum()) + (1 - known) * even
        self.since = self.seen = steps_done
        self.loss = 0.0  # summed over the steps since
        self.told = False

    def __call__(self, loss: float, steps_done: int, last: bool, scores: Callable[[], Tensor]) -> Message | None:
        """What is wrong, or None.

        Args:
            loss: the mean over the steps since the last call.
            steps_done: the run's, by now.
            last: whether no step is left.
            scores: gives the network's scores (N, classes) of a few different images.
        """
        self.loss, self.seen = self.loss + loss * (steps_done - self.seen), steps_done
        steps = steps_done - self.since
        if self.told or steps < (FEWEST if last else STEPS):
            return None
        mean = self.loss / steps
        self.loss, self.since = 0.0, steps_done
        if mean < GUESSING * self.guessing:
            return None
        self.told = True
        answers = scores()
        if (answers - answers[:1]).abs().max() <= 1e-6 * answers.abs().max():
            return Message(
                "It learns nothing: its first steps were too large, and now its ReLUs give 0 for every picture. What "
                "gives 0 gets no gradient and stays so. Start again with a smaller learning rate, or another seed.",
                code="training.dead",
            )
        return Message(
            "It has learned nothing yet: its loss is no better than that of guessing. If the curve stays flat, try "
            "another learning rate, ten times smaller or larger.",
            code="training.flat",
        )
