"""The compiled kernels read and write what they may, from any memory and any thread."""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading

import numpy as np
import pytest

from mixtures.core.kernels import compiled

from .kernel_cases import (
    DIAGONAL,
    FULL,
    LINEAR,
    NONE,
    PATHS,
    TRIANGULAR,
    make,
    posterior,
    sums,
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nothing_is_read_beyond_the_data(dtype):
    """The data end where a page that must not be touched begins."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 17 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + 16 * page), page, 0) == 0
    for d in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 70):
        for n in (1, 2, 7, 8, 9, 31, 33, 100):
            size = n * d * np.dtype(dtype).itemsize
            X = np.frombuffer(memory, dtype, n * d, 16 * page - size).reshape(n, d)
            weight = X.reshape(-1)[-n:]
            case = make(DIAGONAL, n, d, 2)
            sums(compiled, case._replace(X=X, sample_weight=weight), FULL)
            posterior(compiled, case._replace(X=X), n // 2, n)


def test_scratch_starts_on_a_cache_line():
    for d, k in ((1, 1), (5, 3), (70, 2)):
        assert compiled.workspace(TRIANGULAR, FULL, d, k).buffer.ctypes.data % 64 == 0


def test_any_memory_is_accepted_and_nothing_is_compiled_again(tmp_path):
    case = make(TRIANGULAR, 50, 3, 4, weighted=True)
    expected = sums(compiled, case, FULL)
    frozen = case._replace(
        X=case.X.copy(), slopes=np.asfortranarray(case.slopes), reference=case.reference.copy()
    )
    for array in (frozen.X, frozen.reference):
        array.flags.writeable = False
    np.save(tmp_path / "X.npy", case.X)
    mapped = case._replace(X=np.load(tmp_path / "X.npy", mmap_mode="r"))
    slanted = case._replace(
        X=np.asfortranarray(case.X), sample_weight=case.sample_weight[::-1][::-1]
    )
    raw = np.zeros(case.X.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(case.X.shape)
    raw[...] = case.X
    for other in (frozen, mapped, slanted, case._replace(X=raw)):
        for a, b in zip(expected, sums(compiled, other, FULL), strict=True):
            assert np.array_equal(a, b)
    assert len(compiled._sweep.signatures) == 1


def test_workspace_of_other_moments_is_refused():
    case = make(TRIANGULAR, 5, 2, 2)
    with pytest.raises(ValueError, match="workspace is for moments 0, not 3"):
        sums(compiled, case, FULL, scratch=compiled.workspace(TRIANGULAR, NONE, 2, 2))


def test_what_would_leave_the_arrays_is_refused():
    case = make(TRIANGULAR, 5, 2, 2)
    with pytest.raises(ValueError, match="do not fit a workspace"):
        posterior(compiled, case, scratch=compiled.workspace(TRIANGULAR, NONE, 2, 3))
    with pytest.raises(ValueError, match="Rows 2 to 6"):
        posterior(compiled, case, 2, 6)
    with pytest.raises(ValueError, match="Shapes differ"):
        sums(compiled, case, FULL, scratch=compiled.workspace(TRIANGULAR, FULL, 3, 2))
    with pytest.raises(ValueError, match="row weights"):
        compiled.rows(case.X, np.ones(4))


def test_a_used_workspace_leaves_no_trace():
    scratch = compiled.workspace(TRIANGULAR, FULL, 3, 4)
    case, other = make(TRIANGULAR, 300, 3, 4), make(LINEAR, 77, 3, 4, weighted=True)
    for path in PATHS:
        fresh = sums(compiled, case, FULL, path=path)
        sums(compiled, other, FULL, hard=True, scratch=scratch)
        posterior(compiled, other, scratch=scratch)
        for a, b in zip(fresh, sums(compiled, case, FULL, path=path, scratch=scratch), strict=True):
            assert np.array_equal(a, b)


def test_threads_do_not_meet():
    case = make(TRIANGULAR, 5000, 6, 5)
    expected = [sums(compiled, case, FULL, lo, lo + 1000) for lo in range(0, 5000, 1000)]
    actual: list = [None] * 5

    def work(i):
        actual[i] = sums(compiled, case, FULL, 1000 * i, 1000 * i + 1000)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, two in zip(expected, actual, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
