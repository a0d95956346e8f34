"""What pictures and tables of components show is read off their artists and lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from mixtures import (
    BernoulliMixture,
    CategoricalMixture,
    GaussianMixture,
    KMeans,
    PoissonMixture,
)
from mixtures.plotting import PrototypeDisplay
from mixtures.profiles import profile_table, profiles_of

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Drawing is matplotlib's arithmetic, not ours: numpy's state is its default there."""
    from matplotlib import pyplot

    with np.errstate(all="ignore"):
        yield
    pyplot.close("all")


def fitted(model, **parameters):
    """A model that has these parameters and has seen no rows."""
    for name, value in parameters.items():
        setattr(model, f"{name}_", value)
    return model


def binary(k=3, d=6):
    rng = np.random.default_rng(k * d)
    weights, probabilities = rng.dirichlet(np.ones(k)), rng.uniform(size=(k, d))
    return fitted(BernoulliMixture(k), weights=weights, probabilities=probabilities)


def categorical():
    colours = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
    sizes = np.array([[0.9, 0.1], [0.4, 0.6]])
    return fitted(
        CategoricalMixture(2),
        weights=np.array([0.25, 0.75]),
        category_probabilities=[colours, sizes],
        categories=[np.array(["red", "green", "blue"]), np.array([0, 1])],
    )


def shown(display: PrototypeDisplay) -> np.ndarray:
    """The values behind a heat map, (k, m)."""
    m, k = display.profiles.values.T.shape
    return display.ax_.collections[0].get_array().reshape(m, k).T


def texts(display: PrototypeDisplay, axis: str) -> list[str]:
    return [label.get_text() for label in getattr(display.ax_, f"get_{axis}ticklabels")()]


def test_a_heat_map_has_a_line_a_feature_and_a_column_a_component():
    model = binary()
    names = list("abcdef")
    display = PrototypeDisplay.from_estimator(model, feature_names=names)
    np.testing.assert_array_equal(shown(display), model.probabilities_)
    assert texts(display, "y") == names
    assert display.ax_.yaxis_inverted()
    shares = [f"{number}\n{100 * w:.1f} %" for number, w in enumerate(model.weights_)]
    assert texts(display, "x") == shares
    assert display.ax_.collections[0].get_clim() == (0.0, 1.0)
    assert display.colorbar_.ax.get_ylabel() == "probability"


def test_the_numbers_stand_in_their_cells():
    model = binary()
    display = PrototypeDisplay.from_estimator(model)
    for text in display.ax_.texts:
        component, feature = (int(at) for at in text.get_position())
        assert text.get_text() == f"{model.probabilities_[component, feature]:.2f}"
    assert len(display.ax_.texts) == model.probabilities_.size
    assert not PrototypeDisplay.from_estimator(binary(10, 40)).ax_.texts


def test_images_are_the_components_row_by_row():
    model = binary(12, 6)
    display = PrototypeDisplay.from_estimator(model, shape=(2, 3))
    assert display.axes_.shape == (2, 6)
    for panel, values, weight in zip(
        display.axes_.flat, model.probabilities_, model.weights_, strict=True
    ):
        np.testing.assert_array_equal(panel.images[0].get_array(), values.reshape(2, 3))
        assert panel.get_title() == f"{100 * weight:.1f} %"
        assert panel.images[0].get_clim() == (0.0, 1.0)


def test_places_without_a_component_stay_empty():
    display = PrototypeDisplay.from_estimator(binary(11, 6), shape=(2, 3))
    assert [panel is None for panel in display.axes_[1]] == [False] * 5 + [True]


def test_long_names_of_components_are_broken_into_lines():
    names = ["other invertebrate", "fish", "bird"]
    display = PrototypeDisplay.from_estimator(binary(), component_names=names)
    first = display.ax_.get_xticklabels()[0].get_text()
    assert first.startswith("other\ninvertebrate\n")


def test_components_can_be_chosen_and_keep_their_numbers():
    model = binary()
    display = PrototypeDisplay.from_estimator(model, components=[2, 0])
    np.testing.assert_array_equal(shown(display), model.probabilities_[[2, 0]])
    assert [text.split()[0] for text in texts(display, "x")] == ["2", "0"]
    named = {"components": [1], "component_names": ["a", "b", "c"], "shape": (3, 2)}
    display = PrototypeDisplay.from_estimator(model, **named)
    assert display.axes_[0, 0].get_title() == f"b\n{100 * model.weights_[1]:.1f} %"


