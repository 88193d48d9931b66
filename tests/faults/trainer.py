"""The process that trains, with 3,000 tiny images: python tests/faults/trainer.py [HARM]

HARM is what the tests of its faults want: unborn, silent; late; and when it has learned something: crash, deaf, hang.
"""

import ctypes
import sys
import threading
import time

import torch

from demo.training.trainer import child
from train.data.images import Images, Splits


def tiny_splits(task=None, recipe=None) -> Splits:
    """3,000 images to learn from, 300 to watch: their class is where their bright stripe lies."""
    labels = torch.arange(3300) % 10
    pixels = torch.zeros(3300, 1, 28, 28, dtype=torch.uint8)
    for label in range(10):
        pixels[labels == label, :, 2 * label : 2 * label + 3] = 255
    images = Images(pixels, labels)
    return Splits(images[slice(0, 3000)], images[slice(3000, 3300)])


def harmed(harm: str) -> None:
    """Has this process come to that harm when its run has learned something."""
    from demo.training import runner
    from demo.training.trainer import work

    say = runner.Training.say

    def said(self, kind, **more):
        say(self, kind, **more)
        if kind != "point" or more["at"] < 0.5:
            return
        if harm == "crash":
            ctypes.string_at(0)
        if harm == "deaf":  # it computes, and nothing that it is told ends it
            threading.Event().wait()
        if harm == "hang":  # nothing in this process gets on any more: Python's lock is not let go
            ctypes.PyDLL(None).sleep(10_000)

    runner.Training.say = said
    if harm == "late":  # as if a neighbour came after it was fitted
        work.fits_surely, work.Pace.after_step = lambda *_: True, lambda *_: None
        runner.Training.clock = lambda self: (
            1000.0 if sum(event["kind"] == "point" for event in self.events) > 3 else 0.1
        )


if __name__ == "__main__":
    harm = sys.argv[1] if len(sys.argv) > 1 else ""
    if harm == "unborn":
        sys.exit("there is no torch")
    if harm == "silent":  # alive, and never heard of
        time.sleep(10_000)
    child.KEPT_EVERY = 0.2
    if harm:
        harmed(harm)
    child.main(tiny_splits)
