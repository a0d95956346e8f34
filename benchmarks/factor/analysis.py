"""Factor analysis: log-likelihood beside scikit-learn's converged one, time beside its default."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..machine import Busy
from ..tables import table
from . import likelihood, workloads
from .apart import at_once, call, clocked, least, median, take_turns
from .section import Context, Section, Target

OURS, PEER, R = "mixtures", "scikit-learn", "R factanal"
CLOSE = 1e-8  # relative
TOL, MAX_ITER, QUICK_ITER = 1e-12, 100_000, 500  # of scikit-learn's, to convergence
N_HEYWOOD = 4  # seeds
SCRIPT = Path(__file__).with_name("factanal.R")


def r_version() -> str:
    """Or nothing where R is not."""
    if shutil.which("Rscript") is None:
        return ""
    done = subprocess.run(
        ["Rscript", "-e", "cat(as.character(getRversion()))"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "" if done.returncode else done.stdout


# ---- measurements, each in a process of its own --------------------------------------------------


def value_of(X: np.ndarray, model: Any) -> float:
    """Nats per row."""
    return likelihood.of_factors(X, model.mean_, model.components_.T, model.noise_variance_)


def converged(name: str, max_iter: int) -> dict[str, Any]:
    """scikit-learn's log-likelihood when it is made to converge, or to try."""
    from sklearn.decomposition import FactorAnalysis

    X, q, _ = workloads.table(name)
    model = FactorAnalysis(q, tol=TOL, max_iter=max_iter, svd_method="lapack")
    fitted, _, seconds = clocked(lambda: model.fit(X))
    return {"value": value_of(X, fitted), "seconds": seconds, "n_iter": fitted.n_iter_}


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Seconds and results of ours and of scikit-learn's, both by default, on one thread."""
    from sklearn.decomposition import FactorAnalysis as Peer

    from mixtures import FactorAnalysis

    X, q, _ = workloads.table(name)

    def entrants(rows: np.ndarray, n_factors: int) -> dict[str, Any]:
        return {
            OURS: lambda: FactorAnalysis(n_factors, n_threads=1).fit(rows),
            PEER: lambda: Peer(n_factors).fit(rows),
        }

    take_turns(entrants(np.random.default_rng(0).standard_normal((60, 8)), 2), 1)  # compiles
    last, times = take_turns(entrants(X, q), rounds)
    found: dict[str, Any] = {
        method: {"value": value_of(X, model), "n_iter": model.n_iter_, "times": times[method]}
        for method, model in last.items()
    }
    found[OURS]["heywood"] = int(last[OURS].heywood_.sum())
    found[OURS]["own"] = float(last[OURS].log_likelihood_)
    return found


def n_heywood(seed: int) -> int:
    """Features without noise at the maximum."""
    from mixtures import FactorAnalysis

    X, q, _ = workloads.heywood(seed)
    return int(clocked(lambda: FactorAnalysis(q, n_threads=1).fit(X))[0].heywood_.sum())


