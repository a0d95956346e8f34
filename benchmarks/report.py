"""Run all benchmarks and write docs/benchmarks.md.

python -m benchmarks [--quick] [--rounds 5] [--output docs/benchmarks.md]
"""

from __future__ import annotations

import math
import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from . import (
    converged,
    discrete_peers,
    discrete_report,
    fit,
    kmeans_report,
    machine,
    memory,
    startup,
    threads,
    workloads,
)
from .fresh import ROOT
from .kmeans_peers import chosen
from .peers import ONEDAL, OURS, PEERS, SKLEARN
from .tables import Row, every_library, number, ratio, table
from .targets import (
    COLD,
    FEWER_MAPS,
    GROWTH,
    LONG_PASS,
    SPEED,
    STARTUP,
    TWO_THREADS,
    verdict,
)


def heading(quick: bool, load: float, others: float, command: str) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in machine.versions().items())
    warning = (
        "\n**A trial run (`--quick`) on a fraction of the rows: the targets do not apply to it.**\n"
    )
    return f"""# Benchmarks

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; how to run and read it:
`benchmarks/README.md`.
{warning if quick else ""}
- Machine: {machine.processor()}.
- Load average {load:.2f} at the start and {machine.load_average():.2f} at the end; other processes
  used {others:.2f} cores in the mean.
- Versions: {versions}.
- float64, one thread unless said otherwise, same rows, start and iterations, no ridge. Ratios are
  the other library's median over ours; targets are those of `benchmarks/targets.py`.
"""


def speed_section(rows: list[Row]) -> str:
    by = {(row["item"], row["library"]): row for row in rows}
    lines = []
    for name in dict.fromkeys(row["item"] for row in rows):
        own = by[name, OURS]
        line = [name, own["what"], number(own["ms"], 3)]
        for library, target in zip((SKLEARN, ONEDAL), SPEED[name], strict=True):
            row = by.get((name, library))
            if row is None:
                line += ["–", "–"]
                continue
            asked = f"≥ {target}: {verdict(row['ratio'] >= target)}" if target else "none set"
            line += [ratio(row), asked]
        lines.append(line)
    head = ["item", "model", "ours, ms", "× scikit-learn (of minima)", "target"]
    note = f"{fit.WHOLE_FIT} is a whole fit of 20 iterations, its validation included."
    summary = table([*head, "× oneDAL (of minima)", "target"], lines)
    return (
        f"## Time per EM iteration\n\n{note}\n\n{summary}\n{every_library(rows, 'log-likelihood')}"
    )


def converged_section(rows: list[Row]) -> str:
    lines = []
    plain: list[int | None] = []
    for row in rows:
        if "maps" not in row:  # scikit-learn
            lines.append(["", "", SKLEARN, "", "", "", number(row["ms"], 1), "1.00", ""])
            continue
        if row["method"] == "plain":
            plain = row["maps"]
        maps = " / ".join("never" if m is None else str(m) for m in row["maps"])
        maps += "" if row["rested"] else " (still climbing)"
        fewer = plain[-1] / row["maps"][-1] if plain[-1] and row["maps"][-1] else math.nan
        asked, optimum = "", ""
        if row["method"] != "plain":
            asked = f"≥ {FEWER_MAPS:g}: {verdict(fewer >= FEWER_MAPS)}"
            lower = row["against_plain"] < -converged.SAME_OPTIMUM
            optimum = f"{row['against_plain']:+.1e}: {verdict(not lower and not row['falls'])}"
        problem = [row["problem"], row["what"]] if row["method"] == "plain" else ["", ""]
        line = [*problem, row["method"], maps, number(fewer), asked]
        lines.append([*line, number(row["ms"], 1), number(row["speed_up"]), optimum])
    head = ["problem", "", "method", "maps to 1e-5 / 1e-7 / 1e-9", "× fewer to 1e-9", "target"]
    head += ["ms to 1e-7", "× scikit-learn", "optimum against plain EM's"]
    text = (
        "Maps are passes over the rows; gaps are nats per row below the best. A method that ends\n"
        "in another optimum is judged by its own end, and fails if that lies lower than plain\n"
        "EM's or if the objective ever fell.\n"
    )
    return f"## Time to a converged fit\n\n{text}\n{table(head, lines)}"


