"""A network trained in phases, each with a head and with class weights of its own.

Class weights are weights of rows here, ``t_k ** -tau`` for a class of share t_k. So all of the
classifier, the map included, agrees that classes have shares proportional to ``t_k ** (1 - tau)``,
equal ones drop out of its predictions, and those under the shares in training are had by name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from mixtures.neural import ResponsibleSoftmaxClassifier

from .nets import METHODS, Posteriors, Regime
from .problems import Rows

LATE = 0.85  # of the epochs


@dataclass(frozen=True)
class Phase:
    """A part of the training.

    Parameters
    ----------
    settings : mapping
        Of the classifier.
    share : float
        Of the epochs.
    tau : float
        Rows weigh ``t ** -tau``: 0 is as they are, 1 as much for each class.
    pseudo : float
        Pseudo-rows of a batch, by the (weighted) shares of the classes.
    """

    settings: Mapping[str, Any]
    share: float = 1.0
    tau: float = 0.0
    pseudo: float = 0.0

    def fit(self, net: ResponsibleSoftmaxClassifier, rows: Rows) -> None:
        """Train the network; its `warm_start` says whether from where it is."""
        shares = shares_of(rows)
        factors = shares**-self.tau
        factors /= shares @ factors  # one on average
        net.set_params(**self.settings)
        if self.pseudo:
            net.set_params(prior_concentration=1.0 + self.pseudo * shares * factors)
        weight = factors[rows.y] if self.tau else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # that epochs end a fit is meant
            net.fit(rows.X, rows.y, sample_weight=weight)

    def limit(self) -> Phase:
        """With a constant prior, but otherwise the same."""
        others = {k: v for k, v in self.settings.items() if "prior" not in k}
        return replace(self, settings={**others, "head": "fixed"}, pseudo=0.0)


class Stretch(NamedTuple):
    """Epochs of one phase at one learning rate."""

    phase: Phase
    epochs: int
    rate: float


@dataclass(frozen=True)
class Recipe:
    """How to train: one phase or several, or another library's network.

    With several, Adam starts anew wherever the phase or the learning rate changes.
    """

    phases: tuple[Phase, ...] = ()
    batch: float = 1.0  # size of the batches, times that of the problem
    late: bool = False  # the rate falls once, to a tenth, after LATE of the epochs
    peer: str = ""  # in `METHODS`

    def posteriors(self, regime: Regime, seed: int, rows: Rows, X: np.ndarray) -> Posteriors:
        """Fit to the rows, predict X (n, d)."""
        if self.peer:
            return METHODS[self.peer].posteriors(regime, seed, rows, X)
        if regime.scaled:
            scaler = StandardScaler().fit(rows.X)
            rows, X = Rows(scaler.transform(rows.X), rows.y), scaler.transform(X)
        rng = np.random.RandomState(seed)
        regime = replace(regime, batch=round(self.batch * regime.batch))
        if self.late:
            regime = replace(regime, drop=(0.1, round(LATE * regime.epochs)))
        net = ResponsibleSoftmaxClassifier(random_state=rng, **regime.settings())
        if len(self.phases) == 1:
            self.phases[0].fit(net, rows)
        else:
            for phase, epochs, rate in stretches(self.phases, regime):
                net.set_params(max_epochs=epochs, n_iter_no_change=epochs)
                net.set_params(learning_rate="constant", learning_rate_init=rate)
                phase.fit(net, rows)
                net.set_params(warm_start=True, prior_concentration=1.0)
        train = net.predict_log_proba(X, prior=shares_of(rows))
        return Posteriors(net.predict_log_proba(X, prior="uniform"), train)

    def limit(self) -> Recipe:
        """The same with a constant prior, the shares: infinitely many pseudo-rows."""
        return replace(self, phases=tuple(phase.limit() for phase in self.phases))


def stretches(phases: tuple[Phase, ...], regime: Regime) -> Iterator[Stretch]:
    """The phases, cut where the learning rate falls."""
    ends = np.rint(np.cumsum([phase.share for phase in phases]) * regime.epochs).astype(int)
    factor, period = regime.drop or (1.0, regime.epochs)
    cuts = sorted({*ends.tolist(), *range(period, regime.epochs, period), 0})
    for start, stop in pairwise(cuts):
        phase = phases[int(np.searchsorted(ends, start, side="right"))]
        yield Stretch(phase, stop - start, regime.rate * factor ** (start // period))


def shares_of(rows: Rows) -> np.ndarray:
    """Of the classes, (K,)."""
    return np.bincount(rows.y) / len(rows.y)
