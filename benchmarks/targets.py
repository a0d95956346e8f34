"""What the benchmarks must show."""

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


class ClusterSpeed(NamedTuple):
    """How many times our time a peer's k-means must be at least."""

    sklearn: float  # an iteration of Lloyd's
    float64: float  # an iteration of any peer that computes in float64
    seeding: float  # scikit-learn's greedy k-means++


CLUSTER_SPEED = {
    "K1": ClusterSpeed(3, 3, 2.4),
    "K2": ClusterSpeed(3, 2.5, 1.3),
    "K3": ClusterSpeed(3, 2.8, 1.8),
    "K4": ClusterSpeed(1.7, 1.4, 1.25),
}
FLOAT32 = {"K1": 1.0}  # times our float64 an iteration of faiss in float32 must take
CONVERGED = 1.0  # times our time a converged fit by scikit-learn's faster algorithm must take
SEEDING_GROWTH = {"K1": 8.0}  # MiB beyond the data
STANDARD_ERRORS = 3.0  # of the difference, by which a mean may be worse and still be as good


class DiscreteSpeed(NamedTuple):
    """How many times our time a peer's EM on discrete rows must be at least; None: no target."""

    numpy: float | None  # products of whole matrices, dense or CSR
    stepmix: float | None


DISCRETE_SPEED = {
    "B1": DiscreteSpeed(6, 15),
    "B2": DiscreteSpeed(6, 15),
    "B3": DiscreteSpeed(6, None),
    "B4": DiscreteSpeed(15, 30),  # a whole fit of 30 iterations, the search for equal rows included
    "C1": DiscreteSpeed(6, 15),
}
PACKED = 1 / 16  # of the rows' bytes in memory, the copies of binary rows that a fit may keep,
BESIDES = 10.0  # and MiB for all else

TWO_THREADS = 1.8  # times faster than one, on passes over 5 ms and an idle machine
LONG_PASS = 5.0  # ms
GROWTH = 16.0  # MiB beyond the data during a fit of G2, one thread
FEWER_MAPS = 2.0  # times, to 1e-9 nats of the best
STARTUP = 1.0  # of scikit-learn's first fit in a fresh process
COLD = 15.0  # seconds of a first fit with nothing compiled


def verdict(met: bool) -> str:
    """What stands beside a figure."""
    return "met" if met else "**missed**"
