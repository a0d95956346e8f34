"""Training as PyTorch does it, by automatic differentiation: every head, gradient and optimiser."""

from __future__ import annotations

import numpy as np
import pytest

from .neural_cases import draw, fit, net, weights

torch = pytest.importorskip("torch")

X, Y = draw()
W = np.random.default_rng(1).uniform(0.1, 3.0, len(X))
ACTIVATIONS = {
    "tanh": torch.tanh, "relu": torch.relu, "logistic": torch.sigmoid, "identity": lambda z: z,
}  # fmt: skip


@pytest.fixture(autouse=True)
def double_precision():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def optimiser(model, coefs, intercepts):
    """Decay is of weights alone."""
    groups = [{"params": coefs, "weight_decay": model.alpha}, {"params": intercepts}]
    if model.solver == "adam":
        betas = (model.beta_1, model.beta_2)
        return torch.optim.Adam(groups, lr=model.learning_rate_init, betas=betas, eps=model.epsilon)
    nesterov = model.nesterovs_momentum and model.momentum > 0
    return torch.optim.SGD(
        groups, lr=model.learning_rate_init, momentum=model.momentum, nesterov=nesterov
    )


def prior_of_batch(model, A, w, start):
    """``log pi`` (K,) of logits, differentiable as `prior_gradient` says."""
    if model.head == "fixed":
        return torch.log(torch.as_tensor(model.prior))
    if model.head == "softmax":
        return torch.zeros(3)
    pseudo = torch.as_tensor(model.prior_concentration) - 1.0 + torch.zeros(3)
    total, mu = w.sum() + pseudo.sum(), torch.log(start)
    implicit = model.prior_gradient == "implicit"
    for _ in range(400 if implicit else model.n_prior_iter):
        counts = w @ torch.softmax(A + mu, dim=1) + pseudo
        mu = torch.log(counts / total)
    return mu.detach() if model.prior_gradient == "stop" else mu


def trained(model, sample_weight, class_weight):
    """Weights after the epochs of `model`, batches in the order of the rows, and the losses."""
    idle = {"max_epochs": 1, "learning_rate_init": 1e-30, "epsilon": 1.0}
    first = fit(net(**{**model.get_params(), **idle}), X, Y, sample_weight)
    coefs = [torch.tensor(c, requires_grad=True) for c in first.coefs_]
    intercepts = [torch.tensor(b, requires_grad=True) for b in first.intercepts_]
    steps, start, losses = optimiser(model, coefs, intercepts), torch.full((3,), 1 / 3), []
    rows, labels, w = torch.as_tensor(X), torch.as_tensor(Y), torch.as_tensor(sample_weight)
    if isinstance(model.prior_start, np.ndarray):
        start = torch.as_tensor(model.prior_start)
    cost = w * torch.as_tensor(class_weight)[labels]
    for _ in range(model.max_epochs):
        epoch = []
        for at in torch.arange(len(X)).split(model.batch_size):
            H = rows[at]
            for C, b in zip(coefs[:-1], intercepts[:-1], strict=True):
                H = ACTIVATIONS[model.activation](H @ C + b)
            A = H @ coefs[-1] + intercepts[-1]
            mu = prior_of_batch(model, A, cost[at], start)
            own = torch.log_softmax(A + mu, dim=1)[torch.arange(len(at)), labels[at]]
            mean = -(cost[at] * own).sum() / cost[at].sum()
            decay = 0.5 * model.alpha * sum((C**2).sum() for C in coefs)
            epoch.append((float(cost[at].sum()), float((mean + decay).detach())))
            steps.zero_grad()
            mean.backward()
            steps.step()
            if isinstance(model.prior_start, str) and model.prior_start == "carry":
                m, last = model.prior_momentum, torch.exp(mu.detach())
                start = torch.clamp(m * start / start.sum() + (1 - m) * last, min=1e-8)
        shares, values = np.array(epoch).T
        losses.append(np.average(values, weights=shares))
    return [p.detach().numpy() for p in (*coefs, *intercepts)], losses


CASES = {
    "softmax": {"head": "softmax"},
    "fixed": {"head": "fixed", "prior": np.array([0.2, 0.3, 0.5])},
    "one application": {},
    "five applications": {"n_prior_iter": 5},
    "a given start": {"n_prior_iter": 2, "prior_start": np.array([0.1, 0.3, 0.6])},
    "stop": {"n_prior_iter": 3, "prior_gradient": "stop"},
    "fixed point": {"prior_gradient": "implicit", "prior_concentration": 6.0, "max_epochs": 4},
    "pseudo-rows": {"n_prior_iter": 3, "prior_concentration": np.array([1.0, 2.0, 4.5])},
    "carried": {"n_prior_iter": 2, "prior_start": "carry", "prior_momentum": 0.7},
    "deep relu": {"hidden_layer_sizes": (9, 7, 5), "activation": "relu"},
    "logistic": {"activation": "logistic", "n_prior_iter": 2},
    "identity": {"activation": "identity", "hidden_layer_sizes": (4,), "n_prior_iter": 2},
    "logistic regression": {"hidden_layer_sizes": (), "n_prior_iter": 2},
    "epsilon": {"epsilon": 1e-2, "beta_1": 0.8, "beta_2": 0.97},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1, "n_prior_iter": 2},
    "heavy ball": {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False},
    "no momentum": {"solver": "sgd", "learning_rate_init": 0.3, "momentum": 0.0},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [150, 50])
@pytest.mark.parametrize("case", CASES)
def test_the_same_updates(case, batch_size, weighted):
    options = {"learning_rate_init": 0.02, "alpha": 0.01, "max_epochs": 12, **CASES[case]}
    class_weight = [1.0, 2.0, 0.5] if weighted else [1.0, 1.0, 1.0]
    model = net(
        shuffle=False, batch_size=batch_size, tol=0.0, n_iter_no_change=100,
        class_weight=dict(enumerate(class_weight)) if weighted else None, **options,
    )  # fmt: skip
    expected, losses = trained(model, W if weighted else np.ones(len(X)), class_weight)
    fit(model, X, Y, W if weighted else None)
    np.testing.assert_allclose(model.loss_curve_, losses, rtol=1e-8)
    for a, b in zip(weights(model), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)
    assert losses[-1] < losses[0]
