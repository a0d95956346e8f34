"""What a mixture over categories of named features does beside EM: names in, names out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import validation
from .categories import Categories, check_categories, sizes_of
from .discrete import AbstractCodedMixture
from .discriminants import Array, Frame


class AbstractCategoryMixture(AbstractCodedMixture):
    """Base of mixtures of categories, whose second parameter (k, m) has those of all features.

    A subclass has the options `categories` and `handle_unknown`, as `CategoricalMixture`.
    """

    _prior_axes = 3  # components, features, categories

    categories: Any
    handle_unknown: str
    categories_: list[np.ndarray]

    def _validated(self, X: Any, *, reset: bool, ensure_min_samples: int = 1) -> Categories:
        given = None if isinstance(self.categories, str) else self.categories
        rows = check_categories(
            self,
            X,
            given if reset else self.categories_,
            reset=reset,
            ignore_unknown=self.handle_unknown == "ignore",
            ensure_min_samples=ensure_min_samples,
        )
        if reset:
            self.categories_ = rows.categories
        return rows

    def _check_training_rows(
        self, X: ArrayLike, sample_weight: ArrayLike | None, warm: bool
    ) -> tuple[Any, Array | None]:
        rows, w = super()._check_training_rows(X, sample_weight, warm)
        if isinstance(self.categories, str) and not warm:
            rows = rows.seen()  # a row of weight zero is as good as absent
            self.categories_ = rows.categories
        rows.answered(type(self).__name__)
        return rows, w

    def _starting(self, name: str, value: Any, n_features: int) -> Array:
        sizes = sizes_of(self.categories_)
        parts = list(value)
        if len(parts) != len(sizes):
            raise ValueError(
                f"The parameter '{name}' should be a list with an array for each of the "
                f"{len(sizes)} features, but got {len(parts)} items."
            )
        checked = []
        for j, (part, size) in enumerate(zip(parts, sizes.tolist(), strict=True)):
            label = f"{name}[{j}]"
            array = validation.check_shape(label, part, (self.n_components, size))
            validation.check_range(label, array, 0.0, 1.0)
            off = np.abs(array.sum(axis=1) - 1.0)
            if off.max() > validation.WEIGHT_SUM:
                raise ValueError(
                    f"The parameter '{label}' should be normalized in each row, but row "
                    f"{off.argmax()} sums to {array[off.argmax()].sum():.5f}"
                )
            checked.append(array)
        return np.hstack(checked)

    def _parameter_attributes(self, params: Any, dtype: Any) -> dict[str, Any]:
        attributes = super()._parameter_attributes(params, dtype)
        name = f"{self._params._fields[1]}_"
        ends = np.cumsum(sizes_of(self.categories_))[:-1]
        parts = np.split(attributes[name], ends, axis=1)
        return attributes | {name: [np.ascontiguousarray(part) for part in parts]}

    def _attribute_params(self) -> Any:
        weights, parts = (getattr(self, f"{name}_") for name in self._params._fields)
        return self._params(np.array(weights, dtype=np.float64), np.hstack(parts, dtype=np.float64))

    def _shapes(self) -> dict[str, Any]:
        categories = [values.tolist() for values in self.categories_]
        return {"weights_": self.weights_.shape, "categories_": categories}

    def _as_data(self, points: Array, frame: Frame) -> np.ndarray:
        """Codes (n, d) as what they stand for; of objects, unless all categories are numbers."""
        numbers = all(values.dtype.kind in "biuf" for values in self.categories_)
        kind = np.result_type(*self.categories_) if numbers else np.dtype(object)
        X = np.empty(points.shape, dtype=kind)
        for j, values in enumerate(self.categories_):
            X[:, j] = values[points[:, j].astype(np.intp)]
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags
