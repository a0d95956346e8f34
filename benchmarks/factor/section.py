"""A part of the page, and what it was to show."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from ..targets import verdict


class Target(NamedTuple):
    what: str
    asked: str
    found: str
    met: bool

    @classmethod
    def at_most(cls, what: str, most: float, found: float, digits: int) -> Self:
        return cls(what, f"≤ {most:g}", f"{found:.{digits}f}", found <= most)

    def line(self) -> list[str]:
        """For the table of all targets."""
        return [self.what, self.asked, self.found, verdict(self.met)]


@dataclass
class Section:
    title: str
    text: str
    targets: list[Target] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """How a run is made."""

    quick: bool
    rounds: int
    jobs: int
    cache: str
    start: float = field(default_factory=time.perf_counter)

    def say(self, what: str) -> None:
        """Progress, with the seconds since the start."""
        print(f"[{time.perf_counter() - self.start:5.0f} s] {what}", file=sys.stderr, flush=True)
