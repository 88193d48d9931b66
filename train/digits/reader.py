"""Read the digits in a picture or in pen movements: "2026" gives four readings, a scribble none with a label."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from train.answer.frozen import Classifier
from train.answer.reading import Reading, class_activation, ranked, refused, softmax
from train.data.pictures import open_picture
from train.digits.ink import LONGEST_SHEET, find_ink
from train.digits.normalise import even_out, upright_line
from train.digits.parts import unlike_digits
from train.digits.pieces import DOT, Piece, close_pairs, cuts, in_reading_order, sheet_of, stroke_groups
from train.digits.strokes import extent, path_length, redraw
from train.learn.metadata import default_path
from train.task import Message

NOTHING = Message("Nothing is drawn here yet.", code="digit.nothing")
ONLY_A_DOT = Message("That is only a dot.", code="digit.dot")
TOO_SMALL = Message("That is too small to be read. Draw it larger.", code="digit.small")
NO_DIGIT = Message("This does not look like a digit.", code="digit.none")
SMALLEST = 0.08  # of the sheet's longer side: smaller drawings are not read; of 6,000 digits the smallest has 0.106
LONGEST_PATH = 100  # times a digit's longer side: a pen that went farther has filled it in; an 8 takes about 4
APART = 2  # digits of one number are closer together than this many times the largest; dots and crumbs are not
# Width by height of 5,996 digits by pendigits' writers 1 to 24: 97.5 % have at most 1.15, all but 16 at most 1.5; of
# those that are not a 1, 95 % have at least 0.4
WIDE = 1.15  # width by height from which ink may be two digits that touch
RESERVE = 0.5  # an answer with less confidence is given with "not sure"; below the checkpoint's `unsure_below`, none is
WIDEST = 1.5  # width by height from which ink is not tried as one digit
NARROW = 0.4  # width by height that the digits of a number have on average, at least; letters fall apart into strokes
MOST_PARTED = 4  # stretches of ink on one sheet, from the top: each is read at up to 20 places
# Two answers are named if their confidences together exceed this; otherwise "This does not look like a digit". Of 410
# parts of scribbles that were doubted none reached it, and 99 % stayed below 0.45
TORN = 0.75
PART_FROM = 0.6  # ink is split if the product of its parts' confidences exceeds this
DOUBTFUL = 1 / 3  # if this share of a sheet's pieces are not digits, none is: scribbles have parts like a 1
MOST_DIGITS = 12  # a longer number is cut off: what has more pieces is not a number


class DigitReader:
    """Loads a checkpoint once; then reads any number of pictures or drawings."""

    longest = 2 * LONGEST_SHEET  # pixels of a picture; what is longer may be shrunk to this before it comes here

    def __init__(self, path: Path | str | None = None):
        """Raises CheckpointError if the checkpoint (default: the shipped one) is missing or cannot be used."""
        self.network = Classifier.opened(path or default_path("mnist"), "mnist")
        self.about = self.network.about

    def read(self, picture) -> list[Reading]:
        """The digits of one picture (a path, bytes, PIL image or array), line by line, from left to right.

        At least one reading: where there is no digit, it has no label, and its note says why. Raises PictureError.
        """
        return self.read_many([picture])[0]

    def read_many(self, pictures: Sequence) -> list[list[Reading]]:
        """The readings of each picture; one pass through the network for all. Raises PictureError."""
        return [self._read_picture(open_picture(picture, self.longest)) for picture in pictures]

    def read_strokes(self, strokes: Sequence[np.ndarray], size: tuple[float, float]) -> list[Reading]:
        """The digits of a drawing whose movements are known: their thickness does not matter.

        Args:
            strokes: (n, 2) arrays of points, x right and y down.
            size: width and height of the sheet, in the same unit.
        """
        strokes = [np.asarray(stroke, dtype=np.float64).reshape(-1, 2) for stroke in strokes if len(stroke)]
        if not strokes:
            return [refused(NOTHING)]
        left, top, right, bottom = extent(strokes)
        dot = DOT * max(size)
        if max(right - left, bottom - top) < SMALLEST * max(size):
            note = ONLY_A_DOT if max(right - left, bottom - top) < dot else TOO_SMALL
            return [refused(note, box=(left, top, right, bottom))]

        def of(group: Piece) -> list[np.ndarray]:
            return [strokes[index] for index in group.labels]

        groups = stroke_groups(strokes, dot)[:MOST_DIGITS]
        if any(path_length(of(group)) > LONGEST_PATH * max(group.width, group.height) for group in groups):
            return [refused(NO_DIGIT, box=(left, top, right, bottom))]
        groups = self._settled(groups, lambda group: redraw(of(group)))
        return self._answers([redraw(of(group)) for group in groups], [extent(of(group)) for group in groups])

    def _read_picture(self, picture: Image.Image) -> list[Reading]:
        readings, scale = self._read_ink(picture), picture.info["scale"]
        if scale == 1:
            return readings
        boxes = [each.box and tuple(edge * scale for edge in each.box) for each in readings]
        return [replace(each, box=box) for each, box in zip(readings, boxes, strict=True)]

    def _read_ink(self, picture: Image.Image) -> list[Reading]:
        ink = find_ink(picture)
        if ink is None:
            return [refused(NOTHING)]
        height, width = ink.strength.shape
        whole = (ink.left * ink.scale, ink.top * ink.scale,
                 (ink.left + width) * ink.scale, (ink.top + height) * ink.scale)  # fmt: skip
        if max(width, height) < max(DOT / 2 * max(picture.size) / ink.scale, 5):
            return [refused(ONLY_A_DOT, box=whole)]
        sheet = sheet_of(ink)
        if not sheet.groups:
            return [refused(TOO_SMALL, box=whole)]
        groups = self._settled(sheet.groups[:MOST_DIGITS], lambda group: even_out(sheet.cut(group)[0]))
        cut_out = [sheet.cut(group) for group in groups]
        wide = [index for index, (part, _, _) in enumerate(cut_out) if _may_be_two(part)][:MOST_PARTED]
        parts = [
            (part, x + ink.left, y + ink.top)
            for index, group in enumerate(cut_out)
            for part, x, y in (self._parted(*group) if index in wide else [group])
        ]
        seen, boxes = [], []
        for part, x, y in parts:
            picture28 = even_out(part)
            if picture28 is not None:
                seen.append(picture28)
                box = (x, y, x + part.shape[1], y + part.shape[0])
                boxes.append(tuple(edge * ink.scale for edge in box))
        return self._answers(seen, boxes) if seen else [refused(ONLY_A_DOT, box=whole)]

    def _settled(self, groups: list[Piece], see: Callable[[Piece], np.ndarray]) -> list[Piece]:
        """Join neighbours that read better as one digit than as two. `see` gives a group's (28, 28) picture."""
        pairs = close_pairs(groups) if len(groups) > 1 else []
        if not pairs:
            return groups
        joint = [groups[first].with_(groups[second]) for first, second in pairs]
        seen = [see(group) for group in (*groups, *joint)]
        blank = np.zeros((28, 28), np.uint8)
        sure = self.probabilities(np.stack([blank if each is None else each for each in seen])).max(axis=1)
        alone, both = sure[: len(groups)], sure[len(groups) :]
        taken, result = set(), []
        for index in np.argsort(-both).tolist():
            first, second = pairs[index]
            if not taken & {first, second} and both[index] > alone[first] * alone[second]:
                taken |= {first, second}
                result.append(joint[index])
        return in_reading_order(result + [group for index, group in enumerate(groups) if index not in taken])

    def _parted(self, strength: np.ndarray, x: int, y: int) -> list[tuple[np.ndarray, int, int]]:
        """Ink that is wide for one digit, parted so that all parts together read best; otherwise as it is.

        Every stretch between two of the places to cut is read as a digit; the best row of stretches is found as the
        best way from the left end to each place (dynamic programming).
        """
        height, width = strength.shape
        places = [0, *cuts(strength), width]
        stretches = [
            (left, right)
            for right in range(1, len(places))
            for left in range(right)
            if 0.15 * height < places[right] - places[left] < WIDE * height
        ]
        seen = [even_out(strength[:, places[left] : places[right]]) for left, right in stretches]
        blank = np.zeros((28, 28), np.uint8)
        maps, scores, _ = self.network(np.stack([blank if part is None else part for part in seen])[:, None])
        # parts in which the network sees little count for nothing; else M and w would be read as 111
        sure = softmax(scores, self.about.temperature).max(axis=1) * (_strengths(maps) >= self.about.faint_below)
        best = {0: (1.0, [])}
        for (left, right), confidence in zip(stretches, sure.tolist(), strict=True):
            if left in best and best[left][0] * confidence > best.get(right, (0.0,))[0]:
                best[right] = best[left][0] * confidence, [*best[left][1], places[left]]
        together, starts = best.get(len(places) - 1, (0.0, []))
        whole = even_out(strength) if width < WIDEST * height else None
        alone = 0.0 if whole is None else float(self.probabilities(whole[None]).max())
        too_narrow = width < NARROW * height * len(starts)
        if together <= max(alone, PART_FROM) or too_narrow:
            return [(strength, x, y)]
        ends = [*starts[1:], width]
        return [(strength[:, left:right], x + left, y) for left, right in zip(starts, ends, strict=True)]

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """(N, 28, 28) uint8 -> (N, 10) float32, calibrated."""
        return softmax(self.network(seen[:, None])[1], self.about.temperature)

    def _answers(self, seen: list[np.ndarray], boxes) -> list[Reading]:
        """One reading for each 28 x 28 picture."""
        maps, scores, shares = self.network(np.stack(seen)[:, None])
        each = zip(
            softmax(scores, self.about.temperature),
            _strengths(maps),
            seen,
            class_activation(shares),
            boxes,
            strict=True,
        )
        readings = [self._answer(*one) for one in each]
        strange = sum(reading.label is None for reading in readings)
        if len(readings) > 1 and (strange >= DOUBTFUL * len(readings) or _scattered(boxes)):
            return [replace(reading, label=None, note=reading.note or NO_DIGIT) for reading in readings]
        return readings

    def _answer(self, probabilities, strength, seen, heat, box) -> Reading:
        top = ranked(self.about.labels, probabilities)
        (label, confidence), (second, second_confidence) = top[:2]
        about = {"top": top, "seen": seen, "heat": heat, "box": box}
        # whatever its answer, the network saw little of what digits have; but a plain line has little to see
        if strength < self.about.faint_below and not upright_line(seen):
            return Reading(None, confidence, note=NO_DIGIT, **about)
        if confidence >= self.about.unsure_below and unlike_digits(seen):
            return Reading(None, confidence, note=NO_DIGIT, **about)
        if confidence < self.about.unsure_below:
            torn = confidence + second_confidence > TORN
            note = _either(label, second) if torn else NO_DIGIT
            return Reading(None, confidence, note=note, **about)
        note = _either(label, second) if confidence < RESERVE else ""
        return Reading(label, confidence, note=note, **about)


def _either(first: str, second: str) -> Message:
    return Message("Not sure: {first} or {second}.", code="digit.either", first=first, second=second)


def _may_be_two(strength: np.ndarray) -> bool:
    """Whether ink (H, W) is so wide that it may be several digits that touch."""
    height, width = strength.shape
    return width >= WIDE * height and height >= 8


def _scattered(boxes) -> bool:
    """Whether most of the boxes (left, top, right, bottom) are far from all others, for their size."""
    boxes = np.array(boxes)
    largest = (boxes[:, 2:] - boxes[:, :2]).max()
    across, down = (np.maximum(boxes[:, None, side] - boxes[None, :, side + 2], 0) for side in (0, 1))
    gaps = np.maximum(across, across.T) + np.maximum(down, down.T)
    np.fill_diagonal(gaps, np.inf)
    return np.median(gaps.min(axis=1)) > APART * largest


def _strengths(maps: np.ndarray) -> np.ndarray:
    """(N, C, h, w) feature maps -> (N,): each picture's as one vector, its length."""
    return np.linalg.norm(maps.reshape(len(maps), -1), axis=1)
