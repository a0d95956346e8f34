"""PriorShiftClassifier as scikit-learn's citizen: checks, pipelines, searches, metadata."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, ShuffleSplit, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtures.label_shift import PriorShiftClassifier

from .test_label_shift import SHIFTED, Known, draw

ESTIMATORS = [
    PriorShiftClassifier(LogisticRegression(C=1.0), cv=3, n_threads=1),
    PriorShiftClassifier(LogisticRegression(), ensemble=False, n_threads=1),
    PriorShiftClassifier(LogisticRegression(), calibration=None, predict_prior="uniform"),
    PriorShiftClassifier(RidgeClassifier(), calibration="ts", concentration=2.0),
    PriorShiftClassifier(DecisionTreeClassifier(random_state=0), n_threads=2),
]


# Some checks have a class with fewer rows than there are folds: scikit-learn's warning is right.
@pytest.mark.filterwarnings("ignore:The least populated class in y has only")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: {}, xfail_strict=True)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def shifted(n=200):
    return draw(n, SHIFTED, 1)[0]


def test_clone_pickle_and_refit():
    X, y = draw(300)
    fitted = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, y)
    adapted, new = fitted.adapt(shifted()), shifted()
    copy = pickle.loads(pickle.dumps(adapted))
    np.testing.assert_array_equal(copy.predict_proba(new), adapted.predict_proba(new))
    np.testing.assert_array_equal(copy.prior_estimate_.prior, adapted.prior_estimate_.prior)
    twin = clone(adapted)
    assert not hasattr(twin, "classes_") and not hasattr(twin, "prior_estimate_")
    np.testing.assert_array_equal(twin.predict_prior, adapted.predict_prior)
    twin.fit(X, y)
    np.testing.assert_array_equal(twin.predict_proba(new), adapted.predict_proba(new))
    assert not hasattr(adapted.fit(X, y), "prior_estimate_")


def test_pipelines_outside_and_inside():
    X, y = draw(300)
    inside = PriorShiftClassifier(make_pipeline(StandardScaler(), GaussianNB()), n_threads=1)
    outside = make_pipeline(StandardScaler(), PriorShiftClassifier(GaussianNB(), n_threads=1))
    inside.fit(X, y), outside.fit(X, y)
    # Scales of the whole set or of its folds: Gaussian densities do not mind.
    np.testing.assert_allclose(inside.predict_proba(X), outside.predict_proba(X), atol=1e-6)
    assert inside.n_features_in_ == 2
    prior = outside[-1].estimate_prior(outside[:-1].transform(shifted())).prior
    np.testing.assert_allclose(inside.estimate_prior(shifted()).prior, prior, atol=1e-4)


def test_search_and_cross_validation():
    X, y = draw(300)
    model = PriorShiftClassifier(KNeighborsClassifier(), calibration="ts", cv=2, n_threads=1)
    grid = {"estimator__n_neighbors": [1, 30], "predict_prior": ["train", [0.0, 0.0, 1.0]]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_params_ == {"estimator__n_neighbors": 30, "predict_prior": "train"}
    assert cross_val_score(model, X, y, cv=3).mean() > 0.5
    calibrated = CalibratedClassifierCV(model, cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (300, 3)
    assert OneVsRestClassifier(model).fit(X, y).score(X, y) > 0.5


def test_data_frames_and_strings():
    pandas = pytest.importorskip("pandas")
    X, y = draw(300)
    names = np.array(["ash", "birch", "cedar"])[y]
    table = pandas.DataFrame(X, columns=["width", "height"])
    labels = pandas.Series(names, index=np.arange(300)[::-1], name="tree")
    table.index = labels.index
    fitted = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(table, labels)
    plain = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, names)
    assert fitted.feature_names_in_.tolist() == ["width", "height"]
    np.testing.assert_array_equal(fitted.predict_proba(table), plain.predict_proba(X))
    assert set(fitted.predict(table)) <= set(names)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.adapt(table[["height", "width"]])
    assert not hasattr(fitted.fit(X, names), "feature_names_in_")
    lists = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X.tolist(), names.tolist())
    np.testing.assert_array_equal(lists.predict_proba(X.tolist()), plain.predict_proba(X))


def test_sparse_rows():
    X, y = draw(300)
    for make in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        fitted = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(make(X), y)
        dense = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, y)
        one, other = (m.estimate_prior(make(shifted())).prior for m in (fitted, dense))
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert fitted.__sklearn_tags__().input_tags.sparse
    assert not PriorShiftClassifier(GaussianNB()).__sklearn_tags__().input_tags.sparse


class Recorder(Known):
    """Says what its fits were given."""

    calls: list = []  # noqa: RUF012 - shared by clones on purpose

    def fit(self, X, y, sample_weight=None, note=None, days=None):
        self.calls.append((len(y), sample_weight, note, days))
        return super().fit(X, y)


def test_parameters_of_fit_are_cut_for_the_folds():
    X, y = draw(100)
    w, days = np.arange(100.0), list(range(100))
    Recorder.calls.clear()
    model = PriorShiftClassifier(Recorder(), ensemble=False, n_threads=1)
    model.fit(X, y, sample_weight=w, note="hello", days=days)
    assert len(Recorder.calls) == 6
    for n, weight, note, some in Recorder.calls:
        assert len(weight) == len(some) == n and note == "hello"
        np.testing.assert_array_equal(weight, some)  # the same rows of both
    assert [call[0] for call in Recorder.calls] == [80] * 5 + [100]
    np.testing.assert_allclose(model.train_prior_, np.bincount(y, w) / w.sum())


def test_a_classifier_that_takes_no_weights():
    X, y = draw(100)
    with pytest.warns(UserWarning, match="KNeighborsClassifier.fit takes no sample_weight"):
        model = PriorShiftClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=np.arange(100))
    np.testing.assert_allclose(model.train_prior_, np.bincount(y, np.arange(100)) / 4950)


def test_metadata_routing():
    X, y = draw(120)
    w, groups = np.arange(120.0) + 1.0, np.arange(120) // 10
    with config_context(enable_metadata_routing=True):
        inner = Recorder().set_fit_request(sample_weight="mass", note=False, days=False)
        model = PriorShiftClassifier(inner, cv=GroupKFold(4), n_threads=1)
        Recorder.calls.clear()
        model.fit(X, y, mass=w, groups=groups)
        assert len(Recorder.calls) == 4
        assert all(len(weight) == n for n, weight, *_ in Recorder.calls)
        np.testing.assert_allclose(model.train_prior_, np.bincount(y) / 120)  # not its own weights
        with pytest.raises(TypeError, match="unexpected argument"):
            model.fit(X, y, colour=w)
        # a search hands weights to this estimator, which asks for them, and it to the inner one
        inner = LogisticRegression().set_fit_request(sample_weight=True)
        model = PriorShiftClassifier(inner, n_threads=1).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"calibration": ["ts", "bcts"]}, cv=2)
        assert search.fit(X, y, sample_weight=w).best_score_ > 0.4


def test_frozen_classifiers_are_not_fitted_again():
    X, y = draw(400)
    inner = LogisticRegression().fit(X[:200], y[:200])
    model = PriorShiftClassifier(FrozenEstimator(inner), n_threads=1).fit(X[200:], y[200:])
    assert len(model.estimators_) == 1 and model.estimators_[0].estimator is inner
    np.testing.assert_allclose(model.train_prior_, np.bincount(y[200:]) / 200)
    model = PriorShiftClassifier(FrozenEstimator(inner), calibration=None).fit(X[:200], y[:200])
    np.testing.assert_allclose(model.predict_proba(X), inner.predict_proba(X), rtol=1e-9)


def test_never_more_folds_than_the_largest_class_has_rows():
    X, y = draw(100)
    few = np.concatenate([np.flatnonzero(y == c)[:3] for c in range(3)])
    model = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X[few], y[few])
    assert len(model.estimators_) == 3
    model = PriorShiftClassifier(LogisticRegression(), cv=2, n_threads=1).fit(X[few], y[few])
    assert len(model.estimators_) == 2


def test_rows_can_be_held_out_once():
    X, y = draw(400)
    cv = ShuffleSplit(1, test_size=0.25, random_state=0)
    model = PriorShiftClassifier(LogisticRegression(), cv=cv, n_threads=1).fit(X, y)
    train, test = next(cv.split(X, y))
    inner = FrozenEstimator(LogisticRegression().fit(X[train], y[train]))
    other = PriorShiftClassifier(inner, n_threads=1).fit(X[test], y[test])
    assert model.temperature_ == other.temperature_ and len(model.estimators_) == 1
    np.testing.assert_array_equal(model.bias_, other.bias_)


def test_a_failed_fit_leaves_what_was_there():
    X, y = draw(100)
    model = PriorShiftClassifier(LogisticRegression(), n_threads=1).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="predict_prior"):
        model.set_params(predict_prior=[1.0]).fit(X[:50], y[:50])
    np.testing.assert_array_equal(model.set_params(predict_prior="train").predict_proba(X), before)


def test_html_representation_has_parameter_docs():
    html = estimator_html_repr(PriorShiftClassifier(LogisticRegression()))
    assert "LogisticRegression" in html and html.count('class="param-doc-description') >= 3
