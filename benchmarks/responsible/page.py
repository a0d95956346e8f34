"""The parts of the page, and how their text is laid out."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import NamedTuple

from .bands import Band

WIDTH = 100


class Comparison(NamedTuple):
    """The best responsible head of a task against the best of the others, by one score."""

    task: str
    score: str
    sign: int  # 1: better, -1: worse, 0: no different, by 1.96 standard errors of the difference
    text: str


@dataclass
class Section:
    """A part of the page, with what the verdict and the acceptance take from it."""

    title: str
    text: str
    bands: list[Band] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)  # sentences
    comparisons: list[Comparison] = field(default_factory=list)


def prose(text: str) -> str:
    """Fill the paragraphs of a text; headings, tables and lists stay as they are."""
    blocks = [block.strip("\n") for block in text.split("\n\n")]
    kept = (
        block if block.startswith(("#", "|", "-")) else textwrap.fill(
            " ".join(block.split()), WIDTH, break_long_words=False, break_on_hyphens=False
        )
        for block in blocks
        if block.strip()
    )  # fmt: skip
    return "\n\n".join(kept) + "\n"


def sentence(text: str) -> str:
    """The text with a capital to begin with and a full stop to end with."""
    return text[0].upper() + text[1:] + "."
