"""Which columns of X a block has: names, positions, slices, masks, or a function that says so."""

from __future__ import annotations

from typing import Any

import numpy as np


def positions(block: str, columns: Any, X: Any, names: np.ndarray | None) -> np.ndarray:
    """Positions (m,) of the columns of X (n, d) that a block names.

    Parameters
    ----------
    block : str
        What messages call it.
    columns : str, int, slice of either, array-like of either, boolean mask (d,), or callable
        A callable is given X and returns one of the others. Slices of names include their end.
    X : array or data frame of shape (n, d)
    names : ndarray of shape (d,), or None
        Of the columns, if they have any.

    Raises
    ------
    ValueError
        For columns that X does not have, a mask of another length, a column twice, or none.
    TypeError
        For anything else.
    """
    d, whose = X.shape[1], f"The block {block!r}"
    if callable(columns):
        columns = columns(X)
    if isinstance(columns, slice):
        found = _of_slice(whose, columns, d, names)
    elif np.ndim(columns) == 0:
        found = _of_list(whose, np.array([columns]), d, names)
    else:
        found = _of_list(whose, np.asarray(columns), d, names)
    if not len(found):
        raise ValueError(
            f"{whose} has none of the n_features = {d} columns of X. Name some, or drop the block."
        )
    if len(set(found.tolist())) < len(found):
        raise ValueError(f"{whose} names a column twice: {columns!r}. Name each once.")
    return found


def _of_slice(whose: str, columns: slice, d: int, names: np.ndarray | None) -> np.ndarray:
    first, stop = columns.start, columns.stop
    if isinstance(first, str):
        first = _named(whose, first, names)
    if isinstance(stop, str):
        stop = _named(whose, stop, names) + 1
    return np.arange(d)[first : stop : columns.step]


def _of_list(whose: str, columns: np.ndarray, d: int, names: np.ndarray | None) -> np.ndarray:
    if columns.dtype.kind == "b":
        if columns.shape != (d,):
            raise ValueError(
                f"{whose} has a mask of shape {columns.shape}, but X has {d} columns: the mask "
                f"should have the shape {(d,)}."
            )
        return np.flatnonzero(columns)
    if columns.ndim == 1 and columns.dtype.kind in "iu":
        outside = columns[(columns < -d) | (columns >= d)]
        if len(outside):
            raise ValueError(
                f"{whose} names column {outside[0]}, but X has {d} columns: positions go from "
                f"{-d} to {d - 1}."
            )
        return np.where(columns < 0, columns + d, columns).astype(np.intp)
    listed = columns.tolist()
    if columns.ndim == 1 and all(isinstance(name, str) for name in listed):
        return np.array([_named(whose, name, names) for name in listed], dtype=np.intp)
    raise TypeError(
        f"{whose} expects its columns as names, positions, a slice, a mask or a callable that "
        f"returns one of these, but got {listed!r}."
    )


def _named(whose: str, name: str, names: np.ndarray | None) -> int:
    """Position of a column of this name."""
    if names is None:
        raise ValueError(
            f"{whose} names the column {name!r}, but the columns of X have no names. Pass a data "
            "frame, or name columns by their positions."
        )
    found = np.flatnonzero(names == name)
    if not len(found):
        raise ValueError(
            f"{whose} names the column {name!r}, but the columns of X are {names.tolist()}."
        )
    return int(found[0])


def label(position: int, names: np.ndarray | None) -> str:
    """What messages call a column."""
    return f"{position}" if names is None else repr(names.tolist()[position])


def selected(X: Any, columns: np.ndarray) -> Any:
    """Some columns (m,) of an array or data frame, an array in C order unless it has all."""
    if hasattr(X, "iloc"):
        return X.iloc[:, columns]
    if len(columns) == X.shape[1] and (columns == np.arange(len(columns))).all():
        return X
    if isinstance(X, np.ndarray):
        return X.take(columns, axis=1)
    return X[:, columns]
