"""The estimator: a multilayer perceptron under a responsible softmax."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin

from .._compat import Interval, StrOptions
from .adaptation import NetworkAdaptationMixin
from .devices import NetworkDeviceMixin
from .heads import HEADS
from .layers import ACTIVATIONS
from .prior_gradients import PRIOR_GRADIENTS
from .trainable import NetworkTrainingMixin


class ResponsibleSoftmaxClassifier(
    NetworkTrainingMixin,
    NetworkAdaptationMixin,
    NetworkDeviceMixin,
    CallbackSupportMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """Multilayer perceptron whose output layer keeps the shares of the classes apart from the rest.

    A softmax is the E-step of a mixture: logits are logarithms of densities, the bias has the
    mixing weights in it. This classifier takes them apart. In training, the prior of a batch is
    estimated from the batch by `n_prior_iter` steps of EM (``head='responsible'``), or given
    (``'fixed'``, the balanced softmax), or left in the bias (``'softmax'``); predictions can then
    assume any shares, also ones estimated from unlabelled rows.

    As a remedy for rare classes the responsible head acts like a partial logit adjustment and is
    usually matched by ``head='fixed'`` or by class weights; where it shines is label shift, see
    `estimate_prior`. Inputs are not scaled: use it behind a `StandardScaler`.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(20,)
        Units of each hidden layer.
    activation : {'tanh', 'relu', 'logistic', 'identity'}, default='tanh'
    head : {'responsible', 'softmax', 'fixed'}, default='responsible'
    n_prior_iter : int, default=1
        C, the exact number of applications of the responsibility map to a batch. A few are enough:
        many take a class that a batch lacks for absent.
    prior_start : {'uniform', 'empirical', 'carry'} or array-like of shape (n_classes,), \
