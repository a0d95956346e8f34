"""Mixtures of columns of different kinds: what ties them to the mixtures of each kind."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from mixtures import (
    BernoulliMixture,
    CategoricalMixture,
    GaussianMixture,
    MixedMixture,
    PoissonMixture,
)
from mixtures.core.source import super_blocks
from mixtures.datasets import load_penguins
from mixtures.priors import Dirichlet

from .mixed_cases import PRIORS, all_blocks, close, mixed, mixed_rows, parameters, same_bits
from .registry import LOW_RANKS, MODELS, names

ROUNDING = 1e-12
STARTS = ["kmeans", "k-means++", "random", "random_from_data"]


def one_block(model, columns=slice(None), prior=None, **options):
    """The model as the only block, its priors where they belong."""
    prior = dict(prior or {})
    weight_prior = prior.pop("weight_prior", None)
    block = model.estimator(**model.options, **prior)
    return mixed(3, [("all", block, columns)], weight_prior=weight_prior, **options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_one_block_is_the_plain_mixture(model, init):
    """From the same start the same path, for all priors, and for weighted rows."""
    if init == "kmeans" and model.options.get("covariance_type") in LOW_RANKS:
        pytest.skip("alone, it starts from the best of several partitions")
    X = model.rows(200, 4, seed=3)
    w = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    for prior in list(model.priors.values())[0 if init == "kmeans" else -1 :]:
        for weights in (None, w):
            options = {"init_params": init, "tol": 1e-7, "max_iter": 30, "acceleration": None}
            plain = model.make(3, **options, **prior)
            joint = one_block(model, prior=prior, **options)
            plain.fit(X, sample_weight=weights)
            joint.fit(X, sample_weight=weights)
            fitted = joint.named_blocks_["all"]
            for name, array in plain._attribute_params()._asdict().items():
                own = fitted._attribute_params()._asdict()[name]
                np.testing.assert_allclose(own, array, rtol=1e-11, atol=1e-11, err_msg=name)
            np.testing.assert_allclose(joint.lower_bounds_, plain.lower_bounds_, rtol=ROUNDING)
            assert joint.n_iter_ == plain.n_iter_
            np.testing.assert_allclose(joint.predict_proba(X), plain.predict_proba(X), atol=1e-9)
            np.testing.assert_allclose(joint.score_samples(X), plain.score_samples(X), rtol=1e-9)
            assert joint.n_parameters() == plain.n_parameters()


def log_densities(fitted, X):
    """log weight + log density (n, k) of the four kinds in `mixed_rows`, with scipy alone."""
    size, answers, counts, groups = (block for _, block, _ in fitted.blocks_)
    total = np.tile(np.log(fitted.weights_), (len(X), 1))
    for c in range(len(fitted.weights_)):
        normal = stats.multivariate_normal(size.means_[c], size.covariances_[c])
        total[:, c] += normal.logpdf(X[:, 0:2])
        for j, p in enumerate(answers.probabilities_[c]):
            known = ~np.isnan(X[:, 2 + j])
            total[known, c] += stats.bernoulli(p).logpmf(X[known, 2 + j])
        total[:, c] += stats.poisson(counts.rates_[c]).logpmf(X[:, 5:7]).sum(axis=1)
        total[:, c] += np.log(groups.category_probabilities_[0][c, X[:, 7].astype(int)])
    return total


@pytest.mark.parametrize("priors", [{}, PRIORS], ids=["flat", "priors"])
def test_density_is_the_product_of_the_blocks(priors):
    X, _ = mixed_rows(300, 1)
    fitted = mixed(3, all_blocks(**priors)).fit(X)
    values = log_densities(fitted, X)
    log_density = logsumexp(values, axis=1)
    np.testing.assert_allclose(fitted.score_samples(X), log_density, rtol=1e-12)
    np.testing.assert_allclose(
        fitted.predict_proba(X), np.exp(values - log_density[:, None]), atol=1e-12
    )
    if not priors:
        assert fitted.lower_bound_ == pytest.approx(log_density.mean(), rel=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_one_em_step_by_hand():
    """Responsibilities of the joint density, then each block's weighted means."""
    X, _ = mixed_rows(200, 2)
    options = {"acceleration": None, "tol": 0.0}
    before = mixed(3, max_iter=3, **options).fit(X)
    after = mixed(3, max_iter=4, **options).fit(X)
    values = log_densities(before, X)
    r = np.exp(values - logsumexp(values, axis=1)[:, None])
    np.testing.assert_allclose(after.weights_, r.mean(axis=0), rtol=1e-10)
    blocks = after.named_blocks_
    np.testing.assert_allclose(blocks.size.means_, (r.T @ X[:, :2]) / r.sum(axis=0)[:, None])
    known = ~np.isnan(X[:, 2:5])
    ones = r.T @ np.where(known, X[:, 2:5], 0.0)
    np.testing.assert_allclose(blocks.answers.probabilities_, ones / (r.T @ known))
    np.testing.assert_allclose(blocks.counts.rates_, (r.T @ X[:, 5:7]) / r.sum(axis=0)[:, None])


