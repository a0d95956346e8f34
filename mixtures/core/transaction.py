"""All or nothing: an interrupted or failed fit must not leave a half-fitted estimator behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def all_or_nothing(estimator: Any) -> Iterator[None]:
    """Whatever goes wrong inside, the estimator's attributes are afterwards as they were."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException:  # KeyboardInterrupt too
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
