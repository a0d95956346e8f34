"""Rotations of factor loadings to simple structure: varimax, quartimax, promax, direct oblimin.

Loadings are determined only up to a rotation, ``L L' = (L T)(L T)'``, so it may be chosen to make
them easy to read. The criteria are smooth functions on the orthogonal matrices, or on those with
factors of unit variance, and are maximised by gradient projection (Jennrich 2001, 2002; Bernaards
and Jennrich 2005) until they are stationary. d features, q factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core.discriminants import Array
from .criteria import (
    Criterion,
    Oblique,
    Orthogonal,
    descend,
    quartimax,
    quartimin,
    scale,
    varimax,
)

POWER = 4.0  # of promax's target, as Hendrickson and White recommend
EPS = float(np.finfo(np.float64).eps)
WARM_UP = 100  # iterations by which scikit-learn's rotations end
SADDLES, FAR = 20, 1e-12  # saddles that may be left, and the gain that tells one


class Rotation(NamedTuple):
    """Rotated loadings L T, with the covariance of the factors that goes with them.

    Examples
    --------
    Simple structure, turned by 30 degrees, is found again:

    >>> import numpy as np
    >>> from mixtures.factor.rotation import rotate
    >>> simple = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7], [0.0, 0.6]])
    >>> c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    >>> rotate(simple @ [[c, -s], [s, c]], "varimax").loadings.round(3) + 0.0
    array([[0.9, 0. ],
           [0.8, 0. ],
           [0. , 0.7],
           [0. , 0.6]])
    """

    loadings: Array
    """(d, q), ``loadings_new = loadings @ transformation``."""
    factor_covariance: Array
    """(q, q), Phi: ``L_new Phi L_new' = L L'``. Unit variances; the identity if orthogonal."""
    transformation: Array
    """(q, q), T: factors are ``T^-1 z``."""


def rotate(
    loadings: Array, method: str, *, normalize: bool = False, max_iter: int = 1000,
    tol: float = 1e-11,
) -> Rotation:  # fmt: skip
    """Rotate loadings to a stationary point of a criterion, from where they are.

    - ``'varimax'`` (Kaiser 1958): the squared loadings of a factor vary most over features.
    - ``'quartimax'`` (Neuhaus and Wrigley 1954): the sum of fourth powers is largest.
    - ``'promax'`` (Hendrickson and White 1964): oblique, least squares to the fourth powers of
      varimax loadings with their signs, then factors of unit variance.
    - ``'oblimin'`` (Jennrich and Sampson 1966, direct, gamma = 0, also called quartimin): oblique,
      the squared loadings of pairs of factors overlap least.

    Columns keep their order and signs as far as the rotation leads there from the identity: columns
    are neither sorted nor reflected, as in scikit-learn. The criterion is never worse than at the
    start. Features with loadings of zero stay without.

    Parameters
    ----------
    loadings : ndarray of shape (d, q)
        Of orthogonal factors.
    method : {'varimax', 'quartimax', 'promax', 'oblimin'}
    normalize : bool, default=False
        Kaiser's normalisation: features count equally, whatever their communality. R's factanal
        does so, scikit-learn does not.
    max_iter : int, default=1000
    tol : float, default=1e-11
        Size of the projected gradient, relative to the sum of squares of the squared communalities.

    Returns
    -------
    rotation : Rotation

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in METHODS:
        raise ValueError(
            f"Expected a rotation of {', '.join(map(repr, METHODS))}, got {method!r}. Choose one "
            "of these, or none."
        )
    q = loadings.shape[1]
    size = float(np.abs(loadings).max(initial=0.0))
    if q < 2 or size == 0.0:
        return Rotation(loadings.copy(), np.eye(q), np.eye(q))
    transformation = transform(loadings, size, method, normalize, max_iter, tol)
    inverse = np.linalg.inv(transformation)
    factors = inverse @ inverse.T
    return Rotation(loadings @ transformation, 0.5 * (factors + factors.T), transformation)


def transform(
    loadings: Array, size: float, method: str, normalize: bool, max_iter: int, tol: float
) -> Array:
    """The matrix (q, q) that loadings of some size are to be multiplied by."""
    q = loadings.shape[1]
    turn, oblique = METHODS[method]
    lengths = size * np.sqrt(((loadings / size) ** 2).sum(axis=1, keepdims=True))
    unit = np.where(lengths > 0.0, lengths, 1.0) if normalize else size
    basis, r, back = independent(loadings / size) if oblique else (np.eye(q), q, np.eye(q))
    inside = np.eye(q)
    inside[:r, :r] = turn((loadings / unit) @ basis[:, :r], unit, max_iter, tol)
    product: Array = basis @ inside @ back
    return product


