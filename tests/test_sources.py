"""However the rows are held, the fit is the same: order, strides, read-only, files, dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from mixtures.core.source import super_blocks

from .registry import (
    GAUSSIANS,
    MODELS,
    SOURCES,
    close,
    names,
    opened,
    problem,
    rows_of,
    same_bits,
)

N, D = 9000, 24  # more than one super-block for K = 3


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_sources_agree_to_the_bit(model, source):
    assert len(super_blocks(N, D, 3)) > 1
    X = model.rows(N, D)
    rows = SOURCES[source](X)
    one, other = model.make().fit(X), model.make().fit(rows)
    same_bits(one, other)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(rows))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_sources_agree_with_weights(model, source):
    X = model.rows(N, D)
    w = np.random.default_rng(0).integers(0, 3, N).astype(float)
    weights = {"strided": np.repeat(w, 2)[::2], "list": w.tolist()}.get(source, w)
    one = model.make().fit(X, sample_weight=w)
    same_bits(one, model.make().fit(SOURCES[source](X), sample_weight=weights))


# One bit a feature does leave components without variance, and says so.
@pytest.mark.filterwarnings("ignore::mixtures.exceptions.DegenerateDataWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int8, np.uint8, bool])
@pytest.mark.parametrize("model", MODELS, ids=names)
def test_dtypes_hold_numbers_and_nothing_else(model, dtype):
    """The same numbers in any dtype give the same fit; float32 results are rounded at the end."""
    X = np.abs(np.nan_to_num(model.rows(400)).round())
    X = np.greater(X, X.mean()) if dtype is bool else np.minimum(X, 127)
    rows = X.astype(dtype)
    one, other = model.make().fit(rows.astype(np.float64)), model.make().fit(rows)
    if dtype is not np.float32:
        same_bits(one, other)
        return
    assert other.weights_.dtype == np.float32
    assert other.n_iter_ == one.n_iter_
    assert other.lower_bound_ == pytest.approx(one.lower_bound_, rel=1e-12)
    close(one, other, 2 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_float32_in_float32_out(model):
    X = model.rows(200).astype(np.float32)
    fitted = model.make().fit(X)
    for name in fitted._params._fields:
        value = getattr(fitted, f"{name}_")
        arrays = value if isinstance(value, list) else [value]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert fitted.predict_proba(X).dtype == np.float32
    assert fitted.score_samples(X).dtype == np.float32


@pytest.mark.parametrize("model", GAUSSIANS, ids=names)
def test_float32_far_from_zero(model):
    """Sums in float32 would lose everything at 1e4: scikit-learn's diag and tied fail here."""
    X = (model.rows(5000, seed=3) + 1e4).astype(np.float32)
    one, other = model.make().fit(X.astype(np.float64)), model.make().fit(X)
    assert one.n_iter_ == other.n_iter_
    assert other.lower_bound_ == pytest.approx(one.lower_bound_, rel=1e-12)
    np.testing.assert_allclose(other.covariances_, one.covariances_, rtol=1e-5, atol=1e-6)
    # The means are stored to 1e4 * 6e-8: log-densities shift by about as much.
    assert other.score(X) == pytest.approx(one.score(X.astype(np.float64)), abs=1e-2)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_blocks_cut_differently(model):
    """The cut of the rows decides the order of sums, hence the last digits and no more."""
    X = model.rows(3000)
    with problem(model.make(), X) as (em, params):
        sweep = em.family.sweep(params)
        whole = em.source.accumulate(sweep.discriminants, sweep.moments)
        rows = rows_of(em.source)
        for size in (1, 7, 1000, 2999):
            total = None
            for lo in range(0, len(X) if size > 1 else 40, size):
                with opened(rows[lo : lo + size], em.source.frame) as source:
                    part = source.accumulate(sweep.discriminants, sweep.moments)
                total = part if total is None else total + part
            if size > 1:
                # n eps times the sum of absolute values, which n max|.| bounds
                for a, b in zip(whole, total, strict=True):
                    np.testing.assert_allclose(a, b, rtol=0, atol=3000 * 2.3e-16 * 3000)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_rows_do_not_change(model):
    X = model.rows(300)
    before = X.copy()
    fitted = model.make().fit(X)
    fitted.predict(X)
    fitted.score(X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_predictions_of_a_row_do_not_depend_on_its_company(model):
    X = model.rows(1000)
    fitted = model.make().fit(X)
    proba, log_density = fitted.predict_proba(X), fitted.score_samples(X)
    for lo, hi in ((0, 1), (3, 20), (500, 1000)):
        part = fitted.predict_proba(X[lo:hi])
        np.testing.assert_allclose(part, proba[lo:hi], rtol=1e-13, atol=1e-300)
        np.testing.assert_allclose(fitted.score_samples(X[lo:hi]), log_density[lo:hi], rtol=1e-14)
