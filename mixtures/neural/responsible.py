"""The responsible softmax: a softmax whose prior is estimated from the batch it is applied to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._compat import array_namespace
from ..proportions._densities import log_sum_exp
from ._batch import Batch, PriorMap, batch_of, shares_of
from .backend import wide_type
from .prior_gradients import PRIOR_GRADIENTS


@dataclass(frozen=True, eq=False)
class SavedResponsible:
    """What `ResponsibleSoftmax.backward` needs of `ResponsibleSoftmax.forward`.

    Attributes
    ----------
    path : array of shape (m + 1, n_classes)
        Logarithms of the priors, from the start to the one that the posterior has; m is the number
        of applications of the map.
    log_posterior : array of shape (n_samples, n_classes)
        In double precision.
    batch : Batch
        Logits and shares of rows.
    """

    path: Any
    log_posterior: Any
    batch: Batch

    @property
    def log_prior(self) -> Any:
        """(n_classes,), logarithm of the posterior's prior, which sums to one."""
        last = self.path[-1, :]
        return last - log_sum_exp(self.batch.xp, last, axis=0)


class ResponsibleSoftmax:
    """Softmax under a prior that the responsibility map has estimated from the batch.

    With logits A (n, K), so that ``exp(A)`` are densities of the classes up to a constant for each
    row, the prior mu_C (K,) is found by C applications of the responsibility map, one EM step for
    mixing weights each, and the output is the posterior under it, all in logarithms::

        mu_{c+1, k} = log((sum_n w_n softmax(A_n + mu_c)_k + a_k) / (sum w + sum a))
        Y_n = softmax(A_n + mu_C)

    With C = 0 the prior is the start: none is a plain softmax, the shares of the classes a balanced
    softmax (Ren et al. 2020), which is the logit-adjusted loss of Menon et al. (2021).

    Parameters
    ----------
    n_iter : int, default=1
        C, the exact number of applications.
    concentration : float or array-like of shape (n_classes,), default=1.0
        Of a Dirichlet prior on the prior, at least 1: ``a = concentration - 1`` pseudo-rows.
    gradient : {'exact', 'stop', 'implicit', 'neumann'}, default='exact'
        What flows through the prior: all; nothing; the exact gradient at the fixed point, which
        then is the prior, whatever `n_iter`, and needs a concentration above 1; or the truncated
        series of the slides. See :mod:`mixtures.neural.prior_gradients`.

    Raises
    ------
    ValueError
        For a parameter that is not as described, or ``'implicit'`` without a concentration.

    References
    ----------
    R. D. Coatney (2020), A Responsible Softmax Layer in Deep Learning, University of Arizona.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.neural import ResponsibleSoftmax
    >>> layer = ResponsibleSoftmax(n_iter=2)
    >>> logits = np.log([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> log_posterior, saved = layer.forward(logits)
    >>> np.exp(saved.log_prior).round(4)
    array([0.7659, 0.2341])
    >>> cotangent, gradients = layer.backward(saved, np.eye(3, 2) / 3)
    >>> cotangent.round(4)
    array([[-0.0465,  0.0465],
           [-0.4175,  0.4175],
           [-0.2075,  0.2075]])
    """

    def __init__(
        self, n_iter: int = 1, *, concentration: ArrayLike = 1.0, gradient: str = "exact"
    ) -> None:
        if not isinstance(n_iter, Integral) or n_iter < 0:
            raise ValueError(
                f"ResponsibleSoftmax expects n_iter as an integer of zero or more, but got "
                f"{n_iter!r}. Zero applications leave the prior at its start."
            )
        if gradient not in PRIOR_GRADIENTS:
            raise ValueError(
                f"ResponsibleSoftmax expects gradient as one of {sorted(PRIOR_GRADIENTS)}, but got "
                f"{gradient!r}."
            )
        self.n_iter: int = int(n_iter)
        self.gradient: str = gradient
        self.concentration: np.ndarray = check_concentration(concentration)
        if PRIOR_GRADIENTS[gradient].needs_prior and not self.concentration.min() > 1.0:
            raise ValueError(
                f"gradient={gradient!r} expects a concentration above 1 for every class, but got "
                f"{self.concentration.min():g}: without pseudo-rows the fixed point is on the "
                "boundary for most batches, where the loss is infinite. Use concentration=2, or "
                "gradient='exact' with a few applications."
            )

    def forward(
        self, logits: Any, log_start: Any = None, sample_weight: Any = None
    ) -> tuple[Any, SavedResponsible]:
        """Posteriors of a batch under the prior estimated from it.

        Parameters
        ----------
        logits : array of shape (n_samples, n_classes)
            A, float32 or float64, of NumPy or another array-API namespace. A constant added to a
            row changes nothing.
        log_start : array of shape (n_classes,), default=None
            Logarithm of the prior to start from, up to a constant; None is a uniform one.
        sample_weight : array of shape (n_samples,), default=None
            A row of weight w counts as w rows in the map.

        Returns
        -------
        log_posterior : array of shape (n_samples, n_classes)
            In nats, of the type of `logits`.
        saved : SavedResponsible
            For `backward`; its `log_prior` is the prior that was found.

        Raises
        ------
        ValueError
            For other shapes, NaN, or weights that are negative or all zero.
        """
        logits, log_start, w = _checked(logits, log_start, sample_weight)
        xp = array_namespace(logits)
        k = logits.shape[1]
        if self.concentration.ndim and self.concentration.shape != (k,):
            raise ValueError(
                f"concentration.shape == {self.concentration.shape}, but the logits have {k} "
                "classes: expected one number, or one for each class."
            )
        shares = shares_of(xp, logits.device, logits.shape, w, self.concentration - 1.0)
        return self.apply(batch_of(xp, logits, *shares), log_start)

    def apply(self, batch: Batch, log_start: Any) -> tuple[Any, SavedResponsible]:
        """`forward` for a batch that is known to be in order."""
        rule = PRIOR_GRADIENTS[self.gradient]
        path, log_posterior = rule.forward(batch, log_start, self.n_iter)
        saved = SavedResponsible(path, log_posterior, batch)
        return batch.xp.astype(log_posterior, batch.logits.dtype, copy=False), saved

    def prior_of(self, batch: PriorMap, log_start: Any) -> Any:
        """The logarithm of the prior (n_classes,) that a batch known to be in order ends with."""
        path, _ = PRIOR_GRADIENTS[self.gradient].forward(batch, log_start, self.n_iter)
        last = path[-1, :]
        return last - log_sum_exp(batch.xp, last, axis=0)

    @property
    def n_steps(self) -> int:
        """Applications that a guess of the prior may count on: one, where they never end."""
        return 1 if PRIOR_GRADIENTS[self.gradient].needs_prior else self.n_iter

    @property
    def estimates(self) -> bool:
        """Whether the prior depends on the batch."""
        return self.n_iter > 0 or PRIOR_GRADIENTS[self.gradient].needs_prior

    def backward(self, saved: SavedResponsible, cotangent: Any) -> tuple[Any, dict[str, Any]]:
        """Pull a cotangent of the log-posterior back to the logits and to the start.

        With S_c the responsibilities under mu_c, shares s of rows and ``V = s S_c / pi_{c+1}``, an
        application is differentiated by ``g = V v - S_c sum_k (V v)_k``; the logits get all g, and
        the sum of g over rows is the cotangent v of mu_c. It takes O(C n K).

        Parameters
        ----------
        saved : SavedResponsible
            Of the same layer's `forward`.
        cotangent : array of shape (n_samples, n_classes)
            The gradient of a function with respect to the log-posterior; zero where that is -inf.

        Returns
        -------
        cotangent_logits : array of shape (n_samples, n_classes)
        gradients : dict
            ``"log_start"`` : array of shape (n_classes,); zero for ``gradient='stop'`` and for a
            fixed point.

        Raises
        ------
        ValueError
            For a cotangent of another shape than the logits.
        """
        batch = saved.batch
        if tuple(cotangent.shape) != tuple(batch.logits.shape):
            raise ValueError(
                f"cotangent.shape == {tuple(cotangent.shape)}, expected that of the logits, "
                f"{tuple(batch.logits.shape)}."
            )
        rule = PRIOR_GRADIENTS[self.gradient]
        found, start = rule.backward(batch, saved.path, saved.log_posterior, cotangent)
        found = batch.xp.astype(found, batch.logits.dtype, copy=False)
        return found, {"log_start": start}


