"""The lists that every law runs over. A new family, covariance or prior is one row here.

Laws ask a row for an estimator and for rows inside the family's support; they never name a model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtures import GaussianMixture, PoissonMixture
from mixtures.core.em import EMProblem
from mixtures.core.initialise import INITIALISERS, Start
from mixtures.priors import Dirichlet, Gamma, NormalInverseWishart

COVARIANCES = ("full", "tied", "diag", "spherical")


def gaussian_rows(n: int, d: int, seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """n rows of k overlapping blobs (n, d), correlated, of variances 1 to 9, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    maps = np.tril(rng.normal(size=(k, d, d)), -1) + np.eye(d) * rng.uniform(1.0, 3.0, (k, 1, d))
    centres = 5.0 * rng.normal(size=(k, d))
    return centres[labels] + np.einsum("nij,nj->ni", maps[labels], rng.normal(size=(n, d))), labels


def count_rows(n: int, d: int, seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """n rows of Poisson counts (n, d) with k different rates, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    rates = rng.uniform(0.5, 12.0, size=(k, d))
    return rng.poisson(rates[labels]).astype(float), labels


NIW = NormalInverseWishart(mean_precision=0.5, degrees_of_freedom=9.0)
NIW_FREE_MEANS = NormalInverseWishart(mean_precision=0.0, degrees_of_freedom=7.0)
WEIGHT_PRIORS: dict[str, dict[str, Any]] = {
    "flat": {},
    "weights": {"weight_prior": Dirichlet(2.5)},
}
GAUSSIAN_PRIORS: dict[str, dict[str, Any]] = {
    **WEIGHT_PRIORS,
    "niw": {"prior": NIW, "weight_prior": Dirichlet(1.5)},
    "niw-free-means": {"prior": NIW_FREE_MEANS},
}
POISSON_PRIORS: dict[str, dict[str, Any]] = {
    **WEIGHT_PRIORS,
    "gamma": {"prior": Gamma(2.0, 0.5), "weight_prior": Dirichlet(1.5)},
}


@dataclass(frozen=True)
class Model:
    """A row: how to make the estimator, its data, and the priors that it takes."""

    name: str
    estimator: type
    options: dict[str, Any]
    draw: Callable[..., tuple[np.ndarray, np.ndarray]]
    priors: dict[str, dict[str, Any]]
    exact: dict[str, Any] = field(default_factory=dict)
    """Options under which the M-step is the exact maximiser: no ridge."""

    def make(self, n_components: int = 3, **options: Any) -> Any:
        return self.estimator(n_components, **{"random_state": 0, **self.options, **options})

    def rows(self, n: int = 300, d: int = 3, seed: int = 0) -> np.ndarray:
        return self.draw(n, d, seed)[0]

    def __str__(self) -> str:
        return self.name


MODELS = [
    *(
        Model(
            f"gaussian-{covariance}",
            GaussianMixture,
            {"covariance_type": covariance},
            gaussian_rows,
            GAUSSIAN_PRIORS,
            {"reg_covar": 0.0},
        )
        for covariance in COVARIANCES
    ),
    Model("poisson", PoissonMixture, {}, count_rows, POISSON_PRIORS),
]
GAUSSIANS = [model for model in MODELS if model.estimator is GaussianMixture]

CONFIGURATIONS = [(model, prior) for model in MODELS for prior in model.priors]
"""Every model under every prior that it takes."""


def names(row: Any) -> str | None:
    """Test ids for rows of the lists above."""
    return row.name if isinstance(row, Model) else None


# ---- where rows live -------------------------------------------------------------------------


def _memmap(X: np.ndarray) -> np.ndarray:
    path = Path(tempfile.mkdtemp()) / "rows.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def _strided(X: np.ndarray) -> np.ndarray:
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), X.dtype)
    wide[::2, 1::3] = X
    return wide[::2, 1::3]


def _read_only(X: np.ndarray) -> np.ndarray:
    copy = X.copy()
    copy.setflags(write=False)
    return copy


SOURCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "c-order": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "strided": _strided,
    "read-only": _read_only,
    "memmap": _memmap,
    "big-endian": lambda X: X.astype(">f8"),
    "object": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
}
"""Ways to hold the same float64 numbers; all must lead to the same fit."""

# ---- configurations that users meet ----------------------------------------------------------

ESTIMATORS = [
    *(GaussianMixture(covariance_type=covariance) for covariance in COVARIANCES),
    *(
        GaussianMixture(2, init_params=init, random_state=0)
        for init in ("kmeans", "k-means++", "random", "random_from_data")
    ),
    GaussianMixture(2, random_state=0, n_init=2, component_order="weights"),
    GaussianMixture(2, random_state=0, component_order="means", acceleration=None),
    # 2000 iterations: the checks fit pure noise, on which EM creeps, and a warning is an error
    *(
        GaussianMixture(2, random_state=0, acceleration=acceleration, tol=1e-6, max_iter=2000)
        for acceleration in ("squarem", "anderson")
    ),
    *(
        GaussianMixture(
            2,
            covariance_type=covariance,
            random_state=0,
            reg_covar=1e-4,  # a check fits 12 rows in 30 dimensions and asks of rows off their span
            prior=NormalInverseWishart(),
            weight_prior=Dirichlet(2),
        )
        for covariance in COVARIANCES
    ),
    GaussianMixture(2, random_state=0, n_threads=2, warm_start=True),
    PoissonMixture(),
    PoissonMixture(2, random_state=0),
    PoissonMixture(2, random_state=0, prior=Gamma(2.0, 1.0), weight_prior=Dirichlet(2)),
]
"""What `parametrize_with_checks` examines."""

# ---- the engine, opened --------------------------------------------------------------------


@contextmanager
def problem(
    estimator: Any, X: np.ndarray, sample_weight: np.ndarray | None = None
) -> Iterator[tuple[EMProblem, Any]]:
    """The EM problem that `estimator` solves for these rows, and the parameters it starts from."""
    with estimator._source(X, sample_weight) as (source, totals):
        family = estimator._family(source, totals)
        k, rng = estimator.n_components, np.random.RandomState(0)
        start = INITIALISERS["kmeans"](Start(source, totals, family, k, rng))
        yield EMProblem.of(source, family), start


def parameters(estimator: Any) -> dict[str, np.ndarray]:
    """The fitted parameters by name."""
    return {f"{name}_": getattr(estimator, f"{name}_") for name in estimator._params._fields}


def same_bits(one: Any, other: Any) -> None:
    """Assert that two fits of the same model have the same parameters and trace, bit for bit."""
    for name, array in parameters(one).items():
        np.testing.assert_array_equal(array, getattr(other, name), err_msg=name)
    assert one.lower_bounds_ == other.lower_bounds_
    assert one.n_iter_ == other.n_iter_


def close(one: Any, other: Any, rtol: float) -> None:
    """Assert that parameters and objective agree, each array relative to its largest entry."""
    for name, array in parameters(one).items():
        atol = rtol * float(np.abs(array).max())
        np.testing.assert_allclose(getattr(other, name), array, rtol=0, atol=atol, err_msg=name)
    np.testing.assert_allclose(other.lower_bound_, one.lower_bound_, rtol=rtol, atol=rtol)


@contextmanager
def refused(error: type[Exception], fragments: Iterable[str]) -> Iterator[None]:
    """Assert that the body is refused with an error whose text has all the fragments."""
    with pytest.raises(error) as caught:
        yield
    for fragment in fragments:
        assert fragment in str(caught.value)
