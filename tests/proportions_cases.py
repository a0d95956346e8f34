"""Problems for `DynamicResponsibility`, and slow twins that say what is true of them.

A problem is a matrix of known densities (n, k), or of their logarithms, and weights of the rows.
Twins compute with 80-bit numbers where the machine has them, on rows divided by their largest
entry, and know of no solver but a textbook interior point.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from mixtures import DynamicResponsibility

SOLVERS = ("em", "squarem", "sqp", "auto")
WIDE = np.longdouble


@dataclass(frozen=True)
class Problem:
    """Densities, or log-densities, of n rows under k components; their weights; a prior."""

    F: np.ndarray
    log: bool = False
    w: np.ndarray | None = None
    concentration: Any = 1.0

    def fit(self, **options: Any) -> DynamicResponsibility:
        """The fit, whose warnings are errors."""
        model = DynamicResponsibility(input=self.input, concentration=self.concentration, **options)
        return model.fit(self.F, sample_weight=self.w)

    def run(self, n_iter: int, **options: Any) -> DynamicResponsibility:
        """So many iterations, whether or not they suffice."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return self.fit(tol=0.0, max_iter=n_iter, **options)

    @property
    def input(self) -> str:
        return "log_density" if self.log else "density"

    def but(self, **changes: Any) -> Problem:
        return replace(self, **changes)


@dataclass
class Twin:
    """A problem in wide numbers; a prior has become pseudo-rows, one of each component alone.

    ``sum_k a_k log pi_k`` is the log-likelihood of a_k rows whose only density is one, under k.
    """

    problem: Problem
    G: np.ndarray = field(init=False)
    w: np.ndarray = field(init=False)
    offset: Any = field(init=False)

    def __post_init__(self) -> None:
        F = np.asarray(self.problem.F).astype(WIDE)
        n, k = F.shape
        top = F.max(axis=1)
        with np.errstate(under="ignore"):
            G = np.exp(F - top[:, None]) if self.problem.log else F / top[:, None]
        offsets = top if self.problem.log else np.log(top)
        w = np.ones(n) if self.problem.w is None else np.asarray(self.problem.w)
        a = np.broadcast_to(np.asarray(self.problem.concentration, dtype=float) - 1.0, (k,))
        seen, extra = w > 0, a > 0
        self.G = np.vstack([G[seen], np.eye(k)[extra]])
        self.w = np.concatenate([w[seen], a[extra]]).astype(WIDE)
        self.w /= self.w.sum()
        self.offset = self.w[: seen.sum()] @ offsets[seen]

    def objective(self, pi: np.ndarray) -> float:
        """``sum_n w_n log u_n / sum_n w_n``, in nats; -inf where a row has no density."""
        with np.errstate(divide="ignore"):
            return float(self.w @ np.log(self.G @ pi.astype(WIDE)) + self.offset)

    def gradient(self, pi: np.ndarray) -> np.ndarray:
        """``g_k = sum_n w_n F_nk / u_n / sum_n w_n``."""
        return (self.w / (self.G @ pi.astype(WIDE))) @ self.G

    def gap(self, pi: np.ndarray) -> float:
        return float(np.log(self.gradient(pi).max()))

    def step(self, pi: np.ndarray) -> np.ndarray:
        """The responsibility map: the mean responsibility of each component."""
        return pi.astype(WIDE) * self.gradient(pi)

    def hessian(self, pi: np.ndarray) -> np.ndarray:
        """``sum_n w_n F_nk F_nj / u_n^2 / sum_n w_n``, minus the second derivative."""
        q = self.G / (self.G @ pi.astype(WIDE))[:, None]
        return ((q * self.w[:, None]).T @ q).astype(float)

    def maximiser(self) -> np.ndarray:
        """The maximum, by a primal-dual interior point on ``sum_n w_n log u_n - sum_k x_k``.

        Over x >= 0 this has the same maximum, since the best x sums to one; the condition is
        ``1 - g_k = s_k`` with ``x_k s_k = mu``, and mu is sent to zero.
        """
        k = self.G.shape[1]
        x, s = np.full(k, 1.0 / k), np.ones(k)
        best, least = x, self.gap(x)
        for _ in range(120):
            g = self.gradient(x).astype(float)
            mu = 0.1 * min(float(x @ s) / k, 1.0)
            matrix = self.hessian(x) + np.diag(s / x)
            scale = 1.0 / np.sqrt(np.diag(matrix))
            right = scale * (g - 1.0 + mu / x)
            dx = scale * np.linalg.solve(matrix * np.outer(scale, scale), right)
            ds = (mu - s * dx) / x - s
            change, left = np.concatenate([dx, ds]), np.concatenate([x, s])
            falls = change < 0
            t = min(1.0, 0.99 * np.min(-left[falls] / change[falls], initial=np.inf))
            x, s = x + t * dx, s + t * ds
            gap = self.gap(x / x.sum())
            if gap < least:
                best, least = x / x.sum(), gap
            if least < 1e-13:
                break
        return best


def maximum(problem: Problem, within: float = 1e-11) -> float:
    """The largest objective, proven to this many nats by the twin's own certificate."""
    twin = Twin(problem)
    pi = twin.maximiser()
    assert twin.gap(pi) <= within, f"the twin stops at a gap of {twin.gap(pi)}"
    return twin.objective(pi)


