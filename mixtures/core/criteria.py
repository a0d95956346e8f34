"""What a fitted mixture says of how well it fits: information criteria, and a certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy
from sklearn.utils.validation import check_is_fitted

from . import validation
from .certificate import Certificate, certify
from .discriminants import Array, Frame
from .em import EMProblem
from .likelihood import LikelihoodMixin, weighted_sum

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .family import AbstractFamily


class CriteriaMixin(LikelihoodMixin):
    """Criteria to choose among models by, from the fitted attributes alone."""

    def n_parameters(self) -> int:
        """Number of free parameters of the fitted model, mixing weights included."""
        check_is_fitted(self)
        family, params, _ = self._fitted_family()
        return family.n_parameters(params)

    def icl(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood: BIC plus twice the entropy of the responsibilities.

        Lower is better; it prefers components that separate (Biernacki, Celeux and Govaert 2000).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        sample_weight : array-like of shape (n_samples,), default=None
        """
        rows = self._rows(X)
        entropies, log_densities = [], []
        for resp, log_density in self._posterior(rows):
            entropies.append(-xlogy(resp, resp).sum(axis=1))
            log_densities.append(log_density)
        log_likelihood, n = weighted_sum(np.concatenate(log_densities), sample_weight)
        entropy, _ = weighted_sum(np.concatenate(entropies), sample_weight)
        return 2.0 * (entropy - log_likelihood) + self.n_parameters() * float(np.log(n))

    def certificate(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Certificate:
        """Say whether the fit stopped at a maximum, a saddle, a ridge, or on the boundary.

        The gradient of log-likelihood plus log-prior, and the smallest eigenvalue of the observed
        information, minus its Hessian, at the fitted parameters, in nats. The gradient is that of
        the expected complete-data log-posterior Q (Fisher's identity, Louis 1982, J. R. Statist.
        Soc. B 44): ``grad log p(X | t) = grad_s E[log p(X, z | s) | X, t] at s = t``; the Hessian
        is its difference quotient. It costs dozens to hundreds of E-steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows that the mixture was fitted to.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights in the fit.

        Returns
        -------
        certificate : Certificate
            A named tuple of the verdict, the norm of the gradient (nats), what a Newton step still
            promises (nats), the smallest eigenvalue in units of the complete-data information, and
            more; as a string, a sentence or two.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For rows that the mixture does not take.

        Examples
        --------
        >>> from mixtures import GaussianMixture
        >>> from mixtures.datasets import load_faithful
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(2, random_state=0, tol=1e-9, max_iter=500).fit(X)
        >>> found = gm.certificate(X)
        >>> found.verdict.value, bool(found.gain < 1e-4)
        ('A maximum', True)
        """
        rows = self._rows(X)
        w = validation.check_sample_weight(sample_weight, rows.shape[0])
        rows, w = validation.drop_weightless(rows, w)
        with self._source(rows, w) as (source, totals):
            problem = EMProblem.of(source, self._family(source, totals))
            return certify(problem, self._to_frame(self._attribute_params(), source.frame))

    if TYPE_CHECKING:

        def _rows(self, X: ArrayLike) -> Any: ...
        def _log_density(self, rows: Any) -> Array: ...
        def _posterior(self, rows: Any) -> Iterator[tuple[Array, Array]]: ...
        def _fitted_family(self) -> tuple[AbstractFamily[Any], Any, Frame]: ...
        def _source(self, X: Any, w: Array | None) -> AbstractContextManager[Any]: ...
        def _family(self, source: Any, totals: Any) -> AbstractFamily[Any]: ...
        def _to_frame(self, params: Any, frame: Frame) -> Any: ...
        def _attribute_params(self) -> Any: ...
