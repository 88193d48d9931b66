"""A training where torch is, in parts that another process can take: what is new to tell, and the network so far."""

import threading
from collections.abc import Callable, Iterator

from demo.training.runner import Training
from demo.training.trainer.work import train
from train.data.images import Splits
from train.fast.machine import Plan
from train.learn import checkpoint

Part = tuple[list[dict], bytes | None]  # events, and the network as the bytes of a checkpoint if there is a newer one


def parts(
    training: Training, load: Callable[..., Splits], plan: Plan, *, keep_every: float, period: float
) -> Iterator[Part]:
    """Trains, and yields a part every `period` seconds, new or not. Whoever closes it ends the training.

    The network is among the parts every `keep_every` seconds, and at the end.
    """
    kept = Kept()
    training.follow(1)
    work = threading.Thread(
        target=train, args=(training, load, plan, kept.keep, keep_every), name="training", daemon=True
    )
    work.start()
    told = 0
    try:
        while True:
            work.join(period)
            over = not work.is_alive()  # looked at first, so that nothing said before the end is missed
            events = training.events[told:]
            told += len(events)
            yield events, kept.take()
            if over:
                return
    finally:
        training.end("gone")
        work.join(5)


class Kept:
    """Holds the last network as the bytes of a checkpoint, until they are taken."""

    def __init__(self):
        self._data: bytes | None = None

    def keep(self, model, metadata: checkpoint.Metadata) -> None:
        """Takes the place of the one before."""
        self._data = checkpoint.packed(model, metadata)

    def take(self) -> bytes | None:
        """The last one, once."""
        data, self._data = self._data, None
        return data
