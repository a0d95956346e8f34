"""Gradients against complex steps and differences, the Lyapunov lemma, and inputs at the limits.

The reference is the layer written down a second time, in its shortest form, so that it takes
complex numbers.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from scipy.special import log_softmax

from mixtures import DynamicResponsibility
from mixtures.neural import (
    ACTIVATIONS,
    CrossEntropy,
    Dense,
    ResponsibleSoftmax,
    ResponsibleSoftmaxClassifier,
)
from mixtures.proportions import log_likelihood, responsibility_map

from .bands import Band, bands_table
from .page import Section, prose
from .rates import lines_of
from .scores import stream

STEP = 1e-30  # of complex steps
APPLICATIONS, SCALES = (0, 1, 2, 5, 17, 50), (0.1, 1.0, 10.0)
LEMMA = 3000  # random cases
SLOW = 5  # the five normals on a line that overlap the most among those of the rates


def reference_loss(
    A: np.ndarray, y: np.ndarray, C: int, concentration: float = 1.0
) -> complex | float:
    """Mean cross-entropy of the layer's output; logits may be complex."""
    (n, K), pseudo = A.shape, concentration - 1.0
    log_prior = np.full(K, -np.log(K))
    for _ in range(C):
        counts = np.exp(log_sum(log_scores(A + log_prior), axis=0)) + pseudo
        log_prior = np.log(counts) - np.log(n + K * pseudo)
    return -np.mean(log_scores(A + log_prior)[np.arange(n), y])


def log_scores(B: np.ndarray) -> np.ndarray:
    return B - log_sum(B, axis=1)[:, None]


def log_sum(B: np.ndarray, axis: int) -> np.ndarray:
    """Logarithm of the sum of exponentials, of complex numbers too."""
    top = B.real.max(axis=axis, keepdims=True)
    return np.squeeze(np.log(np.exp(B - top).sum(axis=axis, keepdims=True)) + top, axis)


def by_complex_step(A: np.ndarray, y: np.ndarray, C: int, concentration: float) -> np.ndarray:
    gradient = np.empty(A.shape)
    for at in np.ndindex(A.shape):
        moved = A.astype(complex)
        moved[at] += 1j * STEP
        gradient[at] = reference_loss(moved, y, C, concentration).imag / STEP
    return gradient


def by_layer(layer: ResponsibleSoftmax, A: np.ndarray, y: np.ndarray) -> np.ndarray:
    log_posterior, saved = layer.forward(A)
    _, of_loss = CrossEntropy().forward(log_posterior, y, None)
    cotangent, _ = CrossEntropy().backward(of_loss, 1.0)
    return layer.backward(saved, cotangent)[0]


def relative(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(found - truth).max() / np.abs(truth).max())


def unrolled_errors() -> tuple[float, float]:
    """Largest relative error against complex steps, and of float32 against float64."""
    rng, exact, single = stream(0, 50), [], []
    for C in APPLICATIONS:
        for scale in SCALES:
            A, y = scale * rng.standard_normal((12, 4)), rng.integers(0, 4, 12)
            layer = ResponsibleSoftmax(n_iter=C)
            gradient = by_layer(layer, A, y)
            exact.append(relative(gradient, by_complex_step(A, y, C, 1.0)))
            narrow = A.astype(np.float32)
            double = by_layer(layer, narrow.astype(float), y)
            single.append(relative(by_layer(layer, narrow, y), double))
    return max(exact), max(single)


def implicit_error() -> float:
    """At the fixed point, against complex steps through as many iterations as it takes."""
    rng, errors = stream(0, 51), []
    for concentration in (1.7, 3.0):
        A, y = 2.0 * rng.standard_normal((12, 4)), rng.integers(0, 4, 12)
        layer = ResponsibleSoftmax(concentration=concentration, gradient="implicit")
        truth = by_complex_step(A, y, 2000, concentration)
        errors.append(relative(by_layer(layer, A, y), truth))
    return max(errors)


