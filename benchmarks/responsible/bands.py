"""What the figures must be, and whether they are."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..tables import table
from ..targets import verdict


class Band(NamedTuple):
    """A figure, and the interval it should lie in."""

    what: str
    value: float
    low: float = -math.inf
    high: float = math.inf
    form: str = ".3f"

    @property
    def met(self) -> bool:
        return self.low <= self.value <= self.high  # never for NaN

    def line(self) -> list[str]:
        low, high = format(self.low, self.form), format(self.high, self.form)
        if math.isinf(self.low):
            wanted = f"≤ {high}"
        else:
            wanted = f"≥ {low}" if math.isinf(self.high) else f"{low} to {high}"
        return [self.what, format(self.value, self.form), wanted, verdict(self.met)]


def bands_table(bands: list[Band]) -> str:
    return table(["figure", "found", "wanted", ""], [band.line() for band in bands])
