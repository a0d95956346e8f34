"""The report on mixture proportions, as text: docs/benchmarks-proportions.md."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from . import machine, proportions_bandwidth
from .proportions import best, ratio, reached
from .proportions_bandwidth import CACHE, SHAPES, TARGET
from .proportions_peers import EM_WORK, MIXSQP, OURS, SCIPY, SCIPY_CAP, TOL
from .tables import Row, number, table
from .targets import verdict

MEAN = 30.0  # times our time mixsqp must take, in the geometric mean over items,
LEAST = 10.0  # and on every item
NOT_SLOWER = 1.0  # times our time the faster of SciPy's methods must take that reach the gap
KEPT = """ The peers' times were kept from earlier runs, under whatever
load and limits there were then; the loads below are those of our own measurements."""
NEARLY = 1e-6  # the gap of a method of SciPy's that is shown where none reaches what is asked


def heading(given: argparse.Namespace, about_r: str, busy: machine.Busy) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in machine.versions().items())
    warning = "\n**A trial run (`--quick`) on a fraction of the rows: no results.**\n"
    words = sys.argv[1:]
    if "--cache" in words:  # a folder of this machine says nothing to others
        where = words.index("--cache")
        words = words[:where] + words[where + 2 :]
    command = " ".join(["python -m benchmarks.proportions", *words])
    order = "Fortran's" if given.order == "F" else "C's"
    return f"""# Benchmarks: mixture proportions

