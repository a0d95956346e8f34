"""What pictures show is read off their artists: no pixels are compared."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.mixture
from scipy.stats import chi2

from mixtures import GaussianMixture, MixtureOfPPCA, PoissonMixture
from mixtures.plotting import InformationCriterionDisplay, MixtureDisplay, save_report
from mixtures.plotting.mixture import _levels
from mixtures.selection import InformationCriterionSearch

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

COVARIANCES = ("full", "tied", "diag", "spherical")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Drawing is matplotlib's arithmetic, not ours: numpy's state is its default there."""
    from matplotlib import pyplot

    with np.errstate(all="ignore"):
        yield
    pyplot.close("all")


def rows(d: int) -> np.ndarray:
    rng = np.random.default_rng(d)
    centres = 6.0 * rng.normal(size=(3, d))
    maps = rng.normal(size=(3, d, d)) / np.sqrt(d) + np.eye(d)
    labels = rng.integers(3, size=150)
    return centres[labels] + np.einsum("nij,nj->ni", maps[labels], rng.normal(size=(150, d)))


def fitted(d: int, covariance: str = "full", k: int = 3) -> tuple[GaussianMixture, np.ndarray]:
    X = rows(d)
    return GaussianMixture(k, covariance_type=covariance, random_state=0).fit(X), X


def dense(gm: Any) -> np.ndarray:
    """Covariances as matrices, written out by hand as the twin of what the display uses."""
    k, d = gm.means_.shape
    return {
        "full": lambda c: c,
        "tied": lambda c: np.stack([c] * k),
        "diag": lambda c: np.stack([np.diag(v) for v in c]),
        "spherical": lambda c: np.stack([v * np.eye(d) for v in c]),
    }[gm.covariance_type](gm.covariances_)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_ellipses_are_the_eigendecomposition(covariance: str) -> None:
    gm, X = fitted(2, covariance)
    masses = (0.5, 0.9)
    display = MixtureDisplay.from_estimator(gm, X, masses=masses)
    ellipses = iter(display.ax_.patches)
    for mean, matrix in zip(gm.means_, dense(gm), strict=True):
        for mass in masses:
            ellipse = next(ellipses)
            np.testing.assert_allclose(ellipse.center, mean)
            # Points on the outline lie at the same Mahalanobis distance, and the axes are right.
            turn = np.radians(ellipse.angle)
            axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            halves = np.array([ellipse.width, ellipse.height]) / 2.0
            rebuilt = axes @ np.diag(halves**2 / chi2.ppf(mass, 2)) @ axes.T
            np.testing.assert_allclose(rebuilt, matrix, rtol=1e-9, atol=1e-12)
    assert next(ellipses, None) is None


def test_heavier_components_are_drawn_stronger() -> None:
    gm, X = fitted(2)
    display = MixtureDisplay.from_estimator(gm, X, masses=(0.5,))
    alphas = [ellipse.get_alpha() for ellipse in display.ax_.patches]
    assert np.argsort(alphas).tolist() == np.argsort(gm.weights_).tolist()
    assert max(alphas) == 1.0


