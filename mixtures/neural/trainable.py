"""How a classifier is trained: `fit`, `partial_fit`, and all that becomes a fitted attribute."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state

from .._compat import check_constraints
from ..core.blas import one_blas_thread
from ..core.discriminants import Array
from ..core.transaction import all_or_nothing
from ..label_shift.shares import check_prior
from .attributes import Memory, Outcome
from .backend import to_host
from .batches import Order, TrainingRows, cut
from .class_weights import ClassWeights
from .fitting import Record, append_epoch, run_epochs
from .heads import HEADS
from .held_out import score_on, split
from .network import Network
from .optimisers import optimiser_of, schedule_of
from .progress import EpochProgress, line_of
from .reading import TrainingData, read_training
from .training import Trainer


class NetworkTrainingMixin:
    """The training side of a classifier whose parameters describe a network and its layer."""

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            float32 or float64, which the network then has too; other numbers are converted. CSR
            stays sparse; arrays of CuPy, PyTorch and the like stay where they are.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w rows, in the loss and in the prior; one of weight zero is
            as good as absent.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            For bad rows, labels, weights or parameters, and if training diverges.
        """
        with all_or_nothing(self), one_blas_thread:
            self._fit(X, y, sample_weight)
        return self

    @with_callbacks
    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        check_constraints(self)
        again = self.warm_start and hasattr(self, "coefs_")
        data = read_training(self, X, y, sample_weight, reset=not again)
        if again and not np.array_equal(data.classes, self.classes_):
            raise ValueError(
                f"warm_start expects the classes of the last fit, {self.classes_.tolist()}, but y "
                f"has {data.classes.tolist()}. Use rows of all of them, or warm_start=False."
            )
        rng, weights, counts = self._own_rng(), data.class_weights(self.class_weight), data.counts
        data = self._weighted(data, weights)
        kept, held_out = data, None
        if self.early_stopping:
            kept, held_out = split(data, self.validation_fraction, rng)
        learnt = weights.learnt(counts)
        trainer = self._trainer(data, learnt, rng, again, weights)
        rows = data.rows()  # all, for what is worked out in the end
        trained_on = rows if held_out is None else kept.rows()
        outcome = Outcome(
            HEADS[self.head], trainer, rows, self._rows_in_batch(trained_on), data.classes, counts,
            learnt, counts, weights, rng,
        )  # fmt: skip
        progress = EpochProgress(self, X, y, sample_weight, outcome)
        score = None if held_out is None else score_on(held_out, trainer)
        record = run_epochs(self, trainer, trained_on, rng, score, progress.epoch)
        if held_out is not None:  # moments belong to the last epoch's weights, not the best one's
            trainer.optimiser = optimiser_of(self)
        found = outcome.attributes(record)
        self.__dict__.pop("prior_estimate_", None)
        self.__dict__.update(found)  # the one point at which a fit shows
        progress.end(found)

    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:  # fmt: skip
        """Train for one epoch on some rows, going on from the last call or the last fit.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that there will be; needed in the first call, unless `fit` came before.

        Returns
        -------
        self : object
            `class_prior_` is of all rows so far. The layer's own prior is that of the rows of this
            call or, if they are fewer than 4096, a mean with that of earlier calls, in which each
            counts nine tenths of the next. Only `fit` leaves `prior_lambda_min_`.
            Parameters may have changed since the last call; moments of the gradient are kept as
            long as the solver is the same. Callbacks are not told of it.

        Raises
        ------
        ValueError
            As `fit`, and for labels that are not among the classes.
        """
        with all_or_nothing(self), one_blas_thread:
            self._partial_fit(X, y, classes, sample_weight)
        return self

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
        check_constraints(self)
        if self.early_stopping:
            raise ValueError(
                "partial_fit expects early_stopping=False, but got True: which rows are held out "
                "must be known from the start. Score your own rows between the calls."
            )
        if isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit expects class_weight as a dict or None, but got 'balanced': the "
                "shares of classes that have not come yet are unknown. Weigh rows by sample_weight."
            )
        again = hasattr(self, "coefs_")
        classes = self._classes(classes, again)
        data = read_training(self, X, y, sample_weight, reset=not again, classes=classes)
        last = copy.deepcopy(self._memory) if again else None
        rng = self._own_rng() if last is None else last.rng
        weights, counts = data.class_weights(self.class_weight), data.counts
        data = self._weighted(data, weights)
        called, learnt = counts, weights.learnt(counts)
        if last is not None:
            counts, learnt = add_counts(counts, last.counts), learnt + last.learnt
        trainer = self._trainer(data, learnt, rng, again, weights)
        record = Record(reason="partial_fit trains for one epoch.")
        if last is not None:
            trainer.optimiser = trainer.optimiser.resumed(last.optimiser, data.backend.put)
            trainer.start = trainer.start.resumed(last.start)
            trainer.rows_seen = self.t_
            record.losses, record.priors = [*self.loss_curve_], [*self.prior_curve_]
            trainer.schedule.end_epoch(record.n_epochs)
        rows = data.rows()
        batches = cut(rows.n_rows, self.batch_size, self.drop_last)
        append_epoch(record, trainer, rows, Order(rows.n_rows, self.shuffle, rng), batches)
        if self.verbose:
            print(line_of(record))
        outcome = Outcome(
            HEADS[self.head], trainer, rows, self._rows_in_batch(rows), classes, counts, learnt,
            called, weights, rng, last,
        )  # fmt: skip
        for name in ("prior_estimate_", "prior_lambda_min_"):
            self.__dict__.pop(name, None)
        self.__dict__.update(outcome.attributes(record, with_rate=False))

    def _own_rng(self) -> np.random.RandomState:
        """A generator that nobody else has; `random_state` says how it starts."""
        rng = check_random_state(self.random_state)
        return np.random.RandomState(rng.randint(np.iinfo(np.int32).max))

    def _weighted(self, data: TrainingData, weights: ClassWeights) -> TrainingData:
        """The rows with the weights of their classes."""
        return data.weighted(weights, HEADS[self.head].has_pseudo_rows(self))

    def _rows_in_batch(self, rows: TrainingRows) -> float:
        batches = cut(rows.n_rows, self.batch_size, self.drop_last)
        return float(np.mean([batch.stop - batch.start for batch in batches]))

    def _classes(self, classes: Any, again: bool) -> np.ndarray:
        """All classes, those of the first call."""
        if classes is None and not again:
            raise ValueError(
                "The first call of partial_fit expects classes, all labels that there will be, but "
                "got None. Pass np.unique of them."
            )
        given = self.classes_ if classes is None else _labels(classes)
        if again and not np.array_equal(given, self.classes_):
            raise ValueError(
                f"partial_fit expects the classes of the first call, {self.classes_.tolist()}, but "
                f"got {given.tolist()}. Leave classes out."
            )
        if len(given) < 2:
            raise ValueError(f"partial_fit expects two classes or more, but got {given.tolist()}.")
        return given

    def _trainer(
        self, data: TrainingData, learnt: Array, rng: np.random.RandomState, again: bool,
        weights: ClassWeights,
    ) -> Trainer:  # fmt: skip
        """A network to train: the one at hand if `again`, or a new one."""
        hidden = _units(self.hidden_layer_sizes)
        if not isinstance(self.predict_prior, str):
            check_prior("predict_prior", self.predict_prior, data.classes)
        network = Network((data.X.shape[1], *hidden, len(data.classes)), self.activation)
        head, shares = HEADS[self.head], learnt / learnt.sum()
        layer = head.layer(self, data.classes)
        start = head.start(self, shares, data.classes)
        if again:
            self._check_layers(network)
            theta = network.pack(*(map(to_host, a) for a in (self.coefs_, self.intercepts_)))
        else:
            biases = weights.first_biases(shares, start.log_prior, layer.n_steps)
            theta = network.start(rng, biases)
        return Trainer(
            network, layer, start, optimiser_of(self), schedule_of(self), data.backend, self.alpha,
            theta,
        )  # fmt: skip

    def _check_layers(self, network: Network) -> None:
        """ValueError if the network at hand is not the one that is described."""
        sizes = tuple(int(b.shape[0]) for b in self.intercepts_)
        if sizes != network.sizes[1:]:
            raise ValueError(
                f"hidden_layer_sizes expects hidden layers of {network.sizes[1:-1]} units, but the "
                f"network at hand has {sizes[:-1]}. Use its layers, or start anew: with "
                "warm_start=False, or an estimator that is not fitted."
            )

    if TYPE_CHECKING:
        alpha: float
        batch_size: int | str
        class_weight: Any
        classes_: np.ndarray
        coefs_: list[Any]
        drop_last: bool
        early_stopping: bool
        head: str
        hidden_layer_sizes: int | Sequence[int]
        intercepts_: list[Any]
        loss_curve_: list[float]
        predict_prior: Any
        prior_curve_: Array
        random_state: Any
        shuffle: bool | str
        t_: int
        validation_fraction: float
        verbose: bool
        warm_start: bool
        activation: str
        _memory: Memory


