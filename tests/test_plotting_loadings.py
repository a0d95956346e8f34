"""What pictures of loadings show is read off their artists."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from mixtures import FactorAnalysis, MixtureOfPPCA, ProbabilisticPCA
from mixtures.plotting import LoadingsDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

UNITS = np.array([1.0, 10.0, 0.1, 2.0, 1.0, 1.0])


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Drawing is matplotlib's arithmetic, not ours: numpy's state is its default there."""
    from matplotlib import pyplot

    with np.errstate(all="ignore"):
        yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    loadings = rng.standard_normal((2, 6))
    return (rng.standard_normal((80, 2)) @ loadings + rng.standard_normal((80, 6))) * UNITS


def shown(display: LoadingsDisplay) -> np.ndarray:
    """The values behind a heat map, (d, q)."""
    return display.ax_.collections[0].get_array().reshape(display.loadings.shape)


def texts(display: LoadingsDisplay, axis: str) -> list[str]:
    return [label.get_text() for label in getattr(display.ax_, f"get_{axis}ticklabels")()]


def test_a_heat_map_has_a_line_a_feature_and_a_column_a_factor(rows):
    model = FactorAnalysis(2).fit(rows)
    display = LoadingsDisplay.from_estimator(model, feature_names=list("abcdef"))
    np.testing.assert_array_equal(shown(display), model.components_.T)
    assert texts(display, "y") == list("abcdef")
    assert texts(display, "x") == ["factor 0", "factor 1"]
    assert display.ax_.yaxis_inverted()
    limit = np.abs(model.components_).max()
    assert display.ax_.collections[0].get_clim() == (-limit, limit)
    assert display.colorbar_.ax.get_ylabel() == "loading"
    assert len(display.ax_.texts) == 12
    for text in display.ax_.texts:
        factor, feature = (int(at) for at in text.get_position())
        number = float(text.get_text().replace("\N{MINUS SIGN}", "-"))
        assert abs(number - model.components_[factor, feature]) <= 0.005 * (1.0 + 1e-9)


def test_zero_has_no_sign_and_many_numbers_are_left_out():
    display = LoadingsDisplay(np.array([[-0.001], [-0.5]])).plot()
    assert [text.get_text() for text in display.ax_.texts] == ["0.00", "\N{MINUS SIGN}0.50"]
    assert not LoadingsDisplay(np.ones((101, 3))).plot().ax_.texts


def test_loadings_of_principal_components_are_those_not_the_axes(rows):
    model = ProbabilisticPCA(2).fit(rows)
    np.testing.assert_array_equal(shown(LoadingsDisplay.from_estimator(model)), model.loadings_)


def test_standardized_loadings_are_correlations_of_features_and_factors(rows):
    model = FactorAnalysis(2).fit(rows)
    display = LoadingsDisplay.from_estimator(model, standardized=True)
    own = FactorAnalysis(2).fit(rows / rows.std(axis=0))
    np.testing.assert_allclose(shown(display), own.components_.T, rtol=1e-3, atol=1e-3)


def test_a_feature_without_variance_correlates_with_nothing(rows):
    model = ProbabilisticPCA(2, noise="zero").fit(np.column_stack([rows, np.ones(len(rows))]))
    display = LoadingsDisplay.from_estimator(model, standardized=True)
    np.testing.assert_array_equal(display.loadings[6], 0.0)


def test_components_of_a_mixture_are_shown_one_at_a_time(rows):
    X = np.vstack([rows, 0.5 * rows[::-1] + 100.0 * UNITS])
    model = MixtureOfPPCA(2, n_factors=2, random_state=0).fit(X)
    for component, wanted in ((None, 0), (1, 1)):
        display = LoadingsDisplay.from_estimator(model, component=component)
        np.testing.assert_array_equal(shown(display), model.loadings_[wanted])
    deviations = np.sqrt(np.diagonal(model.get_covariance()[1]))
    display = LoadingsDisplay.from_estimator(model, component=1, standardized=True)
    np.testing.assert_allclose(shown(display), model.loadings_[1] / deviations[:, None])


