"""What MixedMixture refuses: columns and blocks that are not what they should be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.callback import ProgressBar

from mixtures import BernoulliMixture, GaussianMixture, KMeans, PoissonMixture
from mixtures.exceptions import DegenerateDataWarning
from mixtures.priors import Beta, Dirichlet

from .mixed_cases import all_blocks, mixed, mixed_rows
from .registry import refused

X, _ = mixed_rows(60, 0)
SIZE = "size", GaussianMixture(), [0, 1]

COLUMNS = {
    "overlap": (
        [SIZE, ("more", PoissonMixture(), slice(1, None))],
        ValueError,
        ["Column 1 is in the blocks 'size' and 'more'", "it can be in one"],
    ),
    "missing": (
        [SIZE],
        ValueError,
        ["columns 2, 3, 4, 5, 6, 7", "in no block", "remainder='drop'"],
    ),
    "outside": ([("a", GaussianMixture(), [0, 8])], ValueError, ["names column 8", "-8 to 7"]),
    "far left": ([("a", GaussianMixture(), [-9])], ValueError, ["names column -9", "-8 to 7"]),
    "none": (
        [SIZE, ("a", GaussianMixture(), [])],
        ValueError,
        ["'a' has none of the n_features = 8"],
    ),
    "an empty slice": ([("a", GaussianMixture(), slice(3, 3))], ValueError, ["has none of"]),
    "twice": ([("a", GaussianMixture(), [0, 0])], ValueError, ["names a column twice: [0, 0]"]),
    "a short mask": (
        [("a", GaussianMixture(), [True, False])],
        ValueError,
        ["mask of shape (2,)", "8 columns", "(8,)"],
    ),
    "names of an array": ([("a", GaussianMixture(), ["mass"])], ValueError, ["'mass'", "no names"]),
    "numbers": ([("a", GaussianMixture(), [0.5])], TypeError, ["names, positions", "got [0.5]"]),
    "a set": ([("a", GaussianMixture(), {1, 2})], TypeError, ["names, positions", "got [{1, 2}]"]),
    "None": ([("a", GaussianMixture(), None)], TypeError, ["names, positions", "got [None]"]),
    "a bad callable": ([("a", GaussianMixture(), lambda X: "b")], ValueError, ["'b'", "no names"]),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns(case):
    blocks, error, fragments = COLUMNS[case]
    model = mixed(2, blocks)
    with refused(error, fragments):
        model.fit(X)
    assert not hasattr(model, "n_features_in_")


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X[:, :3], columns=["height", "mass", "likes"])
    with refused(ValueError, ["'weight'", "['height', 'mass', 'likes']"]):
        mixed(2, [("size", GaussianMixture(), ["height", "weight"])]).fit(table)
    with refused(ValueError, ["columns 'mass', 'likes' of X are in no block"]):
        mixed(2, [("size", GaussianMixture(), "height")]).fit(table)


BLOCKS = {
    "none": ([], ValueError, ["expects blocks of columns, but got none", '("size",']),
    "no triple": ([("size", GaussianMixture())], ValueError, ["(name, estimator, columns)"]),
    "no mixture": ([("a", KMeans(), [0])], TypeError, ["unfitted mixture", "'a'", "KMeans()"]),
    "a class": ([("a", GaussianMixture, [0])], TypeError, ["unfitted mixture", "'a'"]),
    "drop": ([("a", "drop", [0])], TypeError, ["unfitted mixture", "'drop'"]),
    "a mixture of blocks": ([("a", mixed(1), [0])], TypeError, ["columns of one kind", "'a'"]),
    "underscores": ([("a__b", GaussianMixture(), [0])], ValueError, ["without '__'", "'a__b'"]),
    "a parameter's name": ([("tol", GaussianMixture(), [0])], ValueError, ["parameters", "'tol'"]),
    "a number's name": ([(1, GaussianMixture(), [0])], ValueError, ["strings", "got 1"]),
    "one name": ([SIZE, ("size", PoissonMixture(), [2])], ValueError, ["different names", "size"]),
    "a dict": ({"size": GaussianMixture()}, ValueError, ["'blocks' parameter of MixedMixture"]),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_blocks(case):
    blocks, error, fragments = BLOCKS[case]
    with refused(error, fragments):
        mixed(2, blocks).fit(X)


SHARED = {
    "n_components": 2,
    "tol": 1e-4,
    "max_iter": 50,
    "n_init": 2,
    "init_params": "random",
    "weights_init": np.array([0.5, 0.5]),
    "random_state": 0,
    "warm_start": True,
    "verbose": 1,
    "verbose_interval": 5,
    "weight_prior": Dirichlet(2.0),
    "acceleration": None,
    "component_order": "means",
    "n_threads": 1,
}


@pytest.mark.parametrize("name", SHARED)
def test_parameters_that_all_blocks_share(name):
    """What a block sets for itself is not ignored in silence."""
    blocks = [("size", GaussianMixture(**{name: SHARED[name]}), slice(None))]
    with refused(ValueError, [f"one {name} for all blocks", "'size'", f"{name}="]):
        mixed(2, blocks, remainder="drop").fit(X[:, :2])


def test_every_shared_parameter_is_tested():
    own = set(mixed(2).get_params(deep=False)) - {"blocks", "remainder"}
    assert own == set(SHARED)


def test_callbacks_of_a_block():
    block = GaussianMixture().set_callbacks(ProgressBar())
    with refused(ValueError, ["'size' has callbacks of its own", "MixedMixture"]):
        mixed(2, [("size", block, slice(None))]).fit(X[:, :2])


def test_parameters_of_a_block():
    with refused(ValueError, ["'covariance_type' parameter of GaussianMixture", "'round'"]):
        mixed(2).set_params(size__covariance_type="round").fit(X)
    with refused(ValueError, ["'remainder' parameter of MixedMixture", "'keep'"]):
        mixed(2, remainder="keep").fit(X)


def test_rows_that_a_block_refuses():
    """Each kind of columns has its own say, in its own words."""
    strange = X.copy()
    strange[3, 0] = np.nan
    with refused(ValueError, ["NaN", "GaussianMixture"]):
        mixed(2).fit(strange)
    fitted = mixed(2).fit(X)
    with refused(ValueError, ["NaN", "GaussianMixture"]):
        fitted.predict(strange)
    strange = X.copy()
    strange[3, 4] = 2.0
    with refused(ValueError, ["BernoulliMixture expects answers", "row 3 of feature 2 is 2"]):
        mixed(2).fit(strange)
    strange[3, 4], strange[5, 6] = 1.0, -1.0
    with refused(ValueError, ["PoissonMixture", "-1"]):
        mixed(2).fit(strange)
    strange = X.copy()
    strange[:, 2] = np.nan
    with refused(ValueError, ["BernoulliMixture expects at least one known answer", "feature 0"]):
        mixed(2).fit(strange)


ROWS = {
    "sparse": (sparse.csr_array(np.ones((9, 8))), TypeError, ["parse", "dense"]),
    "one-dimensional": (np.ones(9), ValueError, ["Expected 2D array"]),
    "complex": (np.ones((9, 8)) + 0j, ValueError, ["Complex data not supported"]),
    "one row": (X[:1], ValueError, ["1 sample"]),
    "fewer rows than components": (X[:2], ValueError, ["n_components = 3, n_samples = 2"]),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows(case):
    rows, error, fragments = ROWS[case]
    with refused(error, fragments):
        mixed(3).fit(rows)


def test_weights():
    for w, fragments in {
        -1.0: ["Negative values in data passed to `sample_weight`"],
        np.nan: ["sample_weight must be finite"],
    }.items():
        with refused(ValueError, fragments):
            mixed(2).fit(X, sample_weight=np.full(len(X), w))
    few = np.r_[np.ones(2), np.zeros(len(X) - 2)]
    with refused(ValueError, ["n_components = 3, n_samples = 2", "positive weight"]):
        mixed(3).fit(X, sample_weight=few)
    with refused(ValueError, ["'weights' should have the shape of (2,)"]):
        mixed(2, weights_init=[0.2, 0.3, 0.5]).fit(X)
    with refused(ValueError, ["shape (2,)"]):
        mixed(2, weight_prior=Dirichlet([1.0, 2.0, 3.0])).fit(X)
    with refused(ValueError, ["component_order", "each its own concentration"]):
        mixed(2, weight_prior=Dirichlet([1.0, 2.0]), component_order="weights").fit(X)
    own = Beta([[1.0], [2.0]])
    with refused(ValueError, ["component_order", "prior gives each its own"]):
        mixed(2, component_order="weights").set_params(answers__prior=own).fit(X)


CHANGES = {
    "a size": ({"n_components": 3}, ["fit of 2 components", "now 3"]),
    "a structure": (
        {"size__covariance_type": "diag"},
        ["fitted with covariance_type='full'", "now 'diag'"],
    ),
    "a family": ({"counts": GaussianMixture()}, ["fit of the blocks", "warm_start=False"]),
    "columns": ({"blocks": all_blocks()[:2], "remainder": "drop"}, ["fit of the blocks"]),
}


@pytest.mark.parametrize("case", CHANGES)
def test_changes_under_warm_start(case):
    changes, fragments = CHANGES[case]
    fitted = mixed(2, warm_start=True).fit(X).set_params(**changes)
    with refused(ValueError, fragments):
        fitted.fit(X)
    assert fitted.set_params(warm_start=False).fit(X).predict(X).shape == (len(X),)


def test_a_failure_names_the_block():
    flat = X.copy()
    flat[:, 0] = 1.0
    with refused(ValueError, ["not positive definite", "in block 'size'"]):
        mixed(2).set_params(size__reg_covar=0.0).fit(flat)
    with pytest.warns(DegenerateDataWarning, match="In block 'size': Components"):
        mixed(2).fit(flat)


def test_a_start_that_makes_rows_impossible():
    model = mixed(2).set_params(counts__rates_init=[[0.0, 1.0], [0.0, 2.0]])
    with refused(ValueError, ["the start failed", "what no component can have"]):
        model.fit(X)
    model = mixed(2).set_params(answers__probabilities_init=np.zeros((2, 3)))
    with refused(ValueError, ["the start failed", "objective, became -inf"]):
        model.fit(X)


def test_unknown_categories():
    fitted = mixed(2).fit(X)
    strange = X.copy()
    strange[0, 7] = 9.0
    with refused(ValueError, ["CategoricalMixture expects known categories", "is 9"]):
        fitted.predict(strange)
    ignoring = mixed(2).set_params(groups__handle_unknown="ignore").fit(X)
    proba = ignoring.predict_proba(strange)
    strange[0, 7] = np.nan
    np.testing.assert_array_equal(proba, ignoring.predict_proba(strange))


def test_binary_columns_need_their_own_kind():
    """A block says what its estimator says, with nothing of the others."""
    blocks = [("a", BernoulliMixture(), slice(None))]
    with refused(ValueError, ["Set binarize"]):
        mixed(2, blocks).fit(X[:, :2])
