"""What the open functions take, in any array namespace, or a sentence that refuses it."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from .._compat import array_namespace
from ..core.validation import WEIGHT_SUM, check_sample_weight, refuse_lazy_array
from ._densities import Densities, first


def read_densities(
    name: str, F: Any, log: bool, sample_weight: Any, concentration: Any = 1.0
) -> Densities:
    """Everything that a function reads its rows with, checked.

    Raises
    ------
    TypeError
        For a dask array, or a matrix that is not one of real numbers.
    ValueError
        For wrong shapes, NaN, densities that are negative or infinite, a row that no component
        explains, and bad weights or pseudo-counts.
    """
    refuse_lazy_array(name, F)
    try:
        xp = array_namespace(F)
    except TypeError:  # lists and data frames
        F = np.asarray(F)
        xp = array_namespace(F)
    _refuse_other_than_a_matrix(name, xp, F)
    kinds = xp.__array_namespace_info__().dtypes(device=F.device, kind="real floating")
    dtype = kinds.get("float64", xp.float32)  # some devices have no double precision
    shares = xp.ones(F.shape[0], dtype=dtype, device=F.device) / F.shape[0]
    data = Densities(name, xp, F, bool(log), dtype, shares, None, False)
    w, a = _row_weights(data, sample_weight), _pseudo_counts(data, concentration)
    data = _weighed(data, w, a)
    _refuse_bad_rows(data)
    return data


def _refuse_other_than_a_matrix(name: str, xp: Any, F: Any) -> None:
    if not xp.isdtype(F.dtype, ("real floating", "integral", "bool")):
        raise TypeError(
            f"{name} expects F as a dense matrix of real numbers, but got {type(F).__name__} of "
            f"dtype {F.dtype}. Convert it first."
        )
    if F.ndim != 2 or 0 in F.shape:
        raise ValueError(
            f"{name} expects F of shape (n_samples, n_components), one row for each sample and at "
            f"least one of both, but F.shape == {tuple(F.shape)}. Reshape it; a single sample is "
            "one row."
        )


def _row_weights(data: Densities, sample_weight: Any) -> Any:
    """(n,) weights, or None; NumPy's by the one check that all estimators share."""
    n, xp = data.F.shape[0], data.xp
    if sample_weight is None:
        return None
    if isinstance(data.F, np.ndarray):
        return check_sample_weight(sample_weight, n)
    w = data.vector(sample_weight)
    if w.ndim == 0:
        w = xp.full((n,), float(w), dtype=data.dtype, device=data.F.device)
    if tuple(w.shape) != (n,):
        raise ValueError(
            f"sample_weight.shape == {tuple(w.shape)}, expected {(n,)}: one weight for each row."
        )
    bad = ~((w >= 0) & (w < math.inf))
    if bool(xp.any(bad)):
        row = first(xp, bad)
        raise ValueError(
            f"sample_weight must be finite and zero or positive, but weight {row} is "
            f"{float(w[row])}. Replace it; a weight of zero leaves the row out."
        )
    if not bool(xp.any(w > 0)):
        raise ValueError(
            "Sample weights must contain at least one non-zero number, but all of sample_weight "
            "is zero. Pass None to weight all rows equally."
        )
    return w


def _pseudo_counts(data: Densities, concentration: Any) -> Any:
    """(K,) ``concentration - 1``, or None where they are all zero."""
    xp, k = data.xp, data.n_components
    alpha = data.vector(concentration)
    if alpha.ndim > 1 or (alpha.ndim == 1 and tuple(alpha.shape) != (k,)):
        raise ValueError(
            f"concentration.shape == {tuple(alpha.shape)}, expected one number or {(k,)}: one for "
            "each component."
        )
    alpha = xp.broadcast_to(alpha, (k,))
    bad = ~((alpha >= 1) & (alpha < math.inf))
    if bool(xp.any(bad)):
        component = first(xp, bad)
        raise ValueError(
            f"{data.name} expects a concentration that is finite and at least 1, but that of "
            f"component {component} is {float(alpha[component]):g}. Below 1 the posterior is "
            "unbounded where a weight vanishes, so it has no maximum; 1 is no prior."
        )
    return alpha - 1 if bool(xp.any(alpha > 1)) else None


def _weighed(data: Densities, w: Any, a: Any) -> Densities:
    """Densities with shares of rows and pseudo-counts."""
    xp = data.xp
    if w is None:
        w = xp.ones(data.F.shape[0], dtype=data.dtype, device=data.F.device)
    # Weights may be as large as numbers go; without a prior they have no unit.
    scale = xp.max(w) if a is None else xp.maximum(xp.max(w), xp.max(a))
    w = w / scale
    prior = None if a is None else a / scale
    total = xp.sum(w) if prior is None else xp.sum(w) + xp.sum(prior)
    with np.errstate(divide="ignore"):  # rows of weight zero
        log_share = xp.log(w / total)
    return replace(
        data,
        log_share=log_share,
        prior=None if prior is None else prior / total,
        weightless=bool(xp.any(log_share == -math.inf)),
    )


