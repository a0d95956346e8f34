"""Time to certified mixture proportions: ours, R's mixsqp, SciPy's optimisers and plain EM.

    python -m benchmarks.proportions --items nm_100000_100,gauss_5 --rounds 3
    python -m benchmarks.proportions --solvers mixtures,SLSQP --quick
    python -m benchmarks.proportions --output docs/benchmarks-proportions.md

Processor seconds on one thread of whole solutions to a gap of 1e-8, each in a fresh process. The
gap and the log-likelihood of every result are taken by one NumPy function on the original F. What
a peer took is kept in the cache, as some take minutes; `--rerun` measures them again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import fresh
from .fit import PATIENCE, arguments
from .machine import Busy
from .proportions_peers import EM, MIXSQP, NAMES, OURS, SCIPY, TOL
from .proportions_workloads import ITEMS, file_of, item_of

Row = dict[str, Any]

READ = "read"  # the time to read F once, measured beside the solvers
NOISE = 1e-12  # of a gap in float64

STEADY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}
"""glibc keeps freed memory. By default it hands some of it back after every call, and a solver
whose temporary arrays have an unlucky size then takes up to three times as long: SciPy's do."""


def reached(record: Row) -> bool:
    """Whether the gap is what was asked for."""
    gap = record.get("gap")
    return gap is not None and gap <= TOL + NOISE  # false for NaN


class Kept:
    """Measurements of peers, a file for each item and solver."""

    def __init__(self, cache: str, quick: bool, rerun: bool, only: bool) -> None:
        self.folder = Path(cache) / ("peers-quick" if quick else "peers")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rerun, self.only = rerun, only

    def path(self, item: str, solver: str) -> Path:
        return self.folder / f"{item}__{solver}.json"

    def read(self, item: str, solver: str) -> list[Row]:
        path = self.path(item, solver)
        if solver in (OURS, EM, READ) or self.rerun or not path.exists():
            return []
        return json.loads(path.read_text(encoding="utf-8"))

    def write(self, item: str, solver: str, records: list[Row]) -> None:
        if solver not in (OURS, EM, READ):
            self.path(item, solver).write_text(json.dumps(records), encoding="utf-8")


def call(name: str, solver: str, what: Row) -> Row:
    """One measurement, in a fresh process."""
    if solver == READ:
        what = {key: value for key, value in what.items() if key != "order"}
        return fresh.call("proportions_bandwidth:read_once", name=name, **what)
    return fresh.call("proportions_peers:measure", name=name, solver=solver, **what)


def compete(
    name: str, solvers: list[str], rounds: int, kept: Kept, what: Row
) -> dict[str, list[Row]]:
    """Measurements of each solver on one item; rounds interleave, slow solvers have one."""
    results = {solver: kept.read(name, solver) for solver in solvers}
    if kept.only:
        results = {s: r for s, r in results.items() if r or s in (OURS, EM, READ)}
        solvers = list(results)
    for turn in range(rounds):
        first = turn % len(solvers)
        for solver in solvers[first:] + solvers[:first]:
            done = results[solver]
            known = kept.only and solver not in (OURS, EM, READ)
            if known or len(done) > turn or (done and done[-1]["took"] > PATIENCE):
                continue
            done.append(call(name, solver, what))
            kept.write(name, solver, done)
    return results


def merged(records: list[Row]) -> Row:
    """Medians over rounds; of the results, the worst gap."""
    record = dict(max(records, key=lambda one: _order(one.get("gap"))))
    times = [one["cpu"] for one in records if one["cpu"] is not None]
    record["cpu"] = statistics.median(times) if times else math.inf
    record["least"] = min(times, default=math.inf)
    return {**record, "rounds": len(records)}


def _order(gap: float | None) -> float:
    return math.inf if gap is None or math.isnan(gap) else gap


def summary(name: str, quick: bool, results: dict[str, list[Row]]) -> Row:
    """All that the report says of an item."""
    item = item_of(name, quick)
    row: Row = {"item": name, "what": item.what, "n": item.n, "k": item.k, "mb": item.size / 1e6}
    row["floor"] = merged(results[READ])["cpu"]
    row["solvers"] = {solver: merged(r) for solver, r in results.items() if solver != READ}
    return row