default='uniform'
        Where the prior of a batch starts: equal shares, the shares in training, what the last
        batch ended with, or given shares.
    prior_momentum : float, default=0.0
        With 'carry': how much of the last start stays in the next, between 0 and 1.
    prior : {'empirical'} or array-like of shape (n_classes,), default='empirical'
        For ``head='fixed'``: the shares in training, or given ones.
    prior_gradient : {'exact', 'stop', 'implicit', 'neumann'}, default='exact'
        What flows through the prior in training, see `ResponsibleSoftmax`. 'implicit' stands for
        infinitely many applications, and needs a `prior_concentration` above one.
    prior_concentration : float or array-like of shape (n_classes,), default=1.0
        Of a Dirichlet prior: `prior_concentration` - 1 pseudo-rows for each class and batch.
    predict_prior : {'uniform', 'train'} or array-like of shape (n_classes,), default='uniform'
        The shares that predictions assume: equal ones, for few errors in every class; those in
        training, for few errors in all; or given ones. It may be set on a fitted classifier.
    solver : {'adam', 'sgd'}, default='adam'
    alpha : float, default=1e-4
        Weight decay: ``alpha * sum(W^2) / 2`` is added to the mean loss, for weights, not biases.
        scikit-learn's `MLPClassifier` divides it by the rows of a batch.
    batch_size : int or 'auto', default='auto'
        At most so many rows a batch, all batches being of about one size; 'auto' is 200. With
        rare classes it should be large enough for several rows of each.
    drop_last : bool, default=False
        Whether batches have exactly `batch_size` rows, and the rest sits out the epoch.
    learning_rate : {'constant', 'step', 'adaptive'}, default='constant'
        'step' multiplies it by `lr_drop_factor` after every `lr_drop_period` epochs; 'adaptive'
        divides it by five when the loss stops falling.
    learning_rate_init : float, default=0.001
    lr_drop_factor : float, default=0.2
    lr_drop_period : int, default=5
    beta_1, beta_2 : float, default=0.9, 0.999
        Of Adam: how long moments of the gradient are remembered.
    epsilon : float, default=1e-8
        Of Adam.
    momentum : float, default=0.9
        Of gradient descent.
    nesterovs_momentum : bool, default=True
    max_epochs : int, default=200
    tol : float, default=1e-4
        Training stops when the loss, or the score on rows held out, has not improved by more than
        this in more than `n_iter_no_change` epochs in a row.
    n_iter_no_change : int, default=10
    early_stopping : bool, default=False
        Whether to hold out rows, stop by their accuracy, and keep the best epoch's network.
    validation_fraction : float, default=0.1
        Of the rows, held out with the same shares of classes.
    shuffle : bool or 'once', default=True
        Whether rows are shuffled before every epoch, or before the first only.
    class_weight : dict, 'balanced' or None, default=None
        Factors for the weights of rows by class, in the loss and in the prior. Those in a dict are
        what errors cost: posteriors are shifted by them under any prior. 'balanced' is a way of
        training only, and is taken off again: posteriors assume the shares that `predict_prior`
        says. With either, biases of the classes start where that takes them, not at zero.
    warm_start : bool, default=False
        Whether `fit` starts from the network of the last fit.
    device : {'cuda', None}, default=None
        'cuda' moves NumPy's rows to a GPU by CuPy for training, and those to predict then. Rows
        that are CuPy arrays stay there anyway.
    random_state : int, RandomState instance or None, default=None
        For the first weights, the order of rows, and the rows held out.
    verbose : bool, default=False
        Whether to print a line for each epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coefs_, intercepts_ : list of arrays
        Weights (in, out) and biases (out,) of each layer, where they were trained.
    class_prior_ : ndarray of shape (n_classes,)
        t, weighted shares of the classes in training.
    prior_, log_prior_ : ndarray of shape (n_classes,)
        The prior that logits belong to, and its logarithm: the layer's own on all of training with
        the final network; for ``head='softmax'`` the shares in training. Weights of classes count.
    prior_curve_ : ndarray of shape (n_iter_, n_classes)
        Mean prior of the batches of each epoch.
    prior_lambda_min_ : float
        Between 0 and 1: one less the rate at which the responsibility map converges on the training
        rows; near zero, classes look alike. Only `fit` leaves it.
    loss_curve_, loss_ : list of float, float
        Penalised loss of each epoch, nats per row, and the last one.
    best_loss_ : float or None
        The least; None with `early_stopping`.
    validation_scores_, best_validation_score_ : list of float, float or None
        Accuracies on rows held out; None without `early_stopping`.
    n_iter_, t_ : int
        Epochs, and rows seen in them.
    stop_reason_ : str
        Why training ended.
    prior_estimate_ : PriorEstimate
        Only of what `adapt` returns.
    n_layers_, n_outputs_, out_activation_
        As in scikit-learn, but two classes have two outputs here, and 'softmax', too.
    n_features_in_, feature_names_in_
        As everywhere.

    Raises
    ------
    ValueError
        For rows, labels, weights or parameters that are not as described, and where training
        diverges; the estimator is then as it was.

    References
    ----------
    R. D. Coatney (2020), A Responsible Softmax Layer in Deep Learning, University of Arizona.
    Ren et al. (2020), Balanced Meta-Softmax. Menon et al. (2021), Long-Tail Learning via Logit
    Adjustment. Saerens, Latinne and Decaestecker (2002), Neural Computation 14.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.neural import ResponsibleSoftmaxClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["common", "rare"], [950, 50])
    >>> X = rng.normal(size=(1000, 2)) + 2.0 * (y == "rare")[:, None]
    >>> model = ResponsibleSoftmaxClassifier(
    ...     learning_rate_init=0.01, max_epochs=50, tol=0.0, n_iter_no_change=50, random_state=0
    ... )
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     model = model.fit(X, y)
    >>> new, truth = rng.normal(size=(400, 2)), np.repeat(["common", "rare"], [100, 300])
    >>> new = new + 2.0 * (truth == "rare")[:, None]
    >>> model.estimate_prior(new).prior.round(1)
    array([0.2, 0.8])
    """

    # As for mixtures: with an anchor for a link, notebooks show each parameter's docs.
    _doc_link_module = "mixtures"
    _doc_link_template = "#{estimator_module}.{estimator_name}"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "head": [StrOptions(set(HEADS))],
        "n_prior_iter": [Interval(Integral, 0, None, closed="left")],
        "prior_start": [StrOptions({"uniform", "empirical", "carry"}), "array-like"],
        "prior_momentum": [Interval(Real, 0.0, 1.0, closed="left")],
        "prior": [StrOptions({"empirical"}), "array-like"],
        "prior_gradient": [StrOptions(set(PRIOR_GRADIENTS))],
        "prior_concentration": [Interval(Real, 1.0, None, closed="left"), "array-like"],
        "predict_prior": [StrOptions({"uniform", "train"}), "array-like"],
        "solver": [StrOptions({"adam", "sgd"})],
        "alpha": [Interval(Real, 0.0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "drop_last": ["boolean"],
        "learning_rate": [StrOptions({"constant", "step", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0.0, None, closed="neither")],
        "lr_drop_factor": [Interval(Real, 0.0, 1.0, closed="right")],
        "lr_drop_period": [Interval(Integral, 1, None, closed="left")],
        "beta_1": [Interval(Real, 0.0, 1.0, closed="left")],
        "beta_2": [Interval(Real, 0.0, 1.0, closed="left")],
        "epsilon": [Interval(Real, 0.0, None, closed="neither")],
        "momentum": [Interval(Real, 0.0, 1.0, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0.0, 1.0, closed="neither")],
        "shuffle": ["boolean", StrOptions({"once"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "warm_start": ["boolean"],
        "device": [StrOptions({"cuda"}), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self, hidden_layer_sizes=(20,), *, activation="tanh", head="responsible", n_prior_iter=1,
        prior_start="uniform", prior_momentum=0.0, prior="empirical", prior_gradient="exact",
        prior_concentration=1.0, predict_prior="uniform", solver="adam", alpha=1e-4,
        batch_size="auto", drop_last=False, learning_rate="constant", learning_rate_init=1e-3,
        lr_drop_factor=0.2, lr_drop_period=5, beta_1=0.9, beta_2=0.999, epsilon=1e-8, momentum=0.9,
        nesterovs_momentum=True, max_epochs=200, tol=1e-4, n_iter_no_change=10,
        early_stopping=False, validation_fraction=0.1, shuffle=True, class_weight=None,
        warm_start=False, device=None, random_state=None, verbose=False,
    ):  # fmt: skip
        self.hidden_layer_sizes, self.activation, self.head = hidden_layer_sizes, activation, head
        self.n_prior_iter, self.prior_start = n_prior_iter, prior_start
        self.prior_momentum, self.prior, self.prior_gradient = prior_momentum, prior, prior_gradient
        self.prior_concentration, self.predict_prior = prior_concentration, predict_prior
        self.solver, self.alpha, self.batch_size = solver, alpha, batch_size
        self.drop_last, self.learning_rate = drop_last, learning_rate
        self.learning_rate_init, self.lr_drop_factor = learning_rate_init, lr_drop_factor
        self.lr_drop_period, self.beta_1, self.beta_2 = lr_drop_period, beta_1, beta_2
        self.epsilon, self.momentum = epsilon, momentum
        self.nesterovs_momentum, self.max_epochs = nesterovs_momentum, max_epochs
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.shuffle, self.class_weight, self.warm_start = shuffle, class_weight, warm_start
        self.device, self.random_state, self.verbose = device, random_state, verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
