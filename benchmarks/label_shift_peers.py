"""Other estimates of class shares: moment matching, and QuaPy's where it is installed.

All get the same: the inner classifier's posteriors of rows held out (n, K) with labels 0..K-1, and
its posteriors of the test rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np


class Evidence(NamedTuple):
    """What an estimate may use."""

    held_out: np.ndarray  # (n, K) posteriors
    labels: np.ndarray  # (n,)
    test: np.ndarray  # (m, K) posteriors
    classifier: Any  # fitted

    @property
    def train_prior(self) -> np.ndarray:
        return np.bincount(self.labels, minlength=self.test.shape[1]) / len(self.labels)


def crisp(posterior: np.ndarray) -> np.ndarray:
    """The decision for the most probable class, as posteriors of zeros and one."""
    return np.eye(posterior.shape[1])[posterior.argmax(axis=1)]


def moment_matching(e: Evidence, outputs: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Black-box shift estimation (Lipton, Wang and Smola 2018).

    With ``C_ij = mean 1[label = j] output_i`` of rows held out and ``m_i = mean output_i`` of the
    test, ``C w = m`` for the ratios w of new to old shares; negative ones are set to zero.
    """
    k = e.test.shape[1]
    joint = outputs(e.held_out).T @ np.eye(k)[e.labels] / len(e.labels)
    ratios = np.linalg.solve(joint, outputs(e.test).mean(axis=0))
    shares = np.maximum(ratios, 0.0) * e.train_prior
    return shares / shares.sum()


def bbse_hard(e: Evidence) -> np.ndarray:
    return moment_matching(e, crisp)


def bbse_soft(e: Evidence) -> np.ndarray:
    return moment_matching(e, lambda posterior: posterior)


OURS = {"BBSE hard": bbse_hard, "BBSE soft": bbse_soft}


def installed() -> str:
    """QuaPy's version, or nothing."""
    try:
        return version("quapy")
    except PackageNotFoundError:
        return ""


def quapy_methods() -> dict[str, Callable[[Evidence], np.ndarray]]:
    """By name, or none where QuaPy is not installed."""
    if not installed():
        return {}
    from quapy.method import aggregative

    def estimate(name: str, hard: bool, **options: Any) -> Callable[[Evidence], np.ndarray]:
        def run(e: Evidence) -> np.ndarray:
            make = getattr(aggregative, name)
            method = make(e.classifier, fit_classifier=False, val_split=None, **options)
            method.train_prevalence = e.train_prior
            held, test = (p.argmax(axis=1) if hard else p for p in (e.held_out, e.test))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                method.aggregation_fit(held, e.labels)
                return np.asarray(method.aggregate(test))

        return run

    methods = {
        "QuaPy ACC": estimate("ACC", True),
        "QuaPy PACC": estimate("PACC", False),
        "QuaPy BBSEhard": estimate("BBSEhard", True),
        "QuaPy BBSEsoft": estimate("BBSEsoft", False),
        "QuaPy EMQ": estimate("EMQ", False),
    }
    try:
        version("abstention")
    except PackageNotFoundError:
        return methods
    return methods | {
        "QuaPy EMQ, BCTS": estimate("EMQ", False, exact_train_prev=False, calib="bcts")
    }


def em(train_prior: np.ndarray, posterior: np.ndarray, epsilon: float) -> np.ndarray:
    """QuaPy's EM alone."""
    from quapy.method.aggregative import EMQ

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(EMQ.EM(train_prior, posterior, epsilon)[0])
