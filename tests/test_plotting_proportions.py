"""What pictures of orbits show is read off their artists, against twins of what they claim."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from mixtures import DynamicResponsibility
from mixtures.plotting import ConvergenceDisplay, OrbitDisplay
from mixtures.plotting._orbits import Objective, measured_slope, simplex_grid

from .proportions_cases import Problem, Twin, normals

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Drawing is matplotlib's arithmetic, not ours: numpy's state is its default there."""
    from matplotlib import pyplot

    with np.errstate(all="ignore"):
        yield
    pyplot.close("all")


def fitted(k: int = 3, **options) -> tuple[DynamicResponsibility, np.ndarray]:
    F = normals(300, k, 1)
    options = {"solver": "em", "store_orbit": True, "tol": 1e-9, **options}
    return DynamicResponsibility(**options).fit(F), F


# ---- what they are computed from ---------------------------------------------------------------


def test_the_grid_fills_the_simplex() -> None:
    points = simplex_grid(4)
    assert points.shape == (15, 3)
    assert (points >= 0).all()
    np.testing.assert_allclose(points.sum(axis=1), 1.0)
    assert len({tuple(point) for point in points}) == 15


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("concentration", [1.0, 2.0, [1.0, 3.0, 1.5]])
def test_the_objective_is_the_estimators(log: bool, concentration, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    F, w = rng.exponential(size=(50, 3)), rng.uniform(size=50)
    w[7] = 0.0
    problem = Problem(np.log(F) if log else F, log, w=w, concentration=concentration)
    model = problem.fit(tol=1e-12)
    objective, twin = Objective(model, problem.F, w), Twin(problem)
    monkeypatch.setattr("mixtures.plotting._orbits.ENTRIES", 40)  # a few rows at a time
    points = np.vstack([simplex_grid(5), model.weights_])
    values = objective(points)
    np.testing.assert_allclose(values, [twin.objective(point) for point in points], rtol=1e-12)
    assert values[-1] == pytest.approx(model.objective_, abs=1e-12)
    if concentration == 1.0:
        np.testing.assert_allclose(
            objective.gradient(model.weights_), twin.gradient(model.weights_).astype(float)
        )


def test_impossible_points_are_minus_infinity() -> None:
    F = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 1.0]])
    values = Objective(DynamicResponsibility(), F, None)(simplex_grid(4))
    np.testing.assert_array_equal(np.isneginf(values), simplex_grid(4)[:, 0] == 0.0)


@pytest.mark.parametrize("rate", [0.5, 0.99])
def test_slopes_of_geometric_sequences(rate: float) -> None:
    n = np.arange(60)
    assert measured_slope(3.0 * rate**n) == pytest.approx(np.log(rate), rel=1e-12)
    assert np.isnan(measured_slope(np.ones(1)))
    # What falls faster at first is forgotten: the slope is that of the last three digits.
    both = 1e6 * 0.1**n + 0.5**n
    assert measured_slope(both) == pytest.approx(np.log(0.5), rel=1e-6)


# ---- the orbit ---------------------------------------------------------------------------------


def test_the_orbit_is_drawn_in_barycentric_coordinates() -> None:
    model, F = fitted()
    display = OrbitDisplay.from_estimator(model, F)
    x, y = display.line_.get_data()
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    np.testing.assert_allclose(np.column_stack([x, y]), model.orbit_ @ corners, atol=1e-15)
    sides = np.linalg.norm(corners - corners[[1, 2, 0]], axis=1)
    np.testing.assert_allclose(sides, 1.0)
    assert display.ax_.get_aspect() == 1.0
    names = [text.get_text() for text in display.ax_.texts]
    assert names == ["component 0", "component 1", "component 2"]


def test_level_lines_enclose_shares_of_the_simplex() -> None:
    model, F = fitted()
    display = OrbitDisplay.from_estimator(model, F)
    (lines,) = [c for c in display.ax_.collections if hasattr(c, "levels")]
    losses = display.values.max() - display.values
    inside = [(losses <= level).mean() for level in lines.levels]
    np.testing.assert_allclose(
        inside, [0.01, 0.03, 0.07, 0.13, 0.21, 0.31, 0.43, 0.57, 0.73, 0.9], atol=0.01
    )
    assert model.objective_ >= display.values.max()


def test_another_orbit_can_be_added() -> None:
    model, F = fitted()
    first = OrbitDisplay.from_estimator(model, F, names="abc")
    other, _ = fitted(start=[0.8, 0.1, 0.1])
    look = {"color": "black"}
    second = OrbitDisplay.from_estimator(other, F, ax=first.ax_, background=False, line_kwargs=look)
    assert second.ax_ is first.ax_
    assert [text.get_text() for text in first.ax_.texts] == ["a", "b", "c"]
    assert second.line_.get_color() == "black"
    assert len([c for c in first.ax_.collections if hasattr(c, "levels")]) == 1
    ends = [line.get_xydata()[-1] for line in (first.line_, second.line_)]
    np.testing.assert_allclose(*ends, atol=1e-3)


