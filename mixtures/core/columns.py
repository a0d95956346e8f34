"""Columns of a few different values: which values there are, and which of them each row has."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..exceptions import DegenerateDataWarning

TABLE = 2**16
"""Whole numbers within so wide a range are sorted by a table."""

MISSING, UNKNOWN = -1, -2
SHOWN = 10  # categories that a message lists


class Column(NamedTuple):
    """One feature: its different values (c,), and which of them a row has (n,)."""

    values: np.ndarray
    codes: np.ndarray  # MISSING where the value is


def factorised(name: str, label: str, column: Any, *, ordered: bool) -> Column:
    """Different values of an array or a column of a data frame (n,), and the codes of all.

    Numbers, booleans, dates, strings or anything that can be sorted and hashed; pandas'
    categorical columns have an order of their own. Values that need not be `ordered` may be of
    several kinds.
    """
    categorical: Any = getattr(column, "cat", None)
    if hasattr(categorical, "codes"):  # pandas: the order is part of the data
        return Column(np.asarray(categorical.categories), np.asarray(categorical.codes))
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.array(column)
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} got complex numbers in {label}.")
    if values.dtype.kind not in "biufmM":
        return _objects(name, label, values.tolist(), ordered)
    known = values == values
    different, own = _sorted_numbers(values if known.all() else values[known])
    codes = own if known.all() else np.full(len(values), MISSING, own.dtype)
    codes[known] = own
    return Column(_finite(name, label, different), codes)


def _sorted_numbers(values: np.ndarray) -> Column:
    """Numbers (n,), booleans and dates, none missing."""
    if len(values) and values.dtype.kind in "biuf":
        numbers = values.astype(np.uint8) if values.dtype.kind == "b" else values
        low, high = numbers.min().item(), numbers.max().item()
        if high - low < TABLE and abs(low) < 2**53 and low == low // 1:
            above = numbers.astype(np.float64 if numbers.dtype.kind == "f" else np.int64) - low
            places = above.astype(np.intp)
            if (above == places).all():
                there = np.zeros(int(high - low) + 1, dtype=bool)
                there[places] = True
                different = np.flatnonzero(there) + low
                return Column(different.astype(values.dtype), (np.cumsum(there) - 1)[places])
    different, codes = np.unique(values, return_inverse=True)
    return Column(different, codes)


def _objects(name: str, label: str, values: list[Any], ordered: bool) -> Column:
    """Python objects, None and NaN among them."""
    try:
        different = list(dict.fromkeys(values))
        known = [v for v in different if not _is_missing(v)]
        if ordered:
            known.sort()
    except TypeError:
        kinds = sorted({type(v).__name__ for v in values if not _is_missing(v)})
        raise ValueError(
            f"{name} expects the categories of a feature to be of one kind, numbers or strings or "
            f"booleans, so that they have an order, but {label} has {' and '.join(kinds)}. Convert "
            "them, or declare their order in categories."
        ) from None
    place = dict.fromkeys(different, MISSING) | {v: i for i, v in enumerate(known)}
    codes = np.fromiter(map(place.__getitem__, values), np.intp, len(values))
    return Column(_finite(name, label, _array(known)), codes)


def _finite(name: str, label: str, values: np.ndarray) -> np.ndarray:
    """The values (c,), or ValueError for infinite numbers."""
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            f"{name} expects categories, but {label} contains infinity. Write NaN or None where a "
            "value is missing."
        )
    return values


def _is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, not a time, or pandas' NA, which compares with nothing."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def _array(values: list[Any]) -> np.ndarray:
    """Values (c,) as numbers or booleans if all are, otherwise as objects."""
    plain = np.asarray(values) if all(np.isscalar(v) for v in values) else np.empty(0, object)
    if plain.dtype.kind in "biuf" and len(plain):
        return plain
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects


def warn_if_continuous(name: str, label: str, column: Column) -> None:
    """DegenerateDataWarning for fractions most of which occur once: measurements, no categories."""
    values, n = column.values, int((column.codes != MISSING).sum())
    if values.dtype.kind == "f" and len(values) > n / 2 and (values != np.floor(values)).any():
        warnings.warn(
            f"{name} expects categories, but {label} has {len(values)} different numbers in {n} "
            f"rows, such as {values[len(values) // 2]:g}: each is taken for a category of its own. "
            "Cut the feature into bins, or use a mixture for numbers, such as GaussianMixture.",
            DegenerateDataWarning,
            stacklevel=2,
        )


def declared(name: str, label: str, categories: Any) -> np.ndarray:
    """Categories (c,) as a user gave them, or ValueError."""
    listed = np.iterable(categories) and not isinstance(categories, str)
    values = list(categories) if listed else []
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    if not values or any(map(_is_missing, values)) or len(set(values)) < len(values):
        raise ValueError(
            f"{name} expects a list of different values as the categories of {label}, none of them "
            f"missing, but got {categories!r}. Missing values need no category."
        )
    return _array(values)


def matched(
    name: str, label: str, column: Column, categories: np.ndarray, ignore_unknown: bool
) -> Column:
    """A column in terms of given categories (c,); others are missing then, or a ValueError."""
    place = {value: i for i, value in enumerate(categories.tolist())}
    values = column.values.tolist()
    found = np.array([*(place.get(value, UNKNOWN) for value in values), MISSING], dtype=np.intp)
    codes = found[column.codes]
    if ignore_unknown:
        return Column(categories, np.maximum(codes, MISSING))
    unknown = np.flatnonzero(codes == UNKNOWN)
    if len(unknown):
        row, listed = int(unknown[0]), ", ".join(map(repr, categories[:SHOWN].tolist()))
        more = f" and {len(categories) - SHOWN} more" if len(categories) > SHOWN else ""
        raise ValueError(
            f"{name} expects known categories, {listed}{more} in {label}, but row {row} is "
            f"{values[column.codes[row]]!r}. Fit with categories that list it, or set "
            "handle_unknown='ignore' to take it for missing."
        )
    return Column(categories, codes)
