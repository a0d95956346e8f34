"""What is fitted: items G1 to G9 and K1 to K4 and the acceleration problems, with their starts.

Discrete rows, items B1 to B4 and C1, are in discrete_workloads.py.

Everything is drawn from a seed. A start (weights, means, covariances and their inverses) is
common to all libraries. n rows, d features, k components.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .discrete_workloads import DISCRETE, DiscreteItem, draw_discrete

Array = NDArray[np.float64]


class Item(NamedTuple):
    """A work item; time per iteration is that of fits of `long` less `short` iterations."""

    covariance: str
    n: int
    d: int
    k: int
    spread: float  # of the components' means, in their typical width
    short: int
    long: int

    def describe(self) -> str:
        return f"{self.covariance} {self.n} × {self.d}, K {self.k}"

    def trial(self) -> Item:
        """A tenth of the rows, if that leaves enough for each component."""
        enough = max(1000, self.n // 10, 25 * self.d * self.k)
        return self._replace(n=min(self.n, enough))


ITEMS = {
    "G1": Item("full", 100_000, 10, 10, 1.0, 2, 12),
    "G2": Item("full", 1_000_000, 8, 16, 1.2, 1, 5),
    "G3": Item("full", 50_000, 50, 20, 0.6, 1, 5),
    "G4": Item("full", 10_000, 200, 5, 0.4, 1, 6),
    "G5": Item("diag", 500_000, 32, 64, 0.8, 1, 4),
    "G6": Item("spherical", 1_000_000, 4, 8, 2.0, 1, 7),
    "G7": Item("tied", 200_000, 20, 10, 0.8, 1, 11),
    "G8": Item("full", 1_000, 2, 3, 2.0, 20, 26),  # no change at all, to oneDAL, after 28
    "G9": Item("full", 1_000_000, 1, 3, 2.0, 1, 11),
}


class ClusterItem(NamedTuple):
    """A work item of k-means; time per iteration is that of fits of `long` less `short` ones."""

    n: int
    d: int
    k: int
    spread: float  # of the clusters' centres, in standard deviations of a cluster
    short: int
    long: int

    def describe(self) -> str:
        return f"{self.n} × {self.d}, K {self.k}"

    def trial(self) -> ClusterItem:
        """A tenth of the rows, and too few iterations for Lloyd's to settle on them."""
        return self._replace(n=max(self.n // 10, 120 * self.k), long=self.short + 3)


KMEANS = {
    "K1": ClusterItem(1_000_000, 16, 64, 1.5, 2, 8),
    "K2": ClusterItem(100_000, 64, 256, 1.5, 2, 12),
    "K3": ClusterItem(200_000, 2, 10, 1.5, 2, 25),
    "K4": ClusterItem(50_000, 784, 10, 0.08, 2, 10),
}


class Problem(NamedTuple):
    """A problem on which EM is slow, for acceleration; full covariances."""

    n: int
    d: int
    k: int
    spread: float
    seed: int

    def describe(self) -> str:
        return f"{self.n} × {self.d}, K {self.k}, spread {self.spread}"


PROBLEMS = {
    "A1": Problem(20_000, 5, 6, 0.7, 1),
    "A2": Problem(20_000, 10, 10, 0.5, 2),
    "A3": Problem(50_000, 2, 5, 1.0, 3),
    "A4": Problem(20_000, 8, 8, 1.0, 4),
    "A5": Problem(5_000, 3, 4, 0.6, 5),
    "A6": Problem(100_000, 10, 10, 1.0, 0),  # the rows of G1
}


class Work(NamedTuple):
    """Rows and a start, in scikit-learn's shapes for the covariance type."""

    covariance: str
    X: Array  # (n, d)
    weights: Array  # (k,)
    means: Array  # (k, d)
    covariances: Array

    @property
    def precisions(self) -> Array:
        return invert(self.covariance, self.covariances)

    @property
    def dense(self) -> Array:
        return dense(self.covariance, self.covariances, *self.means.shape)


class Clusters(NamedTuple):
    """Rows and the centres that k-means starts from."""

    X: Array  # (n, d)
    centres: Array  # (k, d)


def invert(covariance: str, covariances: Array) -> Array:
    """Precisions of covariances, or the reverse, in scikit-learn's shapes."""
    if covariance in ("full", "tied"):
        return np.linalg.inv(covariances)
    return 1.0 / covariances


def dense(covariance: str, covariances: Array, k: int, d: int) -> Array:
    """A matrix (k, d, d), or a vector of variances (k, d), for each component."""
    if covariance == "tied":
        return np.repeat(covariances[None], k, axis=0)
    if covariance == "spherical":
        return np.repeat(covariances[:, None], d, axis=1)
    return covariances


def item(name: str, quick: bool) -> Item | ClusterItem | DiscreteItem:
    """The item, or its like for a trial run."""
    full = {**ITEMS, **KMEANS, **DISCRETE}[name]
    return full.trial() if quick else full


def _mixing(rng: np.random.Generator, d: int) -> Array:
    """A random linear map not far from the identity."""
    return np.eye(d) + 0.5 * rng.normal(size=(d, d)) / math.sqrt(d)


def _deform(rng: np.random.Generator, covariance: str, X: Array, labels: Array, k: int) -> Array:
    """Standard normal rows given the covariances of their components."""
    d = X.shape[1]
    if covariance == "tied":
        return X @ _mixing(rng, d).T
    for c in range(k):
        own = labels == c
        if covariance == "full":
            X[own] = X[own] @ _mixing(rng, d).T
        else:
            X[own] *= np.exp(0.3 * rng.normal(size=d if covariance == "diag" else None))
    return X


def draw_item(name: str, quick: bool = False) -> Work:
    """Rows of a mixture of the item's kind; the start has random rows as means."""
    kind, n, d, k, spread, *_ = item(name, quick)
    rng = np.random.default_rng(1000 + int(name[1:]))
    means = spread * rng.normal(size=(k, d))
    labels = rng.choice(k, n, p=rng.dirichlet(np.full(k, 5.0)))
    X = _deform(rng, kind, rng.normal(size=(n, d)), labels, k) + means[labels]
    start = X[rng.choice(n, k, replace=False)].copy()
    variances = X.var(axis=0)
    covariances = {
        "full": np.repeat(np.diag(variances)[None], k, axis=0),
        "tied": np.diag(variances),
        "diag": np.repeat(variances[None], k, axis=0),
        "spherical": np.full(k, variances.mean()),
    }[kind]
    return Work(kind, X, np.full(k, 1 / k), start, covariances)


def draw_problem(name: str, quick: bool = False) -> Work:
    """Overlapping components; the start has random rows as means and the data's covariance."""
    n, d, k, spread, seed = PROBLEMS[name]
    n = n // 5 if quick else n
    rng = np.random.default_rng(seed)
    means = spread * rng.normal(size=(k, d))
    labels = rng.integers(k, size=n)
    X = _deform(rng, "full", rng.normal(size=(n, d)), labels, k) + means[labels]
    if name == "A6":
        X = draw_item("G1", quick).X
    start = X[rng.choice(len(X), k, replace=False)].copy()
    covariances = np.repeat(np.cov(X.T, bias=True).reshape(1, d, d), k, axis=0)
    return Work("full", X, np.full(k, 1 / k), start, covariances)


def draw_clusters(name: str, quick: bool = False) -> Clusters:
    """Equally frequent round clusters; the start has random rows as centres."""
    n, d, k, spread, *_ = item(name, quick)
    rng = np.random.default_rng(2000 + int(name[1:]))
    centres = spread * rng.normal(size=(k, d))
    X = rng.normal(size=(n, d))
    X += centres[rng.integers(k, size=n)]
    return Clusters(X, X[rng.choice(n, k, replace=False)].copy())


DRAW: dict[str, Callable[[str, bool], Any]] = {
    **dict.fromkeys(ITEMS, draw_item),
    **dict.fromkeys(PROBLEMS, draw_problem),
    **dict.fromkeys(KMEANS, draw_clusters),
    **dict.fromkeys(DISCRETE, draw_discrete),
}
KINDS: dict[str, Any] = {
    **dict.fromkeys(KMEANS, Clusters),
    **{name: discrete.work for name, discrete in DISCRETE.items()},
}


def load(name: str, cache: str, quick: bool = False) -> Any:
    """The work `name` from the folder `cache`, drawn there on first use."""
    folder, kind = Path(cache) / (name + "-quick" * quick), KINDS.get(name, Work)
    if not folder.is_dir():
        work = DRAW[name](name, quick)
        scratch = Path(tempfile.mkdtemp(dir=cache))
        for field, value in work._asdict().items():
            np.save(scratch / field, np.asarray(value))
        try:
            scratch.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(scratch)
    fields = [np.load(folder / f"{field}.npy") for field in kind._fields]
    return kind(*(field if field.ndim else field.item() for field in fields))


def trivial(work: Work) -> Work:
    """A small fit of the same shape that no library can fail on: what a warm-up call fits."""
    k, d = work.means.shape
    rng = np.random.default_rng(0)
    X, means = rng.normal(size=(10 * d + 1000, d)), 0.01 * rng.normal(size=(k, d))
    covariances = {
        "full": np.repeat(np.eye(d)[None], k, axis=0),
        "tied": np.eye(d),
        "diag": np.ones((k, d)),
        "spherical": np.ones(k),
    }[work.covariance]
    return Work(work.covariance, X, np.full(k, 1 / k), means, covariances)


def trivial_clusters(work: Clusters) -> Clusters:
    """As `trivial`, for k-means."""
    k, d = work.centres.shape
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20 * k + 1000, d))
    return Clusters(X, X[:k].copy())


def default_cache() -> str:
    """A folder outside the tree, kept between runs: drawing all items takes half a minute."""
    folder = os.path.join(tempfile.gettempdir(), f"mixtures-benchmarks-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    return folder