def check(row: Row) -> None:
    """RuntimeError where a peer is above ours by more than our certificate allows."""
    own = row["solvers"].get(OURS)
    if own is None:
        return
    for solver, record in row["solvers"].items():
        if not math.isfinite(_order(record.get("gap"))):
            continue
        above = record["log_likelihood"] - own["log_likelihood"]
        rounding = 1e-13 * (1.0 + abs(own["log_likelihood"]))
        if above > math.log1p(max(own["gap"], 0.0)) + rounding:
            raise RuntimeError(
                f"{row['item']}: {solver} has a log-likelihood {above:.2e} nats a row above ours, "
                f"whose gap is {own['gap']:.2e}: that gap is wrong."
            )


def best(row: Row, solvers: Iterable[str]) -> str | None:
    """The fastest of these solvers that reached the gap."""
    able = [s for s in solvers if s in row["solvers"] and reached(row["solvers"][s])]
    return min(able, key=lambda s: row["solvers"][s]["cpu"], default=None)


def ratio(row: Row, solver: str | None) -> float:
    """How many times our time the solver took; NaN where one of both is missing."""
    if solver not in row["solvers"] or OURS not in row["solvers"]:
        return math.nan
    return row["solvers"][solver]["cpu"] / row["solvers"][OURS]["cpu"]


def show(row: Row) -> str:
    """What is printed of an item: a line for each solver."""
    head = f"# {row['item']} {row['what']}, {row['n']} × {row['k']}, {row['mb']:.1f} MB"
    lines = [f"{head}; reading F once {1e3 * row['floor']:.2f} ms"]
    own = row["solvers"].get(OURS)
    for solver, record in row["solvers"].items():
        gap, status = record.get("gap"), record["status"]
        text = f"  {solver:14} {1e3 * record['cpu']:12.2f} ms (least {1e3 * record['least']:.2f})"
        if gap is not None:
            text += f"  gap {gap:9.2e}{' ' if reached(record) else '!'} "
            text += f" support {record['support']:4}  {record['iterations']:6} iterations"
        if own and gap is not None:
            above = record["log_likelihood"] - own["log_likelihood"]
            text += f"  x {ratio(row, solver):7.2f}  l - ours {above:+.1e}"
        lines.append(f"{text}  {status}")
    if own:
        lines.append(
            f"  {own['cpu'] / row['floor']:.1f} times reading; best mixsqp "
            f"{ratio(row, best(row, MIXSQP)):.2f}, best of SciPy {ratio(row, best(row, SCIPY)):.2f}"
        )
    return "\n".join(lines)


def run(given: argparse.Namespace) -> list[Row]:
    """Measure, check and print; one row an item."""
    table, kept = [], Kept(given.cache, given.quick, given.rerun, given.kept)
    for name in given.items:
        file_of(name, given.cache, given.quick)  # drawn here: no measured process draws it
        what = {"cache": given.cache, "quick": given.quick, "order": given.order}
        what["budget"] = 0.3 if given.quick else 1.0
        with Busy() as busy:
            results = compete(name, [READ, *given.solvers], given.rounds, kept, what)
        row = {**summary(name, given.quick, results), "load": busy.load, "others": busy.others}
        check(row)
        table.append(row)
        print(f"{show(row)}\n  {busy.describe()}", flush=True)
    return table


def options() -> argparse.Namespace:
    parser = arguments(__doc__ or "")
    parser.add_argument("--items", default=",".join(ITEMS))
    parser.add_argument("--solvers", default=",".join(NAMES))
    parser.add_argument("--rerun", action="store_true", help="measure the peers again")
    parser.add_argument("--kept", action="store_true", help="measure no peer, take what is kept")
    parser.add_argument("--order", choices=["F", "C"], default="F", help="memory order of our F")
    parser.add_argument("--output", help="write the report there")
    given = parser.parse_args()
    given.items, given.solvers = given.items.split(","), given.solvers.split(",")
    for asked, known in ((given.items, ITEMS), (given.solvers, NAMES)):
        if unknown := set(asked) - set(known):
            parser.error(f"{', '.join(sorted(unknown))} unknown; there are {', '.join(known)}")
    return given


def main() -> None:
    given = options()
    os.environ.update(fresh.SINGLE_THREADED | STEADY)
    about_r = fresh.call("proportions_r:describe") if set(given.solvers) & set(MIXSQP) else ""
    if not about_r:
        given.solvers = [solver for solver in given.solvers if solver not in MIXSQP]
    print(about_r or "mixsqp does not take part", flush=True)
    with Busy() as busy:
        table = run(given)
    if given.output:
        from .proportions_report import write

        write(given, table, about_r, busy)


if __name__ == "__main__":
    main()