def check_concentration(concentration: ArrayLike) -> np.ndarray:
    """A number or one for each class, finite and at least 1, or ValueError."""
    alpha = np.asarray(concentration, dtype=np.float64)
    if alpha.ndim > 1 or not ((alpha >= 1.0) & (alpha < math.inf)).all():
        raise ValueError(
            f"concentration should be finite and at least 1, one number or one for each class, but "
            f"got {concentration!r}. Below 1 the posterior of the prior is unbounded where a class "
            "vanishes; 1 adds nothing."
        )
    return alpha


def _vector(xp: Any, values: Any, dtype: Any, device: Any) -> Any:
    """An array of the namespace on the device, of a type; itself if it is one."""
    try:
        if array_namespace(values) is xp and values.device == device:
            return xp.astype(values, dtype, copy=False)
    except TypeError:  # lists
        pass
    return xp.asarray(values, dtype=dtype, device=device)


def _checked(logits: Any, log_start: Any, w: Any) -> tuple[Any, Any, Any]:
    """Arguments of `forward` as floating-point arrays of one namespace, or ValueError."""
    try:
        xp = array_namespace(logits)
    except TypeError:  # lists
        logits = np.asarray(logits, dtype=np.float64)
        xp = array_namespace(logits)
    device = logits.device
    dtype = wide_type(xp, device)
    if not xp.isdtype(logits.dtype, "real floating"):
        logits = xp.astype(logits, dtype)
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(
            f"ResponsibleSoftmax expects logits of shape (n_samples, n_classes), but their shape "
            f"is {tuple(logits.shape)}."
        )
    n, k = logits.shape
    if log_start is None:
        log_start = xp.zeros(k, dtype=dtype, device=device)
    log_start = _vector(xp, log_start, dtype, device)
    if tuple(log_start.shape) != (k,) or not math.isfinite(float(xp.max(log_start))):
        raise ValueError(
            f"ResponsibleSoftmax expects log_start as {k} logarithms, one for each class and not "
            f"all -inf, but got {log_start}."
        )
    # NaN if a row has one; -inf if all its classes are excluded.
    finite = xp.isfinite(xp.max(xp.astype(logits, dtype, copy=False) + log_start, axis=1))
    if not bool(xp.all(finite)):
        row = int(xp.argmin(xp.astype(finite, xp.int32)))
        raise ValueError(
            "ResponsibleSoftmax expects logits that are numbers, or -inf for some classes of a row "
            f"but not for all that log_start allows; those of row {row} are {logits[row, :]}."
        )
    if w is None:
        return logits, log_start, None
    w = _vector(xp, w, dtype, device)
    if tuple(w.shape) != (n,) or not (bool(xp.all(w >= 0)) and 0 < float(xp.sum(w)) < math.inf):
        raise ValueError(
            f"ResponsibleSoftmax expects sample_weight as {n} numbers of zero or more, one for "
            f"each row and not all zero, but got an array of shape {tuple(w.shape)}: {w}."
        )
    return logits, log_start, w