def test_each_component_shows_its_own_rows_in_a_colour_of_its_own() -> None:
    gm, X = fitted(2)
    display = MixtureDisplay.from_estimator(gm, X)
    clouds = [c for c in display.ax_.collections if hasattr(c, "get_sizes") and c.get_label()]
    clouds = [c for c in clouds if c.get_label() in {"0", "1", "2"}]
    for component, cloud in enumerate(clouds):
        np.testing.assert_array_equal(cloud.get_offsets(), X[gm.predict(X) == component])
    assert len({tuple(cloud.get_facecolor()[0]) for cloud in clouds}) == 3


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("d", [1, 2, 4])
def test_the_density_drawn_is_the_estimators(covariance: str, d: int) -> None:
    gm, X = fitted(d, covariance)
    display = MixtureDisplay.from_estimator(gm, X)
    parts = display.log_densities(X, list(range(d)))
    total = np.logaddexp.reduce(parts, axis=1)
    np.testing.assert_allclose(total, gm.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(np.exp(parts - total[:, None]), gm.predict_proba(X), atol=1e-9)


def test_levels_bound_regions_of_highest_density() -> None:
    # For a standard normal in the plane the region of mass m ends where log p falls by
    # chi2.ppf(m, 2) / 2; the grid's cells limit the accuracy.
    side = np.linspace(-6, 6, 401)
    a, b = np.meshgrid(side, side)
    log_density = -(a**2 + b**2) / 2.0
    expected = -chi2.ppf([0.99, 0.95, 0.8, 0.6, 0.4, 0.2], 2) / 2.0
    np.testing.assert_allclose(_levels(log_density.ravel()), expected, atol=0.01)


def test_one_feature_is_a_histogram_with_curves() -> None:
    gm, X = fitted(1)
    display = MixtureDisplay.from_estimator(gm, X, feature_names=["length"])
    mixture, *parts = display.ax_.lines
    assert len(parts) == 3
    at, height = mixture.get_data()
    np.testing.assert_allclose(height, np.exp(gm.score_samples(at[:, None])), rtol=1e-9)
    np.testing.assert_allclose(sum(part.get_ydata() for part in parts), height)
    assert display.ax_.get_xlabel() == "length"
    area = sum(bar.get_width() * bar.get_height() for bar in display.ax_.patches)
    np.testing.assert_allclose(area, 1.0)


def test_more_features_are_a_triangle_of_marginals() -> None:
    gm, X = fitted(6)
    display = MixtureDisplay.from_estimator(gm, X, masses=(0.5,))
    assert display.axes_.shape == (4, 4)
    assert [panel is None for panel in display.axes_[0]] == [False, True, True, True]
    panel = display.axes_[3, 1]
    np.testing.assert_allclose(panel.patches[0].center, gm.means_[0, [1, 3]])
    assert display.axes_[3, 1].get_xlabel() == "feature 1"
    assert display.axes_[3, 0].get_ylabel() == "feature 3"
    display.plot(features=[5, 2])
    np.testing.assert_allclose(display.ax_.patches[0].center, gm.means_[0, [5, 2]])


def test_names_come_from_a_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(rows(2), columns=["left", "right"])
    gm = GaussianMixture(2, random_state=0).fit(X)
    display = MixtureDisplay.from_estimator(gm, X)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("left", "right")


def test_given_axes_and_options_are_used() -> None:
    from matplotlib.figure import Figure

    gm, X = fitted(2)
    ax = Figure().subplots()
    options = {"ellipse_kwargs": {"linewidth": 7.0}, "scatter_kwargs": {"s": 3}, "density": False}
    display = MixtureDisplay.from_estimator(gm, X, ax=ax, **options)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert ax.patches[0].get_linewidth() == 7.0
    assert {cloud.get_sizes()[0] for cloud in ax.collections} == {3}


def test_draws_scikit_learns_mixtures_too() -> None:
    X = rows(2)
    theirs = sklearn.mixture.GaussianMixture(2, covariance_type="tied", random_state=0).fit(X)
    assert len(MixtureDisplay.from_estimator(theirs, X).ax_.patches) == 4


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_component_of_weight_zero_is_drawn_without_a_warning(d: int) -> None:
    gm, X = fitted(d)
    gm.weights_ = np.array([0.0, 0.25, 0.75])
    with warnings.catch_warnings(), np.errstate(divide="warn", invalid="warn"):
        warnings.simplefilter("error")
        display = MixtureDisplay.from_estimator(gm, X)
        parts = display.log_densities(X, list(range(d)))
    assert np.isneginf(parts[:, 0]).all()
    assert np.isfinite(parts[:, 1:]).all()


def test_what_is_no_gaussian_mixture_is_refused() -> None:
    X = np.random.default_rng(0).poisson(5.0, size=(50, 2))
    pm = PoissonMixture(2, random_state=0).fit(X)
    with pytest.raises(TypeError, match=r"draws Gaussian mixtures, .* got PoissonMixture"):
        MixtureDisplay.from_estimator(pm, X)


def test_constant_features_can_be_drawn() -> None:
    X = np.column_stack([rows(1), np.full(150, 3.0)])
    gm = GaussianMixture(2, random_state=0, covariance_type="diag", reg_covar=1e-3)
    gm.weights_, gm.means_ = np.array([0.5, 0.5]), np.array([[-1.0, 3.0], [1.0, 3.0]])
    display = MixtureDisplay(
        X, np.zeros(150, int), gm.weights_, gm.means_, np.stack([np.diag([1.0, 1e-3])] * 2)
    ).plot()
    assert np.isfinite(display.ax_.get_ylim()).all()


def criterion_display(values: np.ndarray) -> InformationCriterionDisplay:
    return InformationCriterionDisplay([1, 2, 3, 4], values, ["a", "b"]).plot()


def test_the_lines_are_the_table_and_the_lowest_point_is_ringed() -> None:
    X = rows(2)
    grid = {"n_components": [1, 2, 3], "covariance_type": ["full", "diag"]}
    search = InformationCriterionSearch(GaussianMixture(random_state=0), grid).fit(X)
    display = InformationCriterionDisplay.from_search(search)
    for line, column in zip(display.lines_, search.table()[2].T, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), column)
    ring = display.ax_.lines[-1]
    np.testing.assert_array_equal(ring.get_ydata(), [search.best_score_])
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["1", "2", "3"]
    best = search.best_params_
    chosen = f"lowest: {best['covariance_type']} {best['n_components']}"
    assert ring.get_label() == chosen


