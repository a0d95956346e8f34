"""Principal component analysis as a model: its maximum likelihood is an eigendecomposition."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._compat import Interval, StrOptions
from ..core import validation
from ..core.discriminants import Array
from .base import AbstractLatentGaussian
from .fitted import Fitted
from .gap_fit import fit_gaps
from .gaps import has_gaps
from .principal import (
    MOST_PRODUCTS,
    Principal,
    cheapest,
    principal_axes,
    with_positive_peaks,
)
from .spherical import (
    NOISES,
    AbstractNoise,
    say_floored,
    spherical_attributes,
    varies_everywhere,
)


class ProbabilisticPCA(AbstractLatentGaussian):
    """Probabilistic principal component analysis, by maximum likelihood; with no noise, PCA.

    ``x = mean + W z + e`` with factors ``z ~ N(0, I)`` and noise ``e ~ N(0, sigma^2 I)``, so that
    ``x ~ N(mean, W W' + sigma^2 I)``. With the eigenvectors ``U`` and the largest eigenvalues
    ``Lambda`` of the n-normalised covariance the maximum is at ``W = U (Lambda - sigma^2 I)^1/2``
    and ``sigma^2``, the mean of the eigenvalues left out (Tipping and Bishop 1999, J. R. Statist.
    Soc. B 61, section 3.2). It is determined up to a rotation of the factors; the one chosen is
    that of the principal axes.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=None
        Number of factors, q. A float is the share of variance that they are to exceed. None is as
        many as leave the noise one direction with variance, `n_features` - 1 if there are more rows
        than that; with ``noise="zero"``, all directions with variance. With a float or None,
        directions without variance, to rounding, are never counted.
    noise : {'isotropic', 'zero'}, default='isotropic'
        'zero' is the limit for vanishing noise, PCA: factors are scores on the principal axes, in
        units of the data, and there is no density unless all directions are kept.
    svd_solver : {'auto', 'covariance', 'gram', 'randomized'}, default='auto'
        Eigenvectors of the covariance of features, of the inner products of rows, or by products
        of blocks of vectors with the rows (Krylov), from random ones until the residuals are
        rounding. 'auto' is the one with least work.
    tol : float, default=1e-6
        Only for rows with missing numbers: EM stops when the objective changes by less, in nats per
        row.
    max_iter : int, default=1000
        Only for rows with missing numbers: number of EM iterations.
    iterated_power : int or 'auto', default='auto'
        Products with the rows that 'randomized' may take; 'auto' is as many as it needs.
    random_state : int, RandomState instance or None, default=None
        For :meth:`sample` and :meth:`sample_missing`, and where 'randomized' starts.
    n_threads : int, default=None
        None uses the cores that this process may use. Any number gives the same bits.

    Attributes
    ----------
    components_ : ndarray of shape (n_components_, n_features)
        Orthonormal principal axes, by decreasing variance; of each, the entry of largest size is
        positive, as in scikit-learn.
    explained_variance_ : ndarray of shape (n_components_,)
        Eigenvalues of the n-normalised covariance, the maximum-likelihood estimate. (scikit-learn's
        are larger by n / (n - 1).)
    explained_variance_ratio_ : ndarray of shape (n_components_,)
        Their shares of the total variance.
    singular_values_ : ndarray of shape (n_components_,)
        Of the centred rows: ``sqrt(n * explained_variance_)``, n the sum of the weights.
    noise_variance_ : float
        ``sigma^2``, the mean of the eigenvalues left out; zero with ``noise="zero"``.
    loadings_ : ndarray of shape (n_features, n_components_)
        W; with ``noise="zero"``, ``U Lambda^1/2``.
    mean_ : ndarray of shape (n_features,)
    posterior_covariance_ : ndarray of shape (n_components_, n_components_)
        ``cov(z | x) = sigma^2 (W' W + sigma^2 I)^-1``, the same for all complete rows.
    log_likelihood_ : float
        Nats per row, at the maximum; only with a density.
    n_components_ : int
        q.
    svd_solver_ : str
        The solver that ran; 'em' for rows with missing numbers.
    n_samples_ : int
        Rows of positive weight.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has column names.
    n_iter_ : int
        Products with the rows of 'randomized', iterations of EM for rows with missing numbers, 1
        for a decomposition.
    converged_, stop_reason_, log_likelihoods_
        Only for rows with missing numbers: how EM went, with the objective after each iteration.

    Raises
    ------
    ValueError
        If X or a parameter is not as described, or if all rows are equal, so that there is no
        density.

    Warns
    -----
    DegenerateDataWarning
        If the directions left out have no variance: the likelihood is then unbounded, and
        `noise_variance_` is held at 1e-12 of the largest variance.

    Notes
    -----
    ``transform`` gives posterior means ``(W' W + sigma^2 I)^-1 W' (x - mean)``, principal scores
    that are shrunk; with ``noise="zero"``, the scores ``U' (x - mean)``. ``inverse_transform``
    gives ``W z + mean``, what is expected of a row given its factors. It is not the row's
    projection on the principal subspace; that one, the nearest point, is ``mean + W (W' W)^-1
    (W' W + sigma^2 I) z`` for posterior means z (Tipping and Bishop 1999, section 3.3), or
    ``inverse_transform`` with ``noise="zero"``.

    scikit-learn's ``PCA.score`` takes variances with the divisor n - 1: it is not the maximum of
    the likelihood, which is higher.

    Examples
    --------
    >>> from mixtures import ProbabilisticPCA
    >>> from mixtures.datasets import load_faithful
    >>> X = load_faithful().data  # minutes of eruption, minutes to the next one
    >>> model = ProbabilisticPCA(n_components=1).fit(X)
    >>> print(model.components_.round(3), model.explained_variance_ratio_.round(4))
    [[0.076 0.997]] [0.9987]
    >>> print(round(model.noise_variance_, 3), round(model.score(X), 3))
    0.243 -4.742
    >>> model.impute([[4.0, float("nan")]]).round(1)
    array([[ 4. , 76.4]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [
            Interval(Integral, 0, None, closed="left"),
            Interval(Real, 0.0, 1.0, closed="neither"),
            None,
        ],
        "noise": [StrOptions({"isotropic", "zero"})],
        "svd_solver": [StrOptions({"auto", "covariance", "gram", "randomized"})],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "iterated_power": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_components: float | None = None,
        *,
        noise: str = "isotropic",
        svd_solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        iterated_power: int | str = "auto",
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components, self.noise, self.svd_solver = n_components, noise, svd_solver
        self.tol, self.max_iter, self.iterated_power = tol, max_iter, iterated_power
        self.random_state, self.n_threads = random_state, n_threads

    # ---- fitting -----------------------------------------------------------------------------

    def _fit_complete(self, rows: np.ndarray, w: Array | None, total: float) -> dict[str, Any]:
        noise, wanted = NOISES[self.noise], self._wanted(rows.shape)
        solver = self.svd_solver
        if solver == "auto":
            solver = cheapest(rows.shape[0], rows.shape[1], wanted)
        most = MOST_PRODUCTS if self.iterated_power == "auto" else int(self.iterated_power)
        found = principal_axes(
            rows, w, wanted, solver=solver, max_products=most, random_state=self.random_state,
            n_threads=self.n_threads,
        )  # fmt: skip
        single = rows.dtype == np.float32
        validation.refuse_unsquarable(type(self).__name__, found.frame.scale, single=single)
        if wanted is None:
            found = found.leading(self._enough(found, noise.room(found)))
        variance = noise.variance(found)
        attributes = spherical_attributes(found, variance, rows, total)
        return attributes | {"svd_solver_": solver, "n_iter_": found.n_products}

    def _wanted(self, shape: tuple[int, ...]) -> int | None:
        """The number of factors asked for, checked; None where the variances are to decide."""
        if not isinstance(self.n_components, Integral):
            if self.svd_solver == "randomized":
                raise ValueError(
                    "svd_solver='randomized' expects n_components to be an int, but got "
                    f"{self.n_components!r}: it would have to find all axes. Pass an int, or "
                    "svd_solver='auto'."
                )
            return None
        n, d = shape
        most, formula = NOISES[self.noise].most(n, d)
        if self.n_components > most:
            raise ValueError(
                f"n_components={self.n_components} must be between 0 and {formula}={most} with "
                f"noise={self.noise!r}, but X has n_samples = {n} rows of positive weight and "
                f"n_features = {d}. Use fewer components."
            )
        return int(self.n_components)

    def _enough(self, found: Principal, room: int) -> int:
        """The number of factors that n_components means, None or a share, given all variances."""
        if self.n_components is None or found.total == 0.0:
            return room
        reached = np.cumsum(found.variances) / found.total
        enough = int(np.searchsorted(reached, self.n_components, side="right")) + 1
        # One direction has all variance: then the noise has none, and its floor is reported.
        least = min(1, len(found.frame.centre) - 1)
        return min(enough, max(room, least))

    def _fit_with_gaps(self, rows: np.ndarray, w: Array | None, total: float) -> dict[str, Any]:
        q = self._wanted(rows.shape)
        if q is None:
            several = np.nanmax(rows, axis=0) > np.nanmin(rows, axis=0)
            room = max(min(len(rows) - 2, int(several.sum()) - 1), 0)
            q = room if self.n_components is None else self._share_reached(rows, w, room)
        found, attributes = self._climbed(rows, w, q)
        noise = found.rest / (rows.shape[1] - len(found.axes))
        return spherical_attributes(found, noise, rows, total) | attributes

    def _share_reached(self, rows: np.ndarray, w: Array | None, room: int) -> int:
        """The number of factors that explain the share wanted, by EM with ever more of them."""
        q = min(1, room)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what these fits have to say, the last one says
            found, _ = self._climbed(rows, w, q)
            while q < room and self._enough(found, room) > q:
                q = min(2 * q, room)
                found, _ = self._climbed(rows, w, q)
        return self._enough(found, q)

    def _climbed(
        self, rows: np.ndarray, w: Array | None, n_factors: int
    ) -> tuple[Principal, dict[str, Any]]:
        """What EM found, as principal axes of the model, and how it went."""
        run = fit_gaps(self, rows, w, n_factors, isotropic=True, tol=self.tol)
        noise = float(run.noise[0])
        if run.floored.all():
            say_floored(f"The numbers observed leave no noise, so with n_components={n_factors}")
        u, s, _ = np.linalg.svd(run.loadings, full_matrices=False)
        axes, rest = with_positive_peaks(u.T), noise * (len(run.noise) - n_factors)
        found = Principal(run.frame, axes, s**2 + noise, rest, False)
        return found, run.attributes | {"svd_solver_": "em"}

    # ---- predictions -------------------------------------------------------------------------

    @property
    def _noise(self) -> AbstractNoise:
        """The noise of the fitted model, or of the one to fit."""
        name = self.noise
        if hasattr(self, "noise_variance_"):
            name = "isotropic" if self.noise_variance_ > 0 else "zero"
        return NOISES[name]

    def _refuse_without_density(self, method: str) -> None:
        if self._noise.has_density or not hasattr(self, "components_"):
            return
        variances, d = self.explained_variance_, len(self.mean_)
        if not varies_everywhere(variances, d):
            raise AttributeError(
                f"{type(self).__name__} has no method {method!r} with noise='zero' and "
                f"{len(variances)} directions of {d} with variance: there is no density. Use "
                "noise='isotropic'."
            )

    def _fits_gaps(self) -> bool:
        return self.noise != "zero"

    def _allows_gaps(self) -> bool:
        return self._noise.has_density

    def _n_noise_parameters(self, n_features: int) -> int:
        return self._noise.n_parameters

    def _decoder(self) -> np.ndarray:
        return self._noise.decoder(self)

    def _fitted(self) -> Fitted:
        check_is_fitted(self)
        return self._noise.fitted(self)

    def _block_means(self, fitted: Fitted, away: Array) -> Array:
        if has_gaps(away):
            return super()._block_means(fitted, away)
        return self._noise.means(self, fitted, away)
