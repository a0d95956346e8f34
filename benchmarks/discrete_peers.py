"""Mixtures of binary and categorical rows by ours and by each peer, behind one interface.

Plain maximum likelihood in float64 on one thread: the same rows, start and iterations, no prior, no
tolerance. What a library does around its iterations is part of its time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from . import fresh
from .discrete_plain import blocked, whole
from .discrete_workloads import Answers, Array, Categories, Discrete, DiscreteItem, SparseAnswers
from .likelihood import AGREEMENT
from .peers import OURS, importable, timed

NUMPY, BLOCKED, SCIPY = "NumPy", "NumPy blocked", "scipy.sparse"
STEPMIX, ONE_HOT, POMEGRANATE = "StepMix", "StepMix one-hot", "pomegranate"


class Fit(NamedTuple):
    """One timed fit and the parameters that it ended with."""

    seconds: float
    n_iter: int
    weights: Array  # (k,)
    probabilities: Array  # as the work's
    growth: float | None = None  # the clockwork measures it


class Task(NamedTuple):
    """A work and its rows as a library wants them, made before the clock starts."""

    work: Discrete
    rows: Any


class AbstractPeer(ABC):
    """A library that fits mixtures of discrete rows."""

    name: str
    agreement = AGREEMENT  # of its final log-likelihood with the others', relative
    kinds: tuple[type[Discrete], ...] = (Answers, Categories)

    @abstractmethod
    def available(self) -> bool:
        """Whether the library is installed."""

    def supports(self, item: DiscreteItem) -> bool:
        """Whether it takes such rows, in bearable time."""
        return item.work in self.kinds

    def share(self, item: DiscreteItem) -> DiscreteItem:
        """The item with as many iterations as the library can do of it."""
        return item

    def rows(self, work: Discrete) -> Any:
        """The work's rows as the library wants them."""
        return work.X

    def prepare(self, work: Discrete) -> Task:
        return Task(work, self.rows(work))

    @abstractmethod
    def fit(self, task: Task, n_iter: int) -> Fit:
        """`n_iter` EM iterations from the work's start."""


class Ours(AbstractPeer):
    name = OURS
    kinds = (Answers, SparseAnswers, Categories)

    def available(self) -> bool:
        return True

    def fit(self, task: Task, n_iter: int) -> Fit:
        import mixtures

        work = task.work
        shape = work.probabilities.shape
        name, parameter, start = "BernoulliMixture", "probabilities", work.probabilities
        if isinstance(work, Categories):
            name, parameter = "CategoricalMixture", "category_probabilities"
            start = list(start.transpose(1, 0, 2))
        model = getattr(mixtures, name)(
            len(work.weights),
            weights_init=work.weights,
            tol=0.0,
            max_iter=n_iter,
            acceleration=None,
            n_threads=1,
            **{f"{parameter}_init": start},
        )
        _, seconds = timed(lambda: model.fit(task.rows))
        found = getattr(model, f"{parameter}_")
        probabilities = np.hstack(found).reshape(shape) if isinstance(found, list) else found
        return Fit(seconds, model.n_iter_, model.weights_, probabilities)


class Plain(AbstractPeer):
    """The EM of discrete_plain.py: `em` over all rows at once, or in blocks."""

    def __init__(self, name: str, em: Any, kinds: tuple[type[Discrete], ...]) -> None:
        self.name, self.em, self.kinds = name, em, kinds

    def available(self) -> bool:
        return True

    def rows(self, work: Discrete) -> Any:
        return work.rows

    def fit(self, task: Task, n_iter: int) -> Fit:
        (weights, probabilities), seconds = timed(lambda: self.em(*task, n_iter))
        return Fit(seconds, n_iter, weights, probabilities)


