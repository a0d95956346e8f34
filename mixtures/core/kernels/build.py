"""Compilation: once per machine, on disk, by name.

numba's cache looks at the file of the cached function alone: it would keep a stale kernel when
an emitter in another file changes, or when another vector width is asked for. So the name under
which a function is cached carries a digest of all the kernels' sources and of the width.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from numba import njit

from .microkernel import WIDTH

PATIENCE = 1.0  # seconds of silence


def digest() -> str:
    """Of everything that the compiled code depends on and numba does not see."""
    state = hashlib.sha256(str(WIDTH).encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()[:12]


@cache
def _say_why(where: str) -> None:
    """Once per process, though several functions are compiled."""
    place = f"cached in {where}" if where else "not cached: NUMBA_CACHE_DIR can name a directory"
    logging.getLogger("mixtures").warning(
        "Compiling the kernels of mixtures for this CPU: it takes some seconds and happens once "
        "per version (%s).",
        place,
    )


def compiled(function: Any, signature: Any) -> Any:
    """`function` compiled for one signature, or loaded from the cache."""
    name = f"{function.__name__}_{digest()}"
    renamed = FunctionType(function.__code__, function.__globals__, name)
    renamed.__module__, renamed.__qualname__ = function.__module__, name
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        dispatcher = njit(cache=True, **options)(renamed)
        where = str(dispatcher.stats.cache_path)
    except RuntimeError:  # no place to cache: a read-only installation and no home directory
        dispatcher, where = njit(**options)(renamed), ""
    timer = threading.Timer(PATIENCE, _say_why, [where])
    timer.daemon = True
    timer.start()
    try:
        dispatcher.compile(signature)
    finally:
        timer.cancel()
    dispatcher.disable_compile()
    return dispatcher
