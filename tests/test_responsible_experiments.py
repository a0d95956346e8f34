"""The published experiments, a few seeds of each, and that the page says what is so."""

import argparse
import math

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import balanced_accuracy_score, f1_score

from benchmarks.responsible import gmm, rates, report, shift, slides
from benchmarks.responsible.bands import Band, bands_table
from benchmarks.responsible.nets import METHODS, OVERLAP, Posteriors, fitted, network, slides_nets
from benchmarks.responsible.page import Comparison, Section, prose
from benchmarks.responsible.problems import overlap, slides_gmm
from benchmarks.responsible.scores import (
    confusion,
    evaluate,
    half_width,
    mean,
    over_seeds,
    stacked,
    stream,
    with_error,
)

# ---- scores --------------------------------------------------------------------------------------


def test_scores_agree_with_those_of_scikit_learn():
    """Of rows that have the training shares, no weight matters."""
    rng = np.random.default_rng(5)
    counts = np.array([600, 300, 100])
    y = np.repeat([0, 1, 2], counts)
    train = log_softmax(rng.normal(size=(1000, 3)) + 2.0 * np.eye(3)[y], axis=1)
    uniform = log_softmax(train - np.log(counts / 1000), axis=1)
    found = evaluate(Posteriors(uniform, train), y, counts / 1000)
    predicted, balanced = train.argmax(axis=1), uniform.argmax(axis=1)
    assert found["accuracy T"] == pytest.approx(np.mean(predicted == y))
    assert found["f1 T"] == pytest.approx(f1_score(y, predicted, average="macro"))
    assert found["nll T"] == pytest.approx(-train[np.arange(1000), y].mean())
    assert found["balanced U"] == pytest.approx(balanced_accuracy_score(y, balanced))
    by_class = [-uniform[y == k, k].mean() for k in range(3)]
    assert found["nll U"] == pytest.approx(np.mean(by_class))
    # The same rows with a class three times: same scores.
    again = np.concatenate([np.arange(1000), *[np.flatnonzero(y == 2)] * 2])
    more = evaluate(Posteriors(uniform[again], train[again]), y[again], counts / 1000)
    for key, value in found.items():
        np.testing.assert_allclose(more[key], value, rtol=1e-12)


def test_means_and_errors_over_seeds():
    found = over_seeds(lambda seed: {"a": {"b": seed, "c": [seed, 1]}}, 3, 1)
    assert found["a"]["b"].tolist() == [0, 1, 2] and found["a"]["c"].shape == (3, 2)
    assert float(half_width(found["a"]["b"])) == pytest.approx(1.96 / math.sqrt(3))
    assert with_error(np.array([0.1, 0.3])) == "0.200 ± 0.196"
    assert with_error(np.array([0.1])) == "0.100"
    assert mean(stacked([{"x": 1.0}, {"x": 2.0}])["x"]) == 1.5


def test_confusion_and_precision():
    counts = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    np.testing.assert_allclose(slides.precision_of(counts), [1.0, 1 / 3, 0.0])


@pytest.mark.parametrize("name", ["softmax", "class weights", "fixed", "scikit-learn"])
def test_rivals_predict_under_two_priors(name):
    """Posteriors differ by the shares, and either are near those of the true densities."""
    problem = overlap()
    rows = problem.sample(3000, np.random.default_rng(6))
    log_shares = np.log(np.bincount(rows.y) / 3000)
    X, y = problem.of(np.repeat([0, 1, 2], 2000), np.random.default_rng(7))
    uniform, train = METHODS[name].posteriors(OVERLAP, 0, rows, X)
    np.testing.assert_allclose(np.exp(train).sum(axis=1), 1.0)
    np.testing.assert_allclose(log_softmax(uniform + log_shares, axis=1), train, atol=1e-9)
    found = evaluate(Posteriors(uniform, train), y, problem.prior)
    known = problem.log_density(X)
    best = evaluate(Posteriors(known, known + np.log(problem.prior)), y, problem.prior)
    assert found["balanced U"] > best["balanced U"] - 0.05
    assert found["accuracy T"] > best["accuracy T"] - 0.03
    assert found["balanced T"] < best["balanced U"] - 0.05


# ---- a few seeds of the experiments --------------------------------------------------------------


def test_the_slides_contrast():
    """Rare classes: never for a plain softmax, nearly always with the true shares told."""
    problem = slides_gmm()
    nets = slides_nets(problem.prior)
    chosen = {net: nets[net] for net in ("Net 1", "Net 3", "Net 4")}
    run = over_seeds(lambda seed: gmm.one(seed, problem, gmm.SLIDES, chosen), 3, 1)
    rare = {net: mean(gmm.recalls(run[net]))[list(gmm.RARE)].mean() for net in chosen}
    assert rare["Net 1"] <= 0.02 < 0.05 < rare["Net 3"] < rare["Net 4"] - 0.05
    assert rare["Net 4"] > 0.85
    for net in chosen:  # the prior of the layer takes it all back
        assert mean(gmm.recalls(run[net], "T"))[list(gmm.RARE)].max() <= 0.02
        np.testing.assert_allclose(run[net]["prior"].sum(axis=1), 1.0)
    told = np.broadcast_to(problem.prior, (3, 5))  # which is not what a sample has
    np.testing.assert_allclose(run["Net 4"]["prior"], told, rtol=1e-12)
    share = mean(run["Net 1"]["U"])[2, 2] / 831
    assert 0.92 < share < 0.99