Written by `{command}` on
{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; how to run and read it: `benchmarks/README.md`.
{warning if given.quick else ""}
- Machine: {machine.processor()}.
- {about_r or "mixsqp did not take part"}.
- Versions: {versions}.
- Load average {busy.load:.2f} at the start and {machine.load_average():.2f} at the end; other
  processes used {busy.others:.2f} cores in the mean.
- Processor time on one thread, float64, F in memory in {order} order.
"""


def mixsqp_cells(row: Row) -> list[str]:
    """Its fastest setting that reaches the gap, else its defaults, marked."""
    setting, target = best(row, MIXSQP), f"≥ {LEAST:g}"
    if setting is None:
        default = next((s for s in MIXSQP if s in row["solvers"]), None)
        if default is None:
            return ["–", "–", "–"]
        found = row["solvers"][default]
        unrun = " and ".join(MIXSQP[s] for s in MIXSQP if s not in row["solvers"])
        note = f"*, {unrun} not run" if unrun else "*"
        seconds = f"{found['cpu']:.3g} {MIXSQP[default]}, gap {gap_of(found)} ({note})"
    else:
        default, seconds = setting, f"{row['solvers'][setting]['cpu']:.3g} {MIXSQP[setting]}"
    times = ratio(row, default)
    return [seconds, f"{times:.1f}", f"{target}: {verdict(times >= LEAST)}"]


def scipy_cells(row: Row) -> list[str]:
    """Its fastest method that reaches the gap, else the fastest that nearly does, marked."""
    method = best(row, SCIPY)
    if method is not None:
        times, seconds = ratio(row, method), f"{row['solvers'][method]['cpu']:.3g} {method}"
        return [seconds, f"{times:.1f}", f"≥ {NOT_SLOWER:g}: {verdict(times >= NOT_SLOWER)}"]
    near = [s for s in SCIPY if (row["solvers"].get(s, {}).get("gap") or math.inf) <= NEARLY]
    method = min(near, key=lambda s: row["solvers"][s]["cpu"], default=None)
    if method is None:
        return ["none", "–", "–"]
    found = row["solvers"][method]
    seconds = f"{found['cpu']:.3g} {method}, gap {gap_of(found)} (*)"
    return [seconds, f"{ratio(row, method):.1f}", "–"]


def gap_of(record: Row) -> str:
    gap = record.get("gap")
    return "–" if gap is None else f"{gap:.0e}"


def summary(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        own = row["solvers"][OURS]
        line = [row["item"], row["what"], f"{row['n']} × {row['k']}", number(row["mb"], 0)]
        line += [own["support"], f"{1e3 * own['cpu']:.2f} ({1e3 * own['least']:.2f})"]
        line += [f"{gap_of(own)}: {verdict(reached(own))}", number(1e3 * row["floor"])]
        line += [number(own["cpu"] / row["floor"], 1), *mixsqp_cells(row), *scipy_cells(row)]
        lines.append(line)
    head = ["item", "what", "n × K", "MB", "support", "ours, ms (least)", f"gap ≤ {TOL:g}"]
    head += ["reading F once, ms", "times reading", "mixsqp, s", "× ours", "target"]
    return table([*head, "SciPy, s", "× ours", "target"], lines)


def verdicts(rows: list[Row]) -> str:
    """The targets over all items."""
    lines = []
    able = {row["item"]: ratio(row, best(row, MIXSQP)) for row in rows if best(row, MIXSQP)}
    if able:
        mean, least = statistics.geometric_mean(able.values()), min(able, key=lambda i: able[i])
        lines.append(
            f"- mixsqp, the fastest of its settings that reach the gap: {mean:.1f} times our time "
            f"in the geometric\n  mean of {len(able)} items (≥ {MEAN:g}: {verdict(mean >= MEAN)}), "
            f"least {able[least]:.1f} on {least} (≥ {LEAST:g}: {verdict(able[least] >= LEAST)})."
        )
    default = {row["item"]: ratio(row, "mixsqp") for row in rows if "mixsqp" in row["solvers"]}
    default = {name: times for name, times in default.items() if math.isfinite(times)}
    if default:
        mean, least = statistics.geometric_mean(default.values()), min(default.values())
        lines.append(
            f"- mixsqp as it comes, whatever its gap: {mean:.1f} in the geometric mean of "
            f"{len(default)} items, least {least:.1f}."
        )
    able = {row["item"]: ratio(row, best(row, SCIPY)) for row in rows if best(row, SCIPY)}
    if able:
        mean, least = statistics.geometric_mean(able.values()), min(able, key=lambda i: able[i])
        lines.append(
            f"- SciPy, the faster method that reaches the gap: {mean:.1f} in the geometric mean of "
            f"{len(able)} items, least\n  {able[least]:.1f} on {least} (≥ {NOT_SLOWER:g}: "
            f"{verdict(able[least] >= NOT_SLOWER)})."
        )
    if short := [row["item"] for row in rows if not reached(row["solvers"][OURS])]:
        lines.append(f"- **Ours did not reach the gap on {', '.join(short)}.**")
    return "\n".join(lines) + "\n"


def every_solver(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        own = row["solvers"][OURS]
        for solver, record in row["solvers"].items():
            above, times = "–", ratio(row, solver)
            if record.get("gap") is not None and not math.isnan(record["gap"]):
                above = f"{record['log_likelihood'] - own['log_likelihood']:+.1e}"
            line = [row["item"], solver, f"{1e3 * record['cpu']:.2f}", f"{times:.2f}"]
            line += [gap_of(record), above, record.get("support", "–")]
            line += [record.get("iterations", "–"), record["rounds"], record["status"]]
            lines.append([*line, f"{row['load']:.1f} / {row['others']:.1f}"])
    head = ["item", "solver", "ms", "× ours", "gap", "log-likelihood less ours, nats a row"]
    head += ["support", "iterations", "rounds", "how it ended", "load / others' cores"]
    return table(head, lines)


def bandwidth(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        asked = f"≥ {TARGET:g}: {verdict(row['share'] >= TARGET)}"
        asked = asked if row["mb"] >= CACHE else "in the cache"
        line = [row["k"], row["n"], number(row["mb"], 0), number(row["ms"]), number(row["EM"], 1)]
        line += [number(row["read"], 1), number(row["share"]), asked, number(row["numpy"], 1)]
        lines.append([*line, number(row["others"])])
    head = ["K", "n", "MB", "a sweep, ms", "GB/s", "reading, GB/s", "share", "target"]
    return table([*head, "NumPy's EM, GB/s", "others' cores"], lines)


def write(given: argparse.Namespace, rows: list[Row], about_r: str, busy: machine.Busy) -> None:
    """Measure the sweeps and write everything to `given.output`."""
    sweeps = proportions_bandwidth.run(SHAPES, given.order, given.rounds, given.quick)
    text = f"""{heading(given, about_r, busy)}
## Time to a certified gap of {TOL:g}

The gap is max_k g_k - 1, taken by one NumPy function on the original F for everybody. mixsqp runs
at its default, `tight` and `exact6` settings (`benchmarks/mixsqp.R`); SciPy's methods are stopped
as soon as the gap is reached, or after {SCIPY_CAP:g} s. (*): none that was run reaches it; shown
are mixsqp's defaults, and the fastest of SciPy's methods that gets to {NEARLY:g}. `support` counts
positive weights.{KEPT if given.kept else ""}

{verdicts(rows)}
{summary(rows)}
Every solver. Plain EM is ours; it may read {EM_WORK:g} numbers of F, as many times a whole F:

{every_solver(rows)}
## Bandwidth of plain EM's sweeps

One iteration of `solver="em"` reads F once. NumPy's EM, the obvious two products, reads it twice;
its figure counts F once, too. The target is for F that no cache holds, {CACHE:g} MB or more.

{bandwidth(sweeps)}"""
    Path(given.output).write_text(text, encoding="utf-8")
    print(f"wrote {given.output}")
