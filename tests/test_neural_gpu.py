"""Networks on a GPU, with CuPy: run with ``pytest -m gpu`` where there is one."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from mixtures.neural import backend

from .neural_cases import NETS, draw, fit, net, same_bits, weights
from .registry import refused

pytestmark = pytest.mark.gpu

cupy = pytest.importorskip("cupy", exc_type=ImportError)
if not cupy.is_available():
    pytest.skip("CuPy finds no GPU", allow_module_level=True)

X, Y = draw()
NEW = draw(80, [0.1, 0.3, 0.6], seed=5)[0]
ANSWERS = ("predict_proba", "predict_log_proba", "decision_function", "log_density_ratio")
HISTORY = ("loss_curve_", "log_prior_", "prior_curve_", "class_prior_")


def here(array):
    return cupy.asnumpy(array) if isinstance(array, cupy.ndarray) else np.asarray(array)


def same(found, expected, tol):
    for a, b in zip(weights(found), weights(expected), strict=True):
        np.testing.assert_allclose(here(a), b, rtol=tol, atol=tol)
    for name in HISTORY:
        ours = here(getattr(found, name))
        np.testing.assert_allclose(ours, getattr(expected, name), rtol=tol, atol=tol, err_msg=name)


@pytest.mark.parametrize("dtype, tol", [(np.float64, 1e-9), (np.float32, 1e-3)])
@pytest.mark.parametrize("case", NETS)
def test_rows_on_the_gpu(case, dtype, tol):
    """The losses of NumPy, and everything that is as large as the rows stays where they are."""
    rows, new = X.astype(dtype), NEW.astype(dtype)
    expected, model = fit(net(**NETS[case]), rows, Y), fit(net(**NETS[case]), cupy.asarray(rows), Y)
    same(model, expected, tol)
    assert all(isinstance(w, cupy.ndarray) and w.dtype == dtype for w in weights(model))
    for name in ANSWERS:
        found = getattr(model, name)(cupy.asarray(new))
        assert isinstance(found, cupy.ndarray) and found.dtype == dtype, name
        np.testing.assert_allclose(
            here(found), getattr(expected, name)(new), rtol=100 * tol, atol=100 * tol
        )
    assert isinstance(model.predict(cupy.asarray(new)), cupy.ndarray)
    adapted = model.adapt(cupy.asarray(new))
    np.testing.assert_allclose(
        adapted.predict_prior, expected.adapt(new).predict_prior, atol=max(1e-4, 10 * tol)
    )


@pytest.mark.parametrize("dtype, tol", [(np.float64, 1e-9), (np.float32, 1e-3)])
@pytest.mark.parametrize("head", ["softmax", "responsible", "fixed"])
def test_rows_that_are_moved_there(head, dtype, tol):
    rows = X.astype(dtype)
    expected = fit(net(head=head), rows, Y)
    model = fit(net(head=head, device="cuda"), rows, Y)
    same(model, expected, tol)
    assert all(isinstance(w, cupy.ndarray) for w in weights(model))
    found = model.predict_proba(rows)  # NumPy's rows have NumPy's answers
    assert type(found) is np.ndarray and found.dtype == dtype
    np.testing.assert_allclose(found, expected.predict_proba(rows), rtol=100 * tol, atol=100 * tol)
    assert type(model.predict(rows)) is np.ndarray


def test_labels_and_weights_on_the_gpu():
    w = np.random.default_rng(0).choice([0.0, 0.5, 2.0], 150)
    options = {"class_weight": "balanced", "n_prior_iter": 3}
    expected = fit(net(**options), X, Y, sample_weight=w)
    model = fit(net(**options), cupy.asarray(X), cupy.asarray(Y), sample_weight=cupy.asarray(w))
    same(model, expected, 1e-9)
    assert here(model.predict(cupy.asarray(NEW))).tolist() == expected.predict(NEW).tolist()


def test_the_same_seed_is_the_same_bits():
    one, other = (fit(net(), cupy.asarray(X), Y).to_host() for _ in range(2))
    same_bits(one, other)


def test_to_host():
    model = fit(net(), cupy.asarray(X), Y)
    host = model.to_host()
    assert all(type(w) is np.ndarray for w in weights(host))
    assert all(isinstance(w, cupy.ndarray) for w in weights(model))
    found = host.predict_proba(NEW)
    np.testing.assert_allclose(found, here(model.predict_proba(cupy.asarray(NEW))), rtol=1e-9)
    same(host.partial_fit(X, Y), fit(net(), X, Y).partial_fit(X, Y), 1e-9)


def test_a_pickle_loads_without_a_gpu(tmp_path):
    path = tmp_path / "model.pickle"
    for model in (fit(net(), cupy.asarray(X), Y), fit(net(device="cuda"), X, Y)):
        path.write_bytes(pickle.dumps(model))
        code = (
            "import pickle, sys, numpy as np\n"
            "sys.modules['cupy'] = None\n"
            f"model = pickle.loads(open({str(path)!r}, 'rb').read()).set_params(device=None)\n"
            "print(float(model.predict_proba(np.zeros((5, 2))).sum()))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert float(done.stdout) == pytest.approx(5.0)


def test_steps_one_by_one():
    expected, model = net(), net()
    for rows in (slice(0, 60), slice(60, 150), slice(30, 120)):
        expected.partial_fit(X[rows], Y[rows], classes=[0, 1, 2])
        model.partial_fit(cupy.asarray(X[rows]), Y[rows], classes=[0, 1, 2])
    same(model, expected, 1e-9)


def test_early_stopping_and_adaptive_rates():
    rows, labels = draw(400)
    options = {"early_stopping": True, "solver": "sgd", "learning_rate": "adaptive"}
    options |= {"learning_rate_init": 0.3, "max_epochs": 200, "n_iter_no_change": 3, "tol": 1e-3}
    expected = fit(net(**options), rows, labels)
    model = fit(net(**options), cupy.asarray(rows), labels)
    assert model.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(model.validation_scores_, expected.validation_scores_, atol=1e-12)


def test_rows_do_not_cross(monkeypatch):
    """Back to the host go priors, losses and, at the end of a fit, logits: never rows."""
    rows, sizes, plain = cupy.asarray(np.hstack([X] * 4)), [], backend.to_host

    def counting(array):
        sizes.append(getattr(array, "size", 0) if isinstance(array, cupy.ndarray) else 0)
        return plain(array)

    for name, module in list(sys.modules.items()):
        if name.startswith("mixtures.neural") and hasattr(module, "to_host"):
            monkeypatch.setattr(module, "to_host", counting)
    model = fit(net(hidden_layer_sizes=(40,)), rows, Y)
    model.predict_proba(rows), model.decision_function(rows), model.log_density_ratio(rows)
    assert 0 < max(sizes) <= 450 and sizes.count(450) <= 1


def test_what_is_refused():
    bad = X.copy()
    bad[3, 1] = np.nan
    with refused(ValueError, ["NaN"]):
        net().fit(cupy.asarray(bad), Y)
    with refused(ValueError, ["sparse", "device='cuda'", "toarray"]):
        net(device="cuda").fit(sparse.csr_array(X), Y)
    model = fit(net(), cupy.asarray(X), Y)
    with refused(ValueError, ["1 features", "expecting 2"]):
        model.predict(cupy.asarray(X[:, :1]))


def test_extreme_logits():
    far = cupy.asarray(X * 1e6)
    for case in NETS:
        model = fit(net(**{**NETS[case], "early_stopping": False}), far, Y)
        assert bool(cupy.isfinite(model.predict_proba(far)).all())
        assert all(bool(cupy.isfinite(w).all()) for w in weights(model))
