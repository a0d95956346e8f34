"""How kernels are compiled, cached and chosen."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import pytest
from numba import njit

from mixtures.core import kernels
from mixtures.core.kernels import build, compiled, plain
from mixtures.core.kernels.microkernel import vector_width

from .kernel_cases import (
    ROOT,
)


def python(code: str, **environment: str) -> str:
    """Output of a fresh interpreter."""
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def test_importing_the_gateway_does_not_import_numba():
    code = "import sys, mixtures.core.kernels; print('numba' in sys.modules)"
    assert python(code) == "False"


def test_the_environment_chooses_the_plain_kernels():
    code = """
        import sys
        from mixtures.core import kernels
        print(kernels.load().__name__, 'numba' in sys.modules)
    """
    assert python(code, MIXTURES_KERNELS="plain") == "mixtures.core.kernels.plain False"


def test_an_unknown_choice_of_kernels_is_refused(monkeypatch):
    monkeypatch.setenv("MIXTURES_KERNELS", "fast")
    kernels.load.cache_clear()
    with pytest.raises(ValueError, match="'compiled' or 'plain', not 'fast'"):
        kernels.load()


def test_without_numba_the_plain_kernels_serve_and_say_so_once():
    code = """
        import sys, warnings
        sys.modules['numba'] = None
        from mixtures.core import kernels
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            print(kernels.load().__name__, kernels.load() is kernels.load())
        print(*[str(w.message) for w in caught], sep='|')
    """
    first, second = python(code).splitlines()
    assert first == "mixtures.core.kernels.plain True"
    assert "numba" in second and "|" not in second


def test_loading_warns_of_nothing():
    kernels.load.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernels.load() in (plain, compiled)


def test_the_cache_knows_the_sources_and_the_width(tmp_path):
    """A stale kernel would be wrong without a word, so this is not left to numba's file stamps."""
    package = tmp_path / "copied"
    shutil.copytree(Path(kernels.__file__).parent, package, ignore=shutil.ignore_patterns("__pyc*"))
    (tmp_path / "probe.py").write_text("def probe(x):\n    return x + 1\n")
    code = f"""
        import sys; sys.path.insert(0, {str(tmp_path)!r})
        from copied.build import compiled
        from probe import probe
        print(sum(compiled(probe, 'int64(int64)').stats.cache_hits.values()))
    """
    home = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "MIXTURES_VECTOR_WIDTH": "8"}
    assert python(code, **home) == "0"
    assert python(code, **home) == "1"
    assert python(code, **{**home, "MIXTURES_VECTOR_WIDTH": "4"}) == "0"
    with open(package / "vectors.py", "a") as source:
        source.write("# another emitter\n")
    assert python(code, **home) == "0"


def _increment(x):
    return x + 1


def test_where_nothing_can_be_cached_kernels_are_compiled_all_the_same(monkeypatch):
    def no_locator(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(build, "njit", no_locator)
    assert build.compiled(_increment, "int64(int64)")(1) == 2


def test_a_long_compilation_says_why_in_one_line(monkeypatch, caplog):
    monkeypatch.setattr(build, "PATIENCE", 0.0)
    build._say_why.cache_clear()

    def slow(*_):
        threading.Event().wait(0.05)

    class Dispatcher:
        stats = type("Stats", (), {"cache_path": "/somewhere"})
        compile = slow
        disable_compile = slow

    monkeypatch.setattr(build, "njit", lambda **_: lambda function: Dispatcher())
    with caplog.at_level(logging.WARNING, "mixtures"):
        for _ in range(2):
            build.compiled(lambda: None, "void()")
    assert len(caplog.messages) == 1
    assert "happens once" in caplog.text and "/somewhere" in caplog.text


def test_the_width_of_vectors_can_be_chosen(monkeypatch):
    monkeypatch.setenv("MIXTURES_VECTOR_WIDTH", "4")
    assert vector_width() == 4
    monkeypatch.setenv("MIXTURES_VECTOR_WIDTH", "3")
    with pytest.raises(ValueError, match="must be 2, 4 or 8, not '3'"):
        vector_width()


@pytest.mark.slow
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="x86 names")
@pytest.mark.parametrize("cpu, width", [("haswell", 4), ("generic", 2)])
def test_other_processors(cpu, width):
    """AVX2 with fused products, and SSE2 without."""
    code = f"""
        import sys; sys.path.insert(0, {str(ROOT)!r})
        import tests.test_kernel_accuracy as a
        import tests.test_kernels as t
        for kind in t.KINDS:
            for moments in t.MOMENTS:
                for shape in ((9, 1, 2), (300, 4, 5), (70, 9, 13), (70, 66, 2)):
                    t.test_statistics_equal_the_plain_ones(kind, moments, shape)
            t.test_posterior_equals_the_plain_one(kind, (257, 3, 7))
            t.test_a_row_does_not_know_its_neighbours(kind, 3, float)
            for d in range(1, 12):
                t.test_every_width_of_row(kind, d)
        a.test_exp_is_within_its_bound()
        a.test_log_is_within_one_ulp()
        a.test_exp_of_special_values()
        print(a.WIDTH)
    """
    assert python(code, NUMBA_CPU_NAME=cpu, MIXTURES_VECTOR_WIDTH="") == str(width)