def test_categories_are_named_and_parted_by_feature():
    display = PrototypeDisplay.from_estimator(categorical(), feature_names=["colour", "size"])
    names = ["colour = red", "colour = green", "colour = blue", "size = 1"]  # of two, the second
    assert texts(display, "y") == names
    np.testing.assert_array_equal(shown(display)[1], [0.7, 0.2, 0.1, 0.6])
    assert [line.get_ydata()[0] for line in display.ax_.lines] == [3]
    assert not PrototypeDisplay.from_estimator(binary()).ax_.lines


def test_the_most_distinct_come_first():
    model = binary(2, 3)
    model.weights_ = np.array([0.5, 0.5])
    model.probabilities_ = np.array([[0.1, 0.5, 0.9], [0.2, 0.5, 0.1]])
    profiles = profiles_of(model).distinct(2)
    assert profiles.names == ["feature 2", "feature 0"]
    np.testing.assert_array_equal(profiles.values, [[0.9, 0.1], [0.1, 0.2]])
    # A component without rows tells nothing of the others.
    model.weights_ = np.array([1.0, 0.0])
    assert profiles_of(model).distinct(3).names == ["feature 0", "feature 1", "feature 2"]


def test_the_table_has_the_same_numbers():
    text = profile_table(
        categorical(), ["colour", "size"], component_names=["A", "long name"], digits=1
    )
    lines = text.splitlines()
    assert lines[0].split() == ["A", "long", "name"]
    assert lines[1].split() == ["weight", "0.2", "0.8"]
    assert lines[2].split() == ["colour", "=", "red", "0.2", "0.7"]
    assert len({len(line) for line in lines}) == 1
    assert len(profile_table(binary(), most=2).splitlines()) == 4


def test_rates_means_and_centres_are_shown_too():
    rng = np.random.default_rng(0)
    X = rng.poisson(np.repeat([[1.0, 9.0, 2.0, 4.0], [8.0, 1.0, 5.0, 3.0]], 30, axis=0))
    rates = PoissonMixture(2, random_state=0).fit(X)
    display = PrototypeDisplay.from_estimator(rates)
    np.testing.assert_array_equal(shown(display), rates.rates_)
    assert display.ax_.collections[0].get_clim() == (0.0, rates.rates_.max())
    assert display.colorbar_.ax.get_ylabel() == "expected count"
    means = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X - 5.0)
    display = PrototypeDisplay.from_estimator(means, shape=(2, 2))
    low, high = display.axes_[0, 0].images[0].get_clim()
    assert (low, high) == (means.means_.min(), means.means_.max())
    clusters = KMeans(3, random_state=0).fit(X)
    shares = np.bincount(clusters.labels_) / len(X)
    np.testing.assert_array_equal(profiles_of(clusters).weights, shares)


def test_names_come_from_a_data_frame():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"calls": [0, 1, 8, 9], "visits": [1, 1, 2, 2]})
    model = PoissonMixture(2, random_state=0).fit(X)
    assert profiles_of(model).names == ["calls", "visits"]


def test_given_axes_and_options_are_used():
    from matplotlib.figure import Figure

    for shape in (None, (2, 3)):
        ax = Figure(layout="constrained").subplots()
        display = PrototypeDisplay.from_estimator(
            binary(), shape=shape, ax=ax, image_kwargs={"cmap": "Greys", "vmax": 0.5}
        )
        assert display.ax_ is ax
        assert display.figure_ is ax.figure
        panel = display.axes_[0, 0]
        artist = panel.images[0] if shape else panel.collections[0]
        assert artist.get_cmap().name == "Greys"
        assert artist.get_clim() == (0.0, 0.5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"shape": (2, 2)}, r"images of 6 pixels.* \(2, 2\) has 4"),
        ({"feature_names": ["a"]}, r"should hold 6 names, .* got 1"),
        ({"component_names": ["a"]}, r"should hold 3 names, .* got 1"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PrototypeDisplay.from_estimator(binary(), **options)


def test_an_estimator_without_parameters_to_show_is_refused():
    class Other(BaseEstimator):
        def fit(self, X, y=None):
            return self

    model = Other().fit(None)
    model.something_ = 1
    with pytest.raises(TypeError, match=r"probabilities_, .* but Other has none"):
        profiles_of(model)


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"PrototypeDisplay.plot needs matplotlib.*pip install"):
        PrototypeDisplay.from_estimator(binary())