def threads_section(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        alone = next(r["ms"] for r in rows if r["item"] == row["item"] and r["threads"] == 1)
        asked = ""
        if row["threads"] == 2:
            asked = f"≥ {TWO_THREADS}: {verdict(row['speed_up'] >= TWO_THREADS)}"
            asked = asked if alone > LONG_PASS else "pass too short"
        line = [row["item"], row["threads"], number(row["ms"]), number(row["cpu_ms"])]
        line += [number(row["speed_up"]), number(row["least_speed_up"]), asked]
        lines.append([*line, f"{row['load']:.1f} / {row['others']:.1f}"])
    head = ["item", "threads", "ms", "processor ms", "× one thread", "of minima", "target"]
    body = table([*head, "load / others' cores"], lines)
    return f"## Threads\n\nThe bits are equal for every number of threads.\n\n{body}"


def memory_section(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        asked = ""
        if row["library"] == OURS:
            asked = f"≤ {GROWTH:g}: {verdict(row['warm'] <= GROWTH)}"
        lines.append(
            [row["start"], row["library"], number(row["warm"], 1), asked, number(row["first"], 1)]
        )
    head = ["start", "library", "peak growth, MiB", "target", "first fit of a process, MiB"]
    text = (
        f"A fit of {memory.ITEM}, whose data are {rows[0]['data']:.0f} MiB; `default` starts from "
        "k-means. The first fit of a\nprocess also loads modules and compiled code.\n"
    )
    return f"## Memory\n\n{text}\n{table(head, lines)}"


def startup_section(rows: list[Row]) -> str:
    reference = next(r["seconds"] for r in rows if r["program"].startswith("scikit-learn"))
    lines = []
    for row in rows:
        asked = ""
        if row["program"] == "mixtures: first fit":
            share = row["seconds"] / reference
            asked = f"≤ {STARTUP:g} of scikit-learn's ({share:.2f}): {verdict(share <= STARTUP)}"
        elif row["program"].endswith("cold"):
            said = len(row["said"].splitlines()) == 1
            asked = f"< {COLD:g} s, one line: {verdict(row['seconds'] < COLD and said)}"
        elif "nothing writable" in row["program"]:
            asked = f"imports and fits: {verdict(True)}"  # else the run had failed
        said = re.sub(r"(?<=cached in )\S+(?=\))", "...", " ".join(row["said"].split()))
        lines.append([row["program"], number(row["seconds"]), asked, said])
    head = ["fresh process", "s", "target", "what it said"]
    return f"## Start-up\n\n{table(head, lines)}"


def main() -> None:
    parser = fit.arguments(__doc__)
    parser.add_argument("--libraries", help="default: all that are installed")
    parser.add_argument("--sections", help="some of: speed,converged,kmeans,discrete,threads,...")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    quick, cache, load = options.quick, options.cache, machine.load_average()
    rounds = 1 if quick else options.rounds
    named = options.libraries.split(",") if options.libraries else None
    libraries = [x for x in named if x in PEERS] if named else fit.installed()
    measured = {
        "speed": lambda: speed_section(fit.run(workloads.ITEMS, libraries, rounds, quick, cache)),
        "converged": lambda: converged_section(
            converged.run(workloads.PROBLEMS, rounds, quick, cache)
        ),
        "kmeans": lambda: kmeans_report.section(chosen(named), rounds, quick, cache),
        "discrete": lambda: discrete_report.section(
            discrete_peers.chosen(named), rounds, quick, cache
        ),
        "threads": lambda: threads_section(
            threads.run(threads.LONG_PASSES, max(3, rounds), quick, cache)
        ),
        "memory": lambda: memory_section(memory.run(quick, cache)),
        "startup": lambda: startup_section(startup.run(3 if quick else 9)),
    }
    wanted = options.sections.split(",") if options.sections else list(measured)
    with machine.Busy() as busy:
        sections = [measured[name]() for name in wanted]
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    head = heading(quick, load, busy.others, command)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join([head, *sections]))
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
