"""The bundled data are what their sources say, and the random ones what was asked for."""

from __future__ import annotations

import builtins
import pickle
from importlib import resources

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mixtures import datasets

pytestmark = pytest.mark.filterwarnings("error")

SHAPES = {
    "faithful": (272, 2),
    "galaxies": (82, 1),
    "acidity": (155, 1),
    "penguins": (344, 4),
    "zoo": (101, 16),
    "house_votes": (435, 16),
}
LABELLED = {"penguins", "zoo", "house_votes"}
MAKERS = {
    "mixture": lambda seed: datasets.make_mixture(
        40, means=[[0.0, 0.0], [5.0, 5.0]], weights=[0.3, 0.7], random_state=seed
    ),
    "imbalanced": lambda seed: datasets.make_imbalanced_gaussians(40, random_state=seed),
    "crescents": lambda seed: datasets.make_crescents(40, random_state=seed),
}


def load(name, **options):
    return getattr(datasets, f"load_{name}")(**options)


# ---- every loader -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_bunch(name):
    bunch = load(name)
    assert bunch.data.shape == SHAPES[name]
    assert bunch.data.dtype == np.float64
    assert len(bunch.feature_names) == SHAPES[name][1]
    assert bunch.frame is None
    assert bunch.filename == f"{name}.csv"
    assert "Source:" in bunch.DESCR and "Licence:" in bunch.DESCR
    assert ("target" in bunch) == (name in LABELLED)
    if name in LABELLED:
        assert bunch.target.shape == SHAPES[name][:1]
        assert len(bunch.target_names) == len(np.unique(bunch.target))


@pytest.mark.parametrize("name", SHAPES)
def test_return_X_y(name):
    X, y = load(name, return_X_y=True)
    bunch = load(name)
    assert_array_equal(X, bunch.data)
    if name in LABELLED:
        assert_array_equal(y, bunch.target)
    assert (y is None) == (name not in LABELLED)


@pytest.mark.parametrize("name", SHAPES)
def test_as_frame(name):
    pandas = pytest.importorskip("pandas")
    bunch = load(name, as_frame=True)
    assert isinstance(bunch.frame, pandas.DataFrame)
    assert list(bunch.data.columns) == bunch.feature_names
    assert_array_equal(bunch.data.to_numpy(), load(name).data)
    X, y = load(name, as_frame=True, return_X_y=True)
    assert_array_equal(X.to_numpy(), bunch.data.to_numpy())
    if name in LABELLED:
        assert_array_equal(y.to_numpy(), load(name).target)
        assert_array_equal(bunch.frame["target"].to_numpy(), load(name).target)
    else:
        assert y is None
        assert list(bunch.frame.columns) == bunch.feature_names


def test_penguin_frame_holds_the_other_columns():
    pytest.importorskip("pandas")
    frame = datasets.load_penguins(as_frame=True).frame
    assert list(frame.columns[4:]) == ["target", "island", "sex", "year"]
    assert frame["sex"].isna().sum() == 11
    assert frame["year"].between(2007, 2009).all()


def test_as_frame_without_pandas_says_what_to_do(monkeypatch):
    import_ = builtins.__import__

    def no_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return import_(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pandas)
    with pytest.raises(ImportError, match="install pandas, or leave as_frame=False"):
        datasets.load_faithful(as_frame=True)


# ---- the files ----------------------------------------------------------------------------------


