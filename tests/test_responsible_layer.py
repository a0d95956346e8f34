"""What the responsible softmax computes: right numbers for any logits, whatever holds them."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax as scipy_log_softmax

from mixtures.neural import ResponsibleSoftmax
from mixtures.proportions import responsibility_orbit

from .registry import refused
from .responsible_cases import EXTREMES, SCALES, classifier, complex_step, draw, extreme

GRADIENTS = ["exact", "stop", "neumann"]
ANY = st.builds(
    draw,
    st.integers(0, 2**31),
    n=st.integers(1, 40),
    K=st.integers(1, 9),
    n_iter=st.sampled_from([0, 1, 2, 5, 17]),
    scale=st.sampled_from(SCALES),
    weighted=st.booleans(),
    start=st.booleans(),
    alpha=st.sampled_from([1.0, 1.5, 4.0]),
    shift=st.sampled_from([0.0, 1.0, 1e3]),
)


@given(ANY)
def test_the_forward_pass_equals_its_formula(case):
    output, prior = case.forward()
    expected = case.prior()
    size = np.abs(case.A).max() + 10.0
    np.testing.assert_allclose(prior, expected.astype(float), rtol=1e-13, atol=2e-14 * size)
    posterior = case.posterior(prior=expected).astype(float)
    np.testing.assert_allclose(output, posterior, rtol=1e-13, atol=2e-14 * size)


def test_three_rows_by_hand():
    """Posterior shares 4/5, 1/2, 1/5 of the first class, from densities 4, 1 and 1/4 to one."""
    A = np.log([[4.0, 1.0], [1.0, 1.0], [1.0, 4.0]])
    output, saved = ResponsibleSoftmax(1).forward(A, sample_weight=[3.0, 2.0, 5.0])
    prior = np.array([2.4 + 1.0 + 1.0, 0.6 + 1.0 + 4.0]) / 10
    np.testing.assert_allclose(np.exp(saved.log_prior), prior, rtol=1e-15)
    np.testing.assert_allclose(np.exp(output[1]), prior, rtol=1e-15)
    _, saved = ResponsibleSoftmax(1, concentration=[2.0, 5.0]).forward(A)
    np.testing.assert_allclose(np.exp(saved.log_prior), [2.5 / 8, 5.5 / 8], rtol=1e-15)


# ---- extremes ------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    st.builds(
        extreme,
        st.sampled_from(list(EXTREMES)),
        st.integers(0, 2**31),
        n=st.sampled_from([1, 2, 3, 7, 9, 17]),
        K=st.sampled_from([1, 2, 3, 5]),
        n_iter=st.sampled_from([0, 1, 2, 5, 17]),
        alpha=st.sampled_from([1.0, 1.5]),
    )
)
def test_extremes(case):
    """Logits up to 1e5 are rounded to 1e-11, and so is what depends on them."""
    size = np.abs(case.A).max()
    output, prior = case.forward()
    expected = case.prior()
    bound = 1e-13 + 1e-15 * size * (1 + case.n_iter)
    np.testing.assert_allclose(prior, expected.astype(float), rtol=1e-13, atol=bound)
    posterior = case.posterior(prior=expected).astype(float)
    np.testing.assert_allclose(output, posterior, rtol=1e-13, atol=bound)
    found, found_start = case.both()
    slopes, slopes_start = case.slopes()
    bound = (1e-13 + 1e-15 * size) * (1 + case.n_iter) * max(1.0, np.abs(slopes).max())
    np.testing.assert_allclose(found, slopes, rtol=0, atol=bound)
    np.testing.assert_allclose(found_start, slopes_start, rtol=0, atol=bound)
    for gradient in GRADIENTS[1:]:
        assert all(np.isfinite(x).all() for x in case.both(gradient))


@pytest.mark.parametrize("kind", EXTREMES)
def test_the_fixed_point_of_extremes(kind):
    """Pseudo-rows keep it inside, whatever the rows say."""
    for K in (1, 2, 5):
        case = extreme(kind, K, 11, K, 0, alpha=1.5)
        output, prior = case.forward("implicit")
        total = (11 if case.w is None else case.w.sum()) + 0.5 * K
        assert np.exp(prior).min() >= 0.5 / total * (1 - 1e-12)
        step = case.but(n_iter=1, start=prior).forward()[1]
        np.testing.assert_allclose(step, prior, rtol=0, atol=1e-10)
        assert np.isfinite(output).all()
        assert all(np.isfinite(x).all() for x in case.both("implicit"))


@pytest.mark.parametrize("n_iter", [1, 3])
def test_thousands_of_nats_by_many_digits(n_iter):
    """By mpmath, 200 digits; the last prior falls far below the range of numbers."""
    A = 2000.0 * np.random.default_rng(3).normal(size=(5, 3))
    A[:, 2] -= 9000.0
    mp = mpmath.mp.clone()
    mp.dps = 200
    F = [[mp.exp(mp.mpf(a)) for a in row] for row in A]
    p = [mp.mpf(1) / 3] * 3
    for _ in range(n_iter):
        u = [mp.fdot(row, p) for row in F]
        p = [p[k] * mp.fsum(F[n][k] / u[n] for n in range(5)) / 5 for k in range(3)]
    expected = np.array([float(mp.log(x)) for x in p])
    assert expected[2] < -4000.0 * n_iter
    output, saved = ResponsibleSoftmax(n_iter).forward(A)
    np.testing.assert_allclose(saved.log_prior, expected, rtol=1e-13)
    posterior = [[mp.log(row[k] * p[k] / mp.fdot(row, p)) for k in range(3)] for row in F]
    np.testing.assert_allclose(output, np.array(posterior, dtype=float), rtol=1e-13, atol=1e-10)


@pytest.mark.parametrize("K", [1, 2, 3, 4, 8, 16, 33, 300])
@pytest.mark.parametrize("n", [1, 5, 64, 131])
def test_any_number_of_classes_and_of_rows(n, K):
    """Against the formula; its gradient in one direction, since there are many."""
    case = classifier(1, n, K, 2, scale=2.0, alpha=1.1)
    output, prior = case.forward()
    expected = case.prior()
    np.testing.assert_allclose(prior, expected.astype(float), rtol=1e-13, atol=1e-13)
    posterior = case.posterior(prior=expected).astype(float)
    np.testing.assert_allclose(output, posterior, rtol=1e-13, atol=1e-13)
    rng = np.random.default_rng(K)
    dA, dstart = rng.normal(size=(n, K)), rng.normal(size=K)

    def along(t):
        A, start = case.A + t[..., None] * dA, case.mu_0 + t * dstart
        return case.loss(A, case.prior(A, start))

    (slope,) = complex_step(along, np.zeros(1))
    found, found_start = case.both()
    terms = np.r_[(found * dA).ravel(), found_start * dstart]
    assert abs(terms.sum() - slope[0]) <= 1e-13 * np.abs(terms).sum()


def test_equal_classes_keep_the_proportion_of_their_start():
    rng = np.random.default_rng(5)
    A = rng.normal(size=(20, 3))[:, [0, 1, 2, 0]]
    start = np.log([0.1, 0.2, 0.3, 0.4])
    _, saved = ResponsibleSoftmax(30).forward(A, start)
    pi = np.exp(saved.log_prior)
    assert pi[3] / pi[0] == pytest.approx(4.0, rel=1e-13)


# ---- classes and rows that are excluded ----------------------------------------------------------


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_class_that_the_start_excludes(gradient):
    """As if it were not there; the others' gradients are those of a layer without it."""
    case = classifier(3, 12, 4, 3)
    case.cotangent[:, 2] = 0.0
    start = np.where(np.arange(4) == 2, -np.inf, case.start)
    rest = [0, 1, 3]
    without = case.but(A=case.A[:, rest], start=case.start[rest], cotangent=case.cotangent[:, rest])
    output, prior = case.but(start=start).forward(gradient)
    assert prior[2] == -np.inf and (output[:, 2] == -np.inf).all()
    for found, expected in zip((output, prior), without.forward(gradient), strict=True):
        np.testing.assert_allclose(found[..., rest], expected, rtol=1e-13, atol=1e-14)
    found, found_start = case.but(start=start).both(gradient)
    assert (found[:, 2] == 0.0).all() and found_start[2] == 0.0
    expected, expected_start = without.both(gradient)
    np.testing.assert_allclose(found[:, rest], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found_start[rest], expected_start, rtol=1e-12, atol=1e-15)


