"""The order of components: sorted, or matched to that of another fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.utils.validation import check_is_fitted

from .discriminants import Array, Frame

if TYPE_CHECKING:
    from .family import AbstractFamily


class OrderingMixin:
    """Components carry no names of their own: their order is a matter of taste."""

    _prior_axes: ClassVar[int | None] = None
    """Axes of those hyperparameters of `prior` that differ between components, if any may."""

    def align_to(self, other: Any) -> Self:
        """Reorder the components so that they match those of another fit of the same model.

        The order minimises the sum of distances between matched components (the Hungarian
        algorithm on the family's `distances`).

        Parameters
        ----------
        other : estimator of the same class, fitted, with as many components and features

        Returns
        -------
        self : object
        """
        check_is_fitted(self)
        check_is_fitted(other)
        self._refuse_own_priors("align_to reorders")
        kind = type(self)
        came: Any = other._shapes() if isinstance(other, kind) else None
        if came != self._shapes():
            came = came or f"a {type(other).__module__}.{type(other).__name__}"
            raise ValueError(
                f"align_to expects a fitted {kind.__name__} with parameters of the same shapes, "
                f"{self._shapes()}, but got {came}. Fit both with the same n_components and "
                "structure, on the same features."
            )
        family, params, frame = self._fitted_family()
        _, theirs, their_frame = other._fitted_family()
        distances = family.distances(
            other._to_data_units(theirs, their_frame), self._to_data_units(params, frame)
        )
        self._reorder(linear_sum_assignment(distances)[1])
        return self

    def _refuse_own_priors(self, what: str, way_out: str = "") -> None:
        """ValueError for a prior that would no longer be that of its component."""
        for name, axes in (("prior", self._prior_axes), ("weight_prior", 1)):
            prior = getattr(self, name, None)
            for value in {} if prior is None else vars(prior).values():
                if np.ndim(value) == axes and np.ptp(value, axis=0).any():
                    raise ValueError(
                        f"{what} the components, but {name} gives each its own, {prior!r}. Use the "
                        f"same numbers for all{way_out}."
                    )

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the fitted parameters, by attribute."""
        params = self._attribute_params()
        return {f"{name}_": np.shape(value) for name, value in params._asdict().items()}

    def _ordered(self, params: Any) -> Any:
        """Components in the order that `component_order` asks for."""
        if self.component_order is None:
            return params
        if self.component_order == "weights":
            order = np.argsort(-params.weights, kind="stable")
        else:
            order = np.lexsort(self._locations(params).T[::-1])
        return self._permuted(params, order)

    def _locations(self, params: Any) -> Array:
        """Numbers (k, m) by which components are sorted: of the first, then of the next ones."""
        return params[1]

    def _reorder(self, order: np.ndarray) -> None:
        """Put the components of the fitted attributes into another order (k,)."""
        params = self._permuted(self._attribute_params(), order)
        self.__dict__.update(self._parameter_attributes(params, self.weights_.dtype))

    def _permuted(self, params: Any, order: np.ndarray) -> Any:
        return params._replace(**{name: getattr(params, name)[order] for name in params._fields})

    if TYPE_CHECKING:
        component_order: str | None
        weights_: Array

        def _fitted_family(self) -> tuple[AbstractFamily[Any], Any, Frame]: ...
        def _to_data_units(self, params: Any, frame: Frame) -> Any: ...
        def _attribute_params(self) -> Any: ...
        def _parameter_attributes(self, params: Any, dtype: Any) -> dict[str, Any]: ...
