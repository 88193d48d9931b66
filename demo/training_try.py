"""One's own drawing or photo, read by a network of this session beside the shipped one."""

import json
import threading
from collections import OrderedDict
from pathlib import Path

from demo.training_store import Store
from train.answer.reading import Reading
from train.data.pictures import open_picture
from train.learn import checkpoint
from train.task import UsageError

MOST_READERS = 4
MOST_STROKES, MOST_NUMBERS = 500, 40_000
_readers: OrderedDict[Path, object] = OrderedDict()
_one_at_a_time = threading.Lock()


def try_both(store: Store, run: str, body: bytes) -> dict:
    """What the run's network and the shipped one read: {"own": {...}, "shipped": {...}}.

    `body` is a drawing, {"strokes": [[x0, y0, x1, y1, ...], ...], "size": [width, height]}, for a network that reads
    digits, and a picture file for one that reads signs. Raises UsageError.
    """
    own = store.path(run)
    task = checkpoint.read_metadata(own).task
    return {
        "own": _answer(task, own, body),
        "shipped": _shipped(task, body),
    }


def _shipped(task: str, body: bytes) -> dict:
    path = checkpoint.default_path(task)
    if not path.exists():
        return {"error": f"There is no shipped network. Train one with: python -m train {task}"}
    return _answer(task, path, body)


def _answer(task: str, path: Path, body: bytes) -> dict:
    with _one_at_a_time:
        reader = _reader(task, path)
        readings = reader.read_strokes(*_drawing(body)) if task == "mnist" else [reader.read(open_picture(body))]
    return {"readings": [_plain(reading) for reading in readings]}


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


def _drawing(body: bytes) -> tuple[list, tuple[float, float]]:
    try:
        sheet = json.loads(body)
        strokes, (width, height) = sheet["strokes"], sheet["size"]
        if len(strokes) > MOST_STROKES or sum(map(len, strokes)) > MOST_NUMBERS:
            raise UsageError("That is too much ink to read. Clear the pad and try again.")
        points = [[(x, y) for x, y in zip(stroke[::2], stroke[1::2], strict=True)] for stroke in strokes]
        flat = [value for stroke in strokes for value in stroke] + [width, height]
        if not all(type(value) in (int, float) and abs(value) < 1e5 for value in flat):  # false for NaN too
            raise ValueError
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError("That is not a drawing.") from None
    if width <= 0 or height <= 0:
        raise UsageError("A drawing has a width and a height.")
    return points, (float(width), float(height))


def _plain(reading: Reading) -> dict:
    return {
        "label": reading.label,
        "confidence": round(reading.confidence, 4),
        "note": reading.note,
        "top": [[label, round(share, 4)] for label, share in reading.top],
    }