def independent(loadings: Array) -> tuple[Array, int, Array]:
    """An orthogonal basis (q, q) in which the first r columns are independent, the others zero.

    Oblique factors that load on nothing would have no correlations. Where columns are zero as they
    are, the basis is only their order, and the third result brings them back to their places.
    """
    some = np.flatnonzero(np.abs(loadings).max(axis=0) > 0.0)
    values, vt = np.linalg.svd(loadings)[1:]
    r = int(np.count_nonzero(values > max(loadings.shape) * EPS * values[0]))
    if len(some) == r:
        order = np.concatenate([some, np.setdiff1d(np.arange(len(vt)), some)])
        basis = np.eye(len(vt))[:, order]
        return basis, r, basis.T
    return vt.T, r, np.eye(len(vt))


def orthogonal(A: Array, q: Criterion, max_iter: int, tol: float) -> Array:
    """The stationary point that scikit-learn's iterations lead to, if it is no saddle."""
    T = warm_up(A, q)
    for _ in range(SADDLES):
        T = descend(A, T, q, Orthogonal, max_iter, tol)
        turned = turn_planes(A, T, q)
        if q(A @ turned)[0] >= q(A @ T)[0] - FAR * scale(A):
            break
        T = turned
    return T


def warm_up(A: Array, q: Criterion) -> Array:
    """``T <- nearest(-derivatives by T)`` as long as it pays: decides which maximum is found."""
    T, before = np.eye(A.shape[1]), 0.0
    start = q(A)[0]
    for _ in range(WARM_UP):
        u, s, vt = np.linalg.svd(-A.T @ q(A @ T)[1])
        T, total = u @ vt, float(s.sum())
        if before and total < before * (1.0 + 1e-6):
            break
        before = total
    return T if q(A @ T)[0] <= start else np.eye(A.shape[1])


def turn_planes(A: Array, T: Array, q: Criterion) -> Array:
    """Every plane of two factors once turned to its best angle, which leaves every saddle.

    Along a rotation by t in a plane, these criteria are ``a + b cos 4t + c sin 4t`` (Kaiser 1958).
    """
    T = T.copy()
    c, s = np.cos(np.pi / 8), np.sin(np.pi / 8)
    for j in range(A.shape[1]):
        for k in range(j + 1, A.shape[1]):
            plane = A @ T[:, [j, k]]
            values = [q(plane)[0]]
            for turn in (np.array([[c, -s], [s, c]]), np.array([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5):
                values.append(q(plane @ turn)[0])
            middle = 0.5 * (values[0] + values[2])
            angle = 0.25 * np.arctan2(middle - values[1], middle - values[0])
            cj, sj = np.cos(angle), np.sin(angle)
            T[:, [j, k]] = T[:, [j, k]] @ np.array([[cj, -sj], [sj, cj]])
    return T


def promax(A: Array, unit: Array | float, max_iter: int, tol: float) -> Array:
    """Least squares from varimax loadings to their fourth powers, for factors of unit variance."""
    T = orthogonal(A, varimax, max_iter, tol)
    simple = (A * unit) @ T
    simple = simple / np.abs(simple).max()  # fourth powers of large units would overflow
    target = simple * np.abs(simple) ** (POWER - 1.0)
    U = np.linalg.lstsq(simple, target, rcond=None)[0]
    inverse = np.linalg.inv(U / np.sqrt((U**2).sum(axis=0)))
    U = U / np.sqrt((U**2).sum(axis=0)) * np.sqrt((inverse**2).sum(axis=1))
    return T @ U


def oblimin(A: Array, max_iter: int, tol: float) -> Array:
    """From quartimax, its best among rotations with orthogonal factors."""
    start = orthogonal(A, quartimax, max_iter, tol)
    T = descend(A, start, quartimin, Oblique, max_iter, tol)
    return np.asarray(np.linalg.inv(T).T, dtype=np.float64)


METHODS = {  # how to turn independent columns, and whether factors become oblique
    "varimax": (lambda A, _, n, tol: orthogonal(A, varimax, n, tol), False),
    "quartimax": (lambda A, _, n, tol: orthogonal(A, quartimax, n, tol), False),
    "promax": (promax, True),
    "oblimin": (lambda A, _, n, tol: oblimin(A, n, tol), True),
}
