"""What the benchmarks must show: the table of issue 2, "First light"."""

from __future__ import annotations

from typing import NamedTuple


class Speed(NamedTuple):
    """How many times our time a peer's must be at least; None where it does not take part."""

    sklearn: float
    onedal: float | None


SPEED = {
    "G1": Speed(25, 4),
    "G2": Speed(50, 3.5),
    "G3": Speed(7.5, 2.3),
    "G4": Speed(3.5, 2.4),
    "G5": Speed(8, 3.3),
    "G6": Speed(38, None),
    "G7": Speed(50, None),
    "G8": Speed(20, None),  # a whole fit of 20 iterations, validation included
    "G9": Speed(35, 2.4),
}
TWO_THREADS = 1.8  # times faster than one, on passes over 5 ms and an idle machine
LONG_PASS = 5.0  # ms
GROWTH = 16.0  # MiB beyond the data during a fit of G2, one thread
FEWER_MAPS = 2.0  # times, to 1e-9 nats of the best
STARTUP = 1.0  # of scikit-learn's first fit in a fresh process
COLD = 15.0  # seconds of a first fit with nothing compiled


def verdict(met: bool) -> str:
    """What stands beside a figure."""
    return "met" if met else "**missed**"