def _labels(classes: Any) -> np.ndarray:
    """Distinct labels in order, or ValueError."""
    try:
        found: np.ndarray = np.unique(np.asarray(classes))
        fine = np.ndim(classes) == 1 and len(found) > 0
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise ValueError(
            f"partial_fit expects classes as a list of labels of one type, but got {classes!r}."
        )
    return found


def add_counts(counts: Array, earlier: Array) -> Array:
    """Counts of the classes over calls, or ValueError where their sum is no number."""
    with np.errstate(over="ignore"):
        total = counts + earlier
        fine = np.isfinite(total.sum())
    if not fine:
        raise ValueError(
            f"The sum of sample_weight over all calls of partial_fit should be a number, but it is "
            f"{earlier.sum():g} and another {counts.sum():g}. Divide weights by a constant."
        )
    return total


def _units(sizes: Any) -> list[int]:
    """Units of each hidden layer, or ValueError."""
    units = list(sizes) if hasattr(sizes, "__len__") else [sizes]
    if not all(isinstance(u, Integral) and not isinstance(u, bool) and int(u) > 0 for u in units):
        raise ValueError(
            f"hidden_layer_sizes should be positive integers, the units of each hidden layer, but "
            f"got {sizes!r}."
        )
    return [int(u) for u in units]
