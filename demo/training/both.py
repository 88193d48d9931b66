"""One's own drawing or photo, read by a network of this session beside the shipped one."""

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path

from demo.training.store import Store
from demo.training.trainers import Trainers
from demo.turns import Turn
from demo.wire import drawing, note_of, parse
from train.answer.reading import Reading
from train.data.pictures import open_picture
from train.learn.metadata import default_path, read_metadata

MOST_READERS = 4
Gone = Callable[[], Awaitable[bool]]
_readers: OrderedDict[Path, object] = OrderedDict()
_one_at_a_time = threading.Lock()


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


def reading(task: str, path: Path, body: bytes) -> dict:
    """What the network of that checkpoint reads. Raises UsageError."""
    with _one_at_a_time:
        reader = _reader(task, path)
        readings = reader.read_strokes(*drawing(parse(body))) if task == "mnist" else [reader.read(open_picture(body))]
    return {"readings": [_plain(each) for each in readings]}


def _reader(task: str, path: Path):
    """The reader of a checkpoint; the last few are kept."""
    if path not in _readers:
        if task == "mnist":
            from train.digits.reader import DigitReader as Reader  # only now: the page opens without it
        else:
            from train.hands.lesson_reader import LessonSignReader as Reader
        _readers[path] = Reader(path)
    _readers.move_to_end(path)
    while len(_readers) > MOST_READERS:
        _readers.popitem(last=False)
    return _readers[path]


def _plain(reading: Reading) -> dict:
    return {
        "label": reading.label,
        "confidence": round(reading.confidence, 4),
        **note_of(reading),
        "top": [[label, round(share, 4)] for label, share in reading.top],
    }
