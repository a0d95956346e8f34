"""Matrix products by one thread, so that their bits depend on the numbers alone."""

from __future__ import annotations

import os
import threading
from contextlib import ContextDecorator
from typing import Any

import threadpoolctl


class OneBlasThread(ContextDecorator):
    """A context, or decorator, in which matrix products of NumPy are made by one thread.

    OpenBLAS cuts a product otherwise for every number of threads, and a network would have other
    last bits on every machine. Threads of our own, with blocks of their own, leave bits alone.

    The limit is one for the whole process. So the first who enters sets it, and the last who leaves
    takes it back: threads that each restored what they had found would leave it set for ever.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._controller: Any = None
        self._limit: Any = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _in_child(self) -> None:
        """A child has the limit, but none of the threads that would take it back."""
        self._lock, self._inside = threading.Lock(), 0
        self._restore()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                if self._controller is None:  # it looks at all libraries: 7 ms
                    self._controller = threadpoolctl.ThreadpoolController()
                _own_the_limit()
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: Any) -> None:
        with self._lock:
            self._inside = max(self._inside - 1, 0)  # a child may leave what it did not enter
            if self._inside == 0:
                self._restore()

    def _restore(self) -> None:
        if self._limit is not None:
            _own_the_limit()
            self._limit.restore_original_limits()
            _own_the_limit()
            self._limit = None


def _own_the_limit() -> None:
    """From 3.7 on threadpoolctl obeys one thread alone, the first that has set a limit."""
    controller = getattr(threadpoolctl, "OpenBLASController", None)
    release = getattr(controller, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)


one_blas_thread = OneBlasThread()
