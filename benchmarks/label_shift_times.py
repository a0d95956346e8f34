"""How long an estimate of class shares takes: ours and QuaPy's EM, on the same posteriors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from mixtures import DynamicResponsibility
from mixtures.label_shift.estimate import estimate_shares
from mixtures.proportions import functions

from . import label_shift_peers as peers


class Item(NamedTuple):
    name: str
    n: int
    k: int
    signal: float  # how far classes lie apart, in standard deviations of a logit


ITEMS = [
    Item("2 000 × 3", 2_000, 3, 2.0),
    Item("2 000 × 10", 2_000, 10, 2.0),
    Item("100 000 × 10", 100_000, 10, 2.0),
    Item("100 000 × 10, overlapping", 100_000, 10, 0.7),
    Item("20 000 × 100", 20_000, 100, 3.0),
    Item("1 000 000 × 10", 1_000_000, 10, 2.0),
]

LONG = 2e6
"""Numbers from which two rounds are enough."""


class Time(NamedTuple):
    method: str
    ms: float
    ratio: float
    gap: str


def posteriors(item: Item) -> tuple[np.ndarray, np.ndarray]:
    """Training shares (K,) and calibrated posteriors (n, K) of rows with the reversed shares.

    Class c has logits of mean ``signal^2 e_c`` and standard deviation `signal`: then
    ``log prior + logits`` are its log-posteriors, exactly.
    """
    rng = np.random.default_rng(item.n + item.k)
    prior = 1.0 / np.arange(1, item.k + 1)
    prior /= prior.sum()
    y = rng.choice(item.k, size=item.n, p=prior[::-1])
    logits = item.signal * rng.standard_normal((item.n, item.k))
    logits[np.arange(item.n), y] += item.signal**2
    return prior, softmax(logits + np.log(prior), axis=1)


def measure(item: Item, rounds: int) -> Iterator[Time]:
    """Ours first; the methods take turns, so that a busy moment of the machine meets all."""
    prior, posterior = posteriors(item)
    classes = np.arange(item.k)

    def ours() -> np.ndarray:
        return DynamicResponsibility(n_threads=1, information=False).fit(posterior / prior).weights_

    def with_errors() -> np.ndarray:
        log_ratio = np.log(posterior) - np.log(prior)
        options: dict[str, Any] = {"concentration": 1.0, "tol": 1e-8, "n_threads": 1}
        return estimate_shares(log_ratio[None], None, classes, prior, **options).prior

    methods: dict[str, Callable[[], np.ndarray]] = {"ours": ours, "ours, with errors": with_errors}
    if peers.installed():
        for epsilon in (1e-4, 1e-8):
            name = f"QuaPy EMQ, epsilon {epsilon:g}"
            methods[name] = lambda epsilon=epsilon: peers.em(prior, posterior, epsilon)
    least, found = dict.fromkeys(methods, np.inf), {}
    rounds = rounds if item.n * item.k < LONG else 2
    for _ in range(1 + rounds):  # the first also compiles
        for name, run in methods.items():
            begin = time.process_time()
            found[name] = run()
            least[name] = min(least[name], time.process_time() - begin)
    for name, seconds in least.items():
        gap = functions.optimality_gap(posterior / prior, found[name] / found[name].sum())
        yield Time(name, 1e3 * seconds, seconds / least["ours"], f"{max(float(gap), 0.0):.0e}")
