"""How fast the orbit of the responsibility map comes in: log a_n against n.

a_n is the distance between iterates n and n + 1. The dissertation expects a slope of
``-1 / sigma_max(F)``, the largest singular value; but the orbit does not know F's units. The slope
is ``log(1 - lambda_min(M))``, M the mean of outer products of responsibilities over the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from mixtures import DynamicResponsibility
from mixtures.proportions import responsibility_orbit

from ..tables import table
from .bands import Band
from .nets import SLIDES, applied, fitted, network
from .page import Section, prose
from .problems import slides_gmm
from .scores import stream

FAR, NEAR = 1e-9, 1e-12  # distances between which the slope is measured: late, above rounding
STEPS, MOST = 200, 20_000
ON_A_LINE = "five normals on a line"  # what the dissertation follows


class Orbit(NamedTuple):
    distances: np.ndarray  # (n,), a_n
    slope: float
    predicted: float  # log(1 - lambda_min)
    singular: float  # -1 / sigma_max


def follow(log_density: np.ndarray) -> Orbit:
    """Iterate from equal weights until steps are below `NEAR`."""
    found, start = [], None
    while len(found) * STEPS < MOST:
        orbit = responsibility_orbit(log_density, STEPS, start=start, log=True)
        found.append(np.abs(np.diff(orbit, axis=0)).sum(axis=1))
        start = orbit[-1] / orbit[-1].sum()
        if found[-1][-1] < NEAR:
            break
    distances = np.concatenate(found)
    late = np.flatnonzero((distances < FAR) & (distances > NEAR))
    slope = np.polyfit(late, np.log(distances[late]), 1)[0] if len(late) > 2 else np.nan
    model = DynamicResponsibility(input="log_density", tol=1e-12).fit(log_density)
    sigma = np.linalg.svd(np.exp(log_density), compute_uv=False)[0]
    return Orbit(distances, float(slope), float(np.log1p(-model.lambda_min_)), -1.0 / float(sigma))


def lines_of(seed: int) -> np.ndarray:
    """Log-densities of five normals on a line, with means among 1 to 20, on rows of all of them."""
    rng = stream(seed, 40)
    means = rng.choice(np.arange(1.0, 21.0), size=5, replace=False)
    scales = np.sqrt(1.0 + rng.random(5) / 2.0)
    prior = rng.dirichlet(np.ones(5))
    y = rng.choice(5, size=int(rng.integers(1_000, 20_000)), p=prior)
    x = rng.normal(means[y], scales[y])
    return norm.logpdf(x[:, None], means, scales)


def problems(n: int) -> dict[str, np.ndarray]:
    """Log-densities by name: the dissertation's kind, the slides' mixture, a network's logits."""
    found = {f"{ON_A_LINE}, {seed + 1}": lines_of(seed) for seed in range(n)}
    gmm = slides_gmm()
    rows = gmm.train(stream(0, 41))
    found["the slides' mixture, true densities"] = gmm.log_density(rows.X)
    net = fitted(network(SLIDES, 0, **applied(2)), rows)
    found["the slides' mixture, Net 2's logits"] = net.decision_function(rows.X)
    return found


def at(distances: np.ndarray, n: int) -> str:
    return (
        f"{np.log(distances[n - 1]):.2f}"
        if len(distances) >= n and distances[n - 1] > NEAR
        else "–"
    )


def section(seeds: int, jobs: int) -> Section:
    del jobs
    orbits = {name: follow(F) for name, F in problems(min(seeds, 8)).items()}
    lines = [
        [
            name, str(int(np.count_nonzero(o.distances > NEAR))),
            *(at(o.distances, n) for n in (1, 5, 20, 100)),
            f"{o.slope:.5f}", f"{o.predicted:.5f}", f"{o.singular:.5f}",
        ]
        for name, o in orbits.items()
    ]  # fmt: skip
    head = ["F", "steps to 1e-12", "log a_1", "log a_5", "log a_20", "log a_100"]
    head += ["slope in the end", "log(1 − λ_min)", "−1 / σ_max(F)"]
    lines_only = [o for name, o in orbits.items() if name.startswith(ON_A_LINE)]
    wrong = max(abs(o.slope / o.predicted - 1.0) for o in lines_only)
    off = np.median([abs(o.singular / o.slope - 1.0) for o in orbits.values()])
    text = f"""a_n is the distance between two iterates, the sum of absolute differences. Its
logarithm becomes a straight line; the dissertation gives −1 / σ_max(F) for its slope, which
changes with the units of F while the orbit does not. Orbits that arrive within some tens of steps
have not settled: other modes are still in their slope.

{table(head, lines)}"""
    bands = [
        Band(
            "normals on a line: slope against log(1 − λ_min), relative error",
            wrong,
            high=1e-3,
            form=".1e",
        )
    ]
    verdicts = [
        f"The orbit's rate is 1 − λ_min to a relative error of {wrong:.0e} in the slope; "
        f"−1 / σ_max(F) is off by {100 * off:.0f} % in the median."
    ]
    return Section("The rate of the orbit", prose(text), bands, verdicts)