def normals(
    n: int, k: int, seed: int = 0, distance: float = 2.0, weights: Any = None
) -> np.ndarray:
    """Densities of n draws from k standard normals whose means lie so far apart."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(k, 3.0)) if weights is None else np.asarray(weights)
    means = distance * np.arange(k)
    x = means[rng.choice(k, n, p=share)] + rng.normal(size=n)
    return norm.pdf(x[:, None], means)


# ---- families of problems, from harmless to nasty: (rng, n, k) -> Problem -----------------------


def _normals(rng, n, k):
    return Problem(normals(n, k, int(rng.integers(2**31)), 10 ** rng.uniform(-1, 1)))


def _normal_means(rng, n, k):
    """Effects of several sizes seen with noise of one; the prior is a grid of scales from zero."""
    x = rng.normal(size=n) * np.sqrt(1.0 + rng.choice([0.0, 1.0, 6.0], n) ** 2)
    scales = np.concatenate([[0.0], np.geomspace(0.1, 20.0, k - 1)]) if k > 1 else np.ones(1)
    return Problem(norm.logpdf(x[:, None], scale=np.sqrt(1.0 + scales**2)), log=True)


def _classifier(rng, n, k):
    A = rng.normal(size=(n, k)) * 10 ** rng.uniform(-1, 1)
    F = np.exp(A - A.max(axis=1, keepdims=True))
    return Problem(F / F.sum(axis=1, keepdims=True))


def _monotone(rng, n, k):
    """Uniform densities on (0, theta]: a decreasing density, half of the entries zero."""
    x = np.abs(rng.normal(size=n))
    theta = np.linspace(0.0, x.max(), k + 1)[1:]
    return Problem((x[:, None] <= theta) / theta)


def _near_duplicates(rng, n, k):
    centres = np.repeat(3.0 * np.arange(-(-k // 2)), 2)[:k] + 1e-5 * np.arange(k)
    x = centres[rng.choice(k, n)] + rng.normal(size=n)
    return Problem(norm.pdf(x[:, None], centres))


def _duplicates(rng, n, k):
    return Problem(rng.exponential(size=(n, k))[:, rng.integers(k, size=k)])


def _rank_one(rng, n, k):
    return Problem(np.outer(rng.exponential(size=n) + 1e-3, rng.exponential(size=k) + 1e-3))


def _one_hot(rng, n, k):
    return Problem(np.eye(k)[rng.integers(k, size=n)])


def _zeros(rng, n, k):
    F = rng.exponential(size=(n, k)) * (rng.random((n, k)) < 0.4)
    F[np.arange(n), rng.integers(k, size=n)] += 0.1
    return Problem(F)


def _equal(rng, n, k):
    return Problem(np.full((n, k), 0.7))


def _huge_range(rng, n, k):
    A = rng.uniform(-1e4, 1e4, (n, k))
    A[rng.random((n, k)) < 0.3] = -np.inf
    A[np.arange(n), rng.integers(k, size=n)] = rng.uniform(-1e4, 1e4, n)
    return Problem(A, log=True)


def _ridge_of_offsets(rng, n, k):
    """Narrow normals: rows of their own size, log-densities that differ by thousands."""
    x, means = rng.normal(size=n), np.linspace(-1.0, 1.0, k)
    return Problem(-0.5 * ((x[:, None] - means) / 0.03) ** 2 + rng.uniform(-5e3, 5e3, (n, 1)), True)


def _scaled(low, high):
    def make(rng, n, k):
        F = rng.exponential(size=(n, k)) + 0.01
        with np.errstate(under="ignore"):
            return Problem(F * 10.0 ** rng.uniform(low, high, (n, 1)))

    return make


def _scaled_columns(rng, n, k):
    return Problem(rng.exponential(size=(n, k)) * 10.0 ** rng.uniform(-150, 150, k))


def _heavy_tails(rng, n, k):
    return Problem(np.exp(10 ** rng.uniform(0, 1.5) * rng.normal(size=(n, k))))


def _rare(rng, n, k):
    """The last component has one row, and hardly any density elsewhere."""
    F = rng.exponential(size=(n, k)) + 1e-3
    F[:, -1] *= 10.0 ** -rng.uniform(3, 300)
    F[rng.integers(n)] = 1e-12 * np.eye(k)[-1] + 1e-30
    return Problem(F)


FAMILIES = {
    "normals": _normals,
    "normal means": _normal_means,
    "classifier": _classifier,
    "monotone": _monotone,
    "near duplicates": _near_duplicates,
    "duplicates": _duplicates,
    "rank one": _rank_one,
    "one-hot": _one_hot,
    "zeros": _zeros,
    "equal": _equal,
    "huge range": _huge_range,
    "offsets": _ridge_of_offsets,
    "subnormal": _scaled(-318, -308),
    "tiny": _scaled(-300, -299),
    "giant": _scaled(299, 300),
    "rows of any size": _scaled(-300, 300),
    "columns of any size": _scaled_columns,
    "heavy tails": _heavy_tails,
    "rare": _rare,
}


def draw(family: str, seed: int, n: int, k: int) -> Problem:
    with np.errstate(under="ignore"):
        return FAMILIES[family](np.random.default_rng([seed, n, k]), n, k)
