"""What the documents show in Python runs, and prints what they say it prints.

A block that has prompts is a doctest, one without is run for its own sake; the blocks of a document
are one session, from top to bottom.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = {path.name: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}


def blocks_of(text: str) -> list[tuple[int, str]]:
    """Python blocks of a document, each with the number of its first line."""
    return [(text.count("\n", 0, m.start(1)) + 1, m[1]) for m in BLOCK.finditer(text)]


def run(name: str, text: str) -> str:
    """Run the blocks of a document; what was wrong, in doctest's words."""
    session: dict[str, object] = {"__name__": "__main__"}
    report: list[str] = []
    for line, block in blocks_of(text):
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, session, name, name, line - 1)
            test.globs = session  # the parser copies it
            runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
            runner.run(test, out=report.append, clear_globs=False)
        else:
            code = compile("\n" * (line - 1) + block, name, "exec")
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, session)
    return "".join(report)


@pytest.mark.parametrize("name", [n for n, p in PAGES.items() if blocks_of(p.read_text("utf-8"))])
def test_snippets_run_and_print_what_they_say(name: str) -> None:
    wrong = run(name, PAGES[name].read_text("utf-8"))
    assert not wrong, wrong


def test_a_wrong_snippet_is_found() -> None:
    text = "Words\n\n```python\nx = 1\n```\n\n```python\n>>> x + 1\n2\n>>> x\n3\n```\n"
    wrong = run("page.md", text)
    assert "page.md" in wrong and "line 10" in wrong
    assert "Expected:\n    3\nGot:\n    1" in wrong and wrong.count("Failed example") == 1
    assert not run("page.md", text.replace("\n3\n", "\n1\n"))
    with pytest.raises(ZeroDivisionError):
        run("page.md", "```python\n1 / 0\n```\n")


def test_pages_name_files_that_exist() -> None:
    """Links and pictures of a document, but for those of the web."""
    missing = [
        f"{name}: {target}"
        for name, path in PAGES.items()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8"))
        if not target.startswith("http") and not (path.parent / target).exists()
    ]
    assert not missing, missing
