"""Time of one EM iteration on the kernels alone, one thread.

    taskset -c 0 python benchmarks/kernels.py            # all items
    taskset -c 0 python benchmarks/kernels.py G1 G3

An iteration is parameters -> discriminants -> sweep -> parameters. GF/s counts the operations of
the dense algorithm, exponentials excluded, so that skipped work shows as a higher figure.
"""

from __future__ import annotations

import math
import sys
import time
from typing import NamedTuple

import numpy as np

from mixtures.core import kernels

LINEAR, DIAGONAL, TRIANGULAR = 0, 1, 2
NO_MOMENTS, NORM, DIAGONAL_MOMENTS, FULL_MOMENTS = 0, 1, 2, 3


class Item(NamedTuple):
    covariance: str
    n: int
    d: int
    k: int
    spread: float  # of the components' means, in their typical width


ITEMS = {
    "G1": Item("full", 100_000, 10, 10, 1.0),
    "G2": Item("full", 1_000_000, 8, 16, 1.2),
    "G3": Item("full", 50_000, 50, 20, 0.6),
    "G4": Item("full", 10_000, 200, 5, 0.4),
    "G5": Item("diag", 500_000, 32, 64, 0.8),
    "G6": Item("spherical", 1_000_000, 4, 8, 2.0),
    "G7": Item("tied", 200_000, 20, 10, 0.8),
    "G8": Item("full", 1_000, 2, 3, 2.0),
    "G9": Item("full", 1_000_000, 1, 3, 2.0),
}


