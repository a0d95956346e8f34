"""Scores of predictions, their means over seeds, and how they are printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import f1_score

from ..tables import table
from .nets import Posteriors
from .slides import precision_of

Z = 1.96  # standard errors on either side: 95 % of a normal distribution


def confusion(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts (K, K): rows are true classes, columns predicted ones."""
    flat = np.bincount(y * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes).astype(float)


def recall_of(counts: np.ndarray) -> np.ndarray:
    return np.diag(counts) / counts.sum(axis=1)


def evaluate(posteriors: Posteriors, y: np.ndarray, shares: np.ndarray) -> dict[str, Any]:
    """All scores of the tables, from test rows of all classes in any numbers.

    Rows are weighted: to the shares of training where posteriors are ("T"), to equal shares for
    balanced accuracy and the log-loss of posteriors under equal shares ("U").
    """
    K, counts = len(shares), np.bincount(y, minlength=len(shares))
    as_train, equal = (shares / counts)[y], (1.0 / (K * counts))[y]
    found: dict[str, Any] = {}
    for mode, log_posterior in (("T", posteriors.train), ("U", posteriors.uniform)):
        predicted = log_posterior.argmax(axis=1)
        recall = recall_of(confusion(y, predicted, K))
        found[f"recall {mode}"] = recall
        found[f"accuracy {mode}"] = float(recall @ shares)
        found[f"balanced {mode}"] = float(recall.mean())
        found[f"f1 {mode}"] = f1_score(
            y, predicted, labels=np.arange(K), average="macro", sample_weight=as_train,
            zero_division=0.0,
        )  # fmt: skip
        weight = as_train if mode == "T" else equal
        found[f"nll {mode}"] = -float(weight @ log_posterior[np.arange(len(y)), y])
    return found


# ---- seeds ---------------------------------------------------------------------------------------


def over_seeds(one: Callable[[int], dict[str, Any]], seeds: int, jobs: int) -> dict[str, Any]:
    """``one(seed)`` of all seeds: nested dicts of numbers, stacked along a first axis."""
    return stacked(Parallel(n_jobs=jobs)(delayed(one)(seed) for seed in range(seeds)))


def stacked(runs: Sequence[Any]) -> Any:
    if isinstance(runs[0], dict):
        return {key: stacked([run[key] for run in runs]) for key in runs[0]}
    return np.stack([np.asarray(run, dtype=float) for run in runs])


def stream(seed: int, purpose: int) -> np.random.Generator:
    """Random numbers of their own for each seed and purpose."""
    return np.random.default_rng([seed, purpose])


def mean(values: np.ndarray) -> np.ndarray:
    return np.mean(values, axis=0)


def half_width(values: np.ndarray) -> np.ndarray:
    """1.96 standard errors of the mean over seeds; NaN for a single one."""
    n = len(values)
    if n < 2:
        return np.full(np.shape(values)[1:], np.nan)
    return Z * np.std(values, axis=0, ddof=1) / np.sqrt(n)


# ---- print ---------------------------------------------------------------------------------------


def plain(value: float, digits: int = 3) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def with_error(values: np.ndarray, digits: int = 3) -> str:
    """Mean over seeds ± 1.96 standard errors."""
    width = float(half_width(values))
    return plain(float(mean(values)), digits) + (
        "" if np.isnan(width) else f" ± {width:.{digits}f}"
    )


def precision_over(counts: np.ndarray) -> np.ndarray:
    """Precision by class of each of the runs; zero where a column is empty."""
    return np.stack([precision_of(run) for run in counts])


def confusion_table(counts: np.ndarray, published: Any) -> str:
    """Ours in % with error, what was published in brackets."""
    shares = 100.0 * counts / counts.sum(axis=(1, 2), keepdims=True)
    K, lines = counts.shape[1], []
    for i in range(K):
        cells = [f"{with_error(shares[:, i, j], 2)} ({published[i][j]:.2f})" for j in range(K)]
        lines.append([f"**{i + 1}**", *cells])
    return table(["true \\ predicted", *(str(j + 1) for j in range(K))], lines)
