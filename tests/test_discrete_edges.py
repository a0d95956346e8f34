"""Discrete mixtures at the edges: of their range, of precision, of what a start allows."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures import BernoulliMixture, PoissonMixture
from mixtures.priors import Beta, Dirichlet, Gamma

from .registry import close, refused, same_bits


def answers(n, d, k, seed, concentration=0.4):
    """n rows of d answers of k classes, some of whose probabilities are nearly zero or one."""
    rng = np.random.default_rng(seed)
    p = rng.beta(concentration, concentration, (k, d))
    return (rng.random((n, d)) < p[rng.integers(k, size=n)]).astype(float)


def test_gaps_in_rows_of_weight_zero_change_nothing():
    X, gaps = answers(200, 6, 3, 1, 1.0), np.full((1, 6), np.nan)
    weights = np.r_[np.ones(200), 0.0]
    padded = BernoulliMixture(3, random_state=0).fit(np.vstack([X, gaps]), sample_weight=weights)
    same_bits(BernoulliMixture(3, random_state=0).fit(X), padded)


@pytest.mark.parametrize("acceleration", ["auto", "squarem", "anderson"])
def test_acceleration_does_not_amplify_rounding(acceleration):
    """Log-odds of 1 - 1e-14 are noise: extrapolated, they made fits depend on the order of rows."""
    for seed in range(6):
        X = answers(400, 16, 5, seed)
        order = np.random.default_rng(seed).permutation(len(X))
        options = {"random_state": 0, "tol": 1e-6, "max_iter": 1000, "acceleration": acceleration}
        one, other = (BernoulliMixture(5, **options).fit(rows) for rows in (X, X[order]))
        close(one, other, 1e-8)


def test_rejected_proposals_make_auto_go_back():
    """Near the boundary Anderson's proposals fail; auto must not pay for them to the end."""
    X = answers(1500, 40, 6, 0, 0.3)
    options = {"random_state": 0, "tol": 1e-10, "max_iter": 5000}
    plain = BernoulliMixture(8, acceleration=None, **options).fit(X)
    auto = BernoulliMixture(8, **options).fit(X)
    assert auto.n_iter_ < 0.8 * plain.n_iter_
    assert auto.lower_bound_ >= plain.lower_bound_ - 1e-8


@pytest.mark.parametrize(("ones", "zeros"), [(1e8, 1.0), (1.0, 1e8)])
def test_rounding_to_float32_excludes_no_row(ones, zeros):
    X, w = np.array([[1], [0]], np.float32), [ones, zeros]
    fitted = BernoulliMixture(1).fit(X, sample_weight=w)
    assert fitted.probabilities_.dtype == np.float32
    assert 0.0 < fitted.probabilities_[0, 0] < 1.0
    assert np.isfinite(fitted.score(X, sample_weight=w))


@pytest.mark.parametrize(
    "options",
    [
        {"probabilities_init": [[0, 0.5], [0, 0.5]]},
        {"weights_init": [1, 0], "weight_prior": Dirichlet(2.0)},
        {"probabilities_init": [[0, 0.5], [0.5, 0.5]], "prior": Beta(2.0, 2.0)},
        {"probabilities_init": [[0, 0.5], [0, 0.5]], "max_iter": 0},
    ],
)
def test_a_start_that_something_contradicts_is_named(options):
    with refused(ValueError, [*[n for n in options if n.endswith("_init")], "zeros or ones"]):
        BernoulliMixture(2, **options).fit([[1, 0], [0, 1], [1, 1]])


def test_align_to_refuses_priors_that_belong_to_components():
    X = answers(60, 4, 3, 0)
    own = BernoulliMixture(3, random_state=0, weight_prior=Dirichlet([1.0, 5.0, 20.0])).fit(X)
    same = BernoulliMixture(3, random_state=0).fit(X)
    with refused(ValueError, ["align_to", "weight_prior", "same numbers"]):
        own.align_to(same)
    same.align_to(own)


@pytest.mark.parametrize("prior", [Beta, Gamma])
def test_hyperparameters_without_digits_are_refused(prior):
    with refused(ValueError, ["at most 1e+13", "1e+300"]):
        prior(1e300)


def test_scores_of_weights_of_any_size():
    X = answers(60, 4, 2, 0, 1.0)
    fitted = BernoulliMixture(2, random_state=0).fit(X)
    expected = fitted.score(X)
    for size in (1e308, 1e-300):
        assert fitted.score(X, sample_weight=np.full(60, size)) == pytest.approx(expected)


def test_wide_sparse_rows_start_in_little_memory():
    import tracemalloc

    from scipy import sparse

    X = sparse.random_array((500, 50_000), density=1e-3, format="csr", rng=0)
    X.data[:] = 1.0
    tracemalloc.start()
    PoissonMixture(4, random_state=0, tol=1e10).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 41 rows made dense take 16 MiB, and k-means works on some copies; of all 500 rows they
    # would take 2 GiB.
    assert peak < 300 * 2**20
