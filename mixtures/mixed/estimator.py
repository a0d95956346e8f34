"""The estimator: one mixture over columns of different kinds."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import Bunch
from sklearn.utils.validation import validate_data

from .._compat import StrOptions, check_constraints
from ..core import validation
from ..core.discriminants import Array
from ..core.em import EMResult
from ..core.estimator import AbstractMixture
from ..core.product import ProductSource, ProductTotals
from ..core.product_family import ProductFamily, ProductParams
from ..core.product_start import PART_INITIALISERS
from ..priors import Dirichlet
from .blocks import Block, BlocksMixin
from .columns import selected
from .joint import JointMixin
from .rows import MixedRows


class MixedMixture(BlocksMixin, JointMixin, AbstractMixture):
    """Mixture over columns of different kinds, each block of columns with its own family.

    ``p(x) = sum_k weight_k prod_b p_b(x_b | parameters of component k)``: given the component, the
    blocks b are independent. The E-step adds up the blocks' log-densities; under the common
    responsibilities each block has the M-step of its own mixture (Hunt and Jorgensen 1999, Aust.
    N. Z. J. Stat. 41). Parameters not listed are those of `GaussianMixture`.

    Parameters
    ----------
    n_components : int, default=1
    blocks : list of (name, estimator, columns)
        As for scikit-learn's `ColumnTransformer`. The estimator is an unfitted mixture, which says
        which components the columns have (its covariance structure, prior, ...); how they are
        fitted, and `n_components` and `weight_prior`, are parameters of this mixture and must not
        be set there. Columns are names, positions, slices of either, a boolean mask, or a callable
        that is given X and returns one of these; no column is in two blocks.
    remainder : {'drop', None}, default=None
        'drop' leaves columns that are in no block out of the model; None refuses them.
    weights_init : array-like of shape (n_components,), default=None
        Mixing weights to start from. Starting values of a block's own parameters are those of its
        estimator; both take the place of what `init_params` finds.
    weight_prior : Dirichlet, default=None
        On the mixing weights; None is flat. Priors on other parameters are the blocks'.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Mixing weights.
    blocks_ : list of (name, estimator, columns)
        For each block the fitted mixture over its columns alone, with the same weights: the
        marginal mixture of these columns. Columns are positions (m,).
    named_blocks_ : Bunch
        The same estimators by name.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures import BernoulliMixture, GaussianMixture, MixedMixture
    >>> X = np.array([[4.1, 1], [3.9, 1], [4.0, 0], [9.2, 0], [8.8, 0], [9.0, np.nan]])
    >>> blocks = [("size", GaussianMixture(), [0]), ("answers", BernoulliMixture(), [1])]
    >>> mm = MixedMixture(2, blocks=blocks, random_state=0, component_order="means").fit(X)
    >>> mm.named_blocks_.size.means_.round(2)
    array([[4.],
           [9.]])
    >>> mm.named_blocks_.answers.probabilities_.round(2)
    array([[0.67],
           [0.  ]])
    >>> mm.predict([[4.3, 0]])
    array([0])
    """

    _params, _initialisers = ProductParams, PART_INITIALISERS

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AbstractMixture._parameter_constraints,
        "blocks": [list, tuple],
        "remainder": [StrOptions({"drop"}), None],
        "weights_init": ["array-like", None],
        "weight_prior": [Dirichlet, None],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        blocks: Sequence[tuple[str, Any, Any]] = (),
        remainder: str | None = None,
        tol: float = 1e-3,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        weight_prior: Dirichlet | None = None,
        acceleration: str | None = "auto",
        component_order: str | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.blocks = blocks
        self.remainder = remainder
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.weight_prior = weight_prior
        self.acceleration = acceleration
        self.component_order = component_order
        self.n_threads = n_threads

    @property
    def named_blocks_(self) -> Bunch:
        """The fitted mixtures over the columns of each block, by name."""
        return Bunch(**{name: fitted for name, fitted, _ in self.blocks_})

    # ---- rows --------------------------------------------------------------------------------

    def _table(self, X: Any, *, reset: bool, ensure_min_samples: int = 1) -> Any:
        """X as an array or data frame (n, d); what it holds is for the blocks to judge."""
        if hasattr(X, "columns"):
            return validate_data(self, X, reset=reset, skip_check_array=True)
        return validate_data(
            self,
            X,
            dtype=None if hasattr(X, "dtype") else object,
            ensure_all_finite=False,
            reset=reset,
            ensure_min_samples=ensure_min_samples,
        )

    def _check_training_rows(
        self, X: ArrayLike, sample_weight: ArrayLike | None, warm: bool
    ) -> tuple[MixedRows, Array | None]:
        validation.refuse_lazy_array(type(self).__name__, X)
        if warm:
            validation.check_same_size(len(self.weights_), self.n_components)
        table = self._table(X, reset=not warm, ensure_min_samples=2)
        blocks = self._bound(table, warm)
        parts = (
            own._check_training_rows(selected(table, columns), sample_weight, warm)[0]
            for _, own, columns in blocks
        )
        rows = MixedRows(tuple(parts), blocks, table.shape[1])
        w = validation.check_sample_weight(sample_weight, table.shape[0])
        w = None if w is None else w[w > 0]
        return rows, validation.normalise_weights(w, has_prior=self._has_prior())

    def _bound(self, X: Any, warm: bool) -> tuple[Block, ...]:
        """Blocks with estimators of their own, to be fitted: new ones, or the last fit's."""
        self._check_blocks()
        columns = self._positions(X, getattr(self, "feature_names_in_", None))
        pairs = zip(self.blocks, columns, strict=True)
        new = [Block(name, clone(estimator), own) for (name, estimator, _), own in pairs]
        shared = ("n_components", "component_order", "random_state", "n_threads")
        for _, estimator, _ in new:
            estimator.set_params(**{name: getattr(self, name) for name in shared})
            check_constraints(estimator)
        return tuple(self._continued(new) if warm else new)

    def _continued(self, new: list[Block]) -> Iterator[Block]:
        """The last fit's blocks, with the parameters that they have now."""
        was, now = (
            [(name, type(estimator).__name__, own.tolist()) for name, estimator, own in blocks]
            for blocks in (self.blocks_, new)
        )
        if was != now:
            raise ValueError(
                f"warm_start continues from a fit of the blocks {was}, but they are now {now}. Set "
                "them back, or warm_start=False to start anew."
            )
        for block, fitted in zip(new, self.blocks_, strict=True):
            estimator = copy.copy(fitted.estimator)
            estimator.set_params(**block.estimator.get_params(deep=False))
            estimator._attribute_params()  # refuses what does not go with them
            yield block._replace(estimator=estimator)

    # ---- what a model answers ----------------------------------------------------------------

    def _has_prior(self) -> bool:
        own = any(estimator._has_prior() for estimator in self._estimators().values())
        return own or self.weight_prior is not None

    @contextmanager
    def _source(
        self, X: MixedRows, w: Array | None, *, merge: bool = True
    ) -> Iterator[tuple[Any, Any]]:
        with ExitStack() as stack:
            opened = [
                stack.enter_context(block.estimator._source(part, w, merge=False))
                for block, part in zip(X.blocks, X.parts, strict=True)
            ]
            sources, totals = zip(*opened, strict=True)
            source = ProductSource(sources, X, w, n_threads=self.n_threads)
            yield stack.enter_context(source), ProductTotals.of(totals)

    def _family(self, source: Any, totals: Any) -> ProductFamily:
        blocks = source.coding.blocks
        prior = self.weight_prior or Dirichlet()
        if self.component_order is not None and np.ptp(prior.pseudo_counts(self.n_components)) > 0:
            raise ValueError(
                "component_order sorts the components, but weight_prior gives each its own "
                f"concentration, {prior.concentration!r}. Use one number, or component_order=None."
            )
        each = zip(blocks, source.parts, totals.parts, strict=True)
        families = tuple(block.estimator._family(own, total) for block, own, total in each)
        names = tuple(block.name for block in blocks)
        return ProductFamily(families, names, prior, source.columns)

    def _initialise(
        self, source: Any, totals: Any, family: Any, given: dict[str, Array], rng: Any
    ) -> ProductParams:
        params = super()._initialise(source, totals, family, {}, rng)
        parts = []
        each = zip(source.coding.blocks, params.parts, source.frame.parts, strict=True)
        for (_, estimator, columns), part, frame in each:
            own = estimator._given_start(len(columns))
            parts.append(estimator._with_given(part, own, frame))
        return ProductParams(given.get("weights", params.weights), tuple(parts))

    def _given_start(self, n_features: int) -> dict[str, Array]:
        if self.weights_init is None:
            return {}
        return {"weights": validation.check_weights(self.weights_init, self.n_components)}

    def _attributes(self, result: EMResult, source: Any, dtype: Any) -> dict[str, Any]:
        attributes = super()._attributes(result, source, dtype)
        shared = {name: attributes[name] for name in ("converged_", "n_iter_", "stop_reason_")}
        for _, fitted, _ in attributes["blocks_"]:
            fitted.__dict__.update(shared)
        return attributes

    def _fitted_attributes(self, params: Any, source: Any, dtype: Any) -> dict[str, Any]:
        blocks = []
        each = zip(source.coding.blocks, source.parts, params.parts, strict=True)
        for block, own, part in each:
            fitted = copy.copy(block.estimator)
            marginal = part._replace(weights=params.weights)
            fitted.__dict__.update(fitted._fitted_attributes(marginal, own, dtype))
            blocks.append(block._replace(estimator=fitted))
        return {"weights_": params.weights.astype(dtype, copy=False), "blocks_": blocks}
