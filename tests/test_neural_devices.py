"""Networks on arrays of other namespaces: the same numbers, and nothing leaves its device.

array_api_strict stands for a GPU: its arrays live on a device that NumPy cannot read.
"""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from .neural_cases import LEARNT, NETS, draw, fit, net, same_bits, weights
from .registry import refused
from .test_proportions_array_api import KINDS, to_numpy, torch_tensor

X, Y = draw()
NEW = draw(80, [0.1, 0.3, 0.6], seed=5)[0]
each_kind = pytest.mark.parametrize("kind", KINDS)
ANSWERS = ("predict_proba", "predict_log_proba", "decision_function", "log_density_ratio")


def same(found, expected, tol=1e-10):
    for a, b in zip(weights(found), weights(expected), strict=True):
        np.testing.assert_allclose(to_numpy(a), b, rtol=tol, atol=tol)
    for name in ("loss_curve_", "log_prior_", "prior_curve_", "class_prior_"):
        ours = to_numpy(getattr(found, name))
        np.testing.assert_allclose(ours, getattr(expected, name), rtol=tol, atol=tol, err_msg=name)
    assert (found.n_iter_, found.t_) == (expected.n_iter_, expected.t_)
    ours, theirs = (getattr(m, "prior_lambda_min_", None) for m in (found, expected))
    assert (ours is None and theirs is None) or ours == pytest.approx(theirs, rel=1e-6)


def of_kind(value, example):
    return type(value) is type(example) and value.device == example.device


@pytest.mark.parametrize("case", NETS)
@each_kind
def test_the_same_network(kind, case):
    expected, rows = fit(net(**NETS[case]), X, Y), kind(X)
    model = fit(net(**NETS[case]), rows, Y)
    same(model, expected)
    assert all(of_kind(w, rows) for w in weights(model))
    for name in ANSWERS:
        found = getattr(model, name)(kind(NEW))
        assert of_kind(found, rows) and found.dtype == rows.dtype, name
        np.testing.assert_allclose(
            to_numpy(found), getattr(expected, name)(NEW), rtol=1e-9, atol=1e-10
        )
    np.testing.assert_array_equal(to_numpy(model.predict(kind(NEW))), expected.predict(NEW))
    np.testing.assert_allclose(
        to_numpy(model.predict_proba_adapted(kind(NEW))), expected.predict_proba_adapted(NEW),
        rtol=1e-5, atol=1e-6,
    )  # fmt: skip
    adapted = model.adapt(kind(NEW))
    np.testing.assert_allclose(adapted.predict_prior, expected.adapt(NEW).predict_prior, atol=1e-6)
    assert model.score(kind(X), Y) == expected.score(X, Y)


@each_kind
def test_weights_and_labels_of_the_same_namespace(kind):
    w = np.random.default_rng(0).choice([0.0, 0.5, 2.0], 150)
    expected = fit(net(class_weight="balanced"), X, Y, sample_weight=w)
    labels = to_kind_of_integers(kind)
    model = fit(net(class_weight="balanced"), kind(X), labels, sample_weight=kind(w))
    same(model, expected)
    found = model.predict(kind(NEW))
    np.testing.assert_array_equal(to_numpy(found), expected.predict(NEW))
    names = np.array(["ash", "birch", "cedar"])
    named = fit(net(), kind(X), names[Y])
    np.testing.assert_array_equal(named.predict(kind(NEW)), names[fit(net(), X, Y).predict(NEW)])


def to_kind_of_integers(kind):
    return kind(Y, dtype=np.int64)


@each_kind
def test_single_precision(kind):
    single = kind(X, dtype=np.float32)
    model, host = fit(net(), single, Y), fit(net(), X.astype(np.float32), Y)
    assert all(w.dtype == single.dtype for w in weights(model))
    same(model, host, 1e-4)
    for name in ANSWERS:
        assert getattr(model, name)(single).dtype == single.dtype


@each_kind
def test_steps_one_by_one(kind):
    expected, model = net(), net()
    for rows in (slice(0, 60), slice(60, 150), slice(30, 120)):
        expected.partial_fit(X[rows], Y[rows], classes=[0, 1, 2])
        model.partial_fit(kind(X[rows]), Y[rows], classes=[0, 1, 2])
    same(model, expected)
    warm = fit(net(warm_start=True), kind(X), Y)
    same(fit(warm, kind(X), Y), fit(fit(net(warm_start=True), X, Y), X, Y))