def test_features_are_ordered_in_blocks_of_one_factor_each():
    loadings = np.array([[0.1, -0.5], [0.9, 0.2], [0.0, 0.8], [-0.95, 0.0]])
    order = LoadingsDisplay(loadings).order()
    assert order.tolist() == [3, 1, 2, 0]


def test_features_can_be_chosen_and_keep_their_names(rows):
    model = FactorAnalysis(2).fit(rows)
    display = LoadingsDisplay.from_estimator(
        model, features=[4, 0], feature_names=list("abcdef"), factor_names=["I", "II"]
    )
    np.testing.assert_array_equal(shown(display), model.components_.T[[4, 0]])
    assert (texts(display, "y"), texts(display, "x")) == (["e", "a"], ["I", "II"])


def test_names_come_from_a_data_frame(rows):
    pandas = pytest.importorskip("pandas")
    names = [f"item {j}" for j in range(6)]
    model = FactorAnalysis(1).fit(pandas.DataFrame(rows, columns=names))
    assert texts(LoadingsDisplay.from_estimator(model), "y") == names


def test_images_are_the_factors_row_by_row():
    loadings = np.random.default_rng(0).standard_normal((6, 12))
    display = LoadingsDisplay(loadings, shape=(2, 3)).plot(limit=2.0)
    assert len(display.axes_) == 12
    for number, (panel, values) in enumerate(zip(display.axes_, loadings.T, strict=True)):
        np.testing.assert_array_equal(panel.images[0].get_array(), values.reshape(2, 3))
        assert panel.get_title() == f"factor {number}"
        assert panel.images[0].get_clim() == (-2.0, 2.0)


@pytest.mark.parametrize("shape", [None, (2, 3)])
def test_given_axes_and_options_are_used(shape):
    from matplotlib.figure import Figure

    ax = Figure(layout="constrained").subplots()
    display = LoadingsDisplay(np.eye(6)[:, :2], shape=shape)
    display.plot(ax, image_kwargs={"cmap": "PuOr"}, colorbar=False)
    assert display.ax_ is ax
    assert len(ax.figure.axes) == (1 if shape is None else 3)  # no colour bar
    panel = display.axes_[0]
    artist = panel.images[0] if shape else panel.collections[0]
    assert artist.get_cmap().name == "PuOr"


def test_loadings_of_zero_can_be_drawn():
    display = LoadingsDisplay(np.zeros((3, 2))).plot()
    assert display.ax_.collections[0].get_clim() == (-1.0, 1.0)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"shape": (2, 2)}, r"images of 6 pixels.* \(2, 2\) has 4"),
        ({"feature_names": ["a"]}, r"should hold 6 names, .* got 1"),
        ({"factor_names": ["a"]}, r"should hold 2 names, .* got 1"),
        ({"component": 1}, r"component=1 is one of a mixture, but FactorAnalysis"),
    ],
)
def test_what_does_not_fit_is_refused(rows, options, message):
    with pytest.raises(ValueError, match=message):
        LoadingsDisplay.from_estimator(FactorAnalysis(2).fit(rows), **options)


def test_a_component_that_a_mixture_has_not_is_refused(rows):
    model = MixtureOfPPCA(1, n_factors=1).fit(rows)
    with pytest.raises(ValueError, match="components 0 to 0, but got component=1"):
        LoadingsDisplay.from_estimator(model, component=1)


def test_an_estimator_without_loadings_is_refused():
    class Other(BaseEstimator):
        def fit(self, X, y=None):
            return self

    model = Other().fit(None)
    model.something_ = 1
    with pytest.raises(TypeError, match=r"loadings_ or components_, but Other has none"):
        LoadingsDisplay.from_estimator(model)


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"LoadingsDisplay.plot needs matplotlib.*pip install"):
        LoadingsDisplay(np.eye(2)).plot()
