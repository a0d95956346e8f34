"""Which arrays the open functions take: of any namespace, in blocks of any size, or refused.

Namespaces are NumPy, PyTorch and array_api_strict, which knows nothing but the standard; those that
are not installed are skipped. What comes back must be the same as NumPy's, and of F's namespace.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mixtures.exceptions import DegenerateDataWarning
from mixtures.proportions import _densities
from mixtures.proportions.derivatives import (
    proportions_jvp,
    proportions_vjp,
    responsibility_jvp,
    responsibility_vjp,
)
from mixtures.proportions.functions import (
    log_likelihood,
    optimality_gap,
    responsibility_map,
    responsibility_orbit,
)

from .registry import refused

RNG = np.random.default_rng(8)
N, K = 40, 4
F = RNG.gamma(0.7, size=(N, K)) + 0.2 * (np.arange(N)[:, None] % K == np.arange(K))
F[5, 1] = F[6, 2] = 0.0
TANGENT = RNG.normal(size=(N, K))
W = RNG.choice([0.0, 0.5, 1.0, 2.0], N)
V = RNG.normal(size=K)
START = np.array([0.5, 0.0, 0.2, 0.3])
FITTED = responsibility_orbit(F, 300, concentration=1.5)[-1]


def numpy_array(array, dtype=np.float64):
    return np.asarray(array, dtype=dtype)


def torch_tensor(array, dtype=np.float64):
    return pytest.importorskip("torch").asarray(np.asarray(array, dtype=dtype))


def strict_array(array, dtype=np.float64, device="device1"):
    """On a device whose arrays cannot become NumPy's."""
    xp = pytest.importorskip("array_api_strict")
    return xp.asarray(np.asarray(array, dtype=dtype), device=xp.Device(device))


KINDS = [torch_tensor, strict_array]


def to_numpy(array):
    """Back from any of them."""
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "to_device"):
        array = array.to_device(pytest.importorskip("array_api_strict").Device("CPU_DEVICE"))
    return np.asarray(array)


OPTIONS = {
    "equal rows": {},
    "weighted rows": {"sample_weight": W},
    "a prior": {"sample_weight": W, "concentration": 1.5},
    "a prior for each": {"concentration": np.array([1.0, 1.5, 2.0, 1.0])},
}


def everything(make, *, log=False, dtype=np.float64, start=START, **options):
    """All that the functions return, for arrays made by `make`."""
    A = make(np.log(F + 1e-3) if log else F, dtype=dtype)
    T, v, p, weights = (make(x, dtype=dtype) for x in (TANGENT, V, start, FITTED))
    options = {k: make(o) if isinstance(o, np.ndarray) else o for k, o in options.items()}
    options["log"] = log
    at = {**options, "tol": 9.0}  # weights need not be a maximiser for two paths to agree
    return {
        "map": responsibility_map(A, p, **options),
        "orbit": responsibility_orbit(A, 3, **options),
        "gap": optimality_gap(A, weights, **options),
        "jvp": responsibility_jvp(A, p, 3, T, tangent_start=v, **options),
        "vjp": responsibility_vjp(A, p, 3, v, **options)[0],
        "vjp start": responsibility_vjp(A, p, 3, v, **options)[1],
        "implicit jvp": proportions_jvp(A, weights, T, **at),
        "implicit vjp": proportions_vjp(A, weights, v, **at),
    }


