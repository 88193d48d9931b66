"""Which ink belongs together: connected pieces of ink, and the pieces that make one digit."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from train.digits.ink import Ink

COARSE = 180  # pixels of the longer side of the small copy that pieces are found on
PIECE_FROM = 64  # of 255, on that copy: thin strokes are faint there
DOT = 0.04  # of the sheet's longer side: movements within that are a dot; of ink, half as much
MARK = 0.3  # of the largest digit's longer side: less is a slip of the pen, not a digit
SPECK = 0.02  # of the largest piece's ink: less is dirt
MOST_STROKES = 100  # the largest are kept: twelve digits have at most 36, and every stroke is compared with every other
MOST_PAIRS = 24  # of neighbours tried as one digit, nearest first: twelve digits in a row have 11
MOST_PIECES = 40  # more is not a number, but text, a drawing or noise


@dataclass
class Piece:
    """Connected ink, or several pieces that make one digit: a box in pixels, the ink's area, and its labels."""

    left: int
    top: int
    right: int  # one past the last pixel, as bottom
    bottom: int
    area: int
    labels: list[int]

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def with_(self, other: "Piece") -> "Piece":
        """Both pieces as one."""
        return Piece(min(self.left, other.left), min(self.top, other.top), max(self.right, other.right),
                     max(self.bottom, other.bottom), self.area + other.area, self.labels + other.labels)  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """A picture's ink, and what seems to be its digits, in reading order. Boxes are in pixels of the ink."""

    strength: np.ndarray
    labels: np.ndarray  # of the pieces, on a copy that is `step` times smaller
    step: int
    groups: list[Piece]
    clean: bool  # one group has all the ink

    def cut(self, group: Piece) -> tuple[np.ndarray, int, int]:
        """A group's ink alone, (H, W) uint8, and its left and top within the ink."""
        if self.clean:
            return self.strength, 0, 0
        left, top, right, bottom = (edge * self.step for edge in (group.left, group.top, group.right, group.bottom))
        part = self.strength[top:bottom, left:right]
        small = self.labels[group.top : group.bottom, group.left : group.right]
        foreign = (small > 0) & ~np.isin(small, group.labels)
        if foreign.any():
            large = foreign.repeat(self.step, axis=0).repeat(self.step, axis=1)[: part.shape[0], : part.shape[1]]
            part = np.where(large, np.uint8(0), part)
        return part, left, top


