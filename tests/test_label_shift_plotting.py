"""The picture of class shares is read off its artists."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mixtures.plotting.shares import ClassShareDisplay

from .test_label_shift import TRAIN, posteriors, table_classifier

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Drawing is matplotlib's arithmetic, not ours: numpy's state is its default there."""
    from matplotlib import pyplot

    with np.errstate(all="ignore"):
        yield
    pyplot.close("all")


@pytest.fixture
def estimate():
    return table_classifier(TRAIN).estimate_prior(posteriors(40, 3, 0))


def test_shares_intervals_and_references(estimate):
    counted = np.array([0.2, 0.3, 0.5])
    display = ClassShareDisplay.from_estimate(
        estimate, level=0.5, references={"counted": counted}, class_names=["a", "b", "c"]
    )
    points, _, (bars,) = display.bars_
    np.testing.assert_array_equal(points.get_ydata(), estimate.prior)
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, estimate.confidence_interval(0.5), atol=1e-12)
    dashes = [segment[:, 1] for segment in display.references_["training"].get_segments()]
    np.testing.assert_allclose(dashes, np.stack([TRAIN, TRAIN], axis=1), atol=1e-12)
    np.testing.assert_array_equal(display.references_["counted"].get_offsets()[:, 1], counted)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["a", "b", "c"]
    words = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert words == ["training", "counted", "estimated"]
    # the points of a class stand side by side, within it
    across = points.get_xdata() - display.references_["counted"].get_offsets()[:, 0]
    assert np.all(across < 0) and np.abs(points.get_xdata() - np.arange(3)).max() < 0.5
    again = display.plot(ax=matplotlib.pyplot.figure().add_subplot())
    assert again is display


def test_names_and_references_of_another_number(estimate):
    with pytest.raises(ValueError, match=r"shape \(3,\), but the shape of 'counted' is \(2,\)"):
        ClassShareDisplay.from_estimate(estimate, references={"counted": [0.5, 0.5]})
    with pytest.raises(ValueError, match=r"one name for each of the 3 classes, but got \['a'\]"):
        ClassShareDisplay.from_estimate(estimate, class_names=["a"])
