"""Lanczos' method for many coordinates finds the eigenvalue that the matrix of few has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures import PoissonMixture
from mixtures.core.em import run_em
from mixtures.core.gradient import gradient_of
from mixtures.core.information import Information, lanczos

from .registry import count_rows, problem
from .test_certificate import equal_components


@pytest.mark.parametrize("equal", [False, True])
def test_lanczos_finds_what_the_matrix_has(equal):
    X = count_rows(300, 20, 0, k=3)[0] / 4 // 1
    with problem(PoissonMixture(4), X) as (em, start):
        params = equal_components(X, [0.1, 0.2, 0.3, 0.4]) if equal else start
        params = run_em(em, params, tol=1e-12, max_iter=3000).params
        x = em.family.pack(params)
        gradient = gradient_of(em, params, x)
        free = gradient.information > 1e-4
        sums = np.r_[np.zeros(4, int), np.full(80, -1)]
        curved = Information(gradient, x, free, sums, np.empty((0, len(x))))
        dense, found = curved._dense(), curved.smallest()
    assert len(dense.values) == curved.size == free.sum() - 1
    assert found.values[0] == pytest.approx(dense.values[0], rel=1e-3, abs=1e-9)
    assert found.error < 1e-2 * abs(found.values[0])
    assert (found.values[0] < -1) == equal


@given(
    st.integers(0, 99), st.sampled_from([-3.0, -1e-6, 0.0, 1e-3, 0.5]), st.sampled_from([0.4, 1e-5])
)
def test_lanczos_on_known_spectra(seed, least, width):
    """Also where nearly all eigenvalues are equal, and the start has little of the smallest."""
    rng = np.random.default_rng(seed)
    values = np.r_[least, 1 + width * rng.uniform(-1.0, 1.0, 80)]
    basis = np.linalg.qr(rng.standard_normal((81, 81)))[0]
    start = basis @ (rng.standard_normal(81) * np.r_[1e-5, np.ones(80)])
    found = lanczos(lambda v: basis @ (values * (basis.T @ v)), start, 1e-10)
    assert found.values[0] == pytest.approx(least, rel=1e-3, abs=1e-9)
    assert abs(basis[:, 0] @ found.vectors[:, 0]) == pytest.approx(1.0, abs=1e-4)


@given(st.integers(0, 99))
def test_projection_takes_out_one_direction_a_sum(seed):
    """Adding a number to all logarithms of one sum, and nothing else."""
    rng = np.random.default_rng(seed)
    sums = np.array([0, 0, 0, -1, -1, 1, 1, -1])
    free = np.array([1, 1, 1, 1, 0, 1, 1, 1], dtype=bool)

    class Gradient:
        information, units, noise = rng.uniform(0.5, 2.0, 8), np.ones(8), 1e-14

    curved = Information(Gradient(), np.zeros(8), free, sums, np.empty((0, 8)))
    assert curved.size == 5
    v = rng.standard_normal(7)
    once = curved.project(v)
    np.testing.assert_allclose(curved.project(once), once, atol=1e-14)
    for one in (0, 1):  # the step that changes nothing, in the units of each coordinate
        nothing = np.where(sums[free] == one, curved.scale, 0.0)
        assert abs(nothing @ once) < 1e-14
        np.testing.assert_allclose(curved.project(nothing), 0.0, atol=1e-14)
    alone = sums[free] < 0
    np.testing.assert_array_equal(once[alone], v[alone])
