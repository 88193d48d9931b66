"""Training images for the page, kept ready: a run must start within a second or so."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from demo.errors import NotReady
from train.data.images import Splits
from train.data.splits import load_splits
from train.task import Recipe, Task, UsageError

log = logging.getLogger(__name__)
RETRY = 20  # seconds after which data that was not to be had is looked for again


class Shelf:
    """The last splits used of each task. One loading a task goes on at a time, however many ask."""

    def __init__(self, load: Callable[[Task, Recipe], Splits] = load_splits):
        self._load = load
        self._kept: dict[str, tuple[tuple, Future, float]] = {}  # task -> wanted, splits, when asked
        self._lock = threading.Lock()

    def splits(self, task: Task, recipe: Recipe, check: Callable[[], None] = lambda: None) -> Splits:
        """The task's splits as the recipe wants them.

        `check` is called several times a second meanwhile; what it raises ends the wait. The loading itself, which
        may be a download, goes on for whoever asks next. Raises NotReady if the data is not to be had.
        """
        coming = self._coming(task, recipe)
        while True:
            check()
            try:
                return coming.result(timeout=0.1)
            except NotYet:
                continue

    def count(self, task: Task) -> Future:
        """How many images of a task there are: {"train", "validation", "rendered"}, or NotReady."""
        counted = Future()

        def count(coming: Future) -> None:
            if error := coming.exception():
                counted.set_exception(error)
                return
            splits = coming.result()
            about = {"train": len(splits.train), "validation": len(splits.validation), "rendered": splits.rendered}
            counted.set_result(about)

        self._coming(task, task.recipe("best")).add_done_callback(count)
        return counted

    @property
    def loading(self) -> bool:
        """Whether some are on their way."""
        return any(not coming.done() for _, coming, _ in tuple(self._kept.values()))

    def _coming(self, task: Task, recipe: Recipe) -> Future:
        wanted = (recipe.validation_share, recipe.share)
        with self._lock:
            before, coming, asked = self._kept.get(task.name, (None, None, 0.0))
            if before == wanted and not (_failed(coming) and time.monotonic() - asked > RETRY):
                return coming
            coming = Future()
            self._kept[task.name] = (wanted, coming, time.monotonic())  # the memory of the old ones is free now
        threading.Thread(target=self._fetch, args=(task, recipe, coming), name="training-data", daemon=True).start()
        return coming

    def _fetch(self, task: Task, recipe: Recipe, coming: Future) -> None:
        try:
            coming.set_result(self._load(task, recipe))
        except Exception as error:  # a future without a result would be waited for for ever
            # the message may name folders of the server: it is the host's to read
            log.warning("the images of %s could not be loaded: %s", task.name, error,
                        exc_info=not isinstance(error, UsageError))  # fmt: skip
            coming.set_exception(
                NotReady(
                    "For whoever runs this server: the README says how to add the images of {title}.",
                    code=f"data.{task.name}",
                    title=task.title,
                )
            )


def _failed(coming: Future) -> bool:
    return coming.done() and coming.exception() is not None
