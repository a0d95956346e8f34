"""Training and test rows whose class shares differ, for the benchmark of label shift.

A problem draws both by seed; of Gaussian classes it also knows the densities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Rows(NamedTuple):
    X: np.ndarray
    y: np.ndarray
    prior: np.ndarray  # the shares that y was drawn from


class Problem(NamedTuple):
    name: str
    what: str
    train: Callable[[np.random.Generator], Rows]
    tests: dict[str, Callable[[np.random.Generator], Rows]]  # by the name of their shares
    network: Callable[[int], object]  # the inner classifier, by seed
    log_density: Callable[[np.ndarray], np.ndarray] | None  # (n, K), where it is known
    pooled: bool = False  # training and test rows come from one shuffle of the same rows


def network(
    hidden: tuple[int, ...], epochs: int, batch: int, rate: float, *, scaled: bool = False
) -> Callable[[int], object]:
    """A tanh network trained by Adam for a fixed number of epochs."""

    def make(seed: int) -> object:
        mlp = MLPClassifier(
            hidden, activation="tanh", learning_rate_init=rate, max_iter=epochs, batch_size=batch,
            n_iter_no_change=epochs, random_state=seed,
        )  # fmt: skip
        return make_pipeline(StandardScaler(), mlp) if scaled else mlp

    return make


class Gaussians(NamedTuple):
    """Classes with Gaussian densities, diagonal covariances."""

    means: np.ndarray  # (K, d)
    variances: np.ndarray  # (K, d)

    def draw(self, n: int, prior: np.ndarray) -> Callable[[np.random.Generator], Rows]:
        def rows(rng: np.random.Generator) -> Rows:
            y = rng.choice(len(prior), size=n, p=prior)
            X = self.means[y] + np.sqrt(self.variances[y]) * rng.standard_normal((n, 2))
            return Rows(X, y, prior)

        return rows

    def log_density(self, X: np.ndarray) -> np.ndarray:
        scaled = (X[:, None] - self.means) ** 2 / self.variances
        return -0.5 * (scaled + np.log(2 * np.pi * self.variances)).sum(axis=2)


OVERLAPPING = Gaussians(np.array([[0, 0], [2, 0], [1, np.sqrt(3)]]), np.ones((3, 2)))
MOSTLY_FIRST = np.array([0.85, 0.10, 0.05])

WIDE, NARROW, FLAT = (11.52961, 0.60682), (0.08969494, 0.44847468), (13.86825114, 0.72990795)
SEPARATE = Gaussians(
    np.array([[-17.5, 2], [-9, 2], [0, 0], [9, 1], [17.5, 1]]),
    np.array([WIDE, NARROW, FLAT, NARROW, WIDE]),
)
TWO_RARE = np.array([0.31040853, 0.01576525, 0.32593302, 0.02895366, 0.31893954])
TWO_RARE /= TWO_RARE.sum()

TAIL = 25.0 ** (-np.arange(10) / 9.0)
TAIL /= TAIL.sum()


def exchanged(prior: np.ndarray) -> np.ndarray:
    """The same shares, the largest for the rarest class, and so on."""
    order = np.argsort(prior)
    result = np.empty(len(prior))
    result[order] = prior[order[::-1]]
    return result


def digits(role: str, n: int, prior: np.ndarray) -> Callable[[np.random.Generator], Rows]:
    """Images of the digits: a third of each kind are kept for tests, whatever the shares.

    `rng` shuffles; the same seed gives training and test rows that do not overlap.
    """

    def rows(rng: np.random.Generator) -> Rows:
        images = load_digits()
        order = rng.permutation(len(images.target))
        X, y, chosen = images.data[order] / 16.0, images.target[order], []
        for digit, share in enumerate(prior):
            all_of = np.flatnonzero(y == digit)
            third = len(all_of) // 3
            pool = all_of[:third] if role == "test" else all_of[third:]
            chosen.append(pool[: max(1, round(n * share))])
        chosen = np.concatenate(chosen)
        counts = np.bincount(y[chosen], minlength=10)
        return Rows(X[chosen], y[chosen], counts / counts.sum())

    return rows


PROBLEMS = [
    Problem(
        "overlap",
        "three unit Gaussians at (0, 0), (2, 0), (1, √3); 5 000 rows with shares .85, .10, .05; "
        "tests of 2 000; network 2–20–3",
        OVERLAPPING.draw(5000, MOSTLY_FIRST),
        {
            "same": OVERLAPPING.draw(2000, MOSTLY_FIRST),
            "mild": OVERLAPPING.draw(2000, np.array([0.60, 0.25, 0.15])),
            "balanced": OVERLAPPING.draw(2000, np.full(3, 1 / 3)),
            "reversed": OVERLAPPING.draw(2000, MOSTLY_FIRST[::-1]),
        },
        network((20,), 30, 100, 1e-2),
        OVERLAPPING.log_density,
    ),
    Problem(
        "separate",
        "five Gaussians that hardly overlap; 7 000 rows, two classes with shares .016 and .029; "
        "tests of 2 500; network 2–20–5 on standardised columns",
        SEPARATE.draw(7000, TWO_RARE),
        {
            "same": SEPARATE.draw(2500, TWO_RARE),
            "exchanged": SEPARATE.draw(2500, exchanged(TWO_RARE)),
        },
        network((20,), 40, 100, 1e-2, scaled=True),
        SEPARATE.log_density,
    ),
    Problem(
        "digits",
        "scikit-learn's 8 × 8 digits; 429 images, 0 about twenty times as frequent as 9; "
        "tests of 211 to 500 others; network 64–36–10",
        digits("train", 450, TAIL),
        {
            "same": digits("test", 220, TAIL),
            "balanced": digits("test", 500, np.full(10, 0.1)),
            "reversed": digits("test", 220, TAIL[::-1]),
        },
        network((36,), 60, 32, 3e-3),
        None,
        pooled=True,
    ),
]