@each_kind
def test_a_copy_on_the_host(kind):
    rows = kind(X)
    model = fit(net(), rows, Y)
    host = model.to_host()
    assert type(host) is type(model) and host is not model
    assert all(type(w) is np.ndarray for w in weights(host))
    assert all(of_kind(w, rows) for w in weights(model))  # the original stays where it is
    assert type(host.predict_proba(NEW)) is np.ndarray
    np.testing.assert_allclose(
        host.predict_proba(NEW), to_numpy(model.predict_proba(kind(NEW))), rtol=1e-10
    )
    plain = fit(net(), X, Y)
    same_bits(plain.to_host(), plain)
    host.partial_fit(X, Y)  # and goes on there
    assert all(type(w) is np.ndarray for w in weights(host))


def arrays_within(value, seen):
    """All arrays in the attributes of an object, and of what it holds."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if hasattr(value, "__array_namespace__") or isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays_within(item, seen)
    elif isinstance(value, dict):
        for item in value.values():
            yield from arrays_within(item, seen)
    elif type(value).__module__.startswith(("mixtures", "torch")) and hasattr(value, "__dict__"):
        yield from ([value] if "torch" in type(value).__module__ else ())
        yield from arrays_within(vars(value), seen)


@each_kind
def test_pickles_hold_numpy_only(kind):
    model = fit(net(), kind(X), Y)
    adapted = model.adapt(kind(NEW))
    for one in (model, adapted):
        data = pickle.dumps(one)
        assert b"torch" not in data and b"array_api_strict" not in data
        loaded = pickle.loads(data)
        arrays = list(arrays_within(vars(loaded), set()))
        assert len(arrays) >= 6 and all(type(a) is np.ndarray for a in arrays)
        np.testing.assert_allclose(
            loaded.predict_proba(NEW), to_numpy(one.predict_proba(kind(NEW))), rtol=1e-9, atol=1e-12
        )
        assert type(loaded.predict_proba(NEW)) is np.ndarray
    twin = fit(net(), X, Y)
    same(loaded.partial_fit(X, Y), twin.partial_fit(X, Y))


def test_a_pickle_loads_where_the_namespace_is_missing(tmp_path):
    model = fit(net(), torch_tensor(X), Y)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    np.save(tmp_path / "rows.npy", NEW)
    code = (
        "import pickle, sys, numpy as np\n"
        "import mixtures\n"
        "sys.modules['cupy'] = None\n"
        f"model = pickle.loads(open({str(tmp_path / 'model.pickle')!r}, 'rb').read())\n"
        f"print(float(model.predict_proba(np.load({str(tmp_path / 'rows.npy')!r})).sum()))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(80.0)


@each_kind
def test_a_network_answers_rows_of_either_side(kind):
    """Rows decide where the answer is computed, and where it lies."""
    host, other = fit(net(), X, Y), fit(net(), kind(X), Y)
    expected = host.predict_proba(NEW)
    assert type(other.predict_proba(NEW)) is np.ndarray
    np.testing.assert_allclose(other.predict_proba(NEW), expected, rtol=1e-9)
    found = host.predict_proba(kind(NEW))
    assert of_kind(found, kind(NEW))
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-9)


@each_kind
def test_what_is_refused_there_too(kind):
    bad = X.copy()
    bad[3, 1] = np.nan
    with refused(ValueError, ["NaN"]):
        net().fit(kind(bad), Y)
    with refused(ValueError, ["two classes"]):
        net().fit(kind(X), np.zeros(150))
    with refused(ValueError, ["150", "149"]):
        net().fit(kind(X), Y[:-1])
    model = fit(net(), kind(X), Y)
    with refused(ValueError, ["1 features", "expecting 2"]):
        model.predict(kind(X[:, :1]))
    for rows in (X[:, 0], X[None]):
        with refused(ValueError, ["n_features"]):
            net().fit(kind(rows), Y)


def test_rows_are_not_copied_to_numpy(monkeypatch):
    """Nor in training anything but the batches' priors; at its end the logits, once."""
    torch = pytest.importorskip("torch")
    sizes, plain = [], {name: getattr(torch.Tensor, name) for name in ("__array__", "numpy")}

    def counting(name):
        def method(self, *arguments, **options):
            sizes.append(self.numel())
            return plain[name](self, *arguments, **options)

        return method

    rows = torch_tensor(np.hstack([X] * 4))
    model = net(hidden_layer_sizes=(40,), max_epochs=3)
    for name in plain:
        monkeypatch.setattr(torch.Tensor, name, counting(name))
    fit(model, rows, Y)
    model.predict_proba(rows), model.decision_function(rows), model.log_density_ratio(rows)
    assert sizes.count(450) <= 1 and sorted(set(sizes) - {450})[-1] <= 3


def test_a_second_fit_may_be_elsewhere():
    model = fit(net(), torch_tensor(X), Y)
    same_bits(fit(model, X, Y), fit(net(), X, Y), LEARNT)
