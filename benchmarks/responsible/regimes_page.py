"""The page on ways of training the responsible head; its sentences follow from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import NormalDist

from .. import machine
from ..tables import table
from .page import prose
from .regimes_recipes import BATCHED, REGIMES, RIVALS, SIZES
from .regimes_scores import BEYOND, Cell, Difference, Scores, better, worse
from .regimes_train import LATE

Found = dict[Cell, Difference]


def page(
    to_choose: Scores, judged: Scores, sizes: Scores, partners: Mapping[str, str],
    trained: Mapping[str, str], *, command: str, quick: bool, seconds: float,
) -> str:  # fmt: skip
    """All of it; `partners` are the names of the regimes' limits."""
    best = best_rivals(to_choose)
    choice = chosen_of(to_choose, best)
    found = {name: judged.against(name, best) for name in REGIMES}
    of_map = {
        name: judged.against(name, dict.fromkeys(judged.cells, partners[name])) for name in REGIMES
    }
    parts = [
        heading(to_choose, judged, trained, command, quick, seconds),
        "## Verdict\n\n" + "\n".join(verdict_lines(judged, best, choice, found, of_map, partners)),
        rivals_section(judged),
        differences_section(judged, best, choice, found),
        limits_section(partners, of_map),
        sizes_section(sizes),
    ]
    return prose("\n\n".join(parts))


def best_rivals(scores: Scores) -> dict[Cell, str]:
    """Of each cell, on the seeds to choose by: their choice must not flatter either."""
    return {cell: scores.best(RIVALS, cell) for cell in scores.cells}


def chosen_of(scores: Scores, best: Mapping[Cell, str]) -> str:
    """The regime that is worse in the fewest cells; of equals, that with the least worst loss."""

    def key(name: str) -> tuple[int, float]:
        found = scores.against(name, best)
        return len(worse(found)), -min(difference.mean for difference in found.values())

    return min(REGIMES, key=key)


# ---- sentences -----------------------------------------------------------------------------------


def heading(
    to_choose: Scores, judged: Scores, trained: Mapping[str, str], command: str, quick: bool,
    seconds: float,
) -> str:  # fmt: skip
    versions = ", ".join(f"{name} {v}" for name, v in machine.versions().items())
    trial = "**A trial run (`--quick`): four epochs, so it says nothing.**" if quick else ""
    problems = "\n".join(f"- {name}: {what}." for name, what in trained.items())
    return f"""# Ways of training the responsible head

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in {seconds / 60:.0f} minutes; no
number was typed by hand.

{trial}

- Machine: {machine.processor()}.
- Versions: {versions}.

Is there a way of training by which `ResponsibleSoftmaxClassifier(head="responsible")` is at least
as good as the best of its rivals, in balanced accuracy under equal shares of the classes
(`predict_prior="uniform"`) *and* in log-loss under the shares in training, on four problems:

{problems}

Rows, first weights and numbers of updates are the same for all. {len(REGIMES)} regimes and the best
rival of each score and problem were chosen on {to_choose.n_seeds} seeds and judged on
{judged.n_seeds} others. Differences are paired by seeds, positive where the regime is better, in
ten-thousandths (of accuracy, or nats), ± one standard error; one counts if it is beyond
{BEYOND:g} of these: worse in bold, better in italics."""


def verdict_lines(
    judged: Scores, best: Mapping[Cell, str], choice: str, found: Mapping[str, Found],
    of_map: Mapping[str, Found], partners: Mapping[str, str],
) -> list[str]:  # fmt: skip
    n_cells = len(best)
    passed = [name for name, differences in found.items() if not worse(differences)]
    answer = (
        f"**None of {len(found)} regimes is as good as the best rival in all {n_cells} cells.**"
        if not passed
        else f"**As good as the best rival in all {n_cells} cells: {names(passed)}.**"
    )
    count = {name: n_cells - len(worse(judged.against(name, best))) for name in RIVALS}
    of_rivals = ", ".join(f"`{name}` in {n}" for name, n in count.items())
    able = [name for name in {*partners.values(), *RIVALS} if not worse(judged.against(name, best))]
    others = len({*partners.values(), *RIVALS})
    lines = [
        f"{answer} Nor is {'any' if not able else 'any but ' + names(able)} of {others} ways of "
        "training without the map, the rivals among them.",
        f"As good as the best, of {n_cells} cells: {of_rivals}.",
        chosen_sentence(judged, best, choice, found[choice]),
        f"The chosen regime against each rival: {each_rival(judged, choice)}.",
        map_sentence(of_map),
        f"The chosen regime against the same training with a constant prior (`{partners[choice]}`):"
        f" {counted(of_map[choice])}.",
    ]
    return [f"- {line}" for line in lines]


def chosen_sentence(judged: Scores, best: Mapping[Cell, str], choice: str, found: Found) -> str:
    left = [
        f"{cell} ({found[cell].text.strip('*')} against `{best[cell]}`, which has "
        f"{judged.mean(best[cell], cell):.4f})"
        for cell in worse(found)
    ]
    where = "; worse in " + ", ".join(left) if left else ""
    return (
        f"Chosen was `{choice}`. On the other seeds it is better than the best rival in "
        f"{len(better(found))} of {len(found)} cells{where}."
    )