def test_blocks_are_the_marginal_mixtures():
    """The marginal of a product is the mixture of its parts, with the same weights."""
    X, _ = mixed_rows(300, 4)
    fitted = mixed(3).fit(X)
    for _, block, columns in fitted.blocks_:
        np.testing.assert_array_equal(block.weights_, fitted.weights_)
        assert block.predict(X[:, columns]).shape == (300,)
        rows, _ = block.sample(20, random_state=0)
        assert rows.shape == (20, len(columns))
        assert block.n_parameters() < fitted.n_parameters()
    # Rows of which all answers are missing: the others' marginal density.
    unknown = X.copy()
    unknown[:, 2:5] = np.nan
    without = [block for block in all_blocks() if block[0] != "answers"]
    rest = mixed(3, without, remainder="drop").fit(X)
    rest.weights_ = fitted.weights_
    rest.blocks_ = [block for block in fitted.blocks_ if block.name != "answers"]
    np.testing.assert_allclose(fitted.score_samples(unknown), rest.score_samples(X), rtol=1e-12)


def test_marginal_density_integrates_the_others_out():
    """Of two answers in blocks of their own: the sum over the second is the first's marginal."""
    X, _ = mixed_rows(200, 5)
    X = np.nan_to_num(X[:, 2:4])
    blocks = [("first", BernoulliMixture(), [0]), ("second", BernoulliMixture(), [1])]
    fitted = mixed(2, blocks).fit(X)
    for value in (0.0, 1.0):
        both = fitted.score_samples([[value, 0.0], [value, 1.0]])
        own = fitted.named_blocks_.first.score_samples([[value]])
        assert logsumexp(both) == pytest.approx(own[0], rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_columns_in_any_order(seed):
    X, _ = mixed_rows(300, 6)
    order = np.random.default_rng(seed).permutation(X.shape[1])
    place = np.argsort(order)
    one = mixed(3, tol=1e-9, max_iter=500).fit(X)
    moved = [(name, block, place[np.arange(8)[own]]) for name, block, own in all_blocks()]
    other = mixed(3, moved, tol=1e-9, max_iter=500).fit(X[:, order])
    same_bits(one, other)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X[:, order]))
    np.testing.assert_array_equal(
        one.sample(9, random_state=1)[0][:, order], other.sample(9, random_state=1)[0]
    )


def test_blocks_in_any_order():
    X, _ = mixed_rows(300, 6)
    options = {"tol": 1e-10, "max_iter": 1000, "component_order": "weights"}
    close(mixed(3, **options).fit(X), mixed(3, all_blocks()[::-1], **options).fit(X), 1e-6)


def test_weights_are_repetitions():
    X, _ = mixed_rows(150, 7)
    w = np.random.default_rng(1).integers(0, 4, len(X))
    for options in ({}, {"blocks": all_blocks(**PRIORS), "weight_prior": Dirichlet(1.5)}):
        one = mixed(3, **options).fit(X, sample_weight=w)
        close(one, mixed(3, **options).fit(np.repeat(X, w, axis=0)), 1e-9)


def test_any_number_of_threads_gives_the_same_bits():
    n, d = 9000, 24
    rng = np.random.default_rng(0)
    X = np.hstack([MODELS[0].rows(n, 8), (rng.random((n, d - 8)) < 0.3).astype(float)])
    assert len(super_blocks(n, d, 3)) > 1
    blocks = [("size", GaussianMixture(), slice(8)), ("answers", BernoulliMixture(), slice(8, d))]
    fits = [mixed(3, blocks, n_threads=t, tol=1e-2).fit(X) for t in (1, 2, 3)]
    for other in fits[1:]:
        same_bits(fits[0], other)
        np.testing.assert_array_equal(fits[0].predict_proba(X), other.predict_proba(X))


def test_strips_change_nothing_but_rounding(monkeypatch):
    X, _ = mixed_rows(500, 8)
    whole = mixed(3).fit(X)
    monkeypatch.setattr("mixtures.core.product.STRIP", 64)
    close(whole, mixed(3).fit(X), 1e-9)


def test_starts_of_a_blocks_own():
    X, _ = mixed_rows(200, 9)
    means = X[:3, :2]
    blocks = all_blocks()
    blocks[0] = ("size", GaussianMixture(means_init=means), slice(0, 2))
    start = mixed(3, blocks, max_iter=0, weights_init=[0.2, 0.3, 0.5]).fit(X)
    np.testing.assert_allclose(start.named_blocks_.size.means_, means, rtol=1e-12)
    np.testing.assert_allclose(start.weights_, [0.2, 0.3, 0.5])
    with pytest.raises(ValueError, match=r"'means' should have the shape of \(3, 2\)"):
        mixed(3, blocks).set_params(size__means_init=means[:, :1]).fit(X)


