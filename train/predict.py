"""Read picture files from the command line: python -m train.predict mnist|asl FILE..."""

import argparse
import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from PIL import Image

from train.answer.reading import Reading
from train.commands import faults_in_words, json_line, run
from train.data.pictures import open_picture
from train.learn.metadata import CheckpointError, read_metadata
from train.task import TASKS, UsageError

BATCH = 32  # pictures read together: opened by threads, then one pass through the network


def reader_for(task: str, checkpoint: Path | None = None):
    """The task's reader.

    Its `read_many(pictures)` gives a list of Readings for each picture; `longest` is the longest side, in pixels, that
    it makes use of.

    Raises CheckpointError if the checkpoint is missing or cannot be used.
    """
    if task == "mnist":
        from train.digits.reader import DigitReader

        return DigitReader(checkpoint)
    network = read_metadata(checkpoint).network if checkpoint else "hand-reader"
    if network == "hand-finder":
        raise CheckpointError(f"{checkpoint} finds hands, and names no letters")
    if network == "hand-reader":
        from train.hands.reader import SignReader

        return SignReader(checkpoint)
    return _LessonInPhotos(checkpoint)


class _LessonInPhotos:
    """The lesson's network on photos: it finds no hands, so the photo network says where to look, if it is there."""

    SMALL = 64  # pixels of the longer side: a picture this small is taken for a cropped hand, as in the training data

    def __init__(self, checkpoint: Path):
        from train.hands.crop import LONGEST
        from train.hands.lesson_reader import LessonSignReader
        from train.hands.reader import SignReader

        self.longest, self.reader, self.finder = LONGEST, LessonSignReader(checkpoint), None
        with contextlib.suppress(CheckpointError):
            self.finder = SignReader()

    def read_many(self, pictures: Iterable[Image.Image]) -> list[list[Reading]]:
        """One reading in a list for each picture."""
        return [[self.reader.read(picture, self._box(picture))] for picture in pictures]

    def _box(self, picture: Image.Image) -> tuple[float, float, float, float] | None:
        if self.finder is None or max(picture.size) <= self.SMALL:
            return None
        return self.finder.read(picture, quick=True).box


def predict(task: str, files: Iterable[str | Path], checkpoint: Path | None = None) -> Iterator[dict]:
    """An answer for each file, in order: {"file", "label", "confidence", "top", "note", "error"}.

    A file that cannot be read gives its reason in "error"; the others are read all the same. Several digits on
    one picture are one label, "2026", whose confidence is the product of theirs.
    """
    reader = reader_for(task, checkpoint)
    with ThreadPoolExecutor(4) as threads:
        for group in _batched(files, BATCH):
            opened = list(threads.map(lambda file: _open(file, reader.longest), group))
            readings = iter(reader.read_many([picture for picture, error in opened if not error]))
            for file, (_, error) in zip(group, opened, strict=True):
                yield {"file": str(file), **(answer([], error) if error else answer(next(readings)))}


def answer(readings: list[Reading], error: str | None = None) -> dict:
    """One picture's readings as a JSON object: {"label", "confidence", "top", "note", "error"}."""
    found = [reading for reading in readings if reading.label is not None]
    notes = dict.fromkeys(reading.note for reading in readings if reading.note)
    result = {"label": None, "confidence": 0.0, "top": [], "note": "; ".join(notes), "error": error}
    if len(found) == 1:
        result |= {"label": found[0].label, "confidence": round(found[0].confidence, 6)}
    elif found:
        confidence = 1.0
        for reading in found:
            confidence *= reading.confidence
        result |= {"label": "".join(reading.label for reading in found), "confidence": round(confidence, 6)}
    if len(readings) == 1:
        result["top"] = [[label, round(p, 6)] for label, p in readings[0].top]
    elif found:
        result["top"] = [[result["label"], result["confidence"]]]
    return result


def _open(file, longest: int):
    try:
        return open_picture(file, longest), None
    except UsageError as error:
        return None, str(error)


def _batched(items: Iterable, size: int) -> Iterator[list]:
    items = iter(items)
    while group := list(islice(items, size)):
        yield group


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; returns its exit status: 1 if any file had an error, 2 if nothing could be read at all."""
    parser = argparse.ArgumentParser(prog="python -m train.predict", description="Read digits or hand signs.")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--checkpoint", type=Path, help="default: the one in checkpoints/")
    options = parser.parse_args(arguments)
    failed = False
    for result in predict(options.task, options.files, options.checkpoint):
        print(json_line(result), flush=True)
        failed |= result["error"] is not None
    return int(failed)


if __name__ == "__main__":
    run(main)
