"""The layers in other array namespaces: NumPy's numbers, arrays of the namespace and device given.

Namespaces are PyTorch and array_api_strict, which knows nothing but the standard; those that are
not installed are skipped.
"""

from __future__ import annotations

import numpy as np
import pytest

from mixtures.neural import ACTIVATIONS, CrossEntropy, Dense, ResponsibleSoftmax
from mixtures.neural._batch import DeviceBatch, HostBatch

from .registry import refused
from .responsible_cases import classifier, draw
from .test_proportions_array_api import (  # noqa: F401  no_numpy is a fixture
    KINDS,
    no_numpy,
    numpy_array,
    strict_array,
    to_numpy,
    torch_tensor,
)

GRADIENTS = ["exact", "stop", "neumann", "implicit"]
CASES = {
    "plain": classifier(1, 23, 4, 3, weighted=False, start=False, alpha=1.5),
    "weighted": classifier(2, 23, 4, 5, alpha=[1.5, 2.0, 1.1, 3.0]),
    "no application": classifier(3, 8, 3, 0, alpha=2.0),
    "wide": draw(4, 30, 70, 2, scale=25.0, alpha=1.2),
    "huge": draw(5, 12, 5, 4, scale=3e4, alpha=1.5),
}


def everything(case, make, gradient, **options):
    """Outputs and gradients of the layer, for arrays made by `make`."""
    A, cotangent = (make(x, **options) for x in (case.A, case.cotangent))
    start, w = (None if x is None else make(x) for x in (case.start, case.w))
    layer = case.layer(gradient)
    output, saved = layer.forward(A, start, w)
    back, gradients = layer.backward(saved, cotangent)
    return {
        "log_posterior": output,
        "log_prior": saved.log_prior,
        "logits": back,
        "log_start": gradients["log_start"],
    }


def assert_same(found, expected, rtol=1e-10):
    for name, value in found.items():
        other = np.asarray(expected[name])
        np.testing.assert_allclose(
            to_numpy(value), other, rtol=rtol, atol=rtol * np.abs(other).max(), err_msg=name
        )


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_namespace_answers_as_numpy_does(kind, name, gradient):
    case = CASES[name]
    found = everything(case, kind, gradient)
    example = kind(case.A)
    for value in found.values():
        assert type(value) is type(example) and value.dtype == example.dtype
        assert value.device == example.device
    assert_same(found, everything(case, numpy_array, gradient))


