"""The estimator: any scikit-learn classifier, made to follow the class shares of new rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from .._compat import Interval, StrOptions, check_constraints
from ..core.discriminants import Array
from ..core.transaction import all_or_nothing
from ..core.validation import check_sample_weight
from .calibration import Calibration, fit_calibration
from .inference import ShiftMixin
from .posteriors import DECISIONS, fit_and_hold_out, response_method
from .shares import check_prior, class_vector, prior_to_predict_with
from .training import check_labels, positions, route


class PriorShiftClassifier(ShiftMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier for rows whose class shares differ from those in training (label shift).

    Where only the shares of the classes change, ``p(x | class)`` stays, and a posterior divided by
    the training prior is that density up to a constant for each row. So any classifier tells the
    shares among unlabelled rows, as the mixture proportions of highest likelihood, and its
    posteriors can be adapted to them:

    ``p_new(class | x)`` is proportional to ``p(class | x) * prior_new(class) / prior(class)``.

    The estimate is what the EM algorithm of Saerens, Latinne and Decaestecker (2002) converges to;
    it is found by :class:`DynamicResponsibility`, with a certificate. It needs posteriors that are
    calibrated, so those of the inner classifier are first scaled (Alexandari, Kundaje and
    Shrikumar 2020).

    Predictions are made row by row and follow `predict_prior`; only :meth:`estimate_prior` and
    :meth:`adapt` look at rows together.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``, or with ``decision_function``, whose values are then taken for
        logits and need a calibration (for two classes, 'bcts' of them is Platt's scaling). It is
        cloned; a classifier that is fitted already goes in a `sklearn.frozen.FrozenEstimator`, and
        `fit` then takes rows that it has not seen.
    calibration : {'bcts', 'ts'} or None, default='bcts'
        Temperature scaling, with a bias for each class ('bcts') or without ('ts'), fitted to rows
        held out. None takes posteriors as they are, and saves the fits to folds.
    cv : int, cross-validation generator or iterable, default=None
        How rows are held out for the calibration, as in scikit-learn; None is 5 stratified folds,
        and never more than the largest class has rows. Not used for a frozen classifier.
    ensemble : bool, default=True
        Whether predictions are the mean posteriors of the classifiers fitted to the folds, to
        which the calibration belongs. False predicts with one classifier fitted to all rows:
        faster, and as good if a fit to four fifths of the rows gives nearly the same posteriors;
        but the biases of a network, say, are others after every fit, and the calibration then
        mends the wrong ones.
    concentration : float or array-like of shape (n_classes,), default=1.0
        Dirichlet prior on the shares that are estimated: `concentration` - 1 pseudo-rows in each
        class. 1 is maximum likelihood; 2 or more keeps shares of few rows from zero.
    train_prior : array-like of shape (n_classes,), default=None
        The shares that the inner posteriors assume; None: those in `fit`. Needed with ``None`` and
        with ``"ts"`` for `calibration`, which leave them as they are, such as uniform shares for a
        classifier fitted with ``class_weight='balanced'``; ``"bcts"`` finds them out.
    predict_prior : {'train', 'uniform'} or array-like of shape (n_classes,), default='train'
        The shares that predictions assume: those in training, equal ones for all classes that
        training had, or given ones. It may be set on a fitted classifier.
    tol : float, default=1e-8
        On the certificate of an estimate, in nats per row.
    n_threads : int, default=None
        For the estimate; None uses the cores that this process may use.

    Attributes
    ----------
    estimators_ : list of classifiers
        Fitted: one a fold, or a single one.
    classes_ : ndarray of shape (n_classes,)
    train_prior_ : ndarray of shape (n_classes,)
        Weighted shares of the classes in `fit`, or the given ones.
    temperature_ : float
        What logits are divided by; above one the inner classifier was too sure.
    bias_ : ndarray of shape (n_classes,)
        What is added to them, in nats; it sums to zero.
    calibration_ : Calibration
        Both, as they are applied.
    prior_estimate_ : PriorEstimate
        Only of what :meth:`adapt` returns.
    n_features_in_, feature_names_in_
        Only where the inner classifier has them.

    Raises
    ------
    TypeError
        If the estimator is no classifier.
    ValueError
        If y, weights or a parameter are not as described.

    Examples
    --------
    Trained on classes in equal parts, asked about rows nine tenths of which are of one class:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mixtures.label_shift import PriorShiftClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["a", "b"], 1000)
    >>> X = rng.normal(size=(2000, 1)) + 2.0 * (y == "b")[:, None]
    >>> model = PriorShiftClassifier(LogisticRegression()).fit(X, y)
    >>> truth = np.repeat(["a", "b"], [100, 900])
    >>> new = rng.normal(size=(1000, 1)) + 2.0 * (truth == "b")[:, None]
    >>> estimate = model.estimate_prior(new)
    >>> print(estimate.prior.round(2), estimate.standard_errors.round(2))
    [0.09 0.91] [0.01 0.01]
    >>> bool(estimate.p_value < 1e-6)
    True
    >>> print(model.score(new, truth), model.adapt(new).score(new, truth))
    0.85 0.933
    """

    # As for mixtures: with an anchor for a link, notebooks show each parameter's docs.
    _doc_link_module = "mixtures"
    _doc_link_template = "#{estimator_module}.{estimator_name}"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "calibration": [StrOptions({"bcts", "ts"}), None],
        "cv": ["cv_object"],
        "ensemble": ["boolean"],
        "concentration": [Interval(Real, 1.0, None, closed="left"), "array-like"],
        "train_prior": ["array-like", None],
        "predict_prior": [StrOptions({"train", "uniform"}), "array-like"],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self, estimator, *, calibration="bcts", cv=None, ensemble=True, concentration=1.0,
        train_prior=None, predict_prior="train", tol=1e-8, n_threads=None,
    ):  # fmt: skip
        self.estimator, self.calibration, self.cv = estimator, calibration, cv
        self.ensemble = ensemble
        self.concentration, self.train_prior = concentration, train_prior
        self.predict_prior, self.tol, self.n_threads = predict_prior, tol, n_threads

    def fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Fit the classifier, its calibration, and the shares in training.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Handed to the classifier as it comes.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w rows, in the calibration, in the shares, and in the
            classifier if its `fit` takes weights; else a warning says so.
        **fit_params : dict
            For the classifier's `fit`, or with metadata routing for whoever asks for them.

        Returns
        -------
        self : object
        """
        with all_or_nothing(self):
            self._fit(X, y, sample_weight, fit_params)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, fit_params: dict[str, Any]) -> None:
        check_constraints(self)
        method = response_method(type(self).__name__, self.estimator)
        if method == DECISIONS and self.calibration is None:
            raise ValueError(
                f"{type(self).__name__} expects posteriors where calibration is None, but "
                f"{self.estimator!r} has only a decision_function. Use calibration='bcts'."
            )
        X, y = indexable(X, y)
        y = check_labels(y)
        w = check_sample_weight(sample_weight, len(y))
        metadata = route(self, self.estimator, w, fit_params)
        frozen = isinstance(self.estimator, FrozenEstimator)
        classes = np.asarray(self.estimator.classes_) if frozen else np.unique(y)
        labels, weight = positions(y, classes), np.ones(len(y)) if w is None else w
        estimators, calibration = [], Calibration.identity(len(classes))
        if self.calibration is not None:
            held = fit_and_hold_out(self.estimator, X, y, self.cv, method, metadata, classes)
            biased, unit_free = self.calibration == "bcts", method == DECISIONS
            at = held.rows
            calibration = fit_calibration(held.logits, labels[at], weight[at], biased, unit_free)
            estimators = held.estimators if self.ensemble or frozen else []
        if not estimators:
            estimators = [clone(self.estimator).fit(X, y, **metadata.fit)]
        self._commit(estimators, classes, self._shares(labels, weight, classes), calibration)

    def _shares(self, labels: np.ndarray, w: Array, classes: np.ndarray) -> Array:
        """What the calibrated posteriors take for the shares of the classes; parameters checked."""
        if self.train_prior is None:
            shares = np.bincount(labels, w, len(classes)) / w.sum()
        else:
            shares = check_prior("train_prior", self.train_prior, classes)
        prior_to_predict_with(self.predict_prior, shares, classes)
        if np.ndim(self.concentration):
            alpha = class_vector("concentration", self.concentration, classes)
            if alpha.min() < 1.0:
                raise ValueError(
                    f"concentration must be at least 1 for every class, but got {alpha.min():g}: "
                    "below, the posterior is unbounded at shares of zero."
                )
        return shares

    def _commit(
        self, estimators: list[Any], classes: np.ndarray, shares: Array, calibration: Calibration
    ) -> None:
        """The one point at which a fit shows."""
        self.__dict__.pop("prior_estimate_", None)
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(estimators[0], name):
                setattr(self, name, getattr(estimators[0], name))
        self.estimators_, self.classes_, self.train_prior_ = estimators, classes, shares
        self.calibration_, self.bias_ = calibration, calibration.bias
        slope = calibration.inverse_temperature
        self.temperature_ = 1.0 / slope if slope > 0 else np.inf

    # ---- scikit-learn ------------------------------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Who may ask for metadata: this estimator, the inner one in its `fit`, the splitter."""
        fit = MethodMapping().add(caller="fit", callee="fit")
        split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(estimator=self.estimator, method_mapping=fit)
        return router.add(splitter=self.cv, method_mapping=split)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
