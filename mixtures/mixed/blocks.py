"""Blocks: named columns, and the unfitted mixture whose components they have."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator

from .._compat import has_callbacks
from ..core.estimator import AbstractMixture
from .columns import label, positions

EXAMPLE = '("size", GaussianMixture(), [0, 1])'


class Block(NamedTuple):
    """A mixture over some columns, with the parameters that all blocks share."""

    name: str
    estimator: AbstractMixture
    columns: np.ndarray  # (m,), positions in X


class BlocksMixin(BaseEstimator):
    """Parameters of the blocks' estimators as `block__parameter`, and what blocks may be."""

    if TYPE_CHECKING:
        blocks: Sequence[Any]
        remainder: str | None

    def _estimators(self) -> dict[str, Any]:
        """The blocks' estimators by name, as far as `blocks` is well-formed."""
        if not isinstance(self.blocks, (list, tuple)):
            return {}
        triples = [b for b in self.blocks if isinstance(b, (list, tuple)) and len(b) == 3]
        named = (b for b in triples if isinstance(b[0], str))
        return {b[0]: b[1] for b in named if isinstance(b[1], BaseEstimator)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; those of a block's estimator too, as ``block__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the blocks' estimators, by the names of the blocks, and their parameters.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=False)
        for name, estimator in self._estimators().items() if deep else ():
            own = {f"{name}__{key}": value for key, value in estimator.get_params().items()}
            params = {name: estimator, **own, **params}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``block__parameter`` those of a block, ``block`` its estimator.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : object
        """
        if "blocks" in params:
            self.blocks = params.pop("blocks")
        known = self._estimators()
        new = {name: params.pop(name) for name in known if name in params}
        if new:
            self.blocks = [(name, new.get(name, old), own) for name, old, own in self.blocks]
        super().set_params(**params)
        return self

    def _check_blocks(self) -> None:
        """ValueError or TypeError where `blocks` are not what they should be."""
        name = type(self).__name__
        if not len(self.blocks):
            raise ValueError(
                f"{name} expects blocks of columns, but got none. Pass a list of (name, estimator, "
                f"columns), as blocks=[{EXAMPLE}]."
            )
        for block in self.blocks:
            if not (isinstance(block, (list, tuple)) and len(block) == 3):
                raise ValueError(
                    f"{name} expects each block as (name, estimator, columns), but got {block!r}. "
                    f"An example is {EXAMPLE}."
                )
            if not isinstance(block[1], AbstractMixture) or isinstance(block[1], BlocksMixin):
                raise TypeError(
                    f"{name} expects an unfitted mixture of columns of one kind as the estimator "
                    f"of block {block[0]!r}, but got {block[1]!r}. An example is {EXAMPLE}."
                )
        self._check_names([block[0] for block in self.blocks])
        for own, estimator, _ in self.blocks:
            self._refuse_shared(own, estimator)

    def _check_names(self, names: list[Any]) -> None:
        for name in names:
            if not isinstance(name, str) or not name or "__" in name or name in self._own():
                raise ValueError(
                    f"{type(self).__name__} expects names of blocks to be strings without '__' "
                    f"that are none of its own parameters, but got {name!r}. Choose another one."
                )
        if len(set(names)) < len(names):
            raise ValueError(
                f"{type(self).__name__} expects blocks of different names, but got {names}."
            )

    def _own(self) -> list[str]:
        return list(super().get_params(deep=False))

    def _refuse_shared(self, name: str, estimator: AbstractMixture) -> None:
        """ValueError for a parameter that the blocks share, where a block sets its own."""
        defaults = signature(type(estimator)).parameters
        for shared in self._own():
            if shared not in defaults:
                continue
            value, default = getattr(estimator, shared), defaults[shared].default
            if value is not default and not (np.isscalar(value) and value == default):
                raise ValueError(
                    f"{type(self).__name__} has one {shared} for all blocks, but block {name!r} "
                    f"sets its own, {shared}={value!r}. Pass it to {type(self).__name__} instead; "
                    "a block says which components its columns have, not how they are fitted."
                )
        if has_callbacks(estimator):
            raise ValueError(
                f"{type(self).__name__} is fitted as one, but block {name!r} has callbacks of its "
                f"own. Set them on {type(self).__name__} instead."
            )

    def _positions(self, X: Any, names: np.ndarray | None) -> list[np.ndarray]:
        """Columns of each block; ValueError where they overlap, or are not all."""
        found = [positions(name, columns, X, names) for name, _, columns in self.blocks]
        owner: dict[int, str] = {}
        for (name, _, _), columns in zip(self.blocks, found, strict=True):
            for column in columns.tolist():
                if column in owner:
                    raise ValueError(
                        f"Column {label(column, names)} is in the blocks {owner[column]!r} and "
                        f"{name!r}, which are independent given the component: it can be in one."
                    )
                owner[column] = name
        missing = [label(j, names) for j in range(X.shape[1]) if j not in owner]
        if missing and self.remainder is None:
            raise ValueError(
                f"The columns {', '.join(missing)} of X are in no block. Put them into one, or set "
                "remainder='drop' to leave them out of the model."
            )
        return found
