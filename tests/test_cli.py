"""The command line: what it prints and writes, and one sentence for each mistake."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mixtures import GaussianMixture
from mixtures._table import TableError, read_table
from mixtures.cli import main
from mixtures.datasets import load_faithful

ROOT = Path(__file__).parent.parent
HEADER = "length,width\n"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "table.csv", encoding: str = "utf-8") -> str:
    Path(name).write_text(text, encoding=encoding, newline="")
    return name


def blobs(n: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)) + 8.0 * rng.integers(2, size=(n, 1))


def blobs_file(n: int = 60) -> str:
    return write(HEADER + "".join(f"{a!r},{b!r}\n" for a, b in blobs(n).tolist()))


# ---- a run -----------------------------------------------------------------------------------


def test_old_faithful_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--components", "2-3", "--covariance", "tied,diag"]) == 0
    out = capsys.readouterr().out
    assert "Old Faithful: 272 rows, 2 features (eruptions, waiting)" in out
    # mclust 6.0 finds EEE with 3 components and BIC -2314.316 (its sign); EM with tol 1e-6 ends
    # within 0.1 of that.
    (starred,) = (line for line in out.splitlines() if line[:3].strip().isdigit() and "*" in line)
    assert starred.split()[:2] == ["3", "2314.30*"]
    assert "Chosen: 3 components, tied covariance; 11 parameters" in out
    assert out.count("The objective changed by less than tol in one iteration.") == 4
    assert Path("mixtures-faithful.png").read_bytes().startswith(b"\x89PNG")


def test_module_runs_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-W", "error", "-m", "mixtures", "--components", "2"]
    run = subprocess.run(
        [*command, "--plot", "here.png"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert Path("here.png").exists()


def test_labels_are_those_of_the_chosen_model(capsys: pytest.CaptureFixture[str]) -> None:
    X, path = blobs(), blobs_file()
    assert main([path, "--components", "2", "--covariance", "full", "--labels", "out.csv"]) == 0
    gm = GaussianMixture(
        2, tol=1e-6, max_iter=1000, n_init=5, random_state=0, component_order="weights"
    ).fit(X)
    with open("out.csv", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["row", "label", "max_probability"]
    assert [int(row) for row, _, _ in lines] == list(range(1, len(X) + 1))
    assert [int(label) for _, label, _ in lines] == gm.predict(X).tolist()
    np.testing.assert_allclose(
        [float(p) for _, _, p in lines], gm.predict_proba(X).max(axis=1), rtol=1e-5
    )
    out = capsys.readouterr().out
    assert "component 0   weight" in out
    assert "Labels: out.csv" in out


def test_same_seed_same_words_for_any_number_of_threads(capsys: pytest.CaptureFixture[str]) -> None:
    path, reports = blobs_file(), []
    for threads in ("1", "2"):
        main([path, "--components", "1-3", "--seed", "3", "--threads", threads])
        out = capsys.readouterr().out
        reports.append(out[: out.index("  K  covariance")])  # what follows has times
    assert reports[0] == reports[1]


@pytest.mark.parametrize("criterion", ["aic", "icl"])
def test_other_criteria(capsys: pytest.CaptureFixture[str], criterion: str) -> None:
    assert main([blobs_file(), "--components", "1-2", "--criterion", criterion]) == 0
    assert f"{criterion.upper()} (lower is better" in capsys.readouterr().out


def test_a_candidate_that_fails_is_said_in_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = GaussianMixture.fit

    def fails_for_two(self: GaussianMixture, *args: object, **options: object) -> GaussianMixture:
        if self.n_components == 2:
            raise ValueError("broken on purpose")
        return fit(self, *args, **options)

    monkeypatch.setattr(GaussianMixture, "fit", fails_for_two)
    assert main([blobs_file(), "--components", "1-2", "--covariance", "diag"]) == 0
    captured = capsys.readouterr()
    assert "  2        failed" in captured.out
    assert "ValueError: broken on purpose" in captured.out
    assert main([blobs_file(), "--components", "2"]) == 2
    assert "broken on purpose" in capsys.readouterr().err


def test_without_matplotlib_the_table_still_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([blobs_file(), "--components", "2"]) == 0
    out = capsys.readouterr().out
    assert "Chosen: 2 components" in out
    assert "pip install matplotlib" in out


def test_many_features_print_without_matrices(capsys: pytest.CaptureFixture[str]) -> None:
    X = np.random.default_rng(0).normal(size=(50, 8))
    path = write("".join(",".join(map(repr, row)) + "\n" for row in X.tolist()))
    assert main([path, "--components", "1-2", "--covariance", "diag"]) == 0
    out = capsys.readouterr().out
    assert "column 8" in out
    assert "std   covariance" not in out


# ---- what a user gets wrong ------------------------------------------------------------------

WRONG = {
    "missing file": ("absent.csv", None, [], "absent.csv does not exist"),
    "empty file": ("t.csv", "", [], "t.csv is empty"),
    "blank file": ("t.csv", "\n \n", [], "t.csv is empty"),
    "header only": ("t.csv", HEADER, [], "no rows below it"),
    "word": ("t.csv", HEADER + "1,2\n3,wide\n", [], "line 3: 'width' is not numeric: it has the v"),
    "word without header": ("t.csv", "1,2,a\n3,4,b\n", [], "line 1: 'column 3' is not numeric"),
    "missing value": (
        "t.csv",
        HEADER + "1,2\n,4\n",
        [],
        "line 3: 'length' has a missing value (''",
    ),
    "NA": ("t.csv", HEADER + "1,NA\n3,4\n", [], "line 2: 'width' has a missing value ('NA')"),
    "infinite": ("t.csv", HEADER + "1,2\n3,inf\n", [], "'width' has the value 'inf', which is not"),
    "ragged": ("t.csv", HEADER + "1,2\n3,4,5\n", [], "line 3: 3 cells, where the first line has 2"),
    "one row": ("t.csv", HEADER + "1,2\n", [], "t.csv has one row"),
    "few rows": ("t.csv", "1\n2\n3\n", ["--components", "1-9"], "has 3 rows, too few for 9"),
    "binary": ("t.csv", "\x00\xff", [], "t.csv is not a table in plain text"),
    "words": ("t.csv", "1\n2\n", ["--components", "many"], "like 3 or 1-9, but it is 'many'"),
    "downwards": ("t.csv", "1\n2\n", ["--components", "3-1"], "run upwards from at least 1"),
    "zero": ("t.csv", "1\n2\n", ["--components", "0"], "run upwards from at least 1"),
    "open end": ("t.csv", "1\n2\n", ["--components", "2-"], "like 3 or 1-9"),
    "covariance": ("t.csv", "1\n2\n", ["--covariance", "full,VVV"], "but it has 'VVV'"),
    "threads": ("t.csv", "1\n2\n", ["--threads", "0"], "--threads should be at least 1"),
    "seed": ("t.csv", "1\n2\n", ["--seed=-1"], "--seed should be between"),
    "no folder": (
        "t.csv",
        "1\n2\n",
        ["--labels", "no/where.csv"],
        "no/where.csv cannot be written",
    ),
    "ending": ("t.csv", "1\n2\n5\n", ["--components=1", "--plot=a.xyz"], "a.xyz cannot be drawn"),
}


@pytest.mark.parametrize(("path", "text", "options", "sentence"), WRONG.values(), ids=WRONG)
def test_one_sentence_and_exit_code_two(
    capsys: pytest.CaptureFixture[str],
    path: str,
    text: str | None,
    options: list[str],
    sentence: str,
) -> None:
    if text is not None:
        write(text, path, "latin-1")
    assert main([path, *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("mixtures: ")
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_a_folder_is_not_a_table() -> None:
    with pytest.raises(TableError, match="cannot be read: Is a directory"):
        read_table(".")


# ---- tables as people have them --------------------------------------------------------------

TABLES = {
    "header": HEADER + "1.5,2\n3,4\n",
    "no header": "1.5,2\n3,4\n",
    "semicolons": "length;width\n1.5;2\n3;4\n",
    "decimal commas": "length;width\n1,5;2\n3;4\n",
    "tabs": "length\twidth\n1.5\t2\n3\t4\n",
    "quotes": '"length","width"\n"1.5","2"\n3,4\n',
    "spaces, blank lines": "length, width\n\n1.5, 2\n 3 ,4\n\n",
    "windows": "\ufefflength,width\r\n1.5,2\r\n3,4\r\n",
    "years as names": "length,2020\n1.5,2\n3,4\n",
    "row numbers": ',length,width\n"1",1.5,2\n"2",3,4\n',
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_same_numbers_however_they_are_written(text: str) -> None:
    table = read_table(write(text))
    np.testing.assert_array_equal(table.values, [[1.5, 2.0], [3.0, 4.0]])
    assert len(table.names) == 2
    assert bool(table.note) == text.startswith(",")


def test_a_single_column_needs_no_delimiter() -> None:
    table = read_table(write("velocity\n1\n2\n4\n"))
    assert (table.names, table.values.ravel().tolist()) == (["velocity"], [1.0, 2.0, 4.0])


def test_bundled_data_survive_the_round_trip() -> None:
    data = load_faithful().data
    text = "".join(",".join(repr(float(v)) for v in row) + "\n" for row in data)
    np.testing.assert_array_equal(read_table(write(text)).values, data)
