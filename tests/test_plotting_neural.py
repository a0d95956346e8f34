"""What pictures of regions and of priors show is read off their artists."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mixtures import GaussianMixture, ResponsibleSoftmaxClassifier
from mixtures.plotting import ClassRegionsDisplay, PriorCurveDisplay
from mixtures.plotting._style import COLOURS, MARKERS

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Drawing is matplotlib's arithmetic, not ours: numpy's state is its default there."""
    from matplotlib import pyplot

    with np.errstate(all="ignore"):
        yield
    pyplot.close("all")


def rows(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Three groups: the first common, the last rare."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.array(["a", "b", "c"]), [n // 2, n // 3, n - n // 2 - n // 3])
    centres = {"a": (0.0, 0.0), "b": (3.0, 0.0), "c": (0.0, 30.0)}
    return np.array([centres[label] for label in y]) + rng.normal(size=(n, 2)), y


class Halves(ClassifierMixin, BaseEstimator):
    """Names 1 where the first feature is positive, with a posterior that has its own opinion."""

    def fit(self, X, y):
        self.classes_, self.most_ = np.unique(y), 0
        return self

    def predict(self, X):
        self.most_ = max(self.most_, len(X))
        return self.classes_[(np.asarray(X)[:, 0] > 0).astype(int)]

    def predict_proba(self, X):
        return np.tile([0.7, 0.3], (len(X), 1))


# ---- regions -----------------------------------------------------------------------------------


def test_regions_are_what_the_classifier_names_and_shades_its_posterior() -> None:
    X, y = rows()
    model = GaussianNB().fit(X, y)
    display = ClassRegionsDisplay.from_estimator(model, X, y, grid_points=40)
    across, up = display.sides
    for i, j in ((0, 0), (20, 30), (39, 1)):  # a line of the picture has one second feature
        point = [[across[j], up[i]]]
        assert model.classes_[display.codes[i, j]] == model.predict(point)[0]
        assert display.confidence[i, j] == pytest.approx(model.predict_proba(point).max())
    picture = np.asarray(display.image_.get_array())
    assert picture.shape == (40, 40, 3)
    # Ink is how far from white in the direction of the colour; it says the posterior.
    colours = np.array([matplotlib.colors.to_rgb(c) for c in COLOURS[:3]])[display.codes]
    ink = (1.0 - picture) / (1.0 - colours)
    np.testing.assert_allclose(ink, ink[..., :1] * np.ones(3), atol=1e-12)
    sure = (display.confidence - 1 / 3) * 1.5
    np.testing.assert_allclose(ink[..., 0], 0.10 + 0.45 * sure, atol=1e-12)
    assert sure.min() < 0.4 < 0.99 < sure.max()


def test_the_picture_lies_where_its_points_are() -> None:
    X, y = rows()
    display = ClassRegionsDisplay.from_estimator(
        GaussianNB().fit(X, y), X, y, grid_points=11, limits=((0.0, 10.0), (-5.0, 5.0))
    )
    np.testing.assert_allclose(display.image_.get_extent(), [-0.5, 10.5, -5.5, 5.5])
    assert display.image_.origin == "lower"
    np.testing.assert_allclose(display.ax_.get_xlim(), [-0.5, 10.5])
    free = ClassRegionsDisplay.from_estimator(GaussianNB().fit(X, y), X, grid_points=5)
    low, high = free.sides[1][[0, -1]]
    reach = np.ptp(X[:, 1])
    np.testing.assert_allclose(
        [low, high], [X[:, 1].min() - 0.06 * reach, X[:, 1].max() + 0.06 * reach]
    )


def test_borders_are_where_posteriors_are_equal_not_on_the_grid() -> None:
    X = np.array([[-1.0, 0.0], [1.0, 1.0]] * 20)
    model = LogisticRegression().fit(X, np.arange(40) % 2)
    model.coef_, model.intercept_ = np.array([[2.0, 0.0]]), np.array([-0.5])  # border at 0.25
    display = ClassRegionsDisplay.from_estimator(model, X, grid_points=8, limits=((-1, 1), (-1, 1)))
    (border,) = [c for c in display.ax_.collections if hasattr(c, "levels")]
    (path,) = border.get_paths()
    np.testing.assert_allclose(path.vertices[:, 0], 0.25, atol=1e-6)


def test_the_class_is_what_predict_says_even_if_it_is_not_the_likeliest() -> None:
    X = np.array([[-1.0, 0.0], [1.0, 1.0]])
    display = ClassRegionsDisplay.from_estimator(Halves().fit(X, [3, 7]), X, [3, 7], grid_points=6)
    right = display.sides[0] > 0
    np.testing.assert_array_equal(display.codes, np.broadcast_to(right.astype(int), (6, 6)))
    np.testing.assert_array_equal(display.confidence, np.where(display.codes == 1, 0.3, 0.7))
    picture = np.asarray(display.image_.get_array())
    palest = 1.0 - 0.10 * (1.0 - np.array(matplotlib.colors.to_rgb(COLOURS[1])))
    np.testing.assert_allclose(picture[:, -1], np.tile(palest, (6, 1)))  # as at 1 / K
    (border,) = [c for c in display.ax_.collections if hasattr(c, "levels")]
    assert len(border.get_paths()) == 1


def test_rows_have_the_colour_and_the_marker_of_their_class_and_rare_ones_lie_on_top() -> None:
    X, y = rows()
    y[-1], y[0] = "a", "c"  # two that the classifier will name wrongly
    display = ClassRegionsDisplay.from_estimator(GaussianNB().fit(X, y), X, y, class_names="ABC")
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["A", "B", "C"]
    depths = []
    for number, (label, found) in enumerate(zip("abc", display.rows_, strict=True)):
        np.testing.assert_array_equal(found.get_offsets(), X[y == label])
        assert matplotlib.colors.to_hex(found.get_facecolor()[0]).upper() == COLOURS[number]
        marker = matplotlib.markers.MarkerStyle(MARKERS[number])
        drawn = marker.get_path().transformed(marker.get_transform())
        np.testing.assert_array_equal(found.get_paths()[0].vertices, drawn.vertices)
        depths.append(found.get_zorder())
    assert depths == sorted(set(depths))


def test_rows_without_classes_and_options() -> None:
    X, y = rows()
    look = {"scatter_kwargs": {"s": 3}, "border_kwargs": {"colors": "red"}, "legend": False}
    model = GaussianNB().fit(X, y)
    display = ClassRegionsDisplay.from_estimator(model, X, grid_points=20, **look)
    (found,) = display.rows_
    np.testing.assert_array_equal(found.get_offsets(), X)
    assert found.get_sizes() == [3]
    assert display.ax_.get_legend() is None
    assert [handle.get_label() for handle in display.handles_] == ["a", "b", "c"]
    borders = [c for c in display.ax_.collections if hasattr(c, "levels")]
    assert matplotlib.colors.to_hex(borders[0].get_edgecolor()[0]) == "#ff0000"
    black = {"facecolors": "black"}
    of_classes = ClassRegionsDisplay.from_estimator(model, X, y, scatter_kwargs=black)
    assert all(found.get_facecolor()[0].tolist() == [0, 0, 0, 1] for found in of_classes.rows_)
    assert display.plot(ax=matplotlib.pyplot.figure().add_subplot()) is display
    display.figure_.canvas.draw()


def test_classifiers_without_posteriors_are_drawn_evenly() -> None:
    X, y = rows()
    model = make_pipeline(StandardScaler(), LinearSVC(random_state=0)).fit(X, y)
    display = ClassRegionsDisplay.from_estimator(model, X, y, grid_points=30)
    assert display.confidence is None
    assert len(np.unique(np.asarray(display.image_.get_array()).reshape(-1, 3), axis=0)) == 3
    display.figure_.canvas.draw()


@pytest.mark.parametrize("frames", ["pandas", "polars"])
def test_data_frames_keep_their_columns(frames: str) -> None:
    module = pytest.importorskip(frames)
    X, y = rows()
    frame = module.DataFrame({"length": X[:, 0], "width": X[:, 1]})
    model = GaussianNB().fit(frame, y)
    display = ClassRegionsDisplay.from_estimator(model, frame, y, grid_points=10)  # no warning
    assert display.ax_.get_xlabel() == "length"
    assert display.ax_.get_ylabel() == "width"
    plain = ClassRegionsDisplay.from_estimator(GaussianNB().fit(X, y), X, y, grid_points=10)
    np.testing.assert_array_equal(display.codes, plain.codes)
    assert plain.ax_.get_xlabel() == "feature 0"


def test_the_classifier_is_asked_for_some_points_at_a_time(monkeypatch) -> None:
    X = np.array([[-1.0, 0.0], [1.0, 1.0]])
    monkeypatch.setattr("mixtures.plotting._regions.BLOCK", 100)
    model = Halves().fit(X, [0, 1])
    display = ClassRegionsDisplay.from_estimator(model, X, grid_points=33)
    assert model.most_ == 100
    assert display.codes.shape == (33, 33)
    np.testing.assert_array_equal(display.codes[0], display.codes[-1])


def test_one_class_is_one_region() -> None:
    X, _ = rows()
    model = GaussianNB().fit(X, np.zeros(len(X)))
    display = ClassRegionsDisplay.from_estimator(model, X, np.zeros(len(X)), grid_points=5)
    assert not [c for c in display.ax_.collections if hasattr(c, "levels")]
    display.figure_.canvas.draw()


def test_what_is_no_plane_of_a_classifier_is_refused() -> None:
    X, y = rows()
    model = GaussianNB().fit(X, y)
    draw = ClassRegionsDisplay.from_estimator
    with pytest.raises(ValueError, match=r"two features, but the shape of X is \(60, 3\).*PCA"):
        draw(model, np.column_stack([X, X[:, 0]]))
    with pytest.raises(NotFittedError, match="not fitted"):
        draw(GaussianNB(), X)
    with pytest.raises(TypeError, match=r"classes_ and predict, but got GaussianMixture; Mixture"):
        draw(GaussianMixture(2).fit(X), X)
    with pytest.raises(ValueError, match=r"60 rows of X, shape \(60,\), but its shape is \(59,\)"):
        draw(model, X, y[1:])
    with pytest.raises(ValueError, match=r"class .*'d'.*, which the classifier was not fitted"):
        draw(model, X, np.where(y == "c", "d", y))
    with pytest.raises(ValueError, match=r"class .*1.*not fitted with; its classes are \['a', "):
        draw(model, X, np.ones(60))
    with pytest.raises(ValueError, match=r"each of the 3 classes, but got \['a'\]"):
        draw(model, X, y, class_names="a")
    with pytest.raises(ValueError, match=r"grid_points should be at least 2.*it is 1"):
        draw(model, X, y, grid_points=1)
    with pytest.raises(ValueError, match="NaN"):
        draw(model, np.where(X > 30, np.nan, X), y)


# ---- the prior ---------------------------------------------------------------------------------


class Layer(BaseEstimator):
    """What a fitted classifier keeps of its prior."""

    def fit(self, m: int = 12, k: int = 3):
        rng = np.random.default_rng(m)
        self.prior_curve_ = rng.dirichlet(np.ones(k), size=m)
        self.class_prior_, self.classes_ = rng.dirichlet(np.ones(k)), np.array(["a", "b", "c"])
        return self


@pytest.mark.parametrize("m", [1, 12, 60])
def test_the_prior_is_drawn_over_epochs_beside_the_shares(m: int) -> None:
    model = Layer().fit(m)
    display = PriorCurveDisplay.from_estimator(model, class_names=["x", "y", "z"])
    for number, (line, share) in enumerate(zip(display.lines_, display.references_, strict=True)):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, m + 1))
        np.testing.assert_array_equal(line.get_ydata(), model.prior_curve_[:, number])
        np.testing.assert_array_equal(share.get_ydata(), model.class_prior_[number])
        assert line.get_color() == share.get_color() == COLOURS[number]
        assert line.get_marker() == ("" if m == 60 else MARKERS[number])
    words = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert words == ["x", "y", "z", "share in training"]
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_xlabel() == "epoch"
    display.figure_.canvas.draw()