def factanal(name: str, rounds: int) -> dict[str, Any]:
    """R's, with its own defaults but for the rotation, of which its criterion knows nothing."""
    X, q, _ = workloads.table(name)
    centre, scale = X.mean(axis=0), X.std(axis=0)
    with tempfile.TemporaryDirectory() as folder:
        X.T.tofile(f"{folder}/rows")  # C order of the transpose is R's order of the rows
        command = ["Rscript", str(SCRIPT), folder, *map(str, (*X.shape, q, rounds))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.partition("Error")[2].partition("Execution halted")[0]
            return {"failed": "an error " + " ".join(said.partition("Calls:")[0].split())}
        result = np.fromfile(f"{folder}/result.bin")
    loadings, unique = result[: X.shape[1] * q].reshape(q, -1).T, result[X.shape[1] * q :]
    value = likelihood.of_factors(X, centre, loadings * scale[:, None], unique * scale**2)
    times = [{"processor": float(seconds)} for seconds in done.stdout.split()]
    return {"value": value, "times": times, "n_iter": "–"}


# ---- the page ------------------------------------------------------------------------------------


def heywood_seeds(wanted: int) -> list[int]:
    """The first ones whose maximum has features without noise."""
    seeds: list[int] = []
    seed = 0
    while len(seeds) < wanted:
        if n_heywood(seed):
            seeds.append(seed)
        seed += 1
    return seeds


def section(context: Context) -> Section:
    quick = context.quick
    seeds = heywood_seeds(1 if quick else N_HEYWOOD)
    names = ["digits", "cancer", "cancer_standardised", *(f"heywood_{seed}" for seed in seeds)]
    names = [names[0], names[-1]] if quick else names
    fixed = {"max_iter": QUICK_ITER if quick else MAX_ITER}
    best = at_once("analysis:converged", [{"name": n} for n in names], context.jobs, fixed)
    context.say("factor analysis, scikit-learn's converged fits done")
    lines, targets, remarks = [], [], []
    with Busy() as busy:
        for name, reference in zip(names, best, strict=True):
            what = workloads.table(name).what
            found = call("analysis:measure", 1, name=name, rounds=context.rounds)
            if r_version():
                found[R] = factanal(name, context.rounds)
                if "failed" in found[R]:
                    remarks.append(f"- {R} on {what}: {found.pop(R)['failed']}")
            lines += _lines(name, found, reference, fixed["max_iter"])
            targets += _targets(what, found, reference)
            context.say(f"factor analysis, {what} done")
    head = ["rows", "method", "log-likelihood, nats a row", "in all", "less converged, relative"]
    head += ["iterations", "median, s", "least, s", "× scikit-learn", "least", "without noise"]
    text = _text(table(head, lines), "\n".join(remarks), busy.describe(), fixed["max_iter"])
    return Section("Factor analysis", text, targets)


def _targets(what: str, found: Any, reference: Any) -> list[Target]:
    own, peer = found[OURS], found[PEER]
    above = (own["value"] - reference["value"]) / abs(reference["value"])
    ratios = [f(own["times"], "processor") / f(peer["times"], "processor") for f in (median, least)]
    return [
        Target(
            f"{what}: log-likelihood, relative to scikit-learn's converged",
            f"≥ -{CLOSE:g}", f"{above:+.1e}", above >= -CLOSE,
        ),
        Target(
            f"{what}: time / scikit-learn's by default, median (least)",
            "< 1", f"{ratios[0]:.2f} ({ratios[1]:.2f})", max(ratios) < 1.0,
        ),
    ]  # fmt: skip


def _lines(name: str, found: Any, reference: Any, max_iter: int) -> list[list[Any]]:
    X, q, what = workloads.table(name)
    shape = f"{what}, {X.shape[0]} × {X.shape[1]}, q = {q}"
    peer, lines = found[PEER]["times"], []
    for method, record in found.items():
        times = record["times"]
        above = (record["value"] - reference["value"]) / abs(reference["value"])
        lines.append([
            shape, method, f"{record['value']:.9f}", f"{record['value'] * len(X):.6f}",
            f"{above:+.1e}", record["n_iter"],
            *(f"{f(times, 'processor'):.4f}" for f in (median, least)),
            *(f"{f(times, 'processor') / f(peer, 'processor'):.2f}" for f in (median, least)),
            record.get("heywood", ""),
        ])  # fmt: skip
    steps = reference["n_iter"]
    note = "not converged" if steps >= max_iter else "converged"
    value = reference["value"]
    own = [shape, f"{PEER}, {note}", f"{value:.9f}", f"{value * len(X):.6f}", "", steps]
    ratio = reference["seconds"] / median(peer, "processor")
    return [*lines, [*own, f"{reference['seconds']:.2f}", "", f"{ratio:.0f}", "", ""]]


def _text(measured: str, remarks: str, busy: str, max_iter: int) -> str:
    n, d, q = workloads.HEYWOOD
    return f"""Each method with its defaults, one thread ({busy}): scikit-learn's has `tol=0.01` and
`svd_method='randomized'`. "Converged" is scikit-learn's with `tol={TOL:g}`, `max_iter={max_iter}`
and `svd_method='lapack'`, fitted once. All log-likelihoods are worked out by one function, from a
Cholesky factor of the whole covariance. {R} works on correlations and keeps uniquenesses above
0.005, so it is below the maximum in Heywood cases; its time is R's own, with R's BLAS.

Heywood cases: {n} rows of {d} features, {q} factors with standard normal loadings, noise of
variances uniform between 0.2 and 1; the first seeds for which the maximum leaves features without
noise (their number is in the last column).

{measured}

{remarks}"""
