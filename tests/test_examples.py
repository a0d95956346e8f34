"""Every script of the gallery runs, says what it found, and writes its picture."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(EXAMPLES.glob("plot_*.py"))

LEAST = {
    "plot_crescents.py": ("of the rare crescent are found with equal shares", 90.0),
    "plot_responsible_softmax.py": (
        "are named right by the softmax that was trained to the end",
        97.0,
    ),
    "plot_eigen_digits.py": ("show the most frequent digit of their component", 85.0),
    "plot_factor_rotation.py": ("are explained by one factor of oblimin, nearly alone", 60.0),
    "plot_manifold.py": ("are within ten degrees of the curve", 95.0),
    "plot_label_shift.py": ("are named right with the estimated shares", 85.0),
    "plot_orbit_on_the_simplex.py": ("are counted under the species that they are", 95.0),
    "plot_rates.py": ("are the logarithm of the rate to three digits", 100.0),
    "plot_deconvolution.py": ("comes without knowing the prior", 99.0),
    "plot_house_votes.py": ("are in the class of their party", 85.0),
    "plot_zoo.py": ("are of the most frequent kind of their class", 80.0),
    "plot_mixed_penguins.py": ("are of the most frequent species of their component", 98.0),
    "plot_digits_prototypes.py": ("show the most frequent digit of their component", 75.0),
}
"""What the last line of a script says, and how many per cent it must be."""


@pytest.fixture
def run(monkeypatch, capsys):
    def call(script: Path, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(script), *arguments])
        with np.errstate(all="ignore"):  # drawing is matplotlib's arithmetic, not ours
            runpy.run_path(str(script), run_name="__main__")
        return capsys.readouterr().out

    yield call
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_examples_find_what_is_known_and_draw_it(script, run, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    picture = tmp_path / "picture.png"
    said = run(script, "--output", str(picture))
    words, least = LEAST[script.name]
    share = re.search(rf"([\d.]+)% of the [a-z]+ {words}\.\n$", said)
    assert share is not None, said
    assert float(share[1]) >= least
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_example_without_an_output_writes_nothing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(EXAMPLES / "plot_house_votes.py")
    assert not list(tmp_path.iterdir())


def test_every_script_is_tested():
    assert {script.name for script in SCRIPTS} == set(LEAST)