def test_the_classifier_itself_can_be_drawn() -> None:
    X, y = rows()
    model = ResponsibleSoftmaxClassifier((3,), random_state=0)
    for _ in range(2):
        model.partial_fit(X, y, classes=["a", "b", "c"])
    display = PriorCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(
        [line.get_ydata() for line in display.lines_], model.prior_curve_.T
    )
    assert display.lines_[0].get_xdata().tolist() == [1, 2]
    assert [line.get_ydata()[0] for line in display.references_] == pytest.approx(
        [0.5, 1 / 3, 1 / 6]
    )
    regions = ClassRegionsDisplay.from_estimator(model, X, y, grid_points=9)
    assert regions.codes.shape == (9, 9)


def test_a_linear_axis_begins_at_zero() -> None:
    look = {"log": False, "legend": False, "line_kwargs": {"linewidth": 3.0}}
    display = PriorCurveDisplay.from_estimator(Layer().fit(), **look)
    assert display.ax_.get_legend() is None
    assert display.ax_.get_yscale() == "linear"
    assert display.ax_.get_ylim()[0] == 0.0
    assert display.lines_[0].get_linewidth() == 3.0
    assert display.plot(ax=matplotlib.pyplot.figure().add_subplot()) is display


def test_what_keeps_no_prior_is_refused() -> None:
    X, y = rows()
    with pytest.raises(TypeError, match=r"prior_curve_ of a Resp.*, but got GaussianNB, which has"):
        PriorCurveDisplay.from_estimator(GaussianNB().fit(X, y))
    with pytest.raises(NotFittedError, match="not fitted"):
        PriorCurveDisplay.from_estimator(GaussianNB())
    with pytest.raises(ValueError, match=r"each of the 3 classes, but got \['x'\]"):
        PriorCurveDisplay.from_estimator(Layer().fit(), class_names=["x"])


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch) -> None:
    X, y = rows()
    model = GaussianNB().fit(X, y)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"ClassRegionsDisplay.plot needs matplotlib.*pip"):
        ClassRegionsDisplay.from_estimator(model, X, grid_points=3)
    with pytest.raises(ImportError, match=r"PriorCurveDisplay.plot needs matplotlib.*pip"):
        PriorCurveDisplay.from_estimator(Layer().fit())
