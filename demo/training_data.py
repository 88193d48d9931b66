"""Training images for the page, kept ready: a run must start within a second or so."""

import threading

from train.data import load_splits
from train.dataset import Splits
from train.task import Recipe, Task


class Shelf:
    """The last splits used of each task. One at a time is loaded, however many ask."""

    def __init__(self, load=load_splits):
        self._load = load
        self._kept: dict[str, tuple[tuple, Splits]] = {}
        self._lock = threading.Lock()

    def splits(self, task: Task, recipe: Recipe) -> Splits:
        """The task's splits as the recipe wants them. Raises UsageError if the data is not to be had."""
        wanted = (recipe.validation_share, recipe.share)
        with self._lock:
            if self._kept.get(task.name, ((), None))[0] != wanted:
                self._kept.pop(task.name, None)  # memory for the new ones first
                self._kept[task.name] = (wanted, self._load(task, recipe))
            return self._kept[task.name][1]
