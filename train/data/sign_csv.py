"""Sign Language MNIST's CSV files, read by pandas; a fault is reported with its line."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from train.task import UsageError

HEADER = ["label", *(f"pixel{i}" for i in range(1, 785))]
MOST_LINE = 20_000  # bytes; 785 numbers, even quoted and with spaces, have 7,000


def parse(file: Path) -> tuple[Tensor, Tensor]:
    """Labels (N,) uint8 as the file has them, 0..24, and pixels (N, 784) uint8. Raises UsageError, with the line."""
    _check_lines(file)
    try:
        values = pd.read_csv(file, dtype=np.int32, encoding="utf-8-sig", engine="c").to_numpy()
        good = len(values) > 0 and values[:, 0].max() <= 24 and values.min() >= 0 and values.max() <= 255
    except (ValueError, OverflowError, pd.errors.ParserError):  # not a number, or more than 32 bits
        good = False
    if not good:
        raise UsageError(_fault(file))
    values = torch.from_numpy(values.astype(np.uint8))
    return values[:, 0].contiguous(), values[:, 1:].contiguous()


def _check_lines(file: Path) -> None:
    """Raise UsageError for rows of a wrong length, which pandas may accept, and for an endless line."""
    with open(file, "rb") as lines:
        number = 0
        while line := lines.readline(MOST_LINE + 1):
            number += 1
            if len(line) > MOST_LINE:
                raise UsageError(f"{file}, line {number}: longer than 785 numbers can be; is this a CSV file?")
            if number == 1:
                header = line.decode("utf-8-sig", errors="replace").replace('"', "").split(",")
                if [name.strip() for name in header] != HEADER:
                    raise UsageError(f"{file}, line 1: the header must be label,pixel1,...,pixel784")
            elif line.strip() and line.count(b",") != 784:
                values = line.count(b",") + 1
                raise UsageError(f"{file}, line {number}: {values} values instead of 785 (a label and 784 pixels)")
        if not number:
            raise UsageError(f"{file} is empty")


def _fault(file: Path) -> str:
    """The first bad value and its line. Slow, but only bad files are read again."""
    with open(file, newline="", encoding="ascii", errors="replace") as lines:
        rows = csv.reader(lines)
        next(rows)
        try:
            for row in rows:
                where = f"{file}, line {rows.line_num}:"
                for name, text in zip(HEADER, row, strict=False):
                    try:
                        value = int(text)
                    except ValueError:
                        return f"{where} {name} is {text[:40]!r}, not a whole number"
                    if name == "label" and not 0 <= value <= 24:
                        return f"{where} an impossible label, {value}: labels are 0..24"
                    if not 0 <= value <= 255:
                        return f"{where} {name} is {value}, outside 0..255"
        except csv.Error as error:
            return f"{file}, line {rows.line_num}: {error}"
    return f"{file} has no images"