def test_adapting_to_reversed_shares():
    task = shift.TASKS[0]
    draw, (n, prior) = task.classes.draw, task.tests["reversed"]
    rows = draw(n, prior)(stream(0, 1))
    plain = network(OVERLAP, 0, head="softmax", predict_prior="train")
    net = fitted(plain, draw(task.n, task.prior)(stream(0, 0)))
    stored = shift.score((net.predict_log_proba(rows.X), None), rows)
    adapted = shift.score(shift.adapted(net, rows.X), rows)
    known = task.classes.log_density(rows.X)
    oracle = shift.score((known + np.log(prior), None), rows)["accuracy"]
    assert stored["accuracy"] < 0.45 and np.isnan(stored["error"])
    assert adapted["accuracy"] > 0.85 and adapted["error"] < 0.15
    assert oracle - adapted["accuracy"] < 0.02
    estimated = shift.score(shift.with_estimated(known), rows)
    assert oracle - estimated["accuracy"] < 0.01 and estimated["error"] < 0.1


def test_the_slope_of_an_orbit():
    orbit = rates.follow(rates.lines_of(1))
    assert orbit.slope == pytest.approx(orbit.predicted, rel=1e-3)
    assert abs(orbit.singular / orbit.slope - 1.0) > 0.1
    assert (np.diff(orbit.distances[:50]) < 0).all()


# ---- the page ------------------------------------------------------------------------------------


def test_bands():
    assert Band("x", 0.5, 0.1, 0.9).met and not Band("x", 0.95, 0.1, 0.9).met
    assert not Band("x", math.nan, low=0.1).met and not Band("x", math.nan).met
    lines = bands_table([Band("a", 1.0, high=0.5), Band("b", 2.0, low=1.0)])
    assert "| a | 1.000 | ≤ 0.500 | **missed** |" in lines
    assert "| b | 2.000 | ≥ 1.000 | met |" in lines


def test_the_verdict_follows_the_numbers():
    def remedy(*signs: int) -> str:
        return report.remedy("F1", [Comparison("t", "F1", sign, "") for sign in signs])

    assert "never better than" in remedy(-1, 0, -1)
    assert "usually matched or beaten by" in remedy(1, 0, -1)
    assert "usually better than" in remedy(1, 1, -1)
    assert "better in 1, no different in 2, worse in 3" in remedy(1, 0, 0, -1, -1, -1)
    right, wrong = Band("a", 0.0, high=1.0), Band("b", 2.0, high=1.0)
    assert "all 1 figures" in report.reproduced([right])
    assert "1 of 2 figures; not in: b." in report.reproduced([right, wrong])
    text = report.acceptance({"x": Section("X", "", [right, wrong])})
    assert "1 of 2 figures are in their bands: **missed**" in text


def test_comparisons_are_paired_and_know_which_way_is_better():
    from benchmarks.responsible.baselines import BEST, comparison

    keys = ("balanced U", "nll T")
    low, high = np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.61, 1.0])  # apart, in pairs only
    found = {
        "responsible, 1": dict.fromkeys(keys, low),
        "fixed": dict.fromkeys(keys, high),
        BEST: dict.fromkeys(keys, high + 1.0),
    }
    assert comparison("t", "s", "balanced U", found).sign == -1
    assert comparison("t", "s", "nll T", found).sign == 1
    found["fixed"] = dict.fromkeys(keys, low[::-1])
    assert comparison("t", "s", "nll T", found).sign == 0


def test_prose_fills_paragraphs_only():
    text = prose("a\nb\n\n| x |\n| - |\n\n- item " + "long " * 40)
    assert text.startswith("a b\n\n| x |\n| - |\n\n- item long")
    assert max(map(len, prose("word " * 100).splitlines())) <= 100


def test_the_command_refuses_sections_it_does_not_have(capsys):
    with pytest.raises(SystemExit):
        report.options_of(["--only", "gmm,poetry"])
    assert "but got ['poetry']" in capsys.readouterr().err
    assert report.options_of(["--quick"]).seeds == report.QUICK


def test_the_page_has_its_parts():
    options = argparse.Namespace(quick=True, seeds=2)
    sections = {"gmm": Section("One", "text\n", [Band("a", 2.0, high=1.0)], ["A sentence."])}
    text = report.page(options, sections, 1.0)
    for part in ("# The responsible softmax", "- A sentence.", "## Acceptance", "## One\n\ntext"):
        assert part in text
    assert "**A trial run" in text
