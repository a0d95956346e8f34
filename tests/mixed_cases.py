"""Rows of columns of different kinds, and the mixtures that suit them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtures import (
    BernoulliMixture,
    CategoricalMixture,
    GaussianMixture,
    MixedMixture,
    PoissonMixture,
)
from mixtures.priors import Beta, Dirichlet, Gamma, NormalInverseWishart

from .draws import answer_rows, category_rows, count_rows, gaussian_rows, with_gaps

SIZE, ANSWERS, COUNTS, GROUPS = slice(0, 2), slice(2, 5), slice(5, 7), slice(7, 8)
"""Where `mixed_rows` has its kinds of columns."""


def mixed_rows(n: int, seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """n rows of 2 measurements, 3 answers with gaps, 2 counts and a category, and labels."""
    draws = gaussian_rows, with_gaps(answer_rows), count_rows, category_rows
    blocks, labels = [], np.empty(0)
    for draw, d in zip(draws, (2, 3, 2, 1), strict=True):
        X, labels = draw(n, d, seed, k=k)  # the same seed, hence the same labels
        blocks.append(X)
    return np.hstack(blocks), labels


def all_blocks(**priors: Any) -> list[tuple[str, Any, Any]]:
    """A block of each kind; priors by the names of the blocks."""
    return [
        ("size", GaussianMixture(prior=priors.get("size")), SIZE),
        ("answers", BernoulliMixture(prior=priors.get("answers")), ANSWERS),
        ("counts", PoissonMixture(prior=priors.get("counts")), COUNTS),
        ("groups", CategoricalMixture(prior=priors.get("groups")), GROUPS),
    ]


PRIORS = {
    "size": NormalInverseWishart(mean_precision=0.5, degrees_of_freedom=9.0),
    "answers": Beta(2.0, 1.5),
    "counts": Gamma(2.0, 0.5),
    "groups": Dirichlet(1.5),
}


def mixed(n_components: int = 3, blocks: Any = None, **options: Any) -> MixedMixture:
    """A mixture of a block of each kind, unless it is given others."""
    blocks = all_blocks() if blocks is None else blocks
    return MixedMixture(n_components, blocks=blocks, **{"random_state": 0, **options})


def parameters(fitted: MixedMixture) -> dict[str, np.ndarray]:
    """All fitted parameters by name, each as one array."""
    found = {"weights": fitted.weights_}
    for name, block, _ in fitted.blocks_:
        own = block._attribute_params()._asdict()
        found |= {f"{name}.{field}": value for field, value in own.items()}
    return found


def same_bits(one: MixedMixture, other: MixedMixture) -> None:
    """Assert that two fits have the same parameters and trace, bit for bit."""
    theirs = parameters(other)
    for name, array in parameters(one).items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert one.lower_bounds_ == other.lower_bounds_


def close(one: MixedMixture, other: MixedMixture, rtol: float) -> None:
    """Assert that two fits agree, each array relative to its largest entry."""
    theirs = parameters(other)
    for name, array in parameters(one).items():
        atol = rtol * float(np.abs(array).max())
        np.testing.assert_allclose(theirs[name], array, rtol=0, atol=atol, err_msg=name)
    np.testing.assert_allclose(other.lower_bound_, one.lower_bound_, rtol=rtol, atol=rtol)
