"""The shape of the code: who may import whom, how long a file may be, where names may decide.

A stranger who opens `docs/design.md` must find the tree as drawn there; these tests keep it so.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import mixtures

ROOT = Path(mixtures.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
KERNELS = ROOT / "core" / "kernels"
MODELS = {"bernoulli", "categorical", "factor", "gaussian", "kmeans", "mixed", "poisson"}
MODELS |= {"proportions"}
GATEWAYS = {  # foreign package: the only places that may import it
    "numba": ("core/kernels/",),
    "llvmlite": ("core/kernels/",),
    "matplotlib": ("plotting",),
    "rich": (),
    "pandas": ("datasets/",),
    "dask": ("distributed",),
    "cupy": ("neural/backend",),
}
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 60


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def run_time_nodes(tree: ast.AST):
    """All nodes but those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if not is_type_checking(node):
            yield node
            yield from run_time_nodes(node)


def imports(path: Path) -> list[str]:
    """Absolute dotted names of all that a file imports at run time."""
    package = ["mixtures", *path.relative_to(ROOT).parent.parts]
    found = []
    for node in run_time_nodes(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{stem}.{alias.name}" for alias in node.names]
    return found


def own(path: Path) -> list[list[str]]:
    """What a file imports of ours, as parts below `mixtures`."""
    return [name.split(".")[1:] for name in imports(path) if name.split(".")[0] == "mixtures"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_foreign_packages_have_one_gateway(path):
    for name in imports(path):
        package = name.split(".")[0]
        if package in GATEWAYS:
            assert name_of(path).startswith(GATEWAYS[package]), f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_private_names_of_scikit_learn_only_in_compat(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "sklearn" and any(p.startswith("_") for p in parts):
            assert name_of(path) == "_compat.py", f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_core_imports_no_model_and_models_not_each_other(path):
    top = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for parts in own(path):
        if top == "core":
            above = {"core", "_compat", "exceptions"}
            assert parts[0] in above, f"{name_of(path)} imports {'.'.join(parts)}"
        if top in MODELS:
            assert parts[0] not in MODELS - {top}, f"{name_of(path)} imports {parts[0]}"
        if top in {"label_shift", "neural"}:
            assert parts[0] not in MODELS - {"proportions"}, f"{name_of(path)} imports {parts[0]}"
        if top in MODELS | {"label_shift"}:
            assert parts[0] != "neural", f"{name_of(path)} imports {parts[0]}"
        if top in {"covariance", "priors"}:
            assert parts[0] in {"core", "priors", "covariance", "exceptions"}


@pytest.mark.parametrize("path", sorted(KERNELS.rglob("*.py")), ids=name_of)
def test_kernels_import_nothing_of_ours(path):
    for parts in own(path):
        assert parts[:2] == ["core", "kernels"], f"{name_of(path)} imports {'.'.join(parts)}"


def longest_function(path: Path) -> tuple[int, str]:
    functions = [
        (node.end_lineno - node.lineno + 1, node.name)
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    return max(functions, default=(0, ""))


@pytest.mark.parametrize("path", [p for p in FILES if KERNELS not in p.parents], ids=name_of)
def test_files_and_functions_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{name_of(path)} has {lines} lines"
    length, name = longest_function(path)
    assert length <= MOST_LINES_OF_A_FUNCTION, f"{name_of(path)}: {name} has {length} lines"


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_tests_are_short_too(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    length, name = longest_function(path)
    assert length <= MOST_LINES_OF_A_FUNCTION, name


NAMES = {"full", "tied", "diag", "spherical", "gaussian", "poisson", "GaussianMixture"}
NAMES |= {"PoissonMixture", "Gaussian", "Poisson", "Full", "Tied", "Diagonal", "Spherical"}
NAMES |= {"bernoulli", "categorical", "BernoulliMixture", "CategoricalMixture", "Bernoulli"}
NAMES |= {"Categorical"}


def compared_strings(tree: ast.AST):
    """String constants, and classes of isinstance, that decide a branch."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Compare, ast.match_case)):
            for leaf in ast.walk(node if isinstance(node, ast.Compare) else node.pattern):
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                    yield leaf.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            yield from (leaf.id for leaf in ast.walk(node.args[1]) if isinstance(leaf, ast.Name))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_branch_on_the_name_of_a_family_or_covariance(path):
    """`STRUCTURES` maps scikit-learn's strings to objects; after that, objects answer."""
    decided = NAMES & set(compared_strings(tree_of(path)))
    assert not decided, f"{name_of(path)} branches on {sorted(decided)}"


def test_the_package_file_holds_the_public_names_and_nothing_else():
    tree = tree_of(ROOT / "__init__.py")
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_all = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert is_docstring or is_all or isinstance(node, ast.ImportFrom), ast.unparse(node)
    assert set(mixtures.__all__) >= {"GaussianMixture", "PoissonMixture", "__version__"}
    for name in mixtures.__all__:
        assert hasattr(mixtures, name)


def test_importing_the_package_imports_no_heavy_extra():
    """numba and matplotlib load when a fit or a picture asks for them: import stays quick."""
    import subprocess

    heavy = "('numba', 'matplotlib', 'dask', 'cupy', 'torch')"
    code = f"import sys, mixtures; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("family", ["bernoulli", "categorical", "poisson"])
def test_a_family_takes_one_file(family):
    """PoissonMixture is the worked example of CONTRIBUTING.md: one file, NumPy, no kernels."""
    path = ROOT / f"{family}.py"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 150
    assert max(len(line) for line in lines) <= 120  # not shortened by long lines
    packages = {name.split(".")[0] for name in imports(path)}
    standard = {"__future__", "dataclasses", "numbers", "typing"}
    assert packages <= standard | {"numpy", "scipy", "mixtures"}
    assert not [parts for parts in own(path) if "kernels" in parts]