def draw(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a mixture with random covariances of the item's kind, and means to start from."""
    kind, n, d, k, spread = ITEMS[name]
    rng = np.random.default_rng(1000 + int(name[1:]))
    means = spread * rng.normal(size=(k, d))
    labels = rng.choice(k, n, p=rng.dirichlet(np.full(k, 5.0)))
    X = rng.normal(size=(n, d))

    def correlate() -> np.ndarray:
        return np.eye(d) + 0.5 * rng.normal(size=(d, d)) / math.sqrt(d)

    if kind == "tied":
        X = X @ correlate().T
    for c in range(k):
        if kind == "full":
            X[labels == c] = X[labels == c] @ correlate().T
        elif kind == "diag":
            X[labels == c] *= np.exp(0.3 * rng.normal(size=d))
        elif kind == "spherical":
            X[labels == c] *= math.exp(0.3 * rng.normal())
    X += means[labels]
    return X, X[rng.choice(n, k, replace=False)].copy()


class Model:
    """A Gaussian mixture of one covariance kind, reduced to what a sweep needs."""

    def __init__(self, covariance: str, X: np.ndarray, means: np.ndarray) -> None:
        self.modules = kernels.load()
        self.covariance = covariance
        self.centre = X[:: max(1, len(X) // 1000)].mean(axis=0)
        self.n, (self.k, self.d) = len(X), means.shape
        self.weights = np.full(self.k, 1 / self.k)
        self.means = means - self.centre
        variances = X.var(axis=0)
        if covariance == "full":
            self.spread = np.repeat(np.diag(variances)[None], self.k, axis=0)
        elif covariance == "tied":
            self.spread = np.diag(variances)
            Z = X - self.centre
            self.gram = Z.T @ Z
        else:
            self.spread = np.repeat(variances[None], self.k, axis=0)

    def discriminants(self) -> tuple:
        k, d = self.k, self.d
        constant = 0.5 * d * math.log(2 * math.pi)
        if self.covariance == "full":
            slopes, offsets, bias = np.empty((d * (d + 1) // 2, k)), np.empty((d, k)), np.empty(k)
            status = self.modules.triangular_discriminants(
                self.weights, self.means, self.spread, slopes, offsets, bias
            )
            assert status == 0
            return TRIANGULAR, FULL_MOMENTS, slopes, offsets, bias
        if self.covariance == "tied":
            slopes = np.linalg.solve(self.spread, self.means.T)
            bias = np.log(self.weights) - 0.5 * (slopes * self.means.T).sum(axis=0)
            return LINEAR, NO_MOMENTS, slopes, np.empty((0, k)), bias
        inverse = 1 / np.sqrt(2 * self.spread.T)
        bias = np.log(self.weights) - 0.5 * np.log(self.spread).sum(axis=1) - constant
        moments = DIAGONAL_MOMENTS if self.covariance == "diag" else NORM
        return DIAGONAL, moments, inverse, -inverse * self.means.T, bias

    def m_step(self, counts: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
        k, d = self.k, self.d
        self.weights = counts / counts.sum()
        if self.covariance == "full":
            means, covariances = np.empty((k, d)), np.empty((k, d, d))
            self.modules.full_m_step(
                counts, first, second, self.means, 0.0, np.zeros(d), np.zeros((d, d)), 0.0,
                np.zeros(d), means, covariances,
            )  # fmt: skip
            self.means, self.spread = means, covariances
            return
        shift = first / counts[:, None]
        self.means = self.means + shift
        if self.covariance == "tied":
            self.spread = (self.gram - (self.means.T * counts) @ self.means) / self.n
        elif self.covariance == "diag":
            self.spread = second / counts[:, None] - shift**2
        else:
            variance = (second[:, 0] / counts - (shift**2).sum(axis=1)) / d
            self.spread = np.repeat(variance[:, None], d, axis=1)

    def iterate(self, rows, workspace) -> float:
        kind, moments, slopes, offsets, bias = self.discriminants()
        k, d = self.k, self.d
        shape = {
            NO_MOMENTS: (k, 0),
            NORM: (k, 1),
            DIAGONAL_MOMENTS: (k, d),
            FULL_MOMENTS: (k, d, d),
        }
        counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros(shape[moments])
        likelihood = self.modules.accumulate(
            rows, 0, self.n, self.centre, np.ones(d), kind, slopes, offsets, bias, self.means,
            1.0, False, moments, counts, first, second, workspace,
        )  # fmt: skip
        self.m_step(counts, first, second)
        return likelihood / self.n


def operations(item: Item) -> float:
    """Floating-point operations of the dense algorithm, two per fused multiply-add."""
    _, n, d, k, _ = item
    pairs = (d + 1) * (d + 2) // 2
    each = {
        "full": d * (d + 1) // 2 + d + pairs,
        "diag": 2 * d + 2 * d + 1,
        "spherical": 2 * d + d + 2,
        "tied": 2 * d + 1,
    }
    return 2.0 * n * k * each[item.covariance]


def measure(name: str, dtype: type = np.float64) -> None:
    item = ITEMS[name]
    X, means = draw(name)
    model = Model(item.covariance, X, means)
    X = X.astype(dtype)
    modules = kernels.load()
    rows = modules.rows(X)
    kind, moments, *_ = model.discriminants()
    workspace = modules.workspace(kind, moments, item.d, item.k)
    for _ in range(2):
        model.iterate(rows, workspace)
    times, begin = [], time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - begin < 1.5 and len(times) < 200):
        start = time.perf_counter()
        model.iterate(rows, workspace)
        times.append(time.perf_counter() - start)
    best, median = 1e3 * min(times), 1e3 * float(np.median(times))
    rate = operations(item) / median / 1e6
    label = f"{name} {item.covariance} {item.n} x {item.d}, K{item.k} {np.dtype(dtype).name}"
    print(f"{label:40s} {median:9.3f} ms  (best {best:9.3f})  {rate:6.1f} GF/s", flush=True)


def main(arguments: list[str]) -> None:
    dtype = np.float32 if "float32" in arguments else np.float64
    for name in [a for a in arguments if a in ITEMS] or ITEMS:
        measure(name, dtype)


if __name__ == "__main__":
    main(sys.argv[1:])
