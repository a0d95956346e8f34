"""Reading a user's table of numbers from a text file, with errors that say where to look.

A table has one row a line, cells separated by commas, semicolons or tabs, and perhaps a header.
Lines are counted from 1, as editors count them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

DELIMITERS = (",", ";", "\t")
MISSING = frozenset({"", "?", ".", "-", "na", "n/a", "nan", "null", "none"})


class TableError(ValueError):
    """The file is not a table of numbers; the message is one sentence for its owner."""


class Table(NamedTuple):
    """The numbers of a file, their columns' names, and what was left out."""

    names: list[str]  # length d
    values: np.ndarray  # (n, d), float64, finite
    note: str  # a sentence, or empty


class Line(NamedTuple):
    """The cells of one row and where they end in the file."""

    number: int
    cells: list[str]


def read_table(path: str | Path) -> Table:
    """Read a file of numbers.

    Parameters
    ----------
    path : path-like
        A text file in UTF-8.

    Returns
    -------
    table : Table

    Raises
    ------
    TableError
        If the file is missing, empty or no text; if a row is shorter or longer than the first; if
        a cell is missing or not a finite number. The message names the file, column and line.
    """
    lines = _read_lines(Path(path))
    if not lines:
        raise TableError(f"{path} is empty: it should hold one row of numbers a line.")
    header = _has_header(lines)
    names = [
        name if header and name else f"column {j}" for j, name in enumerate(lines[0].cells, start=1)
    ]
    rows = lines[1:] if header else lines
    if not rows:
        raise TableError(f"{path} has a header and no rows below it.")
    values = np.empty((len(rows), len(names)))
    for i, line in enumerate(rows):
        if len(line.cells) != len(names):
            raise TableError(
                f"{path}, line {line.number}: {len(line.cells)} cells, where the first line has "
                f"{len(names)}; every row should have one cell for each column."
            )
        for j, cell in enumerate(line.cells):
            number = _number(cell)
            if number is None or not np.isfinite(number):
                raise TableError(f"{path}, line {line.number}: {_complaint(names[j], cell)}")
            values[i, j] = number
    if header and not lines[0].cells[0] and len(names) > 1 and _counts_rows(values[:, 0]):
        note = "The first column has no name and counts the rows, so it is left out."
        return Table(names[1:], np.ascontiguousarray(values[:, 1:]), note)
    return Table(names, values, "")


def _read_lines(path: Path) -> list[Line]:
    """The rows of a file as text; blank lines are passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _sniff(file)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            lines = [Line(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except FileNotFoundError:
        raise TableError(f"{path} does not exist; check the name and the folder.") from None
    except (UnicodeDecodeError, csv.Error):
        raise TableError(
            f"{path} is not a table in plain text (UTF-8); export it as CSV first."
        ) from None
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from None
    return [line for line in lines if any(line.cells)]


def _sniff(file: Iterable[str]) -> str:
    """The delimiter that is most frequent in the first line with any text."""
    first = next((line for line in file if line.strip()), "")
    # A semicolon wins over commas: with it, commas are decimal marks.
    return ";" if ";" in first else max(DELIMITERS, key=first.count)


def _has_header(lines: list[Line]) -> bool:
    """Whether the first line names the columns.

    It does if some cell is a word above a number, or if it has no number at all; a column of words
    in a table without a header makes no header.
    """
    first = lines[0].cells
    words = [not _is_missing(cell) and _number(cell) is None for cell in first]
    below = lines[1].cells if len(lines) > 1 else []
    above_number = any(
        word and _number(cell) is not None for word, cell in zip(words, below, strict=False)
    )
    return above_number or (any(words) and all(_number(cell) is None for cell in first))


def _number(cell: str) -> float | None:
    """The value of a cell; a comma left in a cell is a decimal mark."""
    try:
        return float(cell.replace(",", ".", 1))
    except ValueError:
        return None


def _is_missing(cell: str) -> bool:
    return cell.lower() in MISSING


def _complaint(name: str, cell: str) -> str:
    """What is wrong with a cell, and what to do."""
    if _is_missing(cell):
        return f"'{name}' has a missing value ({cell!r}); drop or fill in such rows first."
    if _number(cell) is not None:
        return f"'{name}' has the value {cell!r}, which is not finite; drop such rows first."
    return f"'{name}' is not numeric: it has the value {cell!r}; remove or encode this column."


def _counts_rows(column: np.ndarray) -> bool:
    """Whether a column is 0, 1, 2, ... or 1, 2, 3, ..., as data frames write their index."""
    return bool(column[0] in (0.0, 1.0) and np.all(np.diff(column) == 1.0))
