"""What a fitted mixture answers: labels, responsibilities, densities, samples, criteria."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import validation
from .blocks import ArraySource
from .criteria import CriteriaMixin
from .discriminants import Array, Frame

if TYPE_CHECKING:
    from .family import AbstractFamily
    from .source import AbstractSource


BLOCK = 65536  # rows whose responsibilities exist at a time

FAR = 1e14
"""Nats below which a log-density has lost the differences between components to rounding."""

NEAR_POWER = 23
"""Rows further away than two to this many standard deviations are taken for their direction."""


class InferenceMixin(CriteriaMixin):
    """Predictions from the fitted attributes alone; nothing here changes the estimator."""

    _positive_only: ClassVar[bool] = False
    """Whether rows must not be negative, as counts."""

    def _check_rows(self, X: np.ndarray) -> None:
        """ValueError if a row lies outside the family's support."""
        if self._positive_only:
            validation.refuse_negative(type(self).__name__, X)

    def _validated(self, X: Any, *, reset: bool, ensure_min_samples: int = 1) -> Any:
        """Rows as the model's source takes them, or an error; names and width checked or learnt."""
        rows = validation.check_rows(self, X, reset=reset, ensure_min_samples=ensure_min_samples)
        self._check_rows(rows)
        return rows

    def _opened(self, rows: Any, frame: Frame) -> AbstractSource:
        """Validated rows as a source, to predict for."""
        return ArraySource(rows, frame=frame, n_threads=self.n_threads)

    def _fitted_to(self, rows: Any) -> tuple[AbstractFamily[Any], Any, Frame]:
        """Family, parameters and frame to predict for these rows with."""
        return self._fitted_family()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.positive_only = self._positive_only
        return tags

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Label each row by its most probable component.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
        """
        labels = [resp.argmax(axis=1) for resp, _ in self._posterior(self._rows(X))]
        return np.concatenate(labels)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Responsibilities: the probability of each component given the row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        responsibilities : ndarray of shape (n_samples, n_components)
            Rows sum to one; float32 for float32 rows.
        """
        rows = self._rows(X)
        return np.concatenate(
            [
                resp.astype(validation.float_type(rows), copy=False)
                for resp, _ in self._posterior(rows)
            ]
        )

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows from the fitted mixture, grouped by component.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
            None: the estimator's own; with an int the rows are the same in every call.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
        y : ndarray of shape (n_samples,), int
            The component of each row.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one "
                "sample."
            )
        rng = check_random_state(self.random_state if random_state is None else random_state)
        family, params, frame = self._fitted_family()
        weights = np.asarray(params.weights, dtype=np.float64)
        counts = rng.multinomial(n_samples, weights / weights.sum())
        rows = [family.sample(params, c, int(n), rng) for c, n in enumerate(counts)]
        labels = np.repeat(np.arange(len(counts)), counts)
        return self._as_data(np.vstack(rows), frame), labels

    def _as_data(self, points: Array, frame: Frame) -> np.ndarray:
        """Points that a family drew, as rows such as users pass."""
        return frame.from_frame(points)

    def _rows(self, X: ArrayLike) -> Any:
        """Rows to predict for, validated."""
        check_is_fitted(self)
        validation.refuse_lazy_array(type(self).__name__, X)
        return self._validated(X, reset=False)

    def _log_density(self, rows: np.ndarray) -> Array:
        """Log-densities (n,) of validated rows, in float64 whatever theirs is."""
        return np.concatenate([log_density for _, log_density in self._posterior(rows)])

    def _posterior(self, rows: Any) -> Iterator[tuple[Array, Array]]:
        """Responsibilities (b, k) and log-densities (b,) of validated rows, block by block."""
        family, params, frame = self._fitted_to(rows)
        discriminants = family.discriminants(params)
        for lo in range(0, rows.shape[0], BLOCK):
            block = rows[lo : lo + BLOCK]
            with self._opened(block, frame) as source:
                resp, log_norm = source.posterior(discriminants)
            far = np.flatnonzero(~(log_norm > -FAR))
            if far.size:
                there = self._far_rows(family, params, frame, block[far], log_norm[far])
                resp[far], log_norm[far] = there
            yield resp, log_norm + family.log_base(block) + frame.log_jacobian

    def _softened(self, v: Any) -> Any:
        """Discriminants without zero probabilities, so that they tell all rows apart."""
        return v

    def _far_rows(
        self, family: AbstractFamily[Any], params: Any, frame: Frame, rows: Any, log_norm: Array
    ) -> tuple[Array, Array]:
        """Responsibilities and log-normalisers of rows (m, d) so far away that rounding decides.

        One for the likeliest component: along a ray from the data, it does not change any more; so
        it is asked for nearer to them, where the terms that are linear in the row are not yet lost.
        """
        reach = np.frexp(rows)[1] + np.frexp(frame.scale)[1]
        back = np.maximum(reach.max(axis=1, keepdims=True) - NEAR_POWER, 0)
        x = np.ldexp(rows.astype(np.float64), np.frexp(frame.scale)[1] - 1 - back)
        Z = x - np.where(back > 0, 0.0, frame.centre * frame.scale)
        with ArraySource(Z) as source:
            resp, _ = source.posterior(family.discriminants(params))
        return np.eye(resp.shape[1])[resp.argmax(axis=1)], log_norm

    if TYPE_CHECKING:
        n_components: int
        n_threads: int | None
        random_state: Any

        def _fitted_family(self) -> tuple[AbstractFamily[Any], Any, Frame]: ...
