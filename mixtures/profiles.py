"""What sets the components of a fitted mixture apart, feature by feature: latent class profiles.

k components, d features, m values a component: one a feature, or one a category of each feature; of
two categories only the second, as the first has the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

QUANTITIES: dict[str, tuple[str, tuple[float, float] | None]] = {
    "probabilities_": ("probability", (0.0, 1.0)),
    "category_probabilities_": ("probability", (0.0, 1.0)),
    "rates_": ("expected count", None),
    "means_": ("mean", None),
    "cluster_centers_": ("mean", None),
}
"""Fitted attributes that describe components: what their values are, and the range of these."""


class Profiles(NamedTuple):
    """One row of values for each component."""

    weights: np.ndarray  # (k,), shares of the rows
    values: np.ndarray  # (k, m)
    names: list[str]  # m, of the values
    sizes: list[int]  # d, how many values each feature has; they sum to m
    quantity: str  # what the values are
    limits: tuple[float, float] | None = None  # between which values can lie, where that is known
    labels: list[str] | None = None  # k, names of the components, where they have any

    @property
    def heads(self) -> list[str]:
        """The components' names, or their numbers."""
        return [str(c) for c in range(len(self.weights))] if self.labels is None else self.labels

    def select(self, components: Sequence[int]) -> Profiles:
        """Some components, in this order, under the names or numbers that they had."""
        chosen, heads = list(components), self.heads
        labels = [heads[c] for c in chosen]
        return self._replace(
            weights=self.weights[chosen], values=self.values[chosen], labels=labels
        )

    def distinct(self, most: int) -> Profiles:
        """The `most` values that differ most between components, those that differ most first.

        Differences are measured by the standard deviation between components, by their weights.
        """
        weights = self.weights / self.weights.sum()
        spread = weights @ (self.values - weights @ self.values) ** 2
        order = np.argsort(-spread, kind="stable")[:most]
        names = [self.names[j] for j in order]
        return self._replace(values=self.values[:, order], names=names, sizes=[1] * len(order))


def profiles_of(
    estimator: Any,
    feature_names: Sequence[str] | None = None,
    component_names: Sequence[str] | None = None,
) -> Profiles:
    """Weights and component parameters of a fitted mixture or of k-means.

    Parameters
    ----------
    estimator : BernoulliMixture, CategoricalMixture, PoissonMixture, GaussianMixture or KMeans
        Fitted.
    feature_names : sequence of str of length d, default=None
        None takes the column names that the estimator was fitted with, or numbers the features.
    component_names : sequence of str of length k, default=None
        None leaves them without.

    Returns
    -------
    profiles : Profiles
        A feature with categories has a value for each of them, named "feature = category", or
        only one, for the second, if they are two.

    Raises
    ------
    TypeError
        If the estimator has no such parameters.
    ValueError
        If there are not as many names as features or components.
    """
    check_is_fitted(estimator)
    found = next((name for name in QUANTITIES if hasattr(estimator, name)), None)
    if found is None:
        raise TypeError(
            f"A profile shows one of the fitted parameters {', '.join(QUANTITIES)}, but "
            f"{type(estimator).__name__} has none of them; fit a BernoulliMixture, a "
            "CategoricalMixture, a PoissonMixture, a GaussianMixture or KMeans."
        )
    parameters = getattr(estimator, found)
    simple = isinstance(parameters, np.ndarray)
    blocks = list(parameters.T[:, :, None]) if simple else [np.asarray(b) for b in parameters]
    names = _feature_names(estimator, feature_names, len(blocks))
    if not simple:
        shown = [1 if block.shape[1] == 2 else 0 for block in blocks]  # from which category on
        blocks = [block[:, first:] for block, first in zip(blocks, shown, strict=True)]
        names = [
            f"{name} = {category}"
            for name, first, own in zip(names, shown, estimator.categories_, strict=True)
            for category in own[first:]
        ]
    sizes = [block.shape[1] for block in blocks]
    values = np.concatenate(blocks, axis=1).astype(np.float64)
    labels = None if component_names is None else [str(name) for name in component_names]
    if labels is not None and len(labels) != len(values):
        raise ValueError(
            f"component_names should hold {len(values)} names, one a component, but got "
            f"{len(labels)}: {labels}."
        )
    return Profiles(_weights(estimator), values, names, sizes, *QUANTITIES[found], labels)


def profile_table(
    estimator: Any,
    feature_names: Sequence[str] | None = None,
    *,
    component_names: Sequence[str] | None = None,
    most: int | None = None,
    digits: int = 2,
) -> str:
    """The components of a fitted mixture side by side, as text: one line a feature.

    Parameters
    ----------
    estimator : BernoulliMixture, CategoricalMixture, PoissonMixture, GaussianMixture or KMeans
        Fitted.
    feature_names : sequence of str of length d, default=None
        None takes the column names that the estimator was fitted with, or numbers the features.
    component_names : sequence of str of length k, default=None
        Heads of the columns; None numbers them.
    most : int, default=None
        Show only so many values, those that differ most between the components, in that order;
        None shows all, in the order of the features.
    digits : int, default=2
        Decimal places.

    Returns
    -------
    table : str

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import PoissonMixture
    >>> from mixtures.profiles import profile_table
    >>> X = np.array([[0.0, 2.0], [1.0, 2.0], [9.0, 2.0], [11.0, 2.0]])
    >>> model = PoissonMixture(2, random_state=0, component_order="means").fit(X)
    >>> print(profile_table(model, ["calls", "visits"], digits=1))
               0     1
    weight   0.5   0.5
    calls    0.5  10.0
    visits   2.0   2.0
    """
    profiles = profiles_of(estimator, feature_names, component_names)
    if most is not None:
        profiles = profiles.distinct(most)
    lines = [("weight", profiles.weights), *zip(profiles.names, profiles.values.T, strict=True)]
    rows = [("", profiles.heads)]
    rows += [(name, [f"{value:.{digits}f}" for value in values]) for name, values in lines]
    width = max(len(cell) for _, cells in rows for cell in cells) + 2
    margin = max(len(name) for name, _ in rows)
    return "\n".join(
        f"{name:{margin}}" + "".join(f"{cell:>{width}}" for cell in cells) for name, cells in rows
    )


def _feature_names(estimator: Any, names: Sequence[str] | None, d: int) -> list[str]:
    if names is None:
        names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return [f"feature {j}" for j in range(d)]
    if len(names) != d:
        raise ValueError(
            f"feature_names should hold {d} names, one a feature, but got {len(names)}."
        )
    return [str(name) for name in names]


def _weights(estimator: Any) -> np.ndarray:
    """Mixing weights; k-means has none, and the shares of its labels take their place."""
    if hasattr(estimator, "weights_"):
        return np.asarray(estimator.weights_, dtype=np.float64)
    counts = np.bincount(estimator.labels_, minlength=len(estimator.cluster_centers_))
    return counts / counts.sum()
