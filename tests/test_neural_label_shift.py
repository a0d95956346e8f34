"""Networks where the shares of classes change: measured against the true densities."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import softmax

from mixtures.proportions import responsibility_orbit

from .neural_cases import CENTRES, fit, net

TRAIN = np.array([0.85, 0.10, 0.05])
REVERSED = TRAIN[::-1]
HEADS = {
    "softmax": {"head": "softmax"},
    "fixed": {"head": "fixed"},
    "two applications": {"n_prior_iter": 2},
    "five applications": {"n_prior_iter": 5, "prior_gradient": "stop"},
}


def draw(n, shares, seed):
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=shares)
    return CENTRES[y] + rng.normal(size=(n, 2)), y


SEEDS = range(4)


@cache
def trained(head, seed=0):
    """Its last epochs have a small rate: else the noise of the last updates is in the shares."""
    options = {"hidden_layer_sizes": (20,), "learning_rate_init": 1e-2, "max_epochs": 30}
    drops = {"learning_rate": "step", "lr_drop_period": 20, "n_iter_no_change": 30}
    model = net(predict_prior="train", batch_size=200, random_state=seed, **options, **drops)
    return fit(model.set_params(**HEADS[head]), *draw(5000, TRAIN, seed))


def oracle(X, y, shares):
    """Accuracy of the posterior under the true densities and the true shares."""
    log_density = -0.5 * ((X[:, None, :] - CENTRES) ** 2).sum(axis=2)
    return np.mean((log_density + np.log(shares)).argmax(axis=1) == y)


def loss(proba, y):
    return -np.log(proba[np.arange(len(y)), y]).mean()


def measured(head, shares, first):
    """Accuracies stored, adapted and best; losses stored and adapted; error of the shares."""
    rows = []
    for seed in SEEDS:
        model, (X, y) = trained(head, seed), draw(2000, shares, first + seed)
        adapted, proba = model.adapt(X), model.predict_proba_adapted(X)
        error = np.abs(adapted.prior_estimate_.prior - np.bincount(y) / 2000).sum()
        assert adapted.score(X, y) == np.mean(proba.argmax(axis=1) == y)
        rows.append(
            [model.score(X, y), adapted.score(X, y), oracle(X, y, shares),
             loss(model.predict_proba(X), y), loss(proba, y), error]
        )  # fmt: skip
    return np.mean(rows, axis=0)


@pytest.mark.parametrize("head", HEADS)
def test_reversed_shares(head):
    """A posterior of training is worthless, an adapted one nearly the best there is."""
    stored, adapted, best, loss_stored, loss_adapted, error = measured(head, REVERSED, 100)
    assert stored <= 0.40
    assert adapted >= max(0.87, best - 0.01)
    assert error <= 0.08
    assert loss_adapted <= 0.34 and loss_stored >= 1.2


@pytest.mark.parametrize("head", HEADS)
def test_no_shift_costs_nothing(head):
    """Few applications of the map do not learn densities; what they lack is put right."""
    stored, adapted, _, loss_stored, loss_adapted, error = measured(head, TRAIN, 200)
    assert adapted >= stored - 0.01
    assert error <= 0.08
    assert loss_adapted <= loss_stored + 0.02


def test_a_shift_is_noticed():
    model = trained("softmax")
    assert model.estimate_prior(draw(500, REVERSED, 1)[0]).p_value < 1e-10
    assert model.estimate_prior(draw(500, TRAIN, 1)[0]).p_value > 1e-3


def test_the_logits_of_few_applications_are_no_densities():
    """Without the correction the same network does worse: so the test above can fail."""
    model, (X, y) = trained("two applications"), draw(2000, TRAIN, 200)
    logits = model.decision_function(X) - model.log_prior_
    raw = responsibility_orbit(logits, 300, log=True)[-1]
    assert np.abs(raw - TRAIN).sum() > 0.1
    found = model.estimate_prior(X).prior
    assert np.abs(found - TRAIN).sum() < 0.5 * np.abs(raw - TRAIN).sum()
    proba = softmax(logits + np.log(np.maximum(raw, 1e-300)), axis=1)
    assert loss(proba, y) > loss(model.predict_proba_adapted(X), y)


def test_equal_shares_and_shares_that_are_known():
    X, y = draw(2000, [1 / 3] * 3, 300)
    for head in ("softmax", "fixed"):
        model = trained(head)
        uniform = np.mean(model.predict_proba(X, prior="uniform").argmax(axis=1) == y)
        assert uniform >= oracle(X, y, [1 / 3] * 3) - 0.01 > model.score(X, y)
        X_mild, y_mild = draw(2000, [0.6, 0.25, 0.15], 301)
        known = model.predict_proba(X_mild, prior=[0.6, 0.25, 0.15]).argmax(axis=1)
        assert np.mean(known == y_mild) >= oracle(X_mild, y_mild, [0.6, 0.25, 0.15]) - 0.01