def sheet_of(ink: Ink) -> Sheet:
    """Find what seems to be the digits of a picture."""
    step = max(-(-max(ink.strength.shape) // COARSE), 1)
    whole = Image.fromarray(ink.strength)
    coarse = np.asarray(whole.reduce(step) if step > 1 else whole)
    labels, pieces = connected(coarse >= PIECE_FROM)
    if not pieces:  # specks so small that on the copy they are gone
        return Sheet(ink.strength, labels, step, [], clean=False)
    groups = in_reading_order(without_marks(joined(without_dirt(pieces, coarse.shape, ink.from_photo))))
    return Sheet(ink.strength, labels, step, groups, len(groups) == 1 and len(groups[0].labels) == len(pieces))


def stroke_groups(strokes: list[np.ndarray], dot: float) -> list[Piece]:
    """The strokes of each digit, in reading order; slips of the pen beside a longer stroke are left out.

    Strokes are (n, 2) arrays of points; a group's labels are their indices. `dot` is the size of a mere dot.
    """
    pieces = []
    for index, stroke in enumerate(strokes):
        (left, top), (right, bottom) = stroke.min(axis=0), stroke.max(axis=0)
        size = max(right - left, bottom - top)
        # a stroke has a width too: without one nothing would lie over a vertical line
        pieces.append(Piece(left - dot / 4, top - dot / 4, right + dot / 4, bottom + dot / 4, size, [index]))
    kept = [piece for piece in pieces if piece.area > dot / 2] or pieces
    if len(kept) > MOST_STROKES:
        least = sorted((piece.area for piece in kept), reverse=True)[MOST_STROKES]
        kept = [piece for piece in kept if piece.area > least] or kept[:MOST_STROKES]
    return in_reading_order(without_marks(joined(kept)))


def connected(mask: np.ndarray) -> tuple[np.ndarray, list[Piece]]:
    """Label the 8-connected pieces of a mask. Returns labels (H, W) int32, 0 where there is no ink, and the pieces.

    By runs: each row's stretches of ink are joined with those that they touch in the row above.
    """
    height, width = mask.shape
    padded = np.zeros((height + 1, width + 1), bool)
    padded[1:, :-1] = mask
    flat = padded.ravel()[width:]  # a blank before the first row, and one after each
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = changes[::2], changes[1::2]
    rows = starts // (width + 1)
    lefts, rights = starts - rows * (width + 1), ends - rows * (width + 1)
    first_runs = np.array(_first_runs(rows.tolist(), lefts.tolist(), rights.tolist()), int)
    firsts, of_run = np.unique(first_runs, return_inverse=True)
    count = len(firsts)
    left, right, bottom = np.full(count, width), np.zeros(count, int), np.zeros(count, int)
    np.minimum.at(left, of_run, lefts)
    np.maximum.at(right, of_run, rights)
    np.maximum.at(bottom, of_run, rows + 1)
    area = np.bincount(of_run, ends - starts, count).astype(int)
    edges = zip(*(each.tolist() for each in (left, rows[firsts], right, bottom, area)), strict=True)
    pieces = [Piece(*edge, [label]) for label, edge in enumerate(edges, 1)]
    labels = mask.astype(np.int32)
    if len(pieces) > 1:
        labels[mask] = np.repeat(of_run + 1, ends - starts)
    return labels, pieces


def _first_runs(rows: list[int], lefts: list[int], rights: list[int]) -> list[int]:
    """For each run the first one of its piece. Run i covers lefts[i]:rights[i] of rows[i]; all in reading order."""
    parent, above = list(range(len(rows))), 0
    for run, row in enumerate(rows):
        left, right, root = lefts[run], rights[run], run
        while rows[above] < row - 1 or (rows[above] == row - 1 and rights[above] < left):
            above += 1
        other = above
        while rows[other] < row and lefts[other] <= right:
            first = other
            while parent[first] != first:
                first = parent[first]
            if first < root:
                parent[root] = root = first
            else:
                parent[first] = root
            other += 1
    for run, before in enumerate(parent):  # what stands before it is a first one already
        parent[run] = parent[before]
    return parent


def without_dirt(pieces: list[Piece], shape: tuple[int, int], from_photo: bool) -> list[Piece]:
    """Leave out specks, and in a photo what reaches in from its edge (the table, a shadow), if anything is left."""
    largest = max(piece.area for piece in pieces)
    kept = [piece for piece in pieces if piece.area >= SPECK * largest]
    if from_photo:
        height, width = shape
        inner = [p for p in kept if p.left > 0 and p.top > 0 and p.right < width and p.bottom < height]
        kept = inner or kept
    if len(kept) > MOST_PIECES:
        kept = sorted(kept, key=lambda piece: -piece.area)[:MOST_PIECES]
    return kept


def joined(pieces: list[Piece]) -> list[Piece]:
    """Join pieces that make one digit: the bar of a 5, the two strokes of a 4, a broken line.

    Pieces belong together if one lies mostly over or under the other and near it, or if a small one lies close beside
    a large one.
    """
    pieces = sorted(pieces, key=lambda piece: -piece.area)
    tallest = max(piece.height for piece in pieces)
    groups: list[Piece] = []
    for piece in pieces:
        near = [index for index, group in enumerate(groups) if _belongs(piece, group, tallest)]
        if near:
            best = min(near, key=lambda index: _gap(piece, groups[index]))
            groups[best] = groups[best].with_(piece)
        else:
            groups.append(piece)
    return groups


def _belongs(piece: Piece, group: Piece, tallest: int) -> bool:
    shared = min(piece.right, group.right) - max(piece.left, group.left)
    apart = max(piece.top, group.top) - min(piece.bottom, group.bottom)  # negative if they share rows
    if shared > 0.4 * min(piece.width, group.width):
        # two full-size digits below each other are two lines of writing
        both_full = min(piece.height, group.height) > 0.6 * tallest and apart > 0.2 * tallest
        return apart < 0.5 * max(piece.height, group.height) and not both_full
    small = max(piece.height, piece.width) < 0.5 * tallest
    return small and -shared < 0.12 * tallest and apart < 0 and piece.height < 0.35 * group.height


def _gap(piece: Piece, group: Piece) -> int:
    across = max(piece.left, group.left) - min(piece.right, group.right)
    down = max(piece.top, group.top) - min(piece.bottom, group.bottom)
    return max(across, 0) + max(down, 0)


def without_marks(groups: list[Piece]) -> list[Piece]:
    """Leave out marks that are small beside the digits: dots, slips of the pen."""
    largest = max(max(group.width, group.height) for group in groups)
    return [group for group in groups if max(group.width, group.height) > MARK * largest]


def close_pairs(groups: list[Piece]) -> list[tuple[int, int]]:
    """Pairs of groups that may still be one digit: a 4 whose strokes do not meet, an 8 of two rings."""
    tallest = max(group.height for group in groups)
    gaps = {
        (first, second): _gap(groups[first], groups[second]) for second in range(len(groups)) for first in range(second)
    }
    near = [pair for pair, gap in gaps.items() if gap < 0.3 * tallest]
    return near if len(near) <= MOST_PAIRS else sorted(near, key=gaps.get)[:MOST_PAIRS]


def in_reading_order(groups: list[Piece]) -> list[Piece]:
    """Line by line from the top, each from left to right. A line is what shares its height."""
    lines: list[list[Piece]] = []
    for group in sorted(groups, key=lambda group: -group.height):
        for line in lines:
            first = line[0]
            if min(group.bottom, first.bottom) - max(group.top, first.top) > 0.3 * min(group.height, first.height):
                line.append(group)
                break
        else:
            lines.append([group])
    lines.sort(key=lambda line: line[0].top)
    return [group for line in lines for group in sorted(line, key=lambda group: group.left + group.right)]


def cuts(strength: np.ndarray) -> list[int]:
    """Columns where touching digits may be separated: where there is least ink, from left to right."""
    height, width = strength.shape
    ink = strength.sum(axis=0, dtype=np.int64) / 255
    reach = max(width // 80, 1)
    ink = np.convolve(ink, np.ones(2 * reach + 1) / (2 * reach + 1), mode="same")
    margin = height // 10
    places: list[int] = []
    for column in (np.argsort(ink[margin : width - margin], kind="stable") + margin).tolist():
        if all(abs(column - other) > height / 10 for other in places):
            places.append(column)
        if len(places) >= min(5 * width / height, 20):
            break
    return sorted(places)