def misfit(estimator: GaussianMixture, X: np.ndarray, factor: float = 1.0) -> float:
    return -factor * estimator.score(X)


class Misfit:
    def __call__(self, estimator: GaussianMixture, X: np.ndarray) -> float:
        return misfit(estimator, X)


@pytest.mark.parametrize("criterion", [misfit, partial(misfit, factor=2.0), Misfit()])
def test_the_axis_is_named_after_a_function_however_it_is_wrapped(criterion: object) -> None:
    estimator = GaussianMixture(random_state=0)
    grid = {"n_components": [1, 2]}
    search = InformationCriterionSearch(estimator, grid, criterion=criterion).fit(rows(2))
    display = InformationCriterionDisplay.from_search(search)
    assert display.ax_.get_ylabel() == "MISFIT (lower is better)"


def test_hopeless_models_do_not_squeeze_the_others() -> None:
    values = np.array([[10.0, 900.0], [8.0, 910.0], [7.0, 12.0], [9.0, 11.0]])
    assert criterion_display(values).ax_.get_ylim()[1] < 20.0
    values[:, 1] = 900.0
    values[:, 0] += np.arange(4) * 5.0
    low = np.column_stack([values, values[:, 0] + 1.0])
    display = InformationCriterionDisplay([1, 2, 3, 4], low, ["a", "b", "c"]).plot()
    assert [line.get_label() for line in display.lines_] == ["a", "b (above)", "c"]


def test_failed_fits_leave_a_gap() -> None:
    values = np.array([[3.0, 4.0], [np.nan, 3.5], [2.0, 3.0], [2.5, np.nan]])
    display = criterion_display(values)
    assert np.isnan(display.lines_[0].get_ydata()).tolist() == [False, True, False, False]
    assert display.ax_.lines[-1].get_xydata().tolist() == [[2.0, 2.0]]


@pytest.mark.parametrize("d", [1, 2, 4])
def test_the_report_is_a_picture_and_needs_no_screen(tmp_path: Path, d: int) -> None:
    X = rows(d)
    grid = {"n_components": [1, 2], "covariance_type": ["full", "diag"]}
    search = InformationCriterionSearch(GaussianMixture(random_state=0), grid).fit(X)
    path = tmp_path / "report.png"
    save_report(path, search, X)
    assert path.read_bytes().startswith(b"\x89PNG")
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_importing_does_not_load_matplotlib() -> None:
    code = "import sys, mixtures.plotting, mixtures.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gm, X = fitted(2)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"MixtureDisplay.plot needs matplotlib.*pip install"):
        MixtureDisplay.from_estimator(gm, X)


def test_lines_for_numbers_have_their_name():
    X = np.random.default_rng(0).standard_normal((60, 4))
    grid = {"n_components": [1, 2], "n_factors": [1, 2]}
    search = InformationCriterionSearch(MixtureOfPPCA(random_state=0), grid).fit(X)
    display = InformationCriterionDisplay.from_search(search, x="n_components", lines="n_factors")
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts[:2] == ["n_factors = 1", "n_factors = 2"]
    assert texts[2].startswith("lowest: n_factors = ") and ", " in texts[2]
    display = InformationCriterionDisplay.from_search(search, x="n_factors", lines="n_components")
    assert display.ax_.get_xlabel() == "number of factors"