def network_error() -> float:
    """All parameters of a network with one hidden layer, against central differences."""
    rng = stream(0, 52)
    X, y = rng.standard_normal((20, 3)), rng.integers(0, 4, 20)
    shapes = [(3, 6), (6,), (6, 4), (4,)]
    given = [0.5 * rng.standard_normal(shape) for shape in shapes]
    layer, entropy, tanh = ResponsibleSoftmax(n_iter=3), CrossEntropy(), ACTIVATIONS["tanh"]

    def forward(W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> tuple:
        Z, first = Dense().forward(X, W1, b1)
        H, bent = tanh.forward(Z)
        A, second = Dense().forward(H, W2, b2)
        Y, head = layer.forward(A)
        loss, of_loss = entropy.forward(Y, y, None)
        return loss, (first, bent, second, head, of_loss)

    first, bent, second, head, of_loss = forward(*given)[1]
    cotangent = layer.backward(head, entropy.backward(of_loss, 1.0)[0])[0]
    cotangent, outer = Dense().backward(second, cotangent)
    _, inner = Dense().backward(first, tanh.backward(bent, cotangent)[0])
    gradients = [inner["weights"], inner["biases"], outer["weights"], outer["biases"]]
    worst, h = 0.0, 1e-5
    scale = max(np.abs(g).max() for g in gradients)
    for k, gradient in enumerate(gradients):
        for at in np.ndindex(gradient.shape):
            sides = []
            for sign in (h, -h):
                moved = [p.copy() for p in given]
                moved[k][at] += sign
                sides.append(forward(*moved)[0])
            worst = max(worst, abs((sides[0] - sides[1]) / (2 * h) - gradient[at]) / scale)
    return float(worst)


def lemma() -> float:
    """Least of ``l(R(pi)) - l(pi) - KL(R(pi) || pi)`` over random cases."""
    rng, least = stream(0, 53), np.inf
    for _ in range(LEMMA):
        n, K = int(rng.integers(2, 60)), int(rng.integers(2, 8))
        F = np.exp(log_softmax(rng.choice([0.1, 1, 5]) * rng.standard_normal((n, K)), axis=1))
        pi = rng.dirichlet(np.ones(K))
        new = responsibility_map(F, pi)
        climbed = log_likelihood(F, new) - log_likelihood(F, pi)
        least = min(least, climbed - float(np.sum(new * np.log(new / pi))))
    return float(least)


def solvers() -> tuple[float, float, float, float]:
    """Difference of the objectives, gap, iterations, and EM's time over ours, on slow rows."""
    log_density = min((lines_of(seed) for seed in range(SLOW + 3)), key=conditioning)
    models, seconds = {}, {}
    for solver, tol in (("sqp", 1e-9), ("em", 1e-12)):
        model = DynamicResponsibility(
            input="log_density", solver=solver, tol=tol, max_iter=100_000, n_threads=1
        )
        start = time.process_time()
        models[solver] = model.fit(log_density)
        seconds[solver] = time.process_time() - start
    difference = models["em"].objective_ - models["sqp"].objective_
    sqp = models["sqp"]
    return abs(difference), sqp.gap_, sqp.n_iter_, seconds["em"] / seconds["sqp"]


def conditioning(log_density: np.ndarray) -> float:
    return DynamicResponsibility(input="log_density").fit(log_density).lambda_min_


def not_finite() -> int:
    """How many of many hard cases have a NaN or an infinity in posterior or gradient."""
    rng, failed = stream(0, 54), 0
    for scale in (1e3, 1e5):
        for C in (1, 5, 17):
            A = scale * rng.standard_normal((50, 5))
            A[:, 4] = A[:, 0]  # a duplicate column
            layer = ResponsibleSoftmax(n_iter=C)
            log_posterior, _ = layer.forward(A)
            gradient = by_layer(layer, A, rng.integers(0, 3, 50))  # no row of the last classes
            failed += not (np.isfinite(log_posterior).all() and np.isfinite(gradient).all())
    for seed in range(8):
        X, y = rng.standard_normal((200, 3)), rng.integers(0, 4, 200)
        y[:150] = y[:150] % 2  # some batches lack a class
        net = ResponsibleSoftmaxClassifier(
            activation="relu", n_prior_iter=5, batch_size=20, shuffle=False, max_epochs=20,
            random_state=seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(X, y)
        failed += not all(np.isfinite(W).all() for W in (*net.coefs_, *net.intercepts_))
    return failed


def section(seeds: int, jobs: int) -> Section:
    del seeds, jobs
    exact, single = unrolled_errors()
    difference, gap, n_iter, faster = solvers()
    bands = [
        Band("unrolled gradient against complex steps", exact, high=1e-12, form=".1e"),
        Band("float32 against float64", single, high=1e-5, form=".1e"),
        Band("implicit gradient against complex steps", implicit_error(), high=1e-10, form=".1e"),
        Band("network against central differences", network_error(), high=1e-6, form=".1e"),
        Band("ℓ(R(π)) − ℓ(π) − KL(R(π) ‖ π), least", lemma(), low=-1e-12, form=".1e"),
        Band("slow orbit, SQP and EM: objectives", difference, high=1e-10, form=".1e"),
        Band("SQP: certificate", gap, high=1e-9, form=".1e"),
        Band("SQP: iterations", float(n_iter), high=20, form=".0f"),
        Band("SQP: times faster than EM", faster, low=20, form=".0f"),
        Band("hard inputs with NaN or infinity", float(not_finite()), high=0, form=".0f"),
    ]
    text = f"""Gradients of the loss in the logits, relative to their largest entry; {LEMMA} random
cases of the lemma; logits up to 1e5 with a duplicate column, ReLU networks whose batches lack a
class.

{bands_table(bands)}"""
    return Section("Numerics", prose(text), bands)
