"""The networks that can be looked into: the shipped ones, and those that the training tab keeps."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from demo.wire import BadRequest, NotReady
from train.data import mnist
from train.inside.pupil import Pupil
from train.learn import checkpoint
from train.learn.augment import affine
from train.learn.checkpoint import Metadata
from train.task import UsageError

log = logging.getLogger(__name__)
SHIPPED = {
    "lesson": ("mnist", "lesson"),
    "digits": ("mnist", "best"),
    "signs": ("asl", "best"),
    "photos": ("asl", "photos"),
}
PART = {"hand-reader": "tail.late.12"}  # a large network is looked into from here on
RUN = "run:"
MOST_NETWORKS, MOST_PUPILS = 6, 12


@dataclass(frozen=True, eq=False)
class Network:
    """One network, ready to be asked; `part` is where looking begins."""

    name: str
    model: nn.Module
    about: Metadata

    @property
    def part(self) -> str:
        """Prefix of the first layer that is looked into; empty: all are."""
        return PART.get(self.about.network, "")

    def batch(self, picture: Tensor) -> Tensor:
        """A batch (N, C, H, W) uint8 that the picture comes first in: with digits of MNIST, or copies of itself."""
        others = _digits() if self.about.task == "mnist" else _varied(picture, 63 if picture.shape[-1] == 28 else 7)
        return torch.cat([picture[None], others])


class Networks:
    """Those last used, and those that have learned since; not safe in several threads at once."""

    def __init__(self, run_path: Callable[[str], Path] | None = None):
        """`run_path` gives the checkpoint of a run kept in the training tab; it raises UsageError if there is none."""
        self.run_path = run_path
        self._loaded: OrderedDict[tuple, Network] = OrderedDict()
        self._pupils: OrderedDict[tuple, Pupil] = OrderedDict()

    def ready(self) -> list[str]:
        """Names of the shipped networks whose checkpoints are there."""
        return [name for name, about in SHIPPED.items() if checkpoint.default_path(*about).exists()]

    def get(self, name) -> Network:
        """The network of that name: a key of SHIPPED, or run:ID. Raises UsageError."""
        if isinstance(name, str) and name.startswith(RUN) and self.run_path:
            path = self.run_path(name.removeprefix(RUN))
        elif isinstance(name, str) and name in SHIPPED:
            path = checkpoint.default_path(*SHIPPED[name])
        else:
            raise BadRequest("There is no such network.", code="inside.network.unknown")
        try:
            key = (name, path.stat().st_mtime_ns)  # a network trained anew is another one
        except OSError:
            raise NotReady("This network is not on this server.", code="inside.missing") from None
        if key not in self._loaded:
            try:
                self._loaded[key] = Network(name, *checkpoint.load(path))
            except UsageError as error:
                log.warning("network %s cannot be looked into: %s", name, error)
                raise NotReady("This network is damaged: its file cannot be used.", code="inside.damaged") from None
        self._loaded.move_to_end(key)
        while len(self._loaded) > MOST_NETWORKS:
            self._loaded.popitem(last=False)
        return self._loaded[key]

    def after(self, network: Network, lessons: tuple) -> Pupil:
        """A pupil made from the network that has learned these lessons (objects with pixels, label and rate).

        It must not learn more: `copy` it. The last ones are kept, so that one more step is one step.
        """
        key = (network, lessons)
        if key not in self._pupils:
            if lessons:
                pupil, last = self.after(network, lessons[:-1]).copy(), lessons[-1]
                pixels = torch.frombuffer(bytearray(last.pixels), dtype=torch.uint8)
                pupil.learn(pixels.view(network.about.input_shape), last.label, last.rate)
            else:
                pupil = Pupil(network.model, network.about)
            self._pupils[key] = pupil
        self._pupils.move_to_end(key)
        while len(self._pupils) > MOST_PUPILS:
            self._pupils.popitem(last=False)
        return self._pupils[key]


_digits_lock = threading.Lock()
_kept_digits: list[Tensor] = []


def _digits(count: int = 63) -> Tensor:
    """Digits of MNIST's training images, (count, 1, 28, 28) uint8: always the same."""
    with _digits_lock:
        if not _kept_digits:
            images = mnist.load(train=True)
            chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]
            _kept_digits.append(images.pixels[chosen].clone())
        return _kept_digits[0]


def _varied(picture: Tensor, count: int) -> Tensor:
    """The picture (C, H, W) uint8 turned, scaled and shifted at random, (count, C, H, W) uint8: always the same."""
    copies = affine(picture.float()[None].repeat(count, 1, 1, 1), torch.Generator().manual_seed(0))
    return copies.round().clamp(0, 255).to(torch.uint8)
