"""What an installer and a stranger rely on: metadata, the wheel's contents, the two commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mixtures

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "requirements" / "ci.txt").read_text(encoding="utf-8")


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for extra in extras.values() for line in extra)]
    return [Requirement(line) for line in lines]


def test_version_is_written_once() -> None:
    assert "version" in PROJECT["dynamic"]
    assert mixtures.__version__ == "0.1.0"


def test_lower_bounds_only() -> None:
    for requirement in requirements():
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators <= {">="}, requirement
    assert PROJECT["requires-python"] == ">=3.11"


def test_extras_exist_and_name_each_other_only() -> None:
    extras = PROJECT["optional-dependencies"]
    ours = {"plot", "progress", "dask", "gpu", "test", "lint", "bench", "docs", "dev", "all"}
    assert ours == set(extras)
    for requirement in requirements():
        if requirement.name == PROJECT["name"]:
            assert requirement.extras <= set(extras)


def test_constraints_pin_all_that_ci_installs_and_name_no_host() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([\w.+]+)$", CONSTRAINTS, flags=re.MULTILINE))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    assert len(lines) == len(pins)  # every line is an exact version and nothing else
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *(line for e in ("test", "lint") for line in extras[e])]
    for requirement in map(Requirement, wanted):
        if requirement.name != PROJECT["name"]:
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_scripts_can_be_run() -> None:
    for script in (".ci/run", "tools/set_up.sh", "tools/refresh_constraints.sh"):
        assert os.access(ROOT / script, os.X_OK), script
        subprocess.run(["bash", "-n", str(ROOT / script)], check=True)


def test_readme_leads_with_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40]
    assert "make demo" in "\n".join(first_screen)
    assert "make test" in "\n".join(first_screen)


def test_readme_example_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})


@pytest.mark.slow
def test_the_wheel_has_the_data_and_nothing_foreign(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "mixtures", tree / "mixtures", ignore=shutil.ignore_patterns("__py*"))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, *options, str(tree)], check=True)
    (wheel,) = tmp_path.glob("mixtures_learn-0.1.0-py3-none-any.whl")
    files = set(zipfile.ZipFile(wheel).namelist())
    assert {"mixtures/py.typed", "mixtures/cli.py", "mixtures/core/em.py"} <= files
    assert {"mixtures/datasets/data/faithful.csv", "mixtures/datasets/data/faithful.md"} <= files
    assert any(name.endswith("licenses/LICENSE") for name in files)
    tops = {name.split("/")[0] for name in files}
    assert tops == {"mixtures", "mixtures_learn-0.1.0.dist-info"}
