"""The estimator of factor analysis: scikit-learn's, converged, and with what it lacks."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._compat import Interval, StrOptions
from ..core import validation
from ..core.discriminants import Array
from ..core.frames import power_of_two_scale
from ..exceptions import HeywoodWarning, IdentifiabilityWarning
from .base import AbstractLatentGaussian
from .estimation import FLOOR, check_noise_start, maximum, moments_of
from .fitted import Fitted
from .gap_fit import fit_gaps
from .gaps import list_features
from .goodness import n_parameters
from .rotation import rotate

MOST_BY_EM = 30  # features of which EM on rows with gaps fits as many factors in some seconds


class FactorAnalysis(AbstractLatentGaussian):
    """Factor analysis by maximum likelihood; a drop-in for scikit-learn's.

    ``x = mean + L z + e`` with factors ``z ~ N(0, I)`` and noise ``e ~ N(0, P)``, P diagonal, so
    that ``x ~ N(mean, L L' + P)``. Given P the best loadings follow from an eigendecomposition
    (Joreskog 1967, Psychometrika 32), and P is found by Newton's method on the covariance of the
    rows; these are read once. In other units the solution is the same, unless it is rotated.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of factors, q. None is `n_features`, as in scikit-learn, and more than a covariance
        can determine: choose one.
    tol : float, default=1e-8
        The iteration ends when another step promises less log-likelihood, in nats over all rows.
        For rows with missing numbers: when EM gains less in an iteration, in nats per row.
    max_iter : int, default=1000
    noise_variance_init : array-like of shape (n_features,), default=None
        Positive noise variances to start from. None starts from the part of each feature that the
        others do not explain, from noise alone, and from little noise, and keeps the best end.
    copy : bool, default=True
    svd_method : {'lapack', 'randomized'}, default='randomized'
    iterated_power : int, default=3
        For compatibility, without effect: X is never written to, decompositions are exact.
    n_init : int, default=1
        The likelihood may have several maxima, mostly in Heywood cases. 1 is the starts above; each
        one more is a search from noise variances drawn at random. The best end is kept.
    rotation : {'varimax', 'quartimax', 'promax', 'oblimin'} or None, default=None
        Of the loadings in the units of the data, as in scikit-learn. (R's ``factanal`` rotates
        loadings of standardised data: standardise first for these.) None is the canonical solution,
        with ``L' P^-1 L`` diagonal. The factors of 'promax' and 'oblimin' correlate.
    random_state : int, RandomState instance or None, default=0
        For :meth:`sample`, :meth:`sample_missing`, and starts beyond the first.
    n_threads : int, default=None
        None uses the cores that this process may use. Any number gives the same bits.

    Attributes
    ----------
    components_, loadings_ : ndarray of shape (n_components, n_features), and its transpose
        Loadings, rotated if asked for.
    noise_variance_ : ndarray of shape (n_features,)
        The diagonal of P.
    mean_ : ndarray of shape (n_features,)
    factor_covariance_ : ndarray of shape (n_components, n_components)
        Correlations of the factors, Phi: the covariance is ``L Phi L' + P``. The identity, unless
        the rotation is oblique.
    uniquenesses_ : ndarray of shape (n_features,)
        Noise variances over the variances of the features; one for constant features.
    heywood_ : ndarray of shape (n_features,), bool
        Features whose noise variance is zero at the maximum; it is held at 1e-12 of their variance.
    posterior_covariance_ : ndarray of shape (n_components, n_components)
        ``cov(z | x)``, the same for all complete rows.
    goodness_of_fit_ : FitTest or None
        Chi-square statistic with Bartlett's correction, degrees of freedom and p-value of the
        hypothesis that q factors suffice. None without degrees of freedom, with missing numbers,
        and where the covariance is singular.
    loglike_ : list of float of length n_iter_
        Log-likelihood after each iteration, in nats over all rows; it never falls.
    log_likelihood_ : float
        The last one, in nats per row.
    n_iter_ : int
    converged_ : bool
    stop_reason_ : str
        Why the iteration ended, as a sentence.
    n_samples_ : int
        Rows of positive weight.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has column names.
    log_likelihoods_ : list of float
        Only for rows with missing numbers: nats per row after each iteration.

    Raises
    ------
    ValueError
        If X or a parameter is not as described.

    Warns
    -----
    HeywoodWarning
        If the likelihood is highest with features that have no noise; it names them.
    IdentifiabilityWarning
        If there are more parameters than a covariance has numbers; it gives both.
    ConvergenceWarning
        If `max_iter` was too small.

    Notes
    -----
    Constant features have no loadings, and noise of variance 1e-12, as scikit-learn has.
    ``transform`` gives posterior means ("regression scores", Thomson 1951).

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from mixtures import FactorAnalysis
    >>> wine = load_wine()
    >>> X = wine.data / wine.data.std(axis=0)
    >>> model = FactorAnalysis(n_components=2, rotation="varimax").fit(X)
    >>> for loadings in model.components_:
    ...     print([wine.feature_names[j] for j in (abs(loadings) > 0.65).nonzero()[0]])
    ['total_phenols', 'flavanoids', 'proanthocyanins', 'od280/od315_of_diluted_wines']
    ['alcohol', 'color_intensity']
    >>> test = model.goodness_of_fit_  # two factors are too few
    >>> print(test.dof, round(test.statistic, 1), bool(test.p_value < 0.01))
    53 279.7 True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 0, None, closed="left"), None],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "copy": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "noise_variance_init": ["array-like", None],
        "svd_method": [StrOptions({"lapack", "randomized"})],
        "iterated_power": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "rotation": [StrOptions({"varimax", "quartimax", "promax", "oblimin"}), None],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        tol: float = 1e-8,
        copy: bool = True,
        max_iter: int = 1000,
        noise_variance_init: ArrayLike | None = None,
        svd_method: str = "randomized",
        iterated_power: int = 3,
        rotation: str | None = None,
        random_state: Any = 0,
        n_init: int = 1,
        n_threads: int | None = None,
    ) -> None:
        self.n_components, self.tol, self.copy, self.max_iter = n_components, tol, copy, max_iter
        self.noise_variance_init, self.svd_method = noise_variance_init, svd_method
        self.iterated_power, self.rotation = iterated_power, rotation
        self.random_state, self.n_init, self.n_threads = random_state, n_init, n_threads

    # ---- fitting -----------------------------------------------------------------------------

    def _fit_complete(self, rows: np.ndarray, w: Array | None, total: float) -> dict[str, Any]:
        q, start = self._n_factors(rows.shape[1]), self.noise_variance_init
        if start is not None:
            start = check_noise_start(start, rows.shape[1])
        moments = moments_of(type(self).__name__, rows, w, self.n_threads)
        found = maximum(
            moments, q, noise_init=start, n_init=self.n_init,
            rng=check_random_state(self.random_state), tol=self.tol / max(total, len(rows)),
            max_iter=self.max_iter, total=total,
        )  # fmt: skip
        self._warn(q, int(moments.varies.sum()), found.heywood)
        reason = found.stop_reason(self.max_iter)
        if not found.solution.converged:
            warnings.warn(
                f"FactorAnalysis did not converge in {found.solution.n_iter} iterations. {reason}",
                ConvergenceWarning,
                stacklevel=4,
            )
        attributes = self._attributes(found.mean, found.loadings, found.noise, rows)
        return attributes | {
            "uniquenesses_": found.uniquenesses.astype(validation.float_type(rows)),
            "heywood_": found.heywood,
            "goodness_of_fit_": found.test,
            "loglike_": [total * value for value in found.trace],
            "log_likelihood_": found.trace[-1],
            "n_iter_": found.solution.n_iter,
            "converged_": found.solution.converged,
            "stop_reason_": reason,
        }

    def _fit_with_gaps(self, rows: np.ndarray, w: Array | None, total: float) -> dict[str, Any]:
        q = self._n_factors(rows.shape[1])
        if self.n_components is None and q > MOST_BY_EM:
            raise ValueError(
                "FactorAnalysis expects n_components to be a number where numbers of X are missing "
                f"(NaN), but got None, which stands for {q}: EM would take very long. Choose one."
            )
        if self.noise_variance_init is not None:
            raise ValueError(
                "noise_variance_init is where to start for complete rows, but numbers of X are "
                "missing (NaN). Pass None."
            )
        run = fit_gaps(self, rows, w, q, isotropic=False, tol=self.tol)
        variances = np.square(run.loadings).sum(axis=1) + run.noise
        shares = np.where(run.varies, run.noise / variances, 1.0)
        heywood = run.floored & run.loadings.any(axis=1)
        self._warn(q, int(run.varies.sum()), heywood)
        scale = run.frame.scale
        attributes = self._attributes(
            run.frame.centre, run.loadings / scale[:, None], run.noise / scale**2, rows
        )
        more = {
            "uniquenesses_": shares.astype(validation.float_type(rows)),
            "heywood_": heywood,
            "goodness_of_fit_": None,
            "loglike_": [total * value for value in run.attributes["log_likelihoods_"]],
        }
        return attributes | run.attributes | more

    def _n_factors(self, d: int) -> int:
        """The number of factors asked for."""
        q = d if self.n_components is None else int(self.n_components)
        if q > d:
            raise ValueError(
                f"n_components={q} must be between 0 and n_features = {d}. Use fewer components."
            )
        return q

    def _warn(self, q: int, d: int, heywood: np.ndarray) -> None:
        """Say what a user should know of a solution for d features that vary."""
        wanted, numbers = n_parameters(d, q), d * (d + 1) // 2
        if wanted > numbers:
            warnings.warn(
                f"{q} factors and the noise of {d} features that vary take {wanted} parameters, "
                f"but their covariance has {numbers} numbers: many solutions fit equally well, "
                "and this is one of them. Use fewer components.",
                IdentifiabilityWarning,
                stacklevel=5,
            )
        if heywood.any():
            warnings.warn(
                "The likelihood is highest without noise of "
                f"{list_features(self, np.flatnonzero(heywood))}, a Heywood case; noise_variance_ "
                f"is held there at {FLOOR:g} of the feature's variance. Use fewer components or "
                "more rows, or drop features that others determine.",
                HeywoodWarning,
                stacklevel=5,
            )

    def _attributes(
        self, mean: Array, loadings: Array, noise: Array, rows: np.ndarray
    ) -> dict[str, Any]:
        """Fitted attributes that hold parameters, given in the units of the data."""
        factors = np.eye(loadings.shape[1])
        if self.rotation is not None and len(factors) > 1:
            unit = float(power_of_two_scale(np.abs(loadings).max(initial=0.0)))
            rotated = rotate(loadings * unit, self.rotation)
            loadings = rotated.loadings / unit
            if self.rotation in ("promax", "oblimin"):  # others: the identity but for rounding
                factors = rotated.factor_covariance
        fitted = Fitted.correlated(mean, loadings, noise, factors)
        arrays = {
            "components_": np.ascontiguousarray(loadings.T),
            "noise_variance_": noise,
            "mean_": mean,
            "factor_covariance_": factors,
            "posterior_covariance_": fitted.posterior_covariance(),
        }
        dtype = validation.float_type(rows)
        return {name: a.astype(dtype) for name, a in arrays.items()} | {"n_samples_": len(rows)}

    # ---- predictions -------------------------------------------------------------------------

    def _fitted(self) -> Fitted:
        check_is_fitted(self)
        return Fitted.correlated(
            self.mean_, self.components_.T, self.noise_variance_, self.factor_covariance_
        )

    def _decoder(self) -> np.ndarray:
        return self.components_

    loadings_ = property(lambda self: self.components_.T, doc="`components_` transposed.")

    def _n_noise_parameters(self, n_features: int) -> int:
        return n_features
