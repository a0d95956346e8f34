"""The networks of the experiments, as settings of `ResponsibleSoftmaxClassifier`, and their rivals.

The slides count from another end: their C = 1 and 4 apply the map twice and five times, since the
published code applies it once more than it says. So C = 1, 4, 8, 16 are `n_prior_iter` = 2, 5, 9
and 17 here. Their predictions drop the layer's prior: the largest logit wins. That is
``predict_prior="uniform"`` of the responsible and the fixed head, and "train" of a plain softmax.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mixtures.neural import ResponsibleSoftmaxClassifier

from .problems import Rows

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Regime:
    """How a network is built and trained, whatever its head."""

    what: str  # in words, for the page
    hidden: tuple[int, ...]
    epochs: int
    batch: int
    rate: float
    drop: tuple[float, int] | None  # factor and period, in epochs, of the rate
    shuffle: bool | str = True
    scaled: bool = False  # standardise columns first

    def settings(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "hidden_layer_sizes": self.hidden, "max_epochs": self.epochs,
            "batch_size": self.batch, "learning_rate_init": self.rate, "shuffle": self.shuffle,
            "n_iter_no_change": self.epochs,  # epochs alone end a fit
        }  # fmt: skip
        if self.drop:
            factor, period = self.drop
            given |= {"learning_rate": "step", "lr_drop_factor": factor, "lr_drop_period": period}
        return given

    def wider(self, hidden: tuple[int, ...]) -> Regime:
        return replace(self, hidden=hidden)


SLIDES = Regime(
    "the slides' training: raw columns, 20 hidden units, 15 epochs of batches of 100 rows in one "
    "order, Adam with rate 1e-3, a fifth of it every 5 epochs",
    (20,), 15, 100, 1e-3, (0.2, 5), "once",
)  # fmt: skip
PROPER = Regime(
    "proper training: standardised columns, 20 hidden units, 40 epochs of batches of 100 rows in "
    "new orders, Adam with rate 1e-2, a fifth of it after 20 epochs",
    (20,), 40, 100, 1e-2, (0.2, 20), True, True,
)  # fmt: skip
CRESCENTS = replace(SLIDES, what=SLIDES.what.replace("20 hidden", "16 hidden"), hidden=(16,))
CRESCENTS_LONG = Regime(
    "proper training: raw columns, 16 hidden units, 150 epochs of batches of 100 rows in new "
    "orders, Adam with rate 1e-2, a fifth of it every 50 epochs",
    (16,), 150, 100, 1e-2, (0.2, 50),
)  # fmt: skip
OVERLAP = Regime(
    "raw columns, 20 hidden units, 30 epochs of batches of 100 rows, Adam with rate 1e-2",
    (20,), 30, 100, 1e-2, None,
)  # fmt: skip
OVERLAP_SETTLED = replace(  # at a constant rate the last weights still jump about
    OVERLAP, what=f"{OVERLAP.what}, a fifth of it after 20 epochs", drop=(0.2, 20)
)
DIGITS = Regime(
    "36 hidden units, 60 epochs of batches of 32 rows, Adam with rate 3e-3, .3 of it every 20 "
    "epochs",
    (36,), 60, 32, 3e-3, (0.3, 20),
)  # fmt: skip
MNIST = Regime(
    "64 hidden units, 30 epochs of batches of 100 rows, Adam with rate 3e-3, .3 of it every 10 "
    "epochs",
    (64,), 30, 100, 3e-3, (0.3, 10),
)  # fmt: skip


def applied(n: int, **further: Any) -> dict[str, Any]:
    """A responsible head with n applications of the map."""
    return {"head": "responsible", "n_prior_iter": n, **further}


def slides_nets(prior: np.ndarray) -> dict[str, Settings]:
    """The four heads of the slides; `prior` are the true shares, which Net 4 is told."""
    return {
        "Net 1": {"head": "softmax", "predict_prior": "train"},
        "Net 2": applied(2),
        "Net 3": applied(5),
        "Net 4": {"head": "fixed", "prior": prior},
    }


def six_nets(prior: np.ndarray) -> dict[str, Settings]:
    """The heads of the slides' figure of six networks: C = 1, 4, 8, 16 between the two others."""
    four = slides_nets(prior)
    return {
        "softmax": four["Net 1"], "C = 1": four["Net 2"], "C = 4": four["Net 3"],
        "C = 8": applied(9), "C = 16": applied(17), "fixed": four["Net 4"],
    }  # fmt: skip


def network(regime: Regime, seed: int, **head: Any) -> Any:
    """A classifier, unfitted; a head's settings override those of the regime."""
    settings = regime.settings() | head
    net = ResponsibleSoftmaxClassifier(random_state=seed, **settings)
    return make_pipeline(StandardScaler(), net) if regime.scaled else net


def fitted(net: Any, rows: Rows) -> Any:
    """Fit; that epochs ended it is what was asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return net.fit(rows.X, rows.y)


def layer_of(net: Any) -> Any:
    """The classifier within a pipeline."""
    return net[-1] if isinstance(net, Pipeline) else net


# ---- methods on equal footing --------------------------------------------------------------------


class Posteriors(NamedTuple):
    """Log-posteriors (n, K) of test rows."""

    uniform: np.ndarray  # under equal shares of the classes
    train: np.ndarray  # under the shares in training


class Method(NamedTuple):
    head: Settings
    peer: bool = False  # scikit-learn's network, at a constant rate

    def posteriors(self, regime: Regime, seed: int, rows: Rows, X: np.ndarray) -> Posteriors:
        """Fit to the rows, predict X."""
        if self.peer:
            log_shares = np.log(np.bincount(rows.y) / len(rows.y))
            train = fitted(rival(regime, seed), rows).predict_log_proba(X)
            return Posteriors(log_softmax(train - log_shares, axis=1), train)
        net = fitted(network(regime, seed, **self.head), rows)
        train = net.predict_log_proba(X, prior="train")
        return Posteriors(net.predict_log_proba(X, prior="uniform"), train)


METHODS = {
    "softmax": Method({"head": "softmax"}),
    "class weights": Method({"head": "softmax", "class_weight": "balanced"}),
    "fixed": Method({"head": "fixed"}),
    "responsible, 1": Method(applied(1)),
    "responsible, 2": Method(applied(2)),
    "responsible, 5": Method(applied(5)),
    "responsible, 5, stop": Method(applied(5, prior_gradient="stop")),
    "responsible, 1, carry": Method(applied(1, prior_start="carry")),
    "softmax, constant rate": Method({"head": "softmax", "learning_rate": "constant"}),
    "scikit-learn": Method({}, peer=True),
}
RESPONSIBLE = tuple(name for name in METHODS if name.startswith("responsible"))
RIVALS = ("softmax", "class weights", "fixed")  # trained by the same schedule


def rival(regime: Regime, seed: int) -> Any:
    """Scikit-learn's network with as many updates and the same penalty.

    It has no schedule for Adam, so its rate is constant; it divides the penalty by the rows of a
    batch.
    """
    alpha = ResponsibleSoftmaxClassifier().alpha * regime.batch
    net = MLPClassifier(
        regime.hidden, activation="tanh", alpha=alpha, batch_size=regime.batch,
        learning_rate_init=regime.rate, max_iter=regime.epochs, random_state=seed,
        n_iter_no_change=regime.epochs,
    )  # fmt: skip
    return make_pipeline(StandardScaler(), net) if regime.scaled else net