def each_rival(judged: Scores, choice: str) -> str:
    parts = []
    for rival in RIVALS:
        found = judged.against(choice, dict.fromkeys(judged.cells, rival))
        parts.append(f"`{rival}`, {counted(found)}")
    return "; ".join(parts)


def counted(found: Found) -> str:
    text = f"better in {len(better(found))}, worse in {len(worse(found))} of {len(found)}"
    cells = worse(found)
    return f"{text} ({names([str(c) for c in cells], '')})" if 0 < len(cells) < 4 else text


def map_sentence(of_map: Mapping[str, Found]) -> str:
    """What estimating the prior is worth, all else equal."""
    every = [difference for found in of_map.values() for difference in found.values()]
    up, down = (sum(d.sign == sign for d in every) for sign in (1, -1))
    chance = len(every) * (1.0 - NormalDist().cdf(BEYOND))
    means = [1e4 * d.mean for d in every]
    top = max(means)
    return (
        "What the map itself is worth: of all regimes and cells, each against the same training "
        f"with the prior held at the shares, estimating it from the batch is better in {up} and "
        f"worse in {down} of {len(every)}, where chance alone would make about {chance:.0f} of "
        f"either; the largest gain is {top:.0f}, the largest loss {-min(means):.0f} "
        "ten-thousandths."
    )


def names(given: list[str], quote: str = "`") -> str:
    return ", ".join(f"{quote}{name}{quote}" for name in given)


# ---- tables --------------------------------------------------------------------------------------


def head_of(first: str, scores: Scores) -> list[str]:
    return [first, *(f"{cell.task}, {cell.measure}" for cell in scores.cells)]


def rivals_section(judged: Scores) -> str:
    lines = [
        [name, *(f"{judged.mean(name, cell):.4f}" for cell in judged.cells)] for name in RIVALS
    ]
    return f"""## The rivals

Late: the learning rate falls once, to a tenth, after {LATE:.0%} of the epochs. Adjusted: the
logarithms of the shares are taken off the logits (Menon et al. 2021); balanced softmax is
`head="fixed"` (Ren et al. 2020); class weights are inverse to the shares, and their log-loss is
that of posteriors from which the weights are taken off again. Scikit-learn's network has no
schedule for Adam's rate.

{table(head_of("method", judged), lines)}"""


def differences_section(
    judged: Scores, best: Mapping[Cell, str], choice: str, found: Mapping[str, Found]
) -> str:
    lines = [["best rival", *(best[cell] for cell in judged.cells)]]
    for name, differences in found.items():
        shown = f"**{name}** (chosen)" if name == choice else name
        lines.append([shown, *(differences[cell].text for cell in judged.cells)])
    return f"""## Regimes against the best rival

If a name says nothing else, the prior of a batch starts at the shares in training, the map is
applied once, and the gradient is exact. Pseudo-rows have the shares of the classes. Phases follow
each other within the same number of epochs; *between* is equal weight for the classes in the second
quarter of the epochs only, *longer* until three quarters of them are over, *longest* nine tenths.
A power of class weights is that of the inverse shares.

{table(head_of("regime", judged), lines)}"""


def limits_section(partners: Mapping[str, str], of_map: Mapping[str, Found]) -> str:
    lines, cells = [], list(next(iter(of_map.values())))
    for name, differences in of_map.items():
        cells = list(differences)
        lines.append([name, *(differences[cell].text for cell in cells)])
    head = ["regime", *(f"{cell.task}, {cell.measure}" for cell in cells)]
    return f"""## What the map is worth

Each regime against the same training with the prior held at the shares, which is what infinitely
many pseudo-rows do; without class weights that is balanced softmax. The population says what to
expect: from the shares, the map's fixed point is the shares, so with an unlimited network and large
batches both learn the same logits; from a uniform start a few applications stop short of the
shares, and predictions under equal shares are corrected too little. In a finite batch the map adds
noise: it estimates from logits what labels say exactly, and a batch that can explain its rows by
another prior teaches less about where a rare class is not.

{table(head, lines)}"""


def sizes_section(sizes: Scores) -> str:
    lines = []
    first, *others = BATCHED
    for size in SIZES:
        base = f"{first}, {size:g}"
        at = [f"{sizes.mean(base, cell):.4f}" for cell in sizes.cells]
        lines.append([f"{size:g}", first, *at])
        for other in others:
            found = sizes.against(f"{other}, {size:g}", dict.fromkeys(sizes.cells, base))
            lines.append(["", other, *(found[cell].text for cell in sizes.cells)])
    head = ["batch size, × the problem's", *head_of("regime", sizes)]
    return f"""## Sizes of batches

Late; the same epochs, so smaller batches are more updates. Balanced softmax, and how the
responsible head differs from it at the same size.

{table(head, lines)}"""
