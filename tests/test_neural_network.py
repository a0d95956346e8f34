"""The gradient of a whole network: dense layers, activations, heads, cross-entropy, penalty.

One step of plain gradient descent with a rate of one shows the gradient that a fit has used, so the
oracle, the naive loss under a complex step, is held against the classifier itself.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from mixtures.neural import (
    ACTIVATIONS,
    CrossEntropy,
    Dense,
    ResponsibleSoftmax,
    ResponsibleSoftmaxClassifier,
)

from .responsible_cases import NAIVE, complex_step, log_softmax, naive_prior, relative

D, K, N = 3, 4, 30
RNG = np.random.default_rng(2)
X = 2.0 * RNG.normal(size=(N, D)) + np.array([1.0, -2.0, 0.5])
Y = RNG.choice(K, N, p=[0.55, 0.25, 0.15, 0.05])
Y[:K] = np.arange(K)
W = RNG.choice([0.5, 1.0, 2.0], N)
SHARES = np.bincount(Y) / N
ONE_STEP = {
    "solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "batch_size": N,
    "shuffle": False, "random_state": 3,
}  # fmt: skip


def stepped(rate, X=X, w=None, **options):
    """The classifier after one step on all rows."""
    model = ResponsibleSoftmaxClassifier(learning_rate_init=rate, **(ONE_STEP | options))
    return model.partial_fit(X, Y, classes=np.arange(K), sample_weight=w)


def parameters(model):
    return [*model.coefs_, *model.intercepts_]


def used_gradient(rate=1.0, **options):
    """Parameters before a step, and the gradient that it took."""
    before = [np.where(np.abs(b) < 1e-290, 0.0, b) for b in parameters(stepped(1e-300, **options))]
    after = parameters(stepped(rate, **options))
    return before, [(b - a) / rate for b, a in zip(before, after, strict=True)]


def naive_logits(*theta, rows=slice(None), activation="tanh"):
    """Of a stack of parameters."""
    n_layers, A = len(theta) // 2, X[rows]
    for layer in range(n_layers):
        A = A @ theta[layer] + theta[n_layers + layer][..., None, :]
        if layer < n_layers - 1:
            A = NAIVE[activation](A)
    return A


def naive_log_prior(A, start=None, w=None, **options):
    """That of a batch of logits, normalised or not."""
    mu = np.zeros(K) if start is None else np.log(start)
    mu = np.broadcast_to(mu, (*A.shape[:-2], K)).astype(A.real.dtype)
    if options.get("head", "responsible") != "responsible":
        return mu
    a = np.asarray(options.get("prior_concentration", 1.0)) - 1.0
    return naive_prior(A, mu, options.get("n_prior_iter", 1), w, a)


def naive_loss(*theta, w=None, loss_w=None, rows=slice(None), **options):
    """The penalised loss of a stack of parameters."""
    A = naive_logits(*theta, rows=rows, activation=options.get("activation", "tanh"))
    mu = naive_log_prior(A, w=w, **options)
    labels = Y[rows]
    cross = -log_softmax(A + mu[..., None, :])[..., np.arange(len(labels)), labels]
    weights = np.ones(len(labels)) if loss_w is None else loss_w
    penalty = sum((coef**2).sum(axis=(-2, -1)) for coef in theta[: len(theta) // 2])
    return cross @ weights / weights.sum() + 0.5 * options.get("alpha", 1e-4) * penalty


def assert_gradient(options, w=None, within=1e-10, **naive):
    theta, found = used_gradient(w=w, **options)
    sizes = [D, *options.get("hidden_layer_sizes", (20,)), K]
    assert [t.shape for t in theta] == [*pairwise(sizes), *((s,) for s in sizes[1:])]
    expected = complex_step(
        lambda *t: naive_loss(*t, w=w, **{"loss_w": w} | naive, **options), *theta, kind=float
    )
    largest = max(np.abs(slope).max() for slope in expected)
    for one, slope in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, slope, rtol=0, atol=within * largest)


HEADS = {
    "softmax": ({"head": "softmax"}, {}),
    "fixed": ({"head": "fixed"}, {"start": SHARES}),
    "fixed, given": (
        {"head": "fixed", "prior": [0.1, 0.2, 0.3, 0.4]},
        {"start": [0.1, 0.2, 0.3, 0.4]},
    ),
    "no application": ({"n_prior_iter": 0}, {}),
    "one application": ({"n_prior_iter": 1}, {}),
    "five applications": ({"n_prior_iter": 5}, {}),
    "empirical start": ({"n_prior_iter": 2, "prior_start": "empirical"}, {"start": SHARES}),
    "pseudo-rows": ({"n_prior_iter": 3, "prior_concentration": 2.0}, {}),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("activation", NAIVE)
def test_the_gradient_of_a_fit(activation, head):
    options, naive = HEADS[head]
    options = {"activation": activation, "hidden_layer_sizes": (5, 3), **options}
    assert_gradient(options, **naive)


@pytest.mark.parametrize("hidden", [(), (1,), (7,), (4, 1, 3)])
def test_any_number_of_layers(hidden):
    assert_gradient({"hidden_layer_sizes": hidden, "alpha": 0.3, "n_prior_iter": 2})
    assert_gradient({"hidden_layer_sizes": hidden, "alpha": 0.0, "head": "softmax"})


@pytest.mark.parametrize("head", ["softmax", "responsible"])
def test_weights_of_rows_and_of_classes(head):
    """Both say how many rows a row counts for, in the loss and in the map."""
    options = {"hidden_layer_sizes": (4,), "head": head, "n_prior_iter": 2}
    assert_gradient(options, w=W)
    by_class = np.array([1.0, 2.0, 3.0, 0.5])
    given_ = {**options, "class_weight": dict(enumerate(by_class))}
    for w in (None, W):
        counts = by_class[Y] * (1.0 if w is None else w)
        theta, found = used_gradient(w=w, **given_)
        expected = complex_step(
            lambda *t, n=counts: naive_loss(*t, w=n, loss_w=n, **options), *theta, kind=float
        )
        for one, slope in zip(found, expected, strict=True):
            assert relative(one, slope) <= 1e-10


def test_the_fixed_point():
    """Enough applications of the map are its fixed point."""
    options = {"hidden_layer_sizes": (5,), "prior_concentration": 3.0}
    theta, found = used_gradient(prior_gradient="implicit", **options)
    expected = complex_step(
        lambda *t: naive_loss(*t, n_prior_iter=600, **options), *theta, kind=float
    )
    for one, slope in zip(found, expected, strict=True):
        assert relative(one, slope) <= 1e-10


def test_the_loss_is_that_of_the_formula():
    for options in ({"head": "softmax"}, {"n_prior_iter": 3, "alpha": 0.2}):
        theta = parameters(stepped(1e-300, **options))
        expected = naive_loss(*theta, **options)
        assert stepped(1e-300, **options).loss_ == pytest.approx(float(expected), rel=1e-13)


def test_single_precision():
    """A float32 network follows the float64 one."""
    for head in ({"head": "softmax"}, {"n_prior_iter": 4}):
        _, expected = used_gradient(**head)
        single = stepped(0.5, X=X.astype(np.float32), **head)
        double = stepped(0.5, X=X.astype(np.float32).astype(float), **head)
        assert all(p.dtype == np.float32 for p in parameters(single))
        scale = max(np.abs(g).max() for g in expected)
        for one, other in zip(parameters(single), parameters(double), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=2e-6 * scale)


def test_sparse_rows_train_as_dense_ones_do():
    dense = X * (np.abs(X) > 1.0)
    for one, other in zip(
        parameters(stepped(1.0, X=dense)), parameters(stepped(1.0, X=sparse.csr_array(dense))),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("head", [{"head": "softmax"}, {"prior_start": "carry"}, {}])
def test_epochs_of_batches(head, weighted):
    """A prior that is carried on starts each batch from what the last ones have ended with."""
    options = {"hidden_layer_sizes": (4,), "alpha": 0.05, "n_prior_iter": 2, **head}
    carries, w = "prior_start" in head, W if weighted else None
    theta, _ = used_gradient(**options)
    velocity, start = [0.0 * t for t in theta], np.full(K, 1.0 / K)
    losses, priors = [], []
    for rows in [slice(0, 10), slice(10, 20), slice(20, 30)] * 4:
        given_ = {**options, "rows": rows, "start": start, "w": None if w is None else w[rows]}
        given_["loss_w"] = given_["w"]
        losses.append(float(naive_loss(*theta, **given_)))
        slopes = complex_step(lambda *t, g=given_: naive_loss(*t, **g), *theta, kind=float)
        A = naive_logits(*theta, rows=rows)
        priors.append(np.exp(log_softmax(naive_log_prior(A, **given_))))
        if carries:
            start = 0.3 * start + 0.7 * priors[-1]
        velocity = [0.8 * v - 0.5 * g for v, g in zip(velocity, slopes, strict=True)]
        theta = [t + v for t, v in zip(theta, velocity, strict=True)]
    model = ResponsibleSoftmaxClassifier(
        solver="sgd", learning_rate_init=0.5, momentum=0.8, nesterovs_momentum=False,
        batch_size=10, shuffle=False, random_state=3, prior_momentum=0.3, **options,
    )  # fmt: skip
    for _ in range(4):
        model.partial_fit(X, Y, classes=np.arange(K), sample_weight=w)
    for found, expected in zip(parameters(model), theta, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    curve = np.reshape(priors, (4, 3, K)).mean(axis=1)
    np.testing.assert_allclose(model.prior_curve_, curve, rtol=1e-10)
    counts = np.array([1.0 if w is None else w[i : i + 10].sum() for i in (0, 10, 20)])
    curve = np.average(np.reshape(losses, (4, 3)), axis=1, weights=counts)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-10)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_fixed_flat_prior_is_a_plain_softmax_bit_for_bit(solver):
    """Over several epochs of several batches."""
    options = {"solver": solver, "tol": 9.0, "n_iter_no_change": 3, "batch_size": 7}
    flat = np.full(K, 1.0 / K)
    models = [
        ResponsibleSoftmaxClassifier((6,), random_state=0, **options, **head).fit(X, Y)
        for head in (
            {"head": "softmax"},
            {"head": "fixed", "prior": flat},
            {"head": "responsible", "n_prior_iter": 0},
        )
    ]
    assert models[0].n_iter_ == 5
    for model in models[1:]:
        for one, other in zip(parameters(models[0]), parameters(model), strict=True):
            np.testing.assert_array_equal(one, other)
        assert model.loss_curve_ == models[0].loss_curve_


def test_by_hand_the_pairs_make_the_same_step():
    """A user's own loop over the public layers gives what the classifier does."""
    options = {"hidden_layer_sizes": (6,), "alpha": 0.0, "n_prior_iter": 2}
    (W1, W2, b1, b2), found = used_gradient(**options)
    layer, tanh = ResponsibleSoftmax(2), ACTIVATIONS["tanh"]
    Z, of_first = Dense().forward(X, W1, b1)
    H, of_tanh = tanh.forward(Z)
    A, of_second = Dense().forward(H, W2, b2)
    log_posterior, of_layer = layer.forward(A)
    _, of_loss = CrossEntropy().forward(log_posterior, Y)
    dY, _ = CrossEntropy().backward(of_loss, 1.0)
    dA, _ = layer.backward(of_layer, dY)
    dH, second = Dense().backward(of_second, dA)
    dZ, _ = tanh.backward(of_tanh, dH)
    _, first = Dense().backward(of_first, dZ)
    expected = [first["weights"], second["weights"], first["biases"], second["biases"]]
    for one, slope in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, slope, rtol=0, atol=1e-13)


def test_central_differences():
    """No complex numbers: the loss that the classifier itself reports, a little to both sides."""
    options = {"hidden_layer_sizes": (3,), "n_prior_iter": 3, "alpha": 0.1, "warm_start": True}
    model = stepped(1e-300, **options)
    theta, found = used_gradient(**options)

    def loss(number, index, step):
        moved = [t.copy() for t in theta]
        moved[number][index] += step
        model.coefs_, model.intercepts_ = moved[:2], moved[2:]
        return model.partial_fit(X, Y).loss_

    for number, index in ((0, (0, 0)), (0, (2, 1)), (1, (1, 3)), (2, (0,)), (3, (2,))):
        slope = (loss(number, index, 1e-5) - loss(number, index, -1e-5)) / 2e-5
        assert found[number][index] == pytest.approx(slope, rel=1e-6, abs=1e-8)
