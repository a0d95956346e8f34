"""The data of the published experiments, recovered from their seeds, and three problems more.

Coatney, R. D. (2020). "A Responsible Softmax Layer in Deep Learning". University of Arizona. The
experiments drew their parameters and the labels of their test rows from MATLAB's generator, whose
uniform stream for a seed is that of `numpy.random.RandomState`. So both are known exactly; normal
deviates are not, and rows differ.

Classes are numbered from zero here, from one in the slides: their class 2 is our 1.

Every problem is a `Problem`: ``sample(n, rng)`` draws `Rows` (X, y), ``test_labels()`` are the
slides' labels of test rows, ``test(rng)`` rows under them, and ``log_density(X)`` the true
log-densities of the classes, (n, K), so that the best possible classifier is known too. `images`
has the digits, which are finite in number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from ..label_shift_problems import MOSTLY_FIRST, OVERLAPPING

PARAMETER_SEED = 1085456391  # of the slides' mixture
LABEL_SEED = 5489  # MATLAB's default, of the labels of all test rows


class Rows(NamedTuple):
    X: np.ndarray  # (n, d)
    y: np.ndarray  # (n,), 0 .. K - 1


@dataclass(frozen=True)
class Problem:
    """Classes with known densities and shares.

    `draw` makes rows of given labels: ``draw(labels, rng) -> X``.
    """

    name: str
    prior: np.ndarray  # (K,), the shares of the classes in training
    draw: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    log_density: Callable[[np.ndarray], np.ndarray]  # X -> (n, K)
    n_train: int
    n_test: int
    rare: tuple[int, ...]  # the classes that the tables look at

    @property
    def n_classes(self) -> int:
        return len(self.prior)

    def sample(
        self, n: int, rng: np.random.Generator, prior: np.ndarray | Sequence[float] | None = None
    ) -> Rows:
        """Draw n rows with the shares of the classes in training, or with the given ones."""
        p = self.prior if prior is None else np.asarray(prior, dtype=float)
        return self.of(rng.choice(len(p), size=n, p=p / p.sum()), rng)

    def of(self, labels: np.ndarray, rng: np.random.Generator) -> Rows:
        """Rows of these labels."""
        return Rows(self.draw(labels, rng), labels)

    def train(self, rng: np.random.Generator) -> Rows:
        """As many rows as the published experiment trained with."""
        return self.sample(self.n_train, rng)

    def test_labels(self, n: int | None = None) -> np.ndarray:
        """The labels of the published test rows, the same for every run."""
        uniform = np.random.RandomState(LABEL_SEED).random_sample(n or self.n_test)
        return np.searchsorted(np.cumsum(self.prior), uniform, side="right")

    def test(self, rng: np.random.Generator, n: int | None = None) -> Rows:
        """Rows under the published labels."""
        return self.of(self.test_labels(n), rng)


@dataclass(frozen=True)
class GaussianProblem(Problem):
    """Gaussian classes with diagonal covariances."""

    means: np.ndarray  # (K, d)
    variances: np.ndarray  # (K, d)


def slides_gmm(frequent: Sequence[int] = (1, 3, 5)) -> GaussianProblem:
    """Five Gaussians in two dimensions, the slides' first problem.

    Parameters
    ----------
    frequent : sequence of int
        The classes, numbered from one, whose raw shares get 10 more before all are normalised:
        (1, 3, 5) for the slides' tables, (1, 5) for their figure of six networks, (2, 4) and (3,)
        in further runs.
    """
    uniform = np.random.RandomState(PARAMETER_SEED).random_sample
    heights = np.floor(4.0 * uniform(5)) - 1.0
    means = np.column_stack([[-17.5, -9.0, 0.0, 9.0, 17.5], heights])
    spread = uniform(5)[::-1]  # drawn for class 5 first
    shape = np.array([[19.0, 1.0], [1.0, 5.0], [19.0, 1.0]])
    variances = shape * spread[:3, None]
    variances = np.vstack([variances, variances[1], variances[0]])  # 4 has that of 2, 5 that of 1
    raw = uniform(5)
    raw[np.asarray(frequent) - 1] += 10.0
    rare = tuple(k for k in range(5) if k + 1 not in frequent)
    return _gaussian("gmm", means, variances, raw / raw.sum(), 7000, 2500, rare)


def overlap() -> GaussianProblem:
    """Three unit Gaussians that overlap much, with shares .85, .10 and .05.

    No network can do well here: there is a price to pay in one class for every row won in another.
    """
    means, variances = OVERLAPPING.means, OVERLAPPING.variances
    return _gaussian("overlap", means, variances, MOSTLY_FIRST, 5000, 2000, (1, 2))


def _gaussian(
    name: str, means: np.ndarray, variances: np.ndarray, prior: np.ndarray,
    n_train: int, n_test: int, rare: tuple[int, ...],
) -> GaussianProblem:  # fmt: skip
    def draw(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = rng.standard_normal((len(labels), means.shape[1]))
        return means[labels] + np.sqrt(variances[labels]) * noise

    def log_density(X: np.ndarray) -> np.ndarray:
        squares = (X[:, None] - means) ** 2 / variances
        return -0.5 * (squares + np.log(2.0 * np.pi * variances)).sum(axis=2)

    return GaussianProblem(
        name, prior, draw, log_density, n_train, n_test, rare, means=means, variances=variances
    )


RADIUS = 3.0
SHIFT, NOISE = 7.3, 0.2  # of the vertical displacement
CENTRES = np.linspace(-4.0, 4.0, 4)
SIGNS = np.array([1.0, -1.0, 1.0, -1.0])


def crescents() -> Problem:
    """Four interlocking half circles with noise, the slides' second problem.

    ``x = 2 r^2 t / d + m``, ``y = s (2 r^3 / d - e + r)``, ``d = r^2 + t^2``, t standard normal, e
    normal about 7.3 with standard deviation .2.
    """
    prior = np.array([0.4, 0.15, 0.05, 0.4])
    return Problem("crescents", prior, _bend, _crescent_density, 4500, 500, (2,))


def _bend(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    t, noise = rng.standard_normal((2, len(labels)))
    e, d = NOISE * noise + SHIFT, RADIUS**2 + t**2
    x = 2.0 * RADIUS**2 * t / d + CENTRES[labels]
    return np.column_stack([x, SIGNS[labels] * (2.0 * RADIUS**3 / d - e + RADIUS)])


def _crescent_density(X: np.ndarray) -> np.ndarray:
    """Log-densities: every abscissa within reach has two t, whose product is r^2."""
    u = X[:, :1] - CENTRES  # (n, 4)
    inside = np.abs(u) < RADIUS
    root = np.sqrt(np.where(inside, RADIUS**2 - u**2, 1.0))
    near = RADIUS * u / (RADIUS + root)
    far = np.divide(RADIUS**2, near, out=np.full_like(near, np.inf), where=near != 0.0)
    total = np.full_like(u, -np.inf)
    for t in (near, far):
        t = np.where(np.isfinite(t), t, 1e6)  # where the density is zero anyway
        d = RADIUS**2 + t**2
        slope = 2.0 * RADIUS**2 * np.abs(RADIUS**2 - t**2) / d**2  # of x in t
        e = 2.0 * RADIUS**3 / d + RADIUS - SIGNS * X[:, 1:]
        term = norm.logpdf(t) + norm.logpdf(e, SHIFT, NOISE)
        term -= np.log(np.where(inside, slope, 1.0))
        total = np.logaddexp(total, np.where(inside, term, -np.inf))
    return total
