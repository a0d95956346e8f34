"""Our own threads: an ordered map over blocks of rows, with the same bits for any thread count.

numba's `parallel=True` is not used: its always-present layer aborts the process when two Python
threads enter it, and its OpenMP layer kills forked children. Serial kernels that release the GIL
in a pool that lives only inside a fit have neither fault.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def resolve_n_threads(n_threads: int | None) -> int:
    """Number of threads to use: the one asked for, or what this process may use.

    The default respects the CPU affinity, ``OMP_NUM_THREADS`` (which joblib's loky workers are
    given, so that processes times threads do not oversubscribe the machine) and joblib's nesting.
    """
    if n_threads is not None:
        return int(n_threads)
    from joblib import effective_n_jobs  # type: ignore[import-untyped]

    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if limit.isdigit() and int(limit) > 0:
        available = min(available or 1, int(limit))
    return max(1, min(available or 1, effective_n_jobs(-1)))


class OrderedPool:
    """Run a function over items in parallel; yield the results in the items' order.

    At most ``2 * n_threads`` results are in flight, so that memory does not grow with the number
    of items. With one thread no pool is made and the items are worked off in place.
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._executor = ThreadPoolExecutor(n_threads, "mixtures") if n_threads > 1 else None

    def map(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        if self._executor is None:
            yield from map(fn, items)
            return
        pending: deque[Future[R]] = deque()
        try:
            for item in items:
                pending.append(self._executor.submit(fn, item))
                if len(pending) >= 2 * self.n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:  # an interrupted sweep must not leave tasks that write into freed work space
            for future in pending:
                future.cancel()

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
