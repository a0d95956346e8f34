"""The same bits for any number of threads, in any process, however often, whoever else fits.

Super-blocks are cut by n, d and K alone; 60 000 rows with K = 4, d = 12 make several of them (see
the first test), so that threads do share the work.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mixtures.core.source import super_blocks

from .registry import MODELS, Model, names, parameters, same_bits

N, D, K = 60_000, 12, 4


def fit(model: Model, X: np.ndarray, n_threads: int | None = 1, **options):
    # A loose tolerance: the bits of a few iterations say as much as those of many.
    return model.make(K, n_threads=n_threads, tol=1e-2, **options).fit(X)


def test_there_is_work_to_share():
    cuts = super_blocks(N, D, K)
    assert len(cuts) >= 4
    assert cuts[0][0] == 0
    assert cuts[-1][1] == N
    assert all(a[1] == b[0] for a, b in itertools.pairwise(cuts))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_any_number_of_threads(model):
    X = model.rows(N, D)
    one = fit(model, X, 1)
    for n_threads in (2, 3, 7, None):
        other = fit(model, X, n_threads)
        same_bits(one, other)
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
        np.testing.assert_array_equal(one.score_samples(X), other.score_samples(X))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_any_number_of_threads_with_weights(model):
    X = model.rows(N, D)
    w = np.random.default_rng(0).exponential(size=N)
    one = model.make(K, n_threads=1, tol=1e-2).fit(X, sample_weight=w)
    same_bits(one, model.make(K, n_threads=3, tol=1e-2).fit(X, sample_weight=w))


@pytest.mark.parametrize("model", MODELS, ids=names)
def test_four_fits_at_once(model):
    X = model.rows(N, D)
    alone = fit(model, X, 2)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda _: fit(model, X, 2), range(4)):
            same_bits(alone, other)


def _send_fit(model_index: int, connection) -> None:
    model = MODELS[model_index]
    connection.send(parameters(fit(model, model.rows(N, D), 2)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_after_threads_can_fit():
    """numba's OpenMP layer kills such a child; our pools end with the fit, before the fork."""
    model = MODELS[0]
    here = fit(model, model.rows(N, D), 2)
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    child = context.Process(target=_send_fit, args=(0, theirs))
    child.start()
    assert mine.poll(120), "the child sent nothing"
    for name, array in mine.recv().items():
        np.testing.assert_array_equal(array, getattr(here, name))
    child.join(30)
    assert child.exitcode == 0


SCRIPT = """
import hashlib, sys
from tests.registry import MODELS, parameters
model = MODELS[int(sys.argv[1])]
fitted = model.make(4, n_threads=2, tol=1e-2).fit(model.rows(40000, 12))
state = hashlib.sha256()
for array in parameters(fitted).values():
    state.update(array.tobytes())
print(state.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, len(MODELS) - 1])
def test_another_process_finds_the_same_bits(index):
    root = Path(__file__).parents[1]
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(index)],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
