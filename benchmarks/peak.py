"""How far a call pushes this process's resident memory above where it stood: its peak growth."""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MIB = 2.0**20


def _status(field: str) -> float:
    """A field of /proc/self/status in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return float(line.split()[1]) / 1024
    raise KeyError(field)


def _release_free_memory() -> None:
    """Give free heap back to the system: memory used before must not hide memory used now."""
    gc.collect()
    with suppress(OSError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def growth(function: Callable[[], T]) -> tuple[T, float]:
    """Result of the call, and the high-water mark above the level before it, in MiB.

    Linux forgets the old mark on request; elsewhere the mark of the process's whole life is used,
    which is right if this is the first big call.
    """
    _release_free_memory()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # reset VmHWM
        before = _status("VmRSS")
    except OSError:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        result = function()
        return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    result = function()
    return result, _status("VmHWM") - before
