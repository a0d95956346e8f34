"""What a mixture of blocks answers once it is fitted, put together from what its blocks answer."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import get_tags

from ..core.discrete import IMPOSSIBLE
from ..core.discriminants import Array
from ..core.inference import FAR
from ..core.product import ProductFrame, ProductSource
from ..core.product_family import ProductFamily, ProductParams, weightless
from ..priors import Dirichlet
from .blocks import Block
from .columns import selected
from .rows import MixedRows


class JointMixin:
    """Predictions of the joint model from the fitted marginal ones."""

    def _validated(self, X: Any, *, reset: bool, ensure_min_samples: int = 1) -> MixedRows:
        X = self._table(X, reset=reset, ensure_min_samples=ensure_min_samples)
        blocks = self._bound(X, warm=False) if reset else tuple(self.blocks_)
        with warnings.catch_warnings():
            if hasattr(X, "columns") != hasattr(self, "feature_names_in_"):  # that has been said
                warnings.filterwarnings("ignore", message=".*feature names", category=UserWarning)
            parts = tuple(
                own._validated(selected(X, columns), reset=reset) for _, own, columns in blocks
            )
        return MixedRows(parts, blocks, X.shape[1])

    def _fitted_family(self) -> tuple[ProductFamily, ProductParams, Any]:
        return self._fitted_to(None)

    def _fitted_to(self, rows: Any) -> tuple[ProductFamily, ProductParams, Any]:
        own = [None] * len(self.blocks_) if rows is None else rows.parts
        pairs = zip(self.blocks_, own, strict=True)
        found = [block.estimator._fitted_to(part) for block, part in pairs]
        families, params, frames = zip(*found, strict=True)
        names = tuple(block.name for block in self.blocks_)
        family = ProductFamily(families, names, self.weight_prior or Dirichlet())
        weights = np.array(self.weights_, dtype=np.float64)
        joint = ProductParams(weights, tuple(weightless(part) for part in params))
        return family, joint, ProductFrame(frames)

    def _opened(self, rows: MixedRows, frame: Any) -> ProductSource:
        each = zip(rows.blocks, rows.parts, frame.parts, strict=True)
        sources = [block.estimator._opened(part, own) for block, part, own in each]
        return ProductSource(sources, rows, n_threads=self.n_threads)

    def _to_frame(self, params: Any, frame: Any) -> ProductParams:
        each = zip(self.blocks_, params.parts, frame.parts, strict=True)
        parts = (block.estimator._to_frame(part, own) for block, part, own in each)
        return params._replace(parts=tuple(parts))

    def _to_data_units(self, params: Any, frame: Any) -> ProductParams:
        each = zip(self.blocks_, params.parts, frame.parts, strict=True)
        parts = (block.estimator._to_data_units(part, own) for block, part, own in each)
        return params._replace(parts=tuple(parts))

    def _far_rows(
        self, family: Any, params: Any, frame: Any, rows: MixedRows, log_norm: Array
    ) -> tuple[Array, Array]:
        """Responsibilities and log-normalisers of rows that are very unlikely, or impossible.

        Probabilities of zero are taken for vanishing ones. Where rounding decides even so, the
        block does of which the row is furthest away.
        """
        v = family.discriminants(params)
        blocks = rows.blocks
        soft = [
            block.estimator._softened(part) for block, part in zip(blocks, v.parts, strict=True)
        ]
        with self._opened(rows, frame) as source:
            resp, found = source.posterior(v._replace(parts=tuple(soft)))
            own = [part.posterior(one)[1] for part, one in zip(source.parts, soft, strict=True)]
        lost = ~(found > -FAR)
        furthest = np.argmin(np.nan_to_num(own, nan=-np.inf), axis=0)
        each = zip(blocks, family.families, params.parts, frame.parts, rows.parts, own, strict=True)
        for i, (block, part, mine, seen, X, norm) in enumerate(each):
            here = np.flatnonzero(lost & (furthest == i))
            if len(here):
                far = block.estimator._far_rows(part, mine, seen, X[here], norm[here])
                resp[here] = far[0]
        return resp, np.where(log_norm > IMPOSSIBLE, log_norm, -np.inf)

    def _as_data(self, points: Array, frame: Any) -> np.ndarray:
        """Rows of all columns that X had; those that are in no block are missing (NaN)."""
        ends = np.cumsum([len(block.columns) for block in self.blocks_])[:-1]
        each = zip(self.blocks_, np.split(points, ends, axis=1), frame.parts, strict=True)
        parts = [block.estimator._as_data(part, own) for block, part, own in each]
        kind = np.result_type(np.float64, *(part.dtype for part in parts))
        X = np.full((len(points), self.n_features_in_), np.nan, dtype=kind)
        for block, part in zip(self.blocks_, parts, strict=True):
            X[:, block.columns] = part
        return X

    def _attribute_params(self) -> ProductParams:
        parts = (weightless(fitted._attribute_params()) for _, fitted, _ in self.blocks_)
        return ProductParams(np.array(self.weights_, dtype=np.float64), tuple(parts))

    def _shapes(self) -> dict[str, Any]:
        own = {name: fitted._shapes() for name, fitted, _ in self.blocks_}
        return {"weights_": self.weights_.shape, **own}

    def _locations(self, params: Any) -> Array:
        pairs = zip(self._estimators().values(), params.parts, strict=True)
        return np.hstack([estimator._locations(part) for estimator, part in pairs])

    def _permuted(self, params: Any, order: np.ndarray) -> ProductParams:
        pairs = zip(self._estimators().values(), params.parts, strict=True)
        parts = tuple(estimator._permuted(part, order) for estimator, part in pairs)
        return ProductParams(params.weights[order], parts)

    def _reorder(self, order: np.ndarray) -> None:
        for _, fitted, _ in self.blocks_:
            fitted._reorder(order)
        self.weights_ = self.weights_[order]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        own = [get_tags(estimator).input_tags for estimator in self._estimators().values()]
        mine = tags.input_tags
        mine.allow_nan = bool(own) and all(each.allow_nan for each in own)
        for name in ("positive_only", "categorical", "string"):
            setattr(mine, name, any(getattr(each, name) for each in own))
        return tags

    if TYPE_CHECKING:
        blocks_: list[Block]
        weights_: Array
        weight_prior: Dirichlet | None
        n_features_in_: int
        n_threads: int | None

        def _bound(self, X: Any, warm: bool) -> tuple[Block, ...]: ...
        def _estimators(self) -> dict[str, Any]: ...
        def _table(self, X: Any, *, reset: bool, ensure_min_samples: int = 1) -> Any: ...
