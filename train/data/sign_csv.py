"""Sign Language MNIST's CSV files read: numbers 0..255 and commas, quickly; or the line where something is wrong."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from train.task import UsageError

HEADER = ["label", *(f"pixel{i}" for i in range(1, 785))]
SEPARATORS = np.frombuffer(b"," * 784 + b"\n", np.uint8)
PIECE = 2**18  # bytes that are parsed at once: they fit the processor's cache


def parse(file: Path) -> tuple[Tensor, Tensor]:
    """Labels (N,) uint8 as the file has them, 0..24, and pixels (N, 784) uint8. Raises UsageError, with the line."""
    try:
        with open(file, newline="", encoding="ascii") as lines:
            header = next(csv.reader(lines), [])
        if [name.strip() for name in header] != HEADER:
            raise UsageError(f"{file}, line 1: the header must be label,pixel1,...,pixel784")
        values = _plain_values(file)
        if values is None:  # spaces, quotes or a fault: pandas is slower, and understands more
            values = pd.read_csv(file, dtype=np.int32, header=0, engine="c").to_numpy()
        good = values.shape[1] == 785 and len(values) > 0 and values[:, 0].max() <= 24
        good = good and (values.dtype == np.uint8 or (values.min() >= 0 and values.max() <= 255))
    except (ValueError, OverflowError, pd.errors.ParserError) as error:
        if isinstance(error, UsageError):
            raise
        good = False
    if not good:
        raise UsageError(_fault(file))
    values = torch.from_numpy(values.astype(np.uint8, copy=False))
    return values[:, 0].contiguous(), values[:, 1:].contiguous()


def _plain_values(file: Path) -> np.ndarray | None:
    """The values (N, 785) of a CSV file that holds nothing but numbers 0..255, commas and line ends; else None."""
    rows = []
    with open(file, "rb") as stream:
        stream.readline()  # the header
        while lines := stream.read(PIECE) + stream.readline():
            if b"\r" in lines:
                lines = lines.replace(b"\r\n", b"\n")
            lines = lines if lines.endswith(b"\n") else lines + b"\n"
            numbers = _numbers(np.frombuffer(lines, np.uint8))
            if numbers is None:
                return None
            rows.append(numbers)
    return np.concatenate(rows) if rows else None


def _numbers(lines: np.ndarray) -> np.ndarray | None:
    """The values (N, 785) uint8 of whole lines of ASCII, or None if they hold anything but numbers 0..255 and commas.

    Without a look at single characters in Python: the separators are found, and the digits before each are weighed.
    In pieces that fit the processor's cache this is quicker than any general reader.
    """
    digits = lines - np.uint8(ord("0"))  # what is no digit becomes 10 or more
    places = np.flatnonzero(digits > 9)  # of the separators
    if not len(places) or len(places) % 785 or (lines[places].reshape(-1, 785) != SEPARATORS).any():
        return None
    ones, tens, hundreds = (digits.take(places - back, mode="wrap") for back in (1, 2, 3))
    two = tens < 10
    three = two & (hundreds < 10)
    used = len(ones) + np.count_nonzero(two) + np.count_nonzero(three) + len(places)
    if ones.max() > 9 or used != len(lines):  # two separators side by side, or numbers of more than three digits
        return None
    values = (hundreds * three).astype(np.uint16) * np.uint16(100)
    values += tens * two * np.uint8(10)
    values += ones
    return None if values.max() > 255 else values.astype(np.uint8).reshape(-1, 785)


def _fault(file: Path) -> str:
    """What is wrong with the file, with the number of the first bad line. Slow, but only for bad files."""
    with open(file, newline="", encoding="ascii", errors="replace") as lines:
        rows = csv.reader(lines)
        next(rows)
        for row in rows:
            where = f"{file}, line {rows.line_num}:"
            if len(row) != 785:
                return f"{where} {len(row)} values instead of 785 (a label and 784 pixels)"
            for name, text in zip(HEADER, row, strict=True):
                try:
                    value = int(text)
                except ValueError:
                    return f"{where} {name} is {text!r}, not a whole number"
                if name == "label" and not 0 <= value <= 24:
                    return f"{where} an impossible label, {value}: labels are 0..24"
                if not 0 <= value <= 255:
                    return f"{where} {name} is {value}, outside 0..255"
    return f"{file} has no images"