def test_corners_are_named_after_columns() -> None:
    pandas = pytest.importorskip("pandas")
    F = pandas.DataFrame(normals(50, 3, 1), columns=["low", "middle", "high"])
    model = DynamicResponsibility(solver="em", store_orbit=True, tol=1e-4).fit(F)
    display = OrbitDisplay.from_estimator(model, F)
    assert [text.get_text() for text in display.ax_.texts] == ["low", "middle", "high"]


def test_flat_and_impossible_objectives_are_drawn() -> None:
    for F in (np.ones((5, 3)), np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 0]] + [[0, 0, 1e-9]]):
        model = DynamicResponsibility(solver="em", store_orbit=True, tol=1e-3).fit(F)
        display = OrbitDisplay.from_estimator(model, F)
        assert np.isfinite(display.line_.get_xydata()).all()
        display.figure_.canvas.draw()


def test_what_is_no_triangle_is_refused() -> None:
    model, F = fitted(4)
    with pytest.raises(ValueError, match=r"three components, but 4 .*ConvergenceDisplay"):
        OrbitDisplay.from_estimator(model, F)
    for display in (OrbitDisplay, ConvergenceDisplay):
        with pytest.raises(ValueError, match=rf"{display.__name__}.*store_orbit=True"):
            display.from_estimator(DynamicResponsibility().fit(F[:, :3]), F[:, :3])


# ---- convergence -------------------------------------------------------------------------------


@pytest.mark.parametrize("concentration", [1.0, 3.0])
def test_distances_and_losses_are_those_of_the_orbit(concentration: float) -> None:
    model, F = fitted(concentration=concentration)
    display = ConvergenceDisplay.from_estimator(model, F)
    twin = Twin(Problem(F, concentration=concentration))
    best = twin.maximiser()
    distances = np.linalg.norm(model.orbit_ - best, axis=1)
    np.testing.assert_allclose(display.distances, distances, atol=1e-9)
    losses = twin.objective(best) - model.objective_path_
    np.testing.assert_allclose(display.losses, losses, atol=1e-12)
    assert display.slopes_[0] == pytest.approx(np.log(model.rate_), rel=2e-3)
    # A smooth maximum: the loss is quadratic in the distance.
    assert display.rates[1] == pytest.approx(model.rate_**2, rel=1e-3)
    assert display.slopes_[1] == pytest.approx(2 * np.log(model.rate_), rel=0.02)
    for panel, name, values in zip(
        display.axes_, ("distance", "loss"), (display.distances, display.losses), strict=True
    ):
        assert panel.get_yscale() == "log"
        assert panel.get_ylabel().startswith(name)
        measured, theory = panel.lines
        n, shown = measured.get_data()
        np.testing.assert_array_equal(shown, values[n])
        assert (shown > 0).all()
        assert theory.get_ydata()[-1] == pytest.approx(shown[-1])
        assert "measured" in measured.get_label()
        assert "theory" in theory.get_label()


def test_a_component_that_dies_out_sets_both_slopes() -> None:
    F = normals(400, 2, 2, 4.0)
    best = DynamicResponsibility(tol=1e-12).fit(F)
    F = np.column_stack([F, 0.9 * F @ best.weights_])
    model = DynamicResponsibility(solver="em", store_orbit=True, tol=0.0, max_iter=150).fit(F)
    display = ConvergenceDisplay.from_estimator(model, F)
    np.testing.assert_allclose(display.rates, [0.9, 0.9], rtol=1e-6)
    np.testing.assert_allclose(display.slopes_, np.log(0.9), rtol=0.01)


def test_a_maximum_that_is_not_one_point_is_refused() -> None:
    F = normals(100, 2, 3)[:, [0, 1, 1]]
    model = DynamicResponsibility(solver="em", store_orbit=True, tol=1e-6).fit(F)
    with pytest.raises(ValueError, match=r"linearly dependent.*identifiable_ is False"):
        ConvergenceDisplay.from_estimator(model, F)


def test_nothing_to_measure_is_drawn_without_a_slope() -> None:
    F = np.eye(2)[[0, 1, 1]]
    model = DynamicResponsibility(solver="em", store_orbit=True).fit(F)
    display = ConvergenceDisplay.from_estimator(model, F)
    assert np.isnan(display.slopes_).all()
    display.figure_.canvas.draw()


def test_given_axes_and_options_are_used() -> None:
    from matplotlib.figure import Figure

    model, F = fitted(4)
    ax = Figure(layout="constrained").subplots()
    display = ConvergenceDisplay.from_estimator(model, F, ax=ax, line_kwargs={"color": "red"})
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert all(panel.figure is ax.figure for panel in display.axes_)
    assert display.axes_[0].lines[0].get_color() == "red"
    weights = np.random.default_rng(0).uniform(size=300)
    heavy = DynamicResponsibility(solver="em", store_orbit=True).fit(F, sample_weight=weights)
    display = ConvergenceDisplay.from_estimator(heavy, F, sample_weight=weights)
    assert display.distances[-1] < 1e-3


@pytest.mark.parametrize("display", [OrbitDisplay, ConvergenceDisplay])
def test_without_matplotlib_the_error_says_how_to_get_it(
    display, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, F = fitted()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=rf"{display.__name__}.plot needs matplotlib.*pip"):
        display.from_estimator(model, F)