def _refuse_bad_rows(data: Densities) -> None:
    """ValueError naming the first entry that is no density, or row that has none."""
    xp = data.xp
    for rows in data.slices():
        block = data.read(data.F, rows)
        high = xp.max(block, axis=1)  # NaN if the row has one
        good = high < math.inf
        if not data.is_log:
            good = good & (xp.min(block, axis=1) >= 0)
        nothing = high == (-math.inf if data.is_log else 0.0)
        unexplained = nothing & (data.log_share[rows] > -math.inf)
        if bool(xp.any(unexplained | ~good)):
            if not bool(xp.all(good)):
                _refuse_entry(data, block, rows.start, first(xp, ~good))
            _refuse_unexplained(data, rows.start + first(xp, unexplained))


def _refuse_entry(data: Densities, block: Any, start: int, row: int) -> None:
    xp, values = data.xp, block[row, :]
    good = values < math.inf
    good = good if data.is_log else good & (values >= 0)
    component = first(xp, ~good)
    value = float(values[component])
    expected = "log-densities below +inf" if data.is_log else "densities that are finite and >= 0"
    if value < 0:
        advice = "Pass log=True if F holds logarithms."
    elif math.isnan(value) or data.is_log:
        advice = "Remove the row, or say what its density is."
    else:
        advice = "Pass logarithms with log=True if densities overflow."
    raise ValueError(
        f"{data.name} expects {expected}, but row {start + row}, component {component} of F is "
        f"{value:g}. {advice}"
    )


def _refuse_unexplained(data: Densities, row: int) -> None:
    what = "-inf" if data.is_log else "zero"
    hint = "" if data.is_log else " If densities underflow, pass their logarithms with log=True."
    raise ValueError(
        f"{data.name} expects each row to be explained by some component, but row {row} of F is "
        f"{what} in every one, so its likelihood is zero whatever the weights. Remove the row, or "
        f"add a component that covers it.{hint}"
    )


def check_weights(data: Densities, what: str, weights: Any) -> Any:
    """(K,) weights on the simplex, in F's namespace; None is uniform."""
    xp, k = data.xp, data.n_components
    if weights is None:
        return xp.full((k,), 1.0 / k, dtype=data.dtype, device=data.F.device)
    w = check_vector(data, what, weights)
    low, total = float(xp.min(w)), float(xp.sum(w))
    if low < 0 or abs(total - 1.0) > WEIGHT_SUM:
        problem = f"one of them is {low:g}" if low < 0 else f"they sum to {total:.8g}"
        raise ValueError(
            f"{data.name} expects {what} >= 0 that sum to one, but {problem}. Divide them by their "
            "sum once they are all zero or positive."
        )
    return w


def check_vector(data: Densities, what: str, vector: Any) -> Any:
    """A finite (K,) vector in F's namespace."""
    v, k = data.vector(vector), data.n_components
    if tuple(v.shape) != (k,):
        raise ValueError(
            f"{data.name} expects {what} of shape {(k,)}, one number for each component (column of "
            f"F), but its shape is {tuple(v.shape)}."
        )
    finite = data.xp.isfinite(v)
    if not bool(data.xp.all(finite)):
        index = first(data.xp, ~finite)
        raise ValueError(
            f"{data.name} expects {what} to be finite, but entry {index} is {float(v[index])}."
        )
    return v


def check_tangent(data: Densities, what: str, tangent: Any) -> Any:
    """A finite (n, K) array in F's namespace."""
    t = data.ours(tangent)
    if tuple(t.shape) != tuple(data.F.shape):
        raise ValueError(
            f"{data.name} expects {what} of F's shape {tuple(data.F.shape)}, but its shape is "
            f"{tuple(t.shape)}."
        )
    for rows in data.slices():
        finite = data.xp.all(data.xp.isfinite(data.read(t, rows)), axis=1)
        if not bool(data.xp.all(finite)):
            raise ValueError(
                f"{data.name} expects {what} to be finite, but its row "
                f"{rows.start + first(data.xp, ~finite)} is not."
            )
    return t


def check_n_iter(data: Densities, n_iter: Any) -> int:
    """A number of applications, zero or more."""
    if not isinstance(n_iter, Integral) or isinstance(n_iter, bool) or n_iter < 0:
        raise ValueError(
            f"{data.name} expects n_iter as a whole number of applications, zero or more, but got "
            f"{n_iter!r}."
        )
    return int(n_iter)


def log_of(data: Densities, weights: Any) -> Any:
    """Logarithms of weights, -inf where they are zero."""
    with np.errstate(divide="ignore"):
        return data.xp.log(weights)
