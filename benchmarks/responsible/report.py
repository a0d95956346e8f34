"""The published experiments of the responsible softmax, run again; the page of what they support.

python -m benchmarks.responsible [--quick] [--seeds 32] [--only gmm,crescents,...] [--jobs 1]
                                 [--output docs/responsible_experiments.md]
python -m benchmarks.responsible --mnist my.npz --output my-mnist.md

The second form runs the methods on MNIST, or any images of digits, of your own: X (n, ...), y (n,).
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from .. import machine
from ..fresh import ROOT
from ..targets import verdict
from . import baselines, crescents, frontier, gmm, numerics, rates, shift
from .bands import Band, bands_table
from .images import mnist_of
from .page import Comparison, Section, prose

SECTIONS: dict[str, Callable[[int, int], Section]] = {
    "gmm": gmm.section,
    "wide": gmm.wide_section,
    "crescents": crescents.section,
    "baselines": baselines.section,
    "frontier": frontier.section,
    "shift": shift.section,
    "rates": rates.section,
    "numerics": numerics.section,
}
QUICK = 2  # seeds of a trial run


def heading(options: argparse.Namespace, seconds: float) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in machine.versions().items())
    command = shlex.join(["python", "-m", "benchmarks.responsible", *sys.argv[1:]])
    trial = "**A trial run (`--quick`): the bands do not apply to it.**" if options.quick else ""
    return prose(f"""Written by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in
{seconds / 60:.0f} minutes; no number was typed by hand.

{trial}

- Machine: {machine.processor()}; load average {machine.load_average():.2f}.
- Versions: {versions}.
- Up to {options.seeds} seeds, each with rows and starting weights of its own.

A network with a responsible softmax estimates the prior of each batch by a few applications of the
responsibility map, and its loss is that of the posterior under it (R. D. Coatney, A Responsible
Softmax Layer in Deep Learning, University of Arizona, 2020). Figures from there are "slides'" or
"author's"; all others were computed here.""")


def verdict_section(sections: dict[str, Section]) -> str:
    """What the numbers support, in sentences that they choose."""
    lines = []
    if "gmm" in sections:
        lines.append("- " + reproduced(sections["gmm"].bands))
    comparisons = [c for part in sections.values() for c in part.comparisons]
    for score in dict.fromkeys(c.score for c in comparisons):
        lines.append("- " + remedy(score, [c for c in comparisons if c.score == score]))
    lines += [f"- {text}" for part in sections.values() for text in part.verdicts]
    parts = ["\n".join(lines)]
    for score in dict.fromkeys(c.score for c in comparisons):
        found = [f"- {c.task}: {c.text}." for c in comparisons if c.score == score]
        parts.append(
            f"The best responsible head of each task against the best of these three, "
            f"{score}:\n\n" + "\n".join(found)
        )
    return "## What the numbers support\n\n" + "\n\n".join(parts) + "\n"


def reproduced(bands: list[Band]) -> str:
    missed = [band.what for band in bands if not band.met]
    if not missed:
        return f"The published layer is reproduced: all {len(bands)} figures are in their bands."
    return (
        f"The published layer is reproduced in {len(bands) - len(missed)} of {len(bands)} figures; "
        f"not in: {'; '.join(missed)}."
    )


def remedy(score: str, comparisons: list[Comparison]) -> str:
    count = {sign: sum(c.sign == sign for c in comparisons) for sign in (-1, 0, 1)}
    often = count[1] > count[-1] + count[0]
    judged = "usually better than" if often else "usually matched or beaten by"
    if not count[1]:
        judged = "never better than"
    return (
        f"By {score} the best responsible head is {judged} the best of plain softmax with post-hoc "
        f"adjustment, class weights and a fixed prior: of {len(comparisons)} tasks it is better in "
        f"{count[1]}, no different in {count[0]}, worse in {count[-1]}."
    )


def acceptance(sections: dict[str, Section]) -> str:
    bands = [band for part in sections.values() for band in part.bands]
    met = sum(band.met for band in bands)
    return f"""## Acceptance

{met} of {len(bands)} figures are in their bands: {verdict(met == len(bands))}. Times are in
[benchmarks-responsible.md](benchmarks-responsible.md), further ways to train in
[responsible_regimes.md](responsible_regimes.md).

{bands_table(bands)}"""


def page(options: argparse.Namespace, sections: dict[str, Section], seconds: float) -> str:
    parts = ["# The responsible softmax: experiments\n", heading(options, seconds)]
    parts.append(verdict_section(sections))
    if any(part.bands for part in sections.values()):
        parts.append(acceptance(sections))
    parts += [f"## {part.title}\n\n{part.text}" for part in sections.values()]
    return "\n".join(parts)


def options_of(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} seeds")
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--mnist", type=Path, help="an .npz file with X and y")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "responsible_experiments.md")
    options = parser.parse_args(words)
    options.seeds = QUICK if options.quick else options.seeds
    options.only = list(SECTIONS) if options.only is None else options.only.split(",")
    if unknown := set(options.only) - set(SECTIONS):
        parser.error(f"--only expects some of {','.join(SECTIONS)}, but got {sorted(unknown)}")
    return options


def main(words: list[str] | None = None) -> None:
    options, start = options_of(words), time.perf_counter()
    sections = {}
    if options.mnist:
        given = baselines.mnist_tasks(mnist_of(options.mnist))
        sections["mnist"] = baselines.section_of(given, options.seeds, options.jobs)
    else:
        for name in options.only:
            begun = time.perf_counter()
            sections[name] = SECTIONS[name](options.seeds, options.jobs)
            print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)
    options.output.write_text(page(options, sections, time.perf_counter() - start))
    print(f"wrote {options.output}")
