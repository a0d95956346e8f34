"""The lists that every law runs over. A new family, covariance or prior is one row here.

Laws ask a row for an estimator and for rows in the family's support; they never name a model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtures import BernoulliMixture, CategoricalMixture, GaussianMixture, PoissonMixture
from mixtures.core.blocks import ArraySource
from mixtures.core.discriminants import Frame
from mixtures.core.em import EMProblem
from mixtures.core.initialise import INITIALISERS, Start
from mixtures.priors import Beta, Dirichlet, Gamma, NormalInverseWishart

from . import naive
from .draws import answer_rows, category_rows, count_rows, gaussian_rows, with_gaps

COVARIANCES = ("full", "tied", "diag", "spherical")
LOW_RANKS = ("ppca", "factor")

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
BERNOULLI_PRIORS: dict[str, dict[str, Any]] = {
    **WEIGHT_PRIORS,
    "beta": {"prior": Beta(2.0, 1.5), "weight_prior": Dirichlet(1.5)},
}
CATEGORICAL_PRIORS: dict[str, dict[str, Any]] = {
    **WEIGHT_PRIORS,
    "dirichlet": {"prior": Dirichlet(1.75), "weight_prior": Dirichlet(1.5)},
}


@dataclass(frozen=True)
class Model:
    """A row: how to make the estimator, its data, and the priors that it takes."""

    name: str
    estimator: type
    options: dict[str, Any]
    draw: Callable[..., tuple[np.ndarray, np.ndarray]]
    priors: dict[str, dict[str, Any]]
    twin: Callable[[np.ndarray, Any], np.ndarray]
    """log weight + log density (n, k) of rows and parameters, the slow and obvious way."""
    exact: dict[str, Any] = field(default_factory=dict)
    """Options under which the M-step is the exact maximiser: no ridge."""
    separable: int = 3
    """Features that it takes to tell three components apart."""
    outlier: float = 1e9
    """A number that rows may have, as far from all others as it can be."""
    accepts: frozenset[str] = frozenset()
    """What it takes of the rows that others refuse: "NaN", "sparse", "strings"."""

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
            naive.gaussian_twin(covariance),
            {"reg_covar": 0.0},
        )
        for covariance in COVARIANCES
    ),
    *(
        Model(
            f"gaussian-{covariance}",
            GaussianMixture,
            {"covariance_type": covariance},
            gaussian_rows,
            GAUSSIAN_PRIORS,
            naive.gaussian_twin(covariance),
            {"reg_covar": 0.0},
            separable=8,  # with few, a factor and noise are all that a matrix can tell
        )
        for covariance in LOW_RANKS
    ),
    Model(
        "poisson",
        PoissonMixture,
        {},
        count_rows,
        POISSON_PRIORS,
        naive.poisson_twin,
        accepts=frozenset({"sparse"}),
    ),
    *(
        Model(
            name,
            BernoulliMixture,
            {},
            draw,
            BERNOULLI_PRIORS,
            naive.bernoulli_twin,
            separable=12,
            outlier=1.0,
            accepts=frozenset({"NaN", "sparse"}),
        )
        for name, draw in (("bernoulli", answer_rows), ("bernoulli-gaps", with_gaps(answer_rows)))
    ),
    Model(
        "categorical",
        CategoricalMixture,
        {},
        with_gaps(category_rows),
        CATEGORICAL_PRIORS,
        naive.categorical_twin,
        separable=12,
        outlier=9.0,
        accepts=frozenset({"NaN", "strings"}),
    ),
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
    BernoulliMixture(binarize=0.0),
    BernoulliMixture(2, random_state=0, binarize=0.0, prior=Beta(2, 2), weight_prior=Dirichlet(2)),
    CategoricalMixture(handle_unknown="ignore"),
    CategoricalMixture(2, random_state=0, handle_unknown="ignore", prior=Dirichlet(2)),
]
"""What `parametrize_with_checks` examines."""


def expected_failures(estimator: Any) -> dict[str, str]:
    """Checks of scikit-learn that an estimator cannot pass, and why."""
    if not estimator.__sklearn_tags__().input_tags.sparse:
        return {}
    reason = "takes all that predict probabilities from sparse rows for classifiers"
    return {f"check_estimator_sparse_{kind}": reason for kind in ("array", "matrix")}


# ---- the engine, opened --------------------------------------------------------------------


@contextmanager
def problem(
    estimator: Any, X: np.ndarray, sample_weight: np.ndarray | None = None
) -> Iterator[tuple[EMProblem, Any]]:
    """The EM problem that `estimator` solves for these rows, and the parameters it starts from."""
    rows = estimator._validated(X, reset=True)
    with estimator._source(rows, sample_weight) as (source, totals):
        family = estimator._family(source, totals)
        k, rng = estimator.n_components, np.random.RandomState(0)
        start = INITIALISERS["kmeans"](Start(source, totals, family, k, rng))
        yield EMProblem.of(source, family), start


def rows_of(source: Any) -> Any:
    """The validated rows of a source, before they were coded."""
    return source.X if source.coding is None else source.coding


def opened(rows: Any, frame: Any, sample_weight: np.ndarray | None = None) -> Any:
    """Validated rows as a source, none of them merged."""
    if hasattr(rows, "source"):  # they know their code
        return rows.source(sample_weight)
    return ArraySource(rows, sample_weight, frame=frame)


def points(estimator: Any, X: np.ndarray) -> np.ndarray:
    """Rows as the family of a fitted estimator sees them: numbers, or one bit a category."""
    rows = estimator._validated(X, reset=False)
    with opened(rows, Frame.identity(rows.shape[1])) as source:
        return source.points(np.arange(source.n_rows))


def parameters(estimator: Any) -> dict[str, np.ndarray]:
    """The fitted parameters by name, each as one array of float64."""
    return {f"{name}_": a for name, a in estimator._attribute_params()._asdict().items()}


def same_bits(one: Any, other: Any) -> None:
    """Assert that two fits of the same model have the same parameters and trace, bit for bit."""
    theirs = parameters(other)
    for name, array in parameters(one).items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert one.lower_bounds_ == other.lower_bounds_
    assert one.n_iter_ == other.n_iter_


def close(one: Any, other: Any, rtol: float) -> None:
    """Assert that parameters and objective agree, each array relative to its largest entry."""
    theirs = parameters(other)
    for name, array in parameters(one).items():
        atol = rtol * float(np.abs(array).max())
        np.testing.assert_allclose(theirs[name], array, rtol=0, atol=atol, err_msg=name)
    np.testing.assert_allclose(other.lower_bound_, one.lower_bound_, rtol=rtol, atol=rtol)


@contextmanager
def refused(error: type[Exception], fragments: Iterable[str]) -> Iterator[None]:
    """Assert that the body is refused with an error whose text has all the fragments."""
    with pytest.raises(error) as caught:
        yield
    for fragment in fragments:
        assert fragment in str(caught.value)