def test_files_are_small_and_only_text():
    files = list(resources.files("mixtures.datasets.data").iterdir())
    files = [file for file in files if file.is_file()]
    assert {file.name.rpartition(".")[2] for file in files} == {"csv", "md", "py"}
    assert {file.name[:-4] for file in files if file.name.endswith(".csv")} == set(SHAPES)
    assert sum(len(file.read_bytes()) for file in files) < 100_000
    assert all(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("name", SHAPES)
def test_reading_never_unpickles(name, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("a data file was unpickled")

    monkeypatch.setattr(pickle, "load", forbidden)
    monkeypatch.setattr(pickle, "loads", forbidden)
    monkeypatch.setattr(pickle, "Unpickler", forbidden)
    monkeypatch.setattr(np, "load", forbidden)
    load(name)


# ---- published values ---------------------------------------------------------------------------


def test_faithful_against_published_summaries():
    X = datasets.load_faithful().data
    assert_allclose(X.sum(axis=0), [948.677, 19284], rtol=1e-13)
    # means, variances and correlation as R prints them for its `faithful`
    assert_allclose(X.mean(axis=0), [3.487783, 70.897059], atol=5e-7)
    assert_allclose(X.var(axis=0, ddof=1), [1.302728, 184.823312], atol=5e-7)
    assert_allclose(np.corrcoef(X.T)[0, 1], 0.9008112, atol=5e-8)
    assert_array_equal(X[:3], [[3.6, 79], [1.8, 54], [3.333, 74]])


def test_galaxies_have_the_corrected_value():
    X = datasets.load_galaxies().data[:, 0]
    assert (np.diff(X) > 0).all()
    assert X[77] == 26960
    mass = X.copy()
    mass[77] = 26690
    assert mass.sum() == 1_707_910 and round(mass.mean(), 2) == 20828.17  # as MASS has it
    assert np.median(X) == 20833.5


def test_acidity_is_the_log_of_tenths():
    X = datasets.load_acidity().data[:, 0]
    assert_allclose(X.sum(), 791.289947, rtol=1e-12)
    # An independent check of each of the 155 numbers: ANC + 50 was measured in tenths.
    shifted = np.exp(X)
    assert_allclose(shifted, np.round(shifted, 1), rtol=1e-6)


def test_penguins_against_published_summaries():
    penguins = datasets.load_penguins()
    assert_array_equal(np.bincount(penguins.target), [152, 68, 124])
    assert_allclose(
        np.nanmean(penguins.data, axis=0), [43.92193, 17.15117, 200.9152, 4201.754], rtol=5e-7
    )
    assert_array_equal(np.isnan(penguins.data).sum(axis=0), [2, 2, 2, 2])
    names, counts = np.unique(penguins.sex, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {"": 11, "female": 165, "male": 168}
    names, counts = np.unique(penguins.island, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {"Biscoe": 168, "Dream": 124, "Torgersen": 52}
    assert_array_equal(np.bincount(penguins.year - 2007), [110, 114, 120])


def test_zoo_against_published_counts():
    zoo = datasets.load_zoo()
    assert_array_equal(np.bincount(zoo.target)[1:], [41, 20, 5, 13, 4, 8, 10])
    legs = zoo.feature_names.index("legs")
    assert_array_equal(np.unique(zoo.data[:, legs]), [0, 2, 4, 5, 6, 8])
    assert_array_equal(np.unique(np.delete(zoo.data, legs, axis=1)), [0, 1])
    assert len(zoo.animal) == 101 and len(set(zoo.animal)) == 100  # two frogs
    feathers = zoo.data[:, zoo.feature_names.index("feathers")] == 1
    assert set(zoo.target_names[zoo.target[feathers] - 1]) == {"bird"}
    expected = [43, 20, 59, 41, 24, 36, 56, 61, 83, 80, 8, 17, 287, 75, 13, 44]
    assert_array_equal(zoo.data.sum(axis=0), expected)


def test_house_votes_against_published_counts():
    votes = datasets.load_house_votes()
    assert list(votes.target_names) == ["democrat", "republican"]
    assert_array_equal(np.bincount(votes.target), [267, 168])
    # the repository's table of missing answers
    missing = [12, 48, 11, 11, 15, 11, 14, 15, 22, 7, 21, 31, 25, 17, 28, 104]
    assert_array_equal(np.isnan(votes.data).sum(axis=0), missing)
    assert (~np.isnan(votes.data).any(axis=1)).sum() == 232
    assert_array_equal(np.unique(votes.data[~np.isnan(votes.data)]), [0, 1])
    # physician-fee-freeze nearly decides the party: 163 of 165 republicans said yes
    yes = votes.data[:, votes.feature_names.index("physician_fee_freeze")]
    assert_array_equal(np.bincount(votes.target[yes == 1]), [14, 163])
    assert_array_equal(np.bincount(votes.target[yes == 0]), [245, 2])


# ---- makers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_seeds_give_the_same_bits(make):
    X, y = make(7)
    for same in (7, np.int64(7), np.random.RandomState(7)):
        X_again, y_again = make(same)
        assert_array_equal(X, X_again)
        assert_array_equal(y, y_again)
    assert not np.array_equal(X, make(8)[0])
    rng = np.random.default_rng(7)
    first, second = make(rng)[0], make(rng)[0]  # a generator moves on
    assert not np.array_equal(first, second)
    assert_array_equal(first, make(np.random.default_rng(7))[0])
    assert make(None)[0].shape == X.shape == (40, 2)


FULL = np.array([[[2.0, 0.9], [0.9, 1.0]], [[0.5, -0.2], [-0.2, 0.3]], np.eye(2)])
COVARIANCES = {  # what is passed, and what it means
    "full": (FULL, FULL),
    "diag": ([[2.0, 0.5], [0.1, 3.0], [1, 1]], [np.diag(v) for v in ([2, 0.5], [0.1, 3], [1, 1])]),
    "spherical": ([2.0, 0.5, 1.0], [2.0 * np.eye(2), 0.5 * np.eye(2), np.eye(2)]),
    "number": (1.5, [1.5 * np.eye(2)] * 3),
}


@pytest.mark.parametrize("kind", COVARIANCES)
def test_mixture_moments_match_the_truth(kind):
    n, weights = 60_000, np.array([0.5, 0.2, 0.3])
    means = np.array([[0.0, 0.0], [4.0, -1.0], [-3.0, 5.0]])
    given, truth = COVARIANCES[kind]
    options = {"weights": weights, "means": means, "covariances": given, "random_state": 0}
    made = datasets.make_mixture(n, **options, return_X_y=False)
    assert_allclose(made.covariances, truth, atol=1e-14)
    assert_array_equal(made.means, means)
    assert_allclose(made.weights, weights)
    # five standard errors each: the seed is fixed, so this never fails by chance
    counts = np.bincount(made.target, minlength=3)
    assert (abs(counts - n * weights) < 5 * np.sqrt(n * weights * (1 - weights))).all()
    for k in range(3):
        X = made.data[made.target == k]
        sd = np.sqrt(np.diag(truth[k]))
        assert (abs(X.mean(axis=0) - means[k]) < 5 * sd / np.sqrt(len(X))).all()
        bound = 5 * np.sqrt((np.outer(sd**2, sd**2) + truth[k] ** 2) / len(X))
        assert (abs(np.cov(X.T) - truth[k]) < bound).all()


def test_components_of_weight_zero_have_no_rows():
    X, y = datasets.make_mixture(500, means=[[0], [1], [2]], weights=[0, 1, 0], random_state=0)
    assert X.shape == (500, 1)
    assert set(y) == {1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"means": [0.0, 1.0]}, "for one feature write"),
        ({"means": [[0.0], [np.nan]]}, "finite"),
        ({"weights": [0.5, 0.6]}, "sum to 1"),
        ({"weights": [1.0]}, "weights must be 2 numbers"),
        ({"weights": [-0.5, 1.5]}, "at least 0"),
        ({"covariances": np.ones((3, 3))}, "repeat a shared covariance matrix"),
        ({"covariances": [1.0, 0.0]}, "variance above 0"),
        ({"covariances": [np.eye(2), -np.eye(2)]}, "positive definite"),
        ({"covariances": [np.eye(2), [[1.0, 0.9], [0.0, 1.0]]]}, "symmetric"),
        ({"n_samples": 0}, "at least 1"),
        ({"n_samples": 2.5}, "integer"),
    ],
)
def test_mixture_errors_are_sentences(options, message):
    arguments = {"means": [[0.0, 0.0], [1.0, 1.0]], **options}
    with pytest.raises(ValueError, match=message):
        datasets.make_mixture(**arguments)


def test_imbalanced_gaussians():
    # The published test set's labels, to the unit.
    y = datasets.make_imbalanced_gaussians(2500, random_state=5489)[1]
    assert_array_equal(np.bincount(y), [757, 42, 831, 81, 789])
    made = datasets.make_imbalanced_gaussians(10, random_state=0, return_X_y=False)
    assert made.means.shape == (5, 2) and made.covariances.shape == (5, 2, 2)
    balanced = datasets.make_imbalanced_gaussians(5000, weights=np.full(5, 0.2), random_state=0)[1]
    assert abs(np.bincount(balanced) - 1000).max() < 150


def test_crescents_are_blurred_arcs_of_circles():
    X, y = datasets.make_crescents(500, random_state=5489)
    assert_array_equal(np.bincount(y), [198, 87, 18, 197])
    X, y = datasets.make_crescents(20_000, noise=0.0, weights=np.full(4, 0.25), random_state=0)
    for k, (centre, side) in enumerate(zip(np.linspace(-4, 4, 4), [1, -1, 1, -1], strict=True)):
        across, up = X[y == k].T - [[centre], [side * -1.3]]
        assert_allclose(np.hypot(across, up), 3.0, rtol=1e-12)
        assert np.median(side * up) > 2.5  # dense in the middle of the arc, above its centre
    blurred = datasets.make_crescents(20_000, weights=np.full(4, 0.25), random_state=0)[0]
    assert_allclose((blurred - X).std(axis=0), [0.0, 0.2], atol=0.01)
    with pytest.raises(ValueError, match="standard deviation"):
        datasets.make_crescents(noise=-1.0)