class StepMix(AbstractPeer):
    """Started by replacing its initialisation, which draws at random, with the work's start."""

    name = STEPMIX

    def available(self) -> bool:
        return importable("stepmix")

    def fit(self, task: Task, n_iter: int) -> Fit:
        from stepmix import StepMix as Model

        work = task.work

        class Started(Model):
            def _initialize_parameters(self, X: Array, random_state: Any) -> None:
                self.set_parameters({**start(work), "measurement_in": X.shape[1]})

        never = {"abs_tol": 0.0, "rel_tol": 0.0, "progress_bar": 0}
        model = Started(len(work.weights), max_iter=n_iter, **never, **self.settings(work))
        _, seconds = timed(lambda: model.fit(task.rows))
        found = model.get_parameters()
        probabilities = found["measurement"]["pis"].reshape(work.probabilities.shape)
        return Fit(seconds, model.n_iter_, found["weights"], probabilities)

    def settings(self, work: Discrete) -> dict[str, Any]:
        kind = "categorical" if isinstance(work, Categories) else "binary"
        return {"measurement": kind}


class StepMixOneHot(StepMix):
    """Given one-hot rows it need not encode them twice an iteration, as it does by default."""

    name = ONE_HOT
    kinds = (Categories,)

    def rows(self, work: Discrete) -> Any:
        return work.rows

    def settings(self, work: Discrete) -> dict[str, Any]:
        outcomes = start(work)["measurement"]
        del outcomes["pis"]
        return {
            "measurement": "categorical",
            "measurement_params": {"integer_codes": False, **outcomes},
        }


def start(work: Discrete) -> dict[str, Any]:
    """A work's start as StepMix writes parameters, arrays of its own."""
    shape = work.probabilities.shape
    own: dict[str, Any] = {"pis": work.probabilities.reshape(shape[0], -1).copy()}
    if isinstance(work, Categories):
        own |= {"max_n_outcomes": shape[2], "total_outcomes": shape[1] * shape[2]}
    return {"weights": work.weights.copy(), "measurement": own}


class Pomegranate(AbstractPeer):
    """torch, without its checks of the data, which take half its time."""

    name = POMEGRANATE
    agreement = 1e-6  # it sums in float32 whatever it is given

    def available(self) -> bool:
        return importable("torch", "pomegranate.gmm")

    def supports(self, item: DiscreteItem) -> bool:
        # B2 takes it 20 s an iteration and more.
        return item.work in self.kinds and item.n * item.d * item.k <= 2.5e8

    def share(self, item: DiscreteItem) -> DiscreteItem:
        """Three iterations: after more it multiplies zero by the log of zero, and all is NaN."""
        return item._replace(short=1, long=3)

    def rows(self, work: Discrete) -> Any:
        import torch

        return torch.from_numpy(work.X.astype(np.int64) if isinstance(work, Categories) else work.X)

    def fit(self, task: Task, n_iter: int) -> Fit:
        import torch
        from pomegranate.distributions import Bernoulli, Categorical
        from pomegranate.gmm import GeneralMixtureModel

        torch.set_num_threads(1)
        work = task.work
        kind = Categorical if isinstance(work, Categories) else Bernoulli
        tensors = [torch.tensor(p) for p in work.probabilities]
        components = [kind(p, check_data=False) for p in tensors]
        options = {"max_iter": n_iter, "check_data": False}
        model = GeneralMixtureModel(components, priors=torch.tensor(work.weights), **options)
        model.tol = -float("inf")  # the constructor takes only tolerances that rounding can reach
        steps, step = [], model.from_summaries
        model.from_summaries = lambda: steps.append(step())
        _, seconds = timed(lambda: model.fit(task.rows))
        probabilities = np.array([c.probs.detach().numpy() for c in model.distributions])
        weights = model.priors.detach().numpy().astype(np.float64)
        return Fit(seconds, len(steps), weights, probabilities.astype(np.float64))


PEERS: dict[str, AbstractPeer] = {
    peer.name: peer
    for peer in (
        Ours(),
        Plain(NUMPY, whole, (Answers, Categories)),
        Plain(BLOCKED, blocked, (Answers, Categories)),
        Plain(SCIPY, whole, (SparseAnswers,)),
        StepMix(),
        StepMixOneHot(),
        Pomegranate(),
    )
}


def chosen(libraries: list[str] | None) -> list[str]:
    """Those that are installed and named; the first word names all of a library."""
    wanted = [
        name for name in PEERS if not libraries or {name, name.split()[0]}.intersection(libraries)
    ]
    return [name for name in wanted if fresh.call("discrete_peers:is_available", library=name)]


def is_available(library: str) -> bool:
    return PEERS[library].available()
