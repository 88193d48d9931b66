"""What a network that was trained here reads of one's own drawing or photo."""

import threading
from collections import OrderedDict
from pathlib import Path

from demo.wire import drawing, note_of, parse
from train.answer.reading import Reading
from train.data.pictures import open_picture

MOST_READERS = 4
_readers: OrderedDict[Path, object] = OrderedDict()
_one_at_a_time = threading.Lock()


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
