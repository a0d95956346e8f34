"""The compiled kernels of k-means against their plain twins, on either filter."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import sys

import numpy as np
import pytest

from mixtures.core.kernels.kmeans import compiled, plain
from mixtures.core.kernels.kmeans.potential import SeedingWorkspace
from mixtures.core.kernels.kmeans.scratch import LENGTHWISE, LINES, AssignmentWorkspace

FILTERS = LINES, LENGTHWISE
SHAPES = [
    (1, 1, 1), (5, 7, 3), (33, 1, 2), (400, 3, 4), (777, 2, 10), (301, 8, 13), (2003, 16, 64),
    (500, 64, 150), (259, 40, 3), (100, 259, 23),
]  # fmt: skip
NO_MARGINS = np.empty(0, np.float32)


class Case:
    """Rows around centres, in a frame, with labels to start from."""

    def __init__(self, n, d, k, dtype=np.float64, weighted=False, seed=0, spread=3.0):
        rng = np.random.default_rng([seed, n, d, k])
        self.rng, self.n, self.k, self.d = rng, n, k, d
        truth = spread * rng.normal(size=(k, d))
        self.X = (rng.normal(size=(n, d)) + truth[rng.integers(k, size=n)]).astype(dtype)
        self.weight = rng.random(n) if weighted else None
        self.centre, self.scale = 0.1 * rng.normal(size=d), np.full(d, 0.5)
        self.centres = (truth + 0.3 * rng.normal(size=(k, d)) - self.centre) * self.scale
        self.labels = np.full(n, -1, np.int32)
        self.totals = np.zeros((k, d + 2))

    def assign(self, module, space=None, margins=NO_MARGINS, shrinkage=None, cuts=None):
        """Assign in ranges that end at `cuts`; the results added up."""
        space = module.assignment_workspace(self.d, self.k) if space is None else space
        shrinkage = np.zeros(self.k) if shrinkage is None else shrinkage
        handle, changed, gain = module.rows(self.X, self.weight), 0, 0.0
        cuts = [0, *(cuts or []), self.n]
        for lo, hi in itertools.pairwise(cuts):
            one = module.assign(
                handle, lo, hi, self.centre, self.scale, self.centres, self.labels[lo:hi],
                margins[lo:hi], shrinkage, self.totals, space,
            )  # fmt: skip
            changed, gain = changed + one[0], gain + one[1]
        return changed, gain

    def squared(self):
        z = (self.X.astype(float) - self.centre) * self.scale
        return ((z[:, None] - self.centres) ** 2).sum(axis=2)


def agree(case, other, found, expected):
    np.testing.assert_array_equal(case.labels, other.labels)
    assert found[0] == expected[0]
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(case.totals, other.totals, rtol=0, atol=1e-10 * case.n)


@pytest.mark.parametrize("path", FILTERS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_assignment_equals_the_plain_twin(n, d, k, dtype, weighted, path):
    case, twin = (Case(n, d, k, dtype, weighted) for _ in range(2))
    space = AssignmentWorkspace(d, k, path)
    agree(case, twin, case.assign(compiled, space), twin.assign(plain))
    for one in (case, twin):
        one.centres = one.centres + 0.3 * one.rng.normal(size=one.centres.shape)
    found = case.assign(compiled, space, cuts=[n // 3, n // 2])
    agree(case, twin, found, twin.assign(plain))


@pytest.mark.parametrize("path", FILTERS)
def test_ties_go_to_the_first_centre(path):
    case = Case(200, 3, 9)
    case.centre[:], case.scale[:] = 0.0, 1.0
    case.X = case.rng.integers(-3, 4, size=(200, 3)).astype(float)
    case.centres = np.repeat(case.rng.integers(-3, 4, size=(3, 3)).astype(float), 3, axis=0)
    case.assign(compiled, AssignmentWorkspace(3, 9, path))
    np.testing.assert_array_equal(case.labels, case.squared().argmin(axis=1))
    assert set(case.labels) <= {0, 3, 6}
    case.X, case.centres = np.zeros((200, 3)), np.zeros((9, 3))  # as values underflow
    case.assign(compiled, AssignmentWorkspace(3, 9, path))
    assert set(case.labels) == {0}


@pytest.mark.parametrize("path", FILTERS)
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_close_centres_far_away_are_told_apart(path, gap):
    """Where |m|^2 / 2 swallows the difference of two centres, their rows are looked at exactly."""
    rng = np.random.default_rng(0)
    case = Case(300, 2, 4)
    case.centre[:], case.scale[:] = 0.0, 1.0
    far = np.array([[1.0, -1.0], [-1.0, 1.0]])
    case.centres = np.vstack([far, far + gap])
    case.X = far[rng.integers(2, size=300)] + rng.choice([0.1, 0.9], size=(300, 1)) * gap
    case.assign(compiled, AssignmentWorkspace(2, 4, path))
    np.testing.assert_array_equal(case.labels, case.squared().argmin(axis=1))
    assert len(set(case.labels)) == 4


@pytest.mark.parametrize("path", FILTERS)
@pytest.mark.parametrize(("n", "d", "k"), [(400, 3, 4), (2003, 16, 64), (700, 40, 3), (50, 2, 1)])
def test_margins_change_no_bit_and_never_promise_too_much(n, d, k, path):
    free, bounded, twin = (Case(n, d, k, spread=1.0) for _ in range(3))
    margins, plain_margins = np.zeros(n, np.float32), np.zeros(n, np.float32)
    space, shrinkage, passed = AssignmentWorkspace(d, k, path), np.zeros(k), 0
    for step in range(8):
        found = free.assign(compiled, space)
        passed += np.count_nonzero(margins > shrinkage[bounded.labels])
        same = bounded.assign(compiled, space, margins, shrinkage)
        twin.assign(plain, None, plain_margins, shrinkage)
        assert found == same
        np.testing.assert_array_equal(free.totals, bounded.totals)
        np.testing.assert_array_equal(free.labels, bounded.labels)
        np.testing.assert_array_equal(free.labels, twin.labels)
        nearest = np.sqrt(np.sort(free.squared(), axis=1))
        true = nearest[:, 1] - nearest[:, 0] if k > 1 else np.inf
        assert (margins <= true).all() and (plain_margins <= true + 1e-12).all()
        moves = free.rng.normal(size=(k, d)) / 4.0 ** (step + 1)
        for case in (free, bounded, twin):
            case.centres = case.centres + moves
        drift = np.sqrt((moves**2).sum(axis=1))
        others = [max(np.delete(drift, c), default=0.0) for c in range(k)]
        shrinkage = (drift + others) * (1 + 1e-9)
    assert passed > n  # rows were passed over at all


@pytest.mark.parametrize("path", FILTERS)
@pytest.mark.parametrize("d", [100, 800])
def test_a_margin_to_a_centre_far_beyond_the_row_is_not_too_large(d, path):
    case = Case(50, d, 3)
    case.centre[:], case.scale[:] = 0.0, 1.0
    case.X = np.full((50, d), 0.49 * 2.0**-23 * 2.0 ** np.floor(np.log2(d / 2)))
    case.centres = np.array([0.0, 1.0, 3.0])[:, None] * np.ones(d)
    margins = np.zeros(50, np.float32)
    case.assign(compiled, AssignmentWorkspace(d, 3, path), margins)
    nearest = np.sqrt(np.sort(case.squared(), axis=1))
    assert (margins <= nearest[:, 1] - nearest[:, 0]).all() and (
        margins > 0.9 * nearest[:, 1]
    ).all()


@pytest.mark.parametrize("path", FILTERS)
@pytest.mark.parametrize("far", [1e15, 1e20, 1e60])
def test_centres_whose_squares_are_no_floats(far, path):
    case = Case(300, 2, 4)
    case.centre[:], case.scale[:] = 0.0, 1.0
    case.X = case.rng.normal(size=(300, 2))
    case.centres = np.array([[0.0, 0.0], [far, 0.0], [3.0, 3.0], [2.0, -3.0]])
    case.assign(compiled, AssignmentWorkspace(2, 4, path), np.zeros(300, np.float32))
    np.testing.assert_array_equal(case.labels, case.squared().argmin(axis=1))


@pytest.mark.parametrize("path", FILTERS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_summaries_and_prices_equal_the_plain_twins(n, d, k, dtype, weighted, path):
    case = Case(n, d, k, dtype, weighted)
    labels, results = case.rng.integers(k, size=n).astype(np.int32), []
    for module in (plain, compiled):
        totals, handle = np.zeros((k, d + 2)), module.rows(case.X, case.weight)
        at = handle, 0, n, case.centre, case.scale
        space = module.assignment_workspace(d, k)
        inertia = module.summarise(*at, case.centres, labels, totals, space)
        closest, sums = np.full(n, np.inf, np.float32), np.zeros(k)
        for candidates in (case.centres, case.centres[::-1].copy()):
            space = SeedingWorkspace(d, k, path)
            module.potentials(*at, candidates, closest, sums, space)
        results.append((inertia, totals, closest, sums))
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-10 * n)
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_distances_equal_the_plain_twin(n, d, k, dtype):
    case, results = Case(n, d, k, dtype), []
    for module in (plain, compiled):
        out, space = np.empty((n, k), dtype), module.assignment_workspace(d, k)
        handle = module.rows(case.X, None)
        at = case.centre, case.scale, case.centres, 2.0
        module.distances(handle, 0, n // 3, *at, out[: n // 3], space)
        module.distances(handle, n // 3, n, *at, out[n // 3 :], space)
        results.append(out)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("path", FILTERS)
def test_prices_are_zero_for_rows_that_are_seeds(path):
    case = Case(300, 5, 4)
    case.X = case.X[case.rng.integers(4, size=300)]
    seeds = (np.unique(case.X, axis=0) - case.centre) * case.scale
    closest, space = np.full(300, np.inf, np.float32), SeedingWorkspace(5, 1, path)
    for seed in seeds:
        sums = np.zeros(1)
        handle = compiled.rows(case.X, None)
        at = handle, 0, 300, case.centre, case.scale
        compiled.potentials(*at, seed[None].copy(), closest, sums, space)
    assert sums == 0.0 and not closest.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_hashes_equal_the_plain_twin_and_tell_rows_apart(dtype):
    grid = (
        np.stack(np.meshgrid(*[np.arange(-20.0, 20.0)] * 3), axis=-1).reshape(-1, 3).astype(dtype)
    )
    grid.flags.writeable = False
    found = compiled.hashes(grid, 12345, 0.5)
    np.testing.assert_array_equal(found, plain.hashes(grid, 12345, 0.5))
    assert len(set(found.tolist())) == len(grid)
    assert compiled.hashes(-0.0 * grid[:1], 7, 1.0) == compiled.hashes(0.0 * grid[:1], 7, 1.0)
    np.testing.assert_array_equal(compiled.hashes(grid / 4, 12345, 2.0), found)


def test_bins_are_filled_in_order():
    rng = np.random.default_rng(0)
    numbers = rng.integers(5, size=100)
    starts = np.r_[0, np.cumsum(np.bincount(numbers, minlength=5))]
    for module in (plain, compiled):
        free, members = starts[:-1].copy(), np.zeros(100, np.int32)
        module.place(numbers[:60], 0, free, members)
        module.place(numbers[60:], 60, free, members)
        np.testing.assert_array_equal(members, np.argsort(numbers, kind="stable"))
        np.testing.assert_array_equal(free, starts[1:])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nothing_is_read_beyond_the_data(dtype):
    """The data end where a page that must not be touched begins."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 17 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + 16 * page), page, 0) == 0
    for d in (1, 2, 3, 7, 8, 9, 16, 17, 70):
        for n in (1, 2, 7, 9, 33, 100):
            size = n * d * np.dtype(dtype).itemsize
            X = np.frombuffer(memory, dtype, n * d, 16 * page - size).reshape(n, d)
            case = Case(n, d, 3)
            case.X, case.weight = X, X.reshape(-1)[-n:]
            for path in FILTERS:
                case.labels[:] = -1
                case.assign(compiled, AssignmentWorkspace(d, 3, path))
                case.assign(compiled, AssignmentWorkspace(d, 3, path), np.zeros(n, np.float32))
            at = compiled.rows(X, case.weight), 0, n, case.centre, case.scale
            space = compiled.assignment_workspace(d, 3)
            compiled.summarise(*at, case.centres, case.labels, case.totals, space)
            closest = np.full(n, np.inf, np.float32)
            for path in FILTERS:
                space = SeedingWorkspace(d, 3, path)
                compiled.potentials(*at, case.centres, closest, np.zeros(3), space)


def test_what_does_not_fit_is_refused():
    case = Case(50, 3, 4)
    with pytest.raises(ValueError, match="workspace"):
        case.assign(compiled, AssignmentWorkspace(4, 4))
    case.labels[7] = 4
    with pytest.raises(ValueError, match="Labels"):
        case.assign(compiled)
    with pytest.raises(ValueError, match="Bins"):
        compiled.place(np.array([5]), 0, np.zeros(3, np.int64), np.zeros(1, np.int32))