def test_pseudo_rows_bring_an_excluded_class_back():
    A = np.random.default_rng(0).normal(size=(8, 3))
    start = np.array([0.0, -np.inf, 0.0])
    layer = ResponsibleSoftmax(1, concentration=1.5)
    _, saved = layer.forward(A, start)
    assert np.exp(saved.log_prior)[1] == pytest.approx(0.5 / 9.5, rel=1e-14)
    back, gradients = layer.backward(saved, np.ones((8, 3)) * [1.0, 2.0, 3.0])
    assert np.isfinite(back).all() and np.isfinite(gradients["log_start"]).all()


def test_rows_that_exclude_a_class():
    """A logit of -inf is a density of zero, as in `DynamicResponsibility`."""
    case = classifier(6, 12, 4, 3)
    case.A[2, 1] = case.A[5, 0] = case.A[5, 3] = -np.inf
    case.cotangent[np.isneginf(case.A)] = 0.0
    output, prior = case.forward()
    np.testing.assert_array_equal(np.isneginf(output), np.isneginf(case.A))
    start = np.exp(scipy_log_softmax(case.start))
    orbit = responsibility_orbit(case.A, 3, start=start, sample_weight=case.w, log=True)
    np.testing.assert_allclose(np.exp(prior), orbit[-1], rtol=1e-13)
    tiny = case.but(A=np.maximum(case.A, -1e4))
    for found, expected in zip(case.both(), tiny.both(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-16)


# ---- how logits are held -------------------------------------------------------------------------


def layouts(A):
    wide = np.zeros((2 * len(A), 3 * A.shape[1]))
    wide[::2, 1::3] = A
    backwards = A[::-1, ::-1].copy()
    frozen = A.copy()
    frozen.flags.writeable = False
    unaligned = np.zeros(A.nbytes + 1, dtype=np.uint8)[1:].view(A.dtype).reshape(A.shape)
    unaligned[:] = A
    return {
        "Fortran": np.asfortranarray(A),
        "strided": wide[::2, 1::3],
        "backwards": backwards[::-1, ::-1],
        "read-only": frozen,
        "unaligned": unaligned,
    }


@pytest.mark.parametrize("name", layouts(np.zeros((2, 2))))
@pytest.mark.parametrize("gradient", [*GRADIENTS, "implicit"])
def test_the_layout_changes_nothing(name, gradient):
    case = draw(2, n=21, K=5, n_iter=3, alpha=1.5)
    other = case.but(
        A=layouts(case.A)[name],
        cotangent=layouts(case.cotangent)[name],
        w=layouts(case.w[:, None])[name][:, 0],
        start=layouts(case.start[:, None])[name][:, 0],
    )
    for found, expected in zip(
        (*other.forward(gradient), *other.both(gradient)),
        (*case.forward(gradient), *case.both(gradient)),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-16)


def test_types_of_numbers():
    """Outputs have the logits' type; whole numbers and lists become double precision."""
    A = np.array([[1, -2, 0], [3, 1, 1]])
    expected, saved = ResponsibleSoftmax(2).forward(A.astype(float))
    for given_ in (A, A.tolist(), A.astype(np.int8), A.astype(">f8"), A.astype(np.float32)):
        output, other = ResponsibleSoftmax(2).forward(given_, [0, 0, 0], [1, 1])
        single = getattr(given_, "dtype", None) == np.float32
        assert output.dtype.newbyteorder("=") == (np.float32 if single else np.float64)
        np.testing.assert_allclose(output, expected, rtol=1e-6 if single else 1e-15)
        np.testing.assert_allclose(other.log_prior, saved.log_prior, rtol=1e-14)
        back, gradients = ResponsibleSoftmax(2).backward(other, np.ones_like(output) * [1, 2, 3])
        assert back.dtype == output.dtype and gradients["log_start"].dtype == np.float64


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"n_iter": -1}, ["n_iter", "-1"]),
        ({"n_iter": 1.5}, ["n_iter", "1.5"]),
        ({"gradient": "exakt"}, ["gradient", "exakt", "stop"]),
        ({"gradient": "implicit"}, ["implicit", "concentration", "1"]),
        ({"gradient": "implicit", "concentration": [2.0, 1.0]}, ["implicit", "concentration"]),
        ({"concentration": 0.5}, ["concentration", "0.5"]),
        ({"concentration": np.nan}, ["concentration", "nan"]),
        ({"concentration": [2.0, np.inf]}, ["concentration", "inf"]),
    ],
    ids=str,
)
def test_parameters_that_are_refused(options, fragments):
    with refused(ValueError, fragments):
        ResponsibleSoftmax(**options)
