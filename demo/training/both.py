"""One's own drawing or photo, read by a network of this session beside the shipped one."""

from collections.abc import Awaitable, Callable

from demo.training.reading import reading
from demo.training.store import Store
from demo.training.trainers import Trainers
from demo.turns import Turn
from train.learn.metadata import default_path, read_metadata

Gone = Callable[[], Awaitable[bool]]


async def try_both(store: Store, trainers: Trainers, turn: Turn, run: str, body: bytes, gone: Gone) -> dict:
    """What the run's network and the shipped one read: {"own": {...}, "shipped": {...}}, each at its `turn`.

    `body` is a drawing, {"strokes": [[x0, y0, x1, y1, ...], ...], "size": [width, height]}, for a network that reads
    digits, and a picture file for one that reads signs. Raises UsageError.
    """
    from train.answer.frozen import has_graphs  # only now: the page opens without it

    path = store.path(run)
    about = read_metadata(path)
    if has_graphs(about):
        own = await turn.take(reading, about.task, path, body, gone=gone)
    else:  # put together by the visitor: torch runs it, which the server does not have
        own = await trainers.ask("reading", about.task, path, body)
    return {"own": own, "shipped": await turn.take(_shipped, about.task, body, gone=gone)}


def _shipped(task: str, body: bytes) -> dict:
    path = default_path(task)
    if not path.exists():
        return {"error": f"There is no shipped network. Train one with: python -m train {task}", "code": "try.none"}
    return reading(task, path, body)