@pytest.mark.parametrize("name", CASES)
def test_both_paths_on_the_same_arrays(name):
    """NumPy's kernels, and the functions of `mixtures.proportions`, of one batch of NumPy's."""
    case = CASES[name]
    w = np.ones(len(case.A)) if case.w is None else case.w
    pseudo = np.broadcast_to(case.pseudo_counts, case.A.shape[1:])
    total = w.sum() + pseudo.sum()
    start, cotangent, ends = np.asarray(case.mu_0, dtype=float), case.cotangent, []
    for kind in (HostBatch, DeviceBatch):
        batch = kind(np, case.A, w / total, pseudo / total)
        path, log_posterior = batch.forward(start, case.n_iter)
        given = np.random.default_rng(0).normal(size=len(start))
        pulled = batch.backward(path[:-1], path[1:], path[-1], cotangent)
        turned = batch.backward(path[:-1], path[1:], path[-1], cotangent, given)
        solved = batch.solve(path[-1], cotangent[0])
        ends.append((path, log_posterior, *pulled, *turned, solved))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-11 * np.abs(other).max())


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_nothing_is_copied_to_numpy(no_numpy, gradient):  # noqa: F811
    found = everything(CASES["weighted"], torch_tensor, gradient)
    with pytest.raises(AssertionError, match="copied"):
        np.asarray(found["logits"])
    no_numpy()
    assert_same(found, everything(CASES["weighted"], numpy_array, gradient))


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("kind", [numpy_array, *KINDS])
def test_single_precision(kind, gradient):
    """Computed in double precision; what has the logits' shape has their type."""
    for name in ("plain", "weighted"):
        case = CASES[name].but(A=CASES[name].A.astype(np.float32).astype(float))
        found = everything(case, kind, gradient, dtype=np.float32)
        for key, bits in {
            "log_posterior": 32,
            "logits": 32,
            "log_prior": 64,
            "log_start": 64,
        }.items():
            assert str(found[key].dtype).endswith(f"float{bits}")
        assert_same(found, everything(case, numpy_array, gradient), rtol=1e-6)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_device_without_double_precision(gradient):
    def make(array, dtype=None):
        return strict_array(array, np.float32, "no_float64")

    for name in ("plain", "weighted", "no application"):
        found = everything(CASES[name], make, gradient)
        assert_same(found, everything(CASES[name], numpy_array, gradient), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_other_arguments_may_be_lists_or_numpy(kind):
    case = CASES["weighted"]
    expected, _ = case.forward()
    for convert in (np.asarray, np.ndarray.tolist):
        output, saved = case.layer().forward(kind(case.A), convert(case.start), convert(case.w))
        np.testing.assert_allclose(to_numpy(output), expected, rtol=1e-12)
        assert type(saved.log_prior) is type(output)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(kind, name):
    rng = np.random.default_rng(0)
    Z, dH = rng.normal(size=(2, 9, 5)) * [[[30.0]], [[1.0]]]
    Z[0, :4] = [0.0, 1e3, -1e3, -0.0]
    H, saved = ACTIVATIONS[name].forward(kind(Z))
    dZ, none = ACTIVATIONS[name].backward(saved, kind(dH))
    expected, expected_saved = ACTIVATIONS[name].forward(Z)
    assert type(H) is type(dZ) is type(kind(Z)) and none == {}
    np.testing.assert_allclose(to_numpy(H), expected, rtol=1e-14, atol=1e-300)
    slopes, _ = ACTIVATIONS[name].backward(expected_saved, dH)
    np.testing.assert_allclose(to_numpy(dZ), slopes, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_dense_and_cross_entropy(kind, weighted):
    rng = np.random.default_rng(1)
    X, W, b = rng.normal(size=(9, 5)), rng.normal(size=(5, 3)), rng.normal(size=3)
    labels, w = rng.integers(3, size=9), rng.random(9)

    def run(make):
        Z, of_dense = Dense().forward(make(X), make(W), make(b))
        log_posterior, of_layer = ResponsibleSoftmax().forward(Z)
        of_labels = make(labels, dtype=np.int64)
        loss, of_loss = CrossEntropy().forward(
            log_posterior, of_labels, make(w) if weighted else None
        )
        dY, _ = CrossEntropy().backward(of_loss, 1.0)
        dZ, _ = ResponsibleSoftmax().backward(of_layer, dY)
        dX, gradients = Dense().backward(of_dense, dZ)
        return {"loss": loss, "X": dX, **gradients}

    found = run(kind)
    for value in found.values():
        assert type(value) is type(kind(X)) and value.device == kind(X).device
    assert_same(found, run(numpy_array), rtol=1e-13)


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"logits": np.zeros(3)}, ["(n_samples, n_classes)", "(3,)"]),
        ({"logits": np.zeros((0, 3))}, ["(0, 3)"]),
        ({"logits": np.array([[0.0, np.nan, 1.0], [0.0, 1.0, 2.0]])}, ["row 0", "nan"]),
        ({"logits": np.array([[0.0, 0.0, 1.0], [0.0, np.inf, 2.0]])}, ["row 1", "inf"]),
        ({"logits": np.array([[0.0, 1.0, 1.0], [-np.inf] * 3])}, ["row 1", "-inf"]),
        ({"log_start": np.zeros(2)}, ["log_start", "3"]),
        ({"log_start": np.array([0.0, np.nan, 0.0])}, ["log_start", "nan"]),
        ({"log_start": np.full(3, -np.inf)}, ["log_start", "-inf"]),
        ({"sample_weight": np.ones(3)}, ["sample_weight", "(3,)"]),
        ({"sample_weight": np.zeros(2)}, ["sample_weight", "zero"]),
        ({"sample_weight": np.array([1.0, -1.0])}, ["sample_weight", "-1"]),
        ({"sample_weight": np.array([1.0, np.nan])}, ["sample_weight", "nan"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [numpy_array, *KINDS])
def test_batches_that_are_refused(kind, change, fragments):
    arguments = {name: kind(value) for name, value in ({"logits": np.eye(2, 3)} | change).items()}
    with refused(ValueError, fragments):
        ResponsibleSoftmax().forward(**arguments)


def test_shapes_that_do_not_fit():
    with refused(ValueError, ["concentration", "(2,)", "3"]):
        ResponsibleSoftmax(concentration=[1.0, 2.0]).forward(np.eye(2, 3))
    layer = ResponsibleSoftmax()
    _, saved = layer.forward(np.eye(2, 3))
    with refused(ValueError, ["cotangent", "(3, 2)", "(2, 3)"]):
        layer.backward(saved, np.ones((3, 2)))
