"""The compiled kernels for rows of bits and CSR rows against their plain twins.

Values are sums of d terms in two orders, so responsibilities agree to about d eps times the size
of a row's log-density.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from mixtures.core.bits import BitSource, pack
from mixtures.core.discriminants import BINARY, LINEAR, Discriminants
from mixtures.core.kernels.bits import compiled as bits
from mixtures.core.kernels.bits import plain as plain_bits
from mixtures.core.kernels.csr import compiled as csr
from mixtures.core.kernels.csr import plain as plain_csr
from mixtures.core.sparse_rows import CsrSource

SHAPES = [
    (1, 1, 1), (13, 3, 1), (100, 7, 2), (129, 9, 5), (300, 16, 3), (517, 33, 10), (1000, 101, 20),
    (400, 50, 25), (300, 20, 70), (700, 200, 12),
]  # fmt: skip


class Case:
    """Rows of k classes, some of none; some probabilities are exactly zero or one."""

    def __init__(self, n, d, k, *, weighted=False, fuzzy=0.2, seed=0, zeros=True):
        rng = np.random.default_rng([seed, n, d, k])
        p = np.clip(rng.beta(0.4, 0.4, (k, d)), 0.02, 0.98)
        truth = rng.integers(k, size=n)
        self.ones = rng.random((n, d)) < p[truth]
        none = rng.random(n) < fuzzy
        self.ones[none] = rng.random((none.sum(), d)) < 0.5
        if zeros and d > 2:
            p[0, 0], p[-1, d // 2] = 0.0, 1.0
        with np.errstate(divide="ignore"):
            self.yes, self.no = np.log(p).T.copy(), np.log1p(-p).T.copy()
        self.bias = np.log(rng.dirichlet(np.ones(k)))
        self.weight = rng.uniform(0.0, 2.0, n) if weighted else None
        self.shape = n, d, k

    def bits(self, module):
        n, d, _ = self.shape
        return module.bind(pack(n, d, lambda rows: self.ones[rows]), d, self.weight)

    def csr(self, module, dtype=np.float64, index=np.int32):
        X = sparse.csr_array(self.ones.astype(dtype))
        X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
        return module.bind(X, self.weight)


def everything(module: Any, handle: Any, terms: Any, n: int, d: int, k: int) -> dict[str, Any]:
    """What each function of a module makes of rows lo..n."""
    lo, space = n // 12 * 4, module.workspace(handle, k)
    m, found = n - lo, {}
    for name, hard in (("soft", False), ("hard", True)):
        counts, first = np.zeros(k), np.zeros((k, d))
        total = module.accumulate(handle, lo, n, terms, 1.0, hard, counts, first, space)
        found |= {f"{name} counts": counts, f"{name} first": first, f"{name} total": total}
    for name, beta in (("soft", 1.0), ("tempered", 0.5)):
        resp, log_norm = np.empty((m, k)), np.empty(m)
        module.posterior(handle, lo, n, terms, beta, False, resp, log_norm, space)
        found |= {f"{name} resp": resp, f"{name} norm": log_norm}
    values, sums = np.ones((k, m)), np.ones((k, d))
    module.values(handle, lo, n, terms, values, space)
    given = np.linspace(0.1, 1.0, k * m).reshape(k, m)
    module.sums(handle, lo, n, given, sums, space)
    return found | {"values": values, "sums": sums}


def agree(found, expected, d):
    for name, array in expected.items():
        scale = np.abs(np.where(np.isfinite(array), array, 0.0)).max(initial=1.0)
        np.testing.assert_allclose(
            found[name], array, rtol=0, atol=1e-15 * (d + 40) * scale, err_msg=name
        )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_bits(n, d, k, weighted):
    case = Case(n, d, k, weighted=weighted)
    results = []
    for module in (bits, plain_bits):
        terms = module.prepare(case.yes, case.no, case.bias)
        results.append(everything(module, case.bits(module), terms, n, d, k))
    agree(*results, d)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_csr(n, d, k, weighted):
    case = Case(n, d, k, weighted=weighted)
    results = []
    for module in (csr, plain_csr):
        terms = module.prepare(case.yes, case.no, case.bias)
        results.append(everything(module, case.csr(module), terms, n, d, k))
    agree(*results, d)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_csr_of_every_type_and_linear_discriminants(dtype, index):
    case, (n, d, k) = Case(500, 40, 7), (500, 40, 7)
    results = []
    for module in (csr, plain_csr):
        handle = case.csr(module, dtype, index)
        terms = module.prepare(case.yes, np.empty((0, k)), case.bias)
        results.append(everything(module, handle, terms, n, d, k))
    agree(*results, d)


@pytest.mark.parametrize("kind", ["bits", "csr"])
def test_the_smallest_responsibilities_count(kind):
    """Sums of 1e-100 of a row keep their digits: taken for zero, a probability would stay zero."""
    n, d, k = 1000, 300, 3
    case = Case(n, d, k, fuzzy=0.0, zeros=False)
    modules = (bits, plain_bits) if kind == "bits" else (csr, plain_csr)
    results = []
    for module in modules:
        terms = module.prepare(case.yes, case.no, case.bias)
        handle = getattr(case, kind)(module)
        results.append(everything(module, handle, terms, n, d, k)["soft resp"])
        counts, first = np.zeros(k), np.zeros((k, d))
        space = module.workspace(handle, k)
        module.accumulate(handle, 0, 4, terms, 1.0, False, counts, first, space)
        results.append(first)
    assert (results[0] == 1.0).any(axis=1).mean() > 0.9
    assert 0.0 < results[1][results[1] > 0].min() < 1e-20
    np.testing.assert_allclose(results[1], results[3], rtol=1e-9, atol=0)


@pytest.mark.parametrize("kind", ["bits", "csr"])
def test_threads_change_no_bit(kind):
    case = Case(20_000, 30, 4)
    v = Discriminants(BINARY, case.yes, case.no, case.bias, np.zeros((4, 30)))

    def source(n_threads):
        if kind == "csr":
            return CsrSource(sparse.csr_array(case.ones.astype(float)), n_threads=n_threads)
        nibbles = pack(20_000, 30, lambda rows: case.ones[rows])
        return BitSource(nibbles, 30, n_threads=n_threads)

    def sweep(n_threads):
        with source(n_threads) as rows:
            assert len(rows._cut(4)) > 1
            return rows.accumulate(v, 0)

    one = sweep(1)
    for n_threads in (2, 3):
        for mine, other in zip(one, sweep(n_threads), strict=True):
            np.testing.assert_array_equal(mine, other)


def test_sources_agree_on_rows_and_hashes():
    """Dense and sparse rows of the same bits start alike: they hash alike."""
    case = Case(200, 19, 2)
    dense = BitSource(pack(200, 19, lambda rows: case.ones[rows]), 19)
    thin = CsrSource(sparse.csr_array(case.ones.astype(float)))
    rows = np.array([3, 0, 199])
    np.testing.assert_array_equal(dense.points(rows), case.ones[rows])
    np.testing.assert_array_equal(thin.points(rows), case.ones[rows])
    salt = np.uint64(12345)
    np.testing.assert_array_equal(dense.hashes(0, 200, salt), thin.hashes(0, 200, salt))


def test_merged_rows_are_the_same_rows():
    case = Case(6000, 6, 2, weighted=True)
    nibbles = pack(6000, 6, lambda rows: case.ones[rows])
    v = Discriminants(BINARY, case.yes, case.no, case.bias, np.zeros((2, 6)))
    apart = BitSource(nibbles, 6, case.weight).accumulate(v, 0)
    merged = BitSource(nibbles, 6, case.weight, merge=True)
    assert merged.n_rows <= 2**6
    for mine, other in zip(merged.accumulate(v, 0), apart, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-9)


def test_distinct_rows_are_left_as_they_are():
    ones = np.random.default_rng(0).random((500, 40)) < 0.5
    nibbles = pack(500, 40, lambda rows: ones[rows])
    assert BitSource(nibbles, 40, merge=True).X is nibbles


@pytest.mark.parametrize(("module", "bind"), [(bits, Case.bits), (csr, Case.csr)])
def test_what_would_leave_an_array_is_refused(module, bind):
    case = Case(64, 12, 3)
    handle, terms = bind(case, module), module.prepare(case.yes, case.no, case.bias)
    space, other = module.workspace(handle, 3), module.workspace(handle, 20)
    out = np.zeros(3), np.zeros((3, 12))
    for lo, hi in ((-4, 8), (0, 65), (8, 4)):
        with pytest.raises(ValueError, match="Rows"):
            module.accumulate(handle, lo, hi, terms, 1.0, False, *out, space)
    with pytest.raises(ValueError, match="workspace"):
        module.accumulate(handle, 0, 64, terms, 1.0, False, *out, other)
    with pytest.raises(ValueError, match="shape"):
        module.accumulate(handle, 0, 64, terms, 1.0, False, np.zeros(3), np.zeros((3, 11)), space)
    with pytest.raises(ValueError, match="shape"):
        module.values(handle, 0, 64, terms, np.zeros((3, 63)), space)


def test_linear_discriminants_of_a_source():
    """Both sources take any linear function of the row, for hard sweeps about centres."""
    case = Case(300, 10, 4)
    slopes, bias = np.random.default_rng(1).normal(size=(10, 4)), np.arange(4.0)
    X = case.ones.astype(float)
    for source in (BitSource(pack(300, 10, lambda r: case.ones[r]), 10),
                   CsrSource(sparse.csr_array(X))):  # fmt: skip
        resp, log_norm = source.posterior(source.linear(slopes, bias, np.zeros((4, 10))))
        value = X @ slopes + bias
        np.testing.assert_allclose(log_norm, np.logaddexp.reduce(value, axis=1), rtol=1e-13)
        np.testing.assert_allclose(resp.argmax(axis=1), value.argmax(axis=1))
    assert source.linear(slopes, bias, np.zeros((4, 10))).kind == LINEAR