def test_component_order():
    X, _ = mixed_rows(300, 10)
    by_means = mixed(3, component_order="means").fit(X)
    assert (np.diff(by_means.named_blocks_.size.means_[:, 0]) > 0).all()
    by_weights = mixed(3, component_order="weights").fit(X)
    assert (np.diff(by_weights.weights_) <= 0).all()
    np.testing.assert_allclose(by_means.score_samples(X), by_weights.score_samples(X), rtol=1e-9)


def test_align_to():
    X, _ = mixed_rows(300, 10)
    one, other = mixed(3).fit(X), mixed(3, component_order="weights").fit(X)
    log_density = other.score_samples(X)
    close(one, other.align_to(one), 1e-9)
    np.testing.assert_allclose(other.score_samples(X), log_density, rtol=1e-12)
    with pytest.raises(ValueError, match="align_to expects a fitted MixedMixture"):
        one.align_to(mixed(2).fit(X))


def test_warm_start_continues():
    X, _ = mixed_rows(300, 11)
    whole = mixed(3, tol=1e-8, max_iter=500, acceleration=None).fit(X)
    with pytest.warns(UserWarning, match="did not converge"):
        warm = mixed(3, warm_start=True, max_iter=3, tol=1e-8, acceleration=None).fit(X)
    first = warm.lower_bound_
    warm.set_params(max_iter=500).fit(X)
    assert warm.initial_lower_bound_ == pytest.approx(first, rel=1e-12)
    close(whole, warm, 1e-5)
    before = parameters(warm)
    warm.set_params(size__prior=PRIORS["size"]).fit(X)
    assert not np.allclose(parameters(warm)["size.covariances"], before["size.covariances"])


def test_far_and_impossible_rows_have_responsibilities():
    X, _ = mixed_rows(300, 12)
    fitted = mixed(3).fit(np.vstack([X, X]))
    far = X[:7].copy()
    far[0, 0], far[1, 1], far[2, :2] = 1e12, -1e200, 1e300
    far[3, 5], far[4, 5:7], far[5, 0] = 1e6, 1e15, -1e30
    fitted.named_blocks_.answers.probabilities_[:, 0] = 0.0  # an answer that nobody gives
    far[6, 2] = 1.0
    with np.errstate(over="ignore"):  # kernels in NumPy square what is far
        log_density, proba = fitted.score_samples(far), fitted.predict_proba(far)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    assert (log_density < -1e5).all()
    assert log_density[6] == -np.inf
    # The answer says nothing about the component, so the other columns do.
    far[6, 2] = np.nan
    np.testing.assert_allclose(proba[6], fitted.predict_proba(far[6:])[0], atol=1e-9)


@pytest.mark.parametrize("kinds", [("answers", "counts", "groups"), ("size", "answers")], ids=str)
def test_certificate(kinds):
    """By the blocks' formulas for the gradient, or by differences where one has none."""
    X, _ = mixed_rows(300, 13)
    blocks = [block for block in all_blocks(**PRIORS) if block[0] in kinds]
    fitted = mixed(2, blocks, remainder="drop", tol=1e-12, max_iter=5000).fit(X)
    assert "A maximum: the smallest eigenvalue" in str(fitted.certificate(X))


def test_columns_that_are_left_out():
    X, _ = mixed_rows(100, 14)
    blocks = all_blocks()[:2]
    fitted = mixed(2, blocks, remainder="drop").fit(X)
    nonsense = X.copy()
    nonsense[:, 5:] = np.nan
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(nonsense))
    same_bits(fitted, mixed(2, blocks).fit(X[:, :5]))
    rows, _ = fitted.sample(4)
    assert rows.shape == (4, 8)
    assert np.isnan(rows[:, 5:]).all()
    assert not np.isnan(rows[:, :5]).any()


def test_penguins():
    """Measurements alone leave a few birds in the wrong species; the island settles them."""
    pytest.importorskip("pandas")
    penguins = load_penguins(as_frame=True)
    table, species = penguins.data.assign(island=penguins.island, sex=penguins.sex), penguins.target
    measured = table.notna().all(axis=1)
    table, species = table[measured], np.asarray(species)[measured]
    blocks = [
        ("size", GaussianMixture(), list(penguins.feature_names)),
        ("where", CategoricalMixture(), ["island"]),
        ("sex", CategoricalMixture(), ["sex"]),
    ]
    fitted = MixedMixture(3, blocks=blocks, random_state=0).fit(table)
    found = fitted.predict(table)
    agree = sum(np.bincount(species[found == c]).max() for c in range(3))
    assert agree >= 0.98 * len(species)
    islands = fitted.named_blocks_.where.category_probabilities_[0]
    assert (islands > 0.99).any(axis=1).sum() == 2  # Gentoo and Chinstrap penguins have one each
    assert (islands > 0.2).all(axis=1).sum() == 1  # Adelie penguins live on all three


def test_poisson_block_of_counts_in_any_number_type():
    X = np.random.default_rng(0).poisson(3.0, (100, 2))
    blocks = [("a", PoissonMixture(), [0]), ("b", PoissonMixture(), [1])]
    same_bits(mixed(2, blocks).fit(X), mixed(2, blocks).fit(X.astype(float)))
