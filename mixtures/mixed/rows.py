"""Rows of columns of different kinds, each block of them as its own estimator has validated it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .blocks import Block


class MixedRows(NamedTuple):
    """Rows (n, d) in blocks."""

    parts: tuple[Any, ...]  # for each block what its estimator takes for rows
    blocks: tuple[Block, ...]
    n_features: int  # d, those that are in no block included

    @property
    def shape(self) -> tuple[int, int]:
        return self.parts[0].shape[0], self.n_features

    @property
    def dtype(self) -> Any:
        single = all(part.dtype == np.float32 for part in self.parts)
        return np.dtype(np.float32 if single else np.float64)

    def __getitem__(self, rows: Any) -> MixedRows:
        return self._replace(parts=tuple(part[rows] for part in self.parts))
