"""Known densities F of n rows under K components: 21 items to find mixture proportions of.

An item is a file of raw float64, one component after another: a C-ordered (K, n) array, of which
`array.T` is F in Fortran's order and which R reads as an n × K matrix. Everything is drawn from
seeds, by component, so that no item needs to be in memory whole to be drawn.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .workloads import Array


class DensityItem(NamedTuple):
    """A work item and how its rows of (K, n) are drawn."""

    what: str
    n: int
    k: int
    draw: Callable[[DensityItem, np.random.Generator], Iterable[Array]]
    seed: int
    log: bool = False  # the file holds log F

    def describe(self) -> str:
        return f"{self.what}, {self.n} × {self.k}"

    @property
    def size(self) -> int:
        """Bytes."""
        return 8 * self.n * self.k

    def trial(self) -> DensityItem:
        """A tenth of the rows, if that leaves enough of them."""
        return self._replace(n=max(self.n // 10, 2000))


def normal_means(item: DensityItem, rng: np.random.Generator) -> Iterator[Array]:
    """mixsqp's own simulation (`simulatemixdata`): half N(0, 1), a quarter each N(0, 9), N(0, 36).

    Components are N(0, 1 + s²) with s zero or on a geometric grid; a row's largest density is one.
    """
    quarter = item.n // 4
    scales = np.repeat([1.0, 3.0, 6.0], [item.n - 2 * quarter, quarter, quarter])
    squares = (scales * rng.standard_normal(item.n)) ** 2
    most = 2.0 * np.sqrt(max(squares.max() - 1.0, 0.25))
    variances = 1.0 + np.r_[0.0, np.geomspace(0.1, most, item.k - 1)] ** 2
    # In its variance a density rises up to x² and falls beyond, so the two grid points next to x²
    # have the largest.
    after = np.searchsorted(variances, squares)
    around = variances[np.clip([after - 1, after], 0, item.k - 1)]
    largest = _log_normal(squares, around).max(axis=0)
    for variance in variances:
        yield np.exp(_log_normal(squares, variance) - largest)


def _log_normal(squares: Array, variance: Array | float) -> Array:
    """Up to a constant."""
    return -0.5 * (squares / variance + np.log(variance))


def separated(item: DensityItem, rng: np.random.Generator) -> Iterator[Array]:
    """Spherical normals in three dimensions, their means four standard deviations apart."""
    means = 4.0 * rng.standard_normal((item.k, 3))
    labels = rng.choice(item.k, item.n, p=rng.dirichlet(np.full(item.k, 2.0)))
    X = means[labels] + rng.standard_normal((item.n, 3))
    for mean in means:
        yield np.exp(-0.5 * ((X - mean) ** 2).sum(axis=1)) / (2.0 * np.pi) ** 1.5


def near_duplicates(item: DensityItem, rng: np.random.Generator) -> Iterator[Array]:
    """Normals, each with a copy whose mean is 1e-5 away; rows are a little wider than either."""
    means = np.linspace(-6.0, 6.0, item.k // 2)
    x = rng.choice(means, item.n) + np.hypot(1.0, 0.3) * rng.standard_normal(item.n)
    for mean in np.r_[means, means + 1e-5]:
        yield np.exp(-0.5 * (x - mean) ** 2)


def monotone(item: DensityItem, rng: np.random.Generator) -> Iterator[Array]:
    """Uniform on (0, t) for a grid of t: a decreasing density (Grenander's); many F are zero."""
    x = np.abs(rng.standard_normal(item.n))
    for end in np.linspace(0.0, x.max() * (1.0 + 1e-7), item.k + 1)[1:]:
        yield (x <= end) / end


def wide_range(item: DensityItem, rng: np.random.Generator) -> Iterator[Array]:
    """log F of narrow normals, from -2e4 to 1e4, a row's level being anywhere in ±1e4."""
    means, width = np.linspace(0.0, 1.0, item.k), 0.007
    labels = rng.choice(item.k, item.n, p=rng.dirichlet(np.ones(item.k)))
    x = means[labels] + 4.0 * width * rng.standard_normal(item.n)
    level = rng.uniform(-1e4, 1e4, item.n)
    for mean in means:
        yield np.maximum(level - 0.5 * ((x - mean) / width) ** 2, -2e4)


def random_logs(item: DensityItem, rng: np.random.Generator) -> Iterator[Array]:
    """log F independent and uniform on ±1e4, every other one -inf."""
    lone = np.ones(item.n, dtype=bool)  # rows that no component explains yet
    for component in range(item.k):
        line = rng.uniform(-1e4, 1e4, item.n)
        line[rng.random(item.n) < 0.5] = -np.inf
        lone &= np.isneginf(line)
        if component == item.k - 1:
            line[lone] = 0.0
        yield line


def classifier(margin: float, power: float) -> Callable[[DensityItem, np.random.Generator], Array]:
    """Calibrated class probabilities, classes as frequent as 1 / rank^power, in random order.

    Logits are margin times a row N(margin e_y, I): exact under equal shares of the classes.
    """

    def draw(item: DensityItem, rng: np.random.Generator) -> Array:
        shares = rng.permutation(np.arange(1.0, item.k + 1) ** -power)
        labels = rng.choice(item.k, item.n, p=shares / shares.sum())
        F = np.empty((item.k, item.n))
        step = max(1, 2_000_000 // item.k)
        for lo in range(0, item.n, step):
            own = labels[lo : lo + step]
            logits = rng.standard_normal((len(own), item.k))
            logits[np.arange(len(own)), own] += margin
            logits = np.exp(margin * (logits - logits.max(axis=1, keepdims=True)))
            F[:, lo : lo + step] = (logits / logits.sum(axis=1, keepdims=True)).T
        return F

    return draw


GRIDS = [(20_000, (20, 100, 400, 800)), (100_000, (20, 100, 400, 800)), (1_000_000, (20, 100, 400))]

ITEMS = {
    **{
        f"nm_{n}_{k}": DensityItem("normal means", n, k, normal_means, 3000 + n)
        for n, grids in GRIDS
        for k in grids
    },
    "gauss_5": DensityItem("separated normals", 100_000, 5, separated, 3105),
    "gauss_10": DensityItem("separated normals", 100_000, 10, separated, 3110),
    "neardup": DensityItem("near-duplicate normals", 100_000, 20, near_duplicates, 3200),
    "gren_50": DensityItem("decreasing density", 100_000, 50, monotone, 3300),
    "gren_200": DensityItem("decreasing density", 100_000, 200, monotone, 3300),
    "hugelog": DensityItem("log F, wide range", 100_000, 20, wide_range, 3400, log=True),
    "randlog": DensityItem("log F, random, -inf", 100_000, 20, random_logs, 3500, log=True),
    "softmax_10": DensityItem("classifier", 1_000_000, 10, classifier(2.0, 1.0), 3610),
    "softmax_200": DensityItem("classifier, overlap", 100_000, 200, classifier(1.5, 0.8), 3800),
    "softmax_1000": DensityItem("classifier", 100_000, 1000, classifier(4.0, 0.8), 4600),
}


def item_of(name: str, quick: bool = False) -> DensityItem:
    """The item, or its like for a trial run."""
    return ITEMS[name].trial() if quick else ITEMS[name]


def file_of(name: str, cache: str, quick: bool = False) -> Path:
    """The item's file in the folder `cache`, drawn there on first use."""
    path, item = Path(cache) / f"{name}{'-quick' * quick}.f64", item_of(name, quick)
    if path.exists() and path.stat().st_size == item.size:
        return path
    handle, scratch = tempfile.mkstemp(dir=cache)
    with os.fdopen(handle, "wb") as file:
        for line in item.draw(item, np.random.default_rng(item.seed)):
            file.write(np.ascontiguousarray(line).data)
    Path(scratch).replace(path)
    if path.stat().st_size != item.size:
        raise RuntimeError(f"{path} has {path.stat().st_size} bytes, not {item.size}.")
    return path


def load(name: str, cache: str, quick: bool = False) -> Array:
    """The item's C-ordered (K, n) array, in memory; log F where the item says so."""
    item = item_of(name, quick)
    return np.fromfile(file_of(name, cache, quick)).reshape(item.k, item.n)


def mapped(name: str, cache: str, quick: bool = False) -> Array:
    """The same from the file, for one look."""
    item = item_of(name, quick)
    return np.memmap(file_of(name, cache, quick), np.float64, "r", shape=(item.k, item.n))


def share_of(F: Array, rows: int) -> Array:
    """About `rows` rows, evenly spaced: what a warm-up call solves."""
    return np.ascontiguousarray(F[:, :: max(1, F.shape[1] // rows)])