@pytest.fixture
def no_numpy(monkeypatch):
    """PyTorch's tensors must not be turned into NumPy's, nor into lists; call it to allow it."""
    try:
        from torch import Tensor
    except ImportError:
        return lambda: None

    def refuse(*_, **__):
        raise AssertionError("copied to NumPy")

    for name in ("__array__", "numpy", "tolist"):
        monkeypatch.setattr(Tensor, name, refuse)
    return monkeypatch.undo


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("case", OPTIONS)
@pytest.mark.parametrize("block", [2**15, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_every_namespace_answers_as_numpy_does(monkeypatch, kind, block, case, log):
    options = {**OPTIONS[case], "log": log}
    expected = everything(numpy_array, **options)
    with monkeypatch.context() as patch:
        patch.setattr(_densities, "DEVICE_BLOCK", block)
        found = everything(kind, **options)
    example = kind(F)
    for name, value in found.items():
        if isinstance(value, float):
            assert value == pytest.approx(expected[name], rel=1e-12)
            continue
        assert type(value) is type(example) and value.dtype == example.dtype
        assert value.device == example.device
        np.testing.assert_allclose(
            to_numpy(value), expected[name], rtol=1e-10, atol=1e-13, err_msg=name
        )


def test_nothing_is_copied_to_numpy(no_numpy):
    everything(torch_tensor, sample_weight=W)
    with pytest.raises(AssertionError, match="copied"):
        np.asarray(torch_tensor(F))
    no_numpy()
    np.asarray(torch_tensor(F))


@pytest.mark.parametrize("kind", [numpy_array, torch_tensor, strict_array])
def test_single_precision(kind):
    """Computed in double precision; what has F's shape has F's type."""
    expected = everything(numpy_array)
    found = everything(kind, dtype=np.float32)
    for name in ("map", "orbit", "jvp", "vjp start", "implicit jvp"):
        assert "float64" in str(found[name].dtype)
    for name in ("vjp", "implicit vjp"):
        assert "float32" in str(found[name].dtype)
    for name, value in found.items():
        np.testing.assert_allclose(to_numpy(value), expected[name], rtol=1e-3, atol=1e-5)


def test_a_device_without_double_precision():
    def make(array, dtype=None):
        return strict_array(array, np.float32, "no_float64")

    expected = everything(numpy_array)
    for name, value in everything(make).items():
        np.testing.assert_allclose(to_numpy(value), expected[name], rtol=1e-3, atol=1e-5)


def test_other_arguments_may_be_lists_or_numpy():
    expected = responsibility_map(F, START, sample_weight=W)
    for start, w in ((START, W), (START.tolist(), W.tolist())):
        found = responsibility_map(torch_tensor(F), start, sample_weight=w)
        np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-12)


def test_a_layer_of_pytorch():
    """PyTorch's own check of gradients, by finite differences, on the functions as a layer."""
    torch = pytest.importorskip("torch")

    class Orbit(torch.autograd.Function):
        @staticmethod
        def forward(ctx, log_f, start):
            ctx.save_for_backward(log_f, start)
            return responsibility_orbit(log_f, 4, start=start, log=True)[-1]

        @staticmethod
        def backward(ctx, cotangent):
            return responsibility_vjp(*ctx.saved_tensors, 4, cotangent, log=True)

    log_f = torch_tensor(RNG.normal(size=(6, 3))).requires_grad_()
    logits = torch_tensor(RNG.normal(size=3)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: Orbit.apply(a, torch.softmax(b, 0)), (log_f, logits)
    )


def test_pytorch_differentiates_the_orbit_to_the_same():
    torch = pytest.importorskip("torch")
    A = torch_tensor(F).requires_grad_()
    end = responsibility_orbit(A, 3, concentration=1.5)[-1]
    (expected,) = torch.autograd.grad(end @ torch_tensor(V), A)
    found, _ = responsibility_vjp(F, None, 3, V, concentration=1.5)
    away = F > 0  # autograd passes through log F, which has no derivative at zero
    np.testing.assert_allclose(found[away], to_numpy(expected)[away], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_in_other_namespaces(kind):
    for value, fragments in ((-1.0, ["-1", "log=True"]), (np.nan, ["nan"]), (np.inf, ["inf"])):
        bad = F.copy()
        bad[7, 2] = value
        with refused(ValueError, ["row 7, component 2", *fragments]):
            responsibility_map(kind(bad), START)
    bad = F.copy()
    bad[9] = 0.0
    with refused(ValueError, ["row 9", "zero"]):
        log_likelihood(kind(bad), START)
    for w, fragments in (
        (W[1:], ["(39,)", "(40,)"]),
        (np.r_[W[1:], -2.0], ["weight 39 is -2.0"]),
        (np.r_[np.nan, W[1:]], ["weight 0 is nan"]),
        (0.0 * W, ["all of sample_weight is zero"]),
    ):
        with refused(ValueError, ["ample", "eight", *fragments]):
            responsibility_map(kind(F), START, sample_weight=kind(w))
    found = responsibility_map(kind(F), START, sample_weight=2.0)
    np.testing.assert_allclose(to_numpy(found), responsibility_map(F, START), rtol=1e-12)
    assert log_likelihood(kind(np.eye(2)), [1.0, 0.0]) == -np.inf


def collinear():
    """F with a component twice, and a maximiser that gives the copy a weight or none."""
    p = responsibility_orbit(F, 4000)[-1]
    return np.c_[F, F[:, 0]], np.r_[0.5 * p[0], p[1:], 0.5 * p[0]], np.r_[p, 0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_reports_in_other_namespaces(kind):
    G, shared, tied = collinear()
    for weights, message in ((shared, "minimum-norm"), (tied, "strict complementarity")):
        with pytest.warns(DegenerateDataWarning, match=message):
            expected = proportions_vjp(G, weights, np.r_[V, 1.0])
        with pytest.warns(DegenerateDataWarning, match=message):
            found = proportions_vjp(kind(G), weights, np.r_[V, 1.0])
        np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-8, atol=1e-10)


def test_blocks_of_rows_change_nothing(monkeypatch):
    whole = everything(numpy_array, sample_weight=W)
    monkeypatch.setattr(_densities, "HOST_BLOCK", 28)
    for name, value in everything(numpy_array, sample_weight=W).items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-11, atol=1e-14)


def test_no_matrix_beside_the_result():
    G = RNG.random((100_000, 10))
    tracemalloc.start()
    responsibility_vjp(G, None, 2, np.arange(10.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * G.nbytes  # the result, a few numbers a row, and a block


def test_tangents_that_are_refused():
    F = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]])
    bad = F.copy()
    bad[1, 0] = np.nan
    for tangent, fragments in ((F[:2], ["(3, 2)", "(2, 2)"]), (bad, ["finite", "row 1"])):
        with refused(ValueError, ["tangent_F", *fragments]):
            responsibility_jvp(F, None, 1, tangent)
        with refused(ValueError, ["tangent_F", *fragments]):
            proportions_jvp(F, [0.5, 0.5], tangent)
    with refused(ValueError, ["tangent_start", "(2,)", "(3,)"]):
        responsibility_jvp(F, None, 1, None, tangent_start=[1.0, 2.0, 3.0])
    for vector, fragments in (([1.0], ["(2,)", "(1,)"]), ([1.0, np.inf], ["entry 1 is inf"])):
        with refused(ValueError, ["cotangent", *fragments]):
            responsibility_vjp(F, None, 1, vector)
        with refused(ValueError, ["cotangent", *fragments]):
            proportions_vjp(F, [0.5, 0.5], vector)
    with refused(ValueError, ["row 1", "zero"]):
        responsibility_vjp([[1.0, 1.0], [0.0, 0.0]], None, 1, [1.0, 0.0])
    with refused(ValueError, ["n_iter", "-2"]):
        responsibility_vjp(F, None, -2, [1.0, 0.0])


def test_weights_that_are_no_maximiser():
    F = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    for function, other in ((proportions_jvp, F), (proportions_vjp, [1.0, 0.0])):
        with refused(ValueError, ["maximise", "0.288 nats", "tol=1e-06", "responsibility_"]):
            function(F, [0.5, 0.5], other)
        function(F, [0.5, 0.5], other, tol=1.0)
