"""From a CSV file of the package to a scikit-learn `Bunch`: what all loaders share."""

from __future__ import annotations

from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch

DATA_MODULE = "mixtures.datasets.data"


class Table(NamedTuple):
    """A CSV file as text: its header and its cells, an empty cell where a value is missing."""

    name: str
    header: list[str]
    cells: np.ndarray  # (n_rows, n_columns) of str

    def text(self, column: str) -> np.ndarray:
        """One column as text, (n_rows,)."""
        return self.cells[:, self.header.index(column)]

    def numbers(self, columns: list[str]) -> np.ndarray:
        """Columns as float64, (n_rows, len(columns)); an empty cell is NaN."""
        cells = self.cells[:, [self.header.index(column) for column in columns]]
        return np.where(cells == "", "nan", cells).astype(np.float64)


def read_table(name: str) -> Table:
    """Read `data/<name>.csv`; nothing in the file is ever executed or unpickled."""
    with resources.files(DATA_MODULE).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        # Values never hold a comma, a quote or a '#', so splitting at commas is all the parsing.
        rows = np.loadtxt(file, dtype=str, delimiter=",", comments=None, ndmin=2)
    return Table(name, [str(column) for column in rows[0]], rows[1:])


def read_description(name: str) -> str:
    """Read `data/<name>.md`."""
    return resources.files(DATA_MODULE).joinpath(f"{name}.md").read_text(encoding="utf-8")


def make_bunch(
    table: Table,
    feature_names: list[str],
    *,
    return_X_y: bool,
    as_frame: bool,
    target: np.ndarray | None = None,
    **more: np.ndarray,
) -> Any:
    """Assemble what a loader returns.

    Parameters
    ----------
    table : Table
        The file that was read.
    feature_names : list of str
        Columns that make up the data, in order.
    return_X_y, as_frame : bool
        The loader's arguments.
    target : ndarray of shape (n_rows,), optional
        Absent for unlabelled data; the column `target` of the frame.
    **more : ndarray
        Further entries of the bunch. Those with one value a row are columns of the frame too.

    Returns
    -------
    Bunch, or (X, y) if `return_X_y`; y is None for unlabelled data.
    """
    data: Any = table.numbers(feature_names)
    frame = None
    if as_frame:
        columns = {name: value for name, value in more.items() if value.shape == (len(data),)}
        frame = make_frame(table, data, feature_names, target, columns)
        data = frame[feature_names]
        target = None if target is None else frame["target"]
    if return_X_y:
        return data, target
    bunch = Bunch(data=data, frame=frame, feature_names=feature_names, **more)
    if target is not None:
        bunch["target"] = target
    bunch["DESCR"] = read_description(table.name)
    bunch["filename"] = f"{table.name}.csv"
    bunch["data_module"] = DATA_MODULE
    return bunch


def make_frame(
    table: Table,
    data: np.ndarray,
    feature_names: list[str],
    target: np.ndarray | None,
    columns: dict[str, np.ndarray],
) -> Any:
    """Data, target and further columns as one pandas DataFrame."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f"as_frame=True returns {table.name!r} as a pandas DataFrame, but pandas is not "
            "installed; install pandas, or leave as_frame=False to get NumPy arrays."
        ) from error
    frame = pandas.DataFrame(data, columns=feature_names)
    if target is not None:
        frame["target"] = target
    for name, values in columns.items():
        # Text has no NaN, so a missing text is an empty one in arrays and None in a frame.
        frame[name] = [value or None for value in values] if values.dtype.kind == "U" else values
    return frame
