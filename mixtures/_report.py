"""A search and its best model as plain text, for a terminal 100 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .covariance import STRUCTURES, GaussianParams

MAX_MATRIX = 6  # features up to which covariances are printed whole


def format_table(search: Any) -> str:
    """The criterion: one line for each number of components, one column a covariance type."""
    counts, kinds, values = search.table()
    name = search.criterion.upper()
    best = np.nanmin(values)
    lines = [f"{name} (lower is better; * marks the lowest)"]
    lines.append("  K" + "".join(f"{kind:>14}" for kind in kinds))
    for count, row in zip(counts, values, strict=True):
        cells = ("failed" if np.isnan(v) else f"{v:.2f}{'*' if v == best else ' '}" for v in row)
        lines.append(f"{count:>3}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)


def format_choice(estimator: Any, names: Sequence[str]) -> str:
    """The parameters of a fitted Gaussian mixture, component by component."""
    k, d = estimator.means_.shape
    structure = STRUCTURES[estimator.covariance_type]
    covariances = structure.dense(
        GaussianParams(estimator.weights_, estimator.means_, estimator.covariances_)
    )
    plural = "s" * (k != 1)
    lines = [
        f"Chosen: {k} component{plural}, {estimator.covariance_type} covariance; "
        f"{estimator.n_parameters()} parameters, "
        f"log-likelihood {estimator.lower_bound_:.6f} nats per row"
    ]
    width = max(len(name) for name in names)
    for component in range(k):
        lines.append(f"\n  component {component}   weight {estimator.weights_[component]:.4f}")
        heading = "covariance" if d <= MAX_MATRIX else ""
        lines.append(f"    {'':{width}}{'mean':>12}{'std':>12}   {heading}".rstrip())
        for j, name in enumerate(names):
            deviation = np.sqrt(covariances[component, j, j])
            line = f"    {name:{width}}{estimator.means_[component, j]:>12.5g}{deviation:>12.5g}"
            if d <= MAX_MATRIX:
                line += "   " + "".join(f"{c:>12.5g}" for c in covariances[component, j])
            lines.append(line)
    return "\n".join(lines)


def format_fits(search: Any) -> str:
    """Why each fit stopped and how long it took."""
    results = search.results_
    lines = ["  K  covariance  iterations  seconds  why the fit stopped"]
    for params, n_iter, seconds, reason in zip(
        results["params"],
        results["n_iter"],
        results["fit_time"],
        results["stop_reason"],
        strict=True,
    ):
        iterations = "-" if n_iter < 0 else n_iter
        lines.append(
            f"{params['n_components']:>3}  {params['covariance_type']:<10}{iterations:>12}"
            f"{seconds:>9.3f}  {reason}"
        )
    lines.append(f"All {len(results['params'])} fits took {results['fit_time'].sum():.2f} seconds.")
    return "\n".join(lines)
