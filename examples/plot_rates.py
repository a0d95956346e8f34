"""How fast the responsibility map comes in, and what does not tell.

The distance to the maximum falls by a constant factor a step in the end: ``1 - lambda_min(M)``,
where M is the mean of outer products of responsibilities, scaled by the weights. That is how much
the rows overlap, as the components see them: the more, the slower. A claim that log distance has
the slope ``-1 / sigma_max(F)``, the largest singular value of the densities, cannot be right: in
other units the densities are others, and the orbit is the same.

    python examples/plot_rates.py --output rates.png
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import multivariate_normal

from mixtures import DynamicResponsibility
from mixtures.datasets import load_penguins

SETS = {
    "flipper": [2],
    "bill length": [0],
    "bill depth": [1],
    "both of the bill": [0, 1],
    "all": [0, 1, 2, 3],
}
DRAWN = "flipper"


def densities(features: list[int], unit: float = 1.0) -> np.ndarray:
    """Of all birds under each species (n, 3); `unit` is that of lengths and mass, in mm and g."""
    penguins = load_penguins()
    measured = ~np.isnan(penguins.data).any(axis=1)
    X, species = penguins.data[measured][:, features] / unit, penguins.target[measured]
    groups = [X[species == s] for s in range(3)]
    return np.column_stack(
        [multivariate_normal.pdf(X, g.mean(axis=0), np.cov(g.T)) for g in groups]
    )


def orbit(F: np.ndarray) -> DynamicResponsibility:
    """The responsibility map, as far as it brings digits."""
    return DynamicResponsibility(solver="em", store_orbit=True, tol=1e-11).fit(F)


def main() -> None:
    """Print slopes that were measured and predicted, and draw one orbit if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture of one of the orbits to this file")
    output = parser.parse_args().output

    agree = []
    print(f"{'measured, units':26}{'steps':>6}{'slope':>9}{'log rate':>10}{'-1/σ(F)':>11}")
    for name, features in SETS.items():
        for unit, called in ((1.0, "mm, g"), (10.0, "cm, dag")):
            F = densities(features, unit)
            model, best = orbit(F), DynamicResponsibility(tol=1e-12).fit(F)
            steps = np.linalg.norm(np.diff(model.orbit_, axis=0), axis=1)
            slope, theory = np.log(steps[-1] / steps[-2]), np.log(best.rate_)
            claim = -1.0 / np.linalg.norm(F, 2)
            label = f"{name} ({called})"
            print(f"{label:26}{model.n_iter_:6}{slope:9.4f}{theory:10.4f}{claim:11.4g}")
            agree.append(abs(slope / theory - 1.0) < 1e-3)
    share = np.mean(agree)
    print(f"\n{share:.1%} of the slopes are the logarithm of the rate to three digits.")

    if output:
        from mixtures.plotting import ConvergenceDisplay

        F = densities(SETS[DRAWN])
        display = ConvergenceDisplay.from_estimator(orbit(F), F)
        panel, n = display.axes_[0], np.arange(len(display.distances))
        claim_slope = -1.0 / np.linalg.norm(F, 2)
        claim = display.distances[0] * np.exp(claim_slope * n)
        low, high = panel.get_ylim()
        panel.plot(n, claim, linestyle="--", color="gray", label=f"-1/σ(F): {claim_slope:.4f}, no")
        panel.set_ylim(low, high)
        panel.legend(frameon=False)
        display.figure_.suptitle(f"Shares of three species by {DRAWN} alone")
        display.figure_.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
