"""Probabilistic PCA beside scikit-learn's PCA: time and log-likelihood."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ..tables import table
from . import likelihood, workloads
from .apart import call, clock_of, least, median, take_turns, threads_text
from .section import Context, Section, Target

Q = 10
AT_MOST = 1.2  # times scikit-learn's covariance_eigh, on the first item
OURS = "mixtures"


class Item(NamedTuple):
    n: int
    d: int
    reference: str  # svd_solver of scikit-learn's PCA, for the ratios
    solvers: tuple[str, ...]  # the others
    own: tuple[str, ...]  # our solvers
    rounds: int  # at most

    @property
    def what(self) -> str:
        return f"{self.n} × {self.d}"


ITEMS = {
    "tall": Item(100_000, 200, "covariance_eigh", ("auto",), ("auto",), 15),
    "wide": Item(500, 20_000, "randomized", ("auto",), ("auto", "randomized"), 5),
    "large": Item(
        20_000, 2_000, "randomized", ("auto", "covariance_eigh"), ("auto", "randomized"), 3
    ),
}


def item_of(name: str, quick: bool) -> Item:
    """`quick` takes a twentieth of the longer side."""
    item = ITEMS[name]
    if not quick:
        return item
    n, d = (item.n // 20, item.d) if item.n > item.d else (item.n, item.d // 20)
    return item._replace(n=n, d=d)


def entrants(item: Item, X: Any, threads: int | None) -> dict[str, Callable[[], Any]]:
    from sklearn.decomposition import PCA

    from mixtures import ProbabilisticPCA

    found: dict[str, Callable[[], Any]] = {}
    for solver in item.own:
        own = ProbabilisticPCA(Q, svd_solver=solver, n_threads=threads, random_state=0)
        found[f"{OURS}, {solver}"] = partial(own.fit, X)
    for solver in (item.reference, *item.solvers):
        peer = PCA(Q, svd_solver=solver, random_state=0)
        found[f"scikit-learn, {solver}"] = partial(peer.fit, X)
    return found


def measure(name: str, threads: int | None, rounds: int, quick: bool) -> dict[str, Any]:
    """Seconds of every method, and the log-likelihoods of what they found; in this process."""
    item = item_of(name, quick)
    X = workloads.low_rank_rows(item.n, item.d, Q)
    for run in entrants(item, X[: 4 * Q, : 8 * Q].copy(), threads).values():
        run()
    last, times = take_turns(entrants(item, X, threads), min(rounds, item.rounds))
    found = {}
    for method, model in last.items():
        value = likelihood.of_axes(
            X, model.mean_, model.components_, model.explained_variance_,
            float(model.noise_variance_),
        )  # fmt: skip
        solver = getattr(model, "svd_solver_", None) or model._fit_svd_solver
        found[method] = {"solver": solver, "value": value, "times": times[method]}
    return found


def section(context: Context) -> Section:
    lines, targets = [], []
    for name in ITEMS:
        item = item_of(name, context.quick)
        for threads in (1,) if context.quick and name != "tall" else (1, None):
            what = {"name": name, "rounds": context.rounds, "quick": context.quick}
            found = call("principal:measure", threads, threads=threads, **what)
            lines += _lines(item, threads, found)
            if name == "tall":
                ratio = _ratios(found, f"{OURS}, auto", item, threads)[0]
                label = f"PPCA, {item.what}, {threads_text(threads)} thread(s): "
                label += f"median time / {item.reference}"
                targets.append(Target.at_most(label, AT_MOST, ratio, 2))
        context.say(f"principal components, {item.what} done")
    head = ["rows × features", "threads", "method", "what ran", "median, s", "least, s", "× peer"]
    head += ["least", "log-likelihood, nats a row", "rounds"]
    text = f"""{Q} components of rows with {Q} factors, each of half the variance of the one before,
and noise of variance one. × peer: over scikit-learn's `{ITEMS["tall"].reference}` on the
first item, `{ITEMS["wide"].reference}` on the others. Log-likelihoods are those of
`N(mean, U Λ U' + σ² (I - U U'))` with each method's own numbers. scikit-learn's variances have the
divisor n - 1, and with fewer rows than features its noise is not spread over all directions that
are left; its randomised solver stops before the axes are exact, ours does not.

{table(head, lines)}"""
    return Section("Principal components", text, targets)


def _ratios(found: Any, method: str, item: Item, threads: int | None) -> tuple[float, float]:
    clock = clock_of(threads)
    own, peer = found[method]["times"], found[f"scikit-learn, {item.reference}"]["times"]
    return median(own, clock) / median(peer, clock), least(own, clock) / least(peer, clock)


def _lines(item: Item, threads: int | None, found: Any) -> list[list[Any]]:
    clock, lines = clock_of(threads), []
    for method, record in found.items():
        times = record["times"]
        lines.append([
            item.what, threads_text(threads), method, record["solver"],
            f"{median(times, clock):.3f}", f"{least(times, clock):.3f}",
            *(f"{ratio:.2f}" for ratio in _ratios(found, method, item, threads)),
            f"{record['value']:.6f}", len(times),
        ])  # fmt: skip
    return lines
