"""Covering a curve with straight pieces.

A noisy spiral that shrinks while it rises is one-dimensional, but no line fits it. A mixture of
probabilistic PCA with one factor covers it with pieces of lines, as many as BIC wants; each says
where it lies, in which direction it goes and how long it is. In a mixture of digits such a piece is
a way in which an image changes.

    python examples/plot_manifold.py --output manifold.png
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from mixtures import MixtureOfFactorAnalyzers, MixtureOfPPCA
from mixtures.selection import InformationCriterionSearch

ROWS, NOISE, TURNS = 1200, 0.03, 2.25
COMPONENTS = (10, 14, 18, 22, 26)
DEGREES = 10.0  # between a piece and the curve, at most
STEPS = np.linspace(-2.0, 2.0, 9)  # of a factor, in standard deviations
DIGITS = 20  # components for images
SHOWN = 4  # of these


def spiral(t: np.ndarray) -> np.ndarray:
    """Points (n, 3) of the curve at 0 <= t <= 1."""
    angle, radius = 2.0 * np.pi * TURNS * t, 1.0 - 0.8 * t
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 2.0 * t])


def cover(X: np.ndarray) -> InformationCriterionSearch:
    """Pieces of lines and, with two factors in three dimensions, ellipsoids of any shape."""
    model = MixtureOfPPCA(tol=1e-5, max_iter=1000, n_init=3, random_state=0)
    grid = {"n_components": COMPONENTS, "n_factors": [1, 2]}
    return InformationCriterionSearch(model, grid).fit(X)


def angles(mixture: MixtureOfPPCA) -> np.ndarray:
    """Degrees (k,) between pieces and the true curve at its point nearest to their means."""
    t = np.linspace(0.0, 1.0, 10_001)
    curve = spiral(t)
    tangents = np.gradient(curve, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    nearest = [((curve - mean) ** 2).sum(axis=1).argmin() for mean in mixture.means_]
    axes = mixture.loadings_[:, :, 0]
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    cosines = np.abs((axes * tangents[nearest]).sum(axis=1))
    return np.degrees(np.arccos(np.minimum(cosines, 1.0)))


def traverse_digits() -> dict[str, np.ndarray]:
    """Images (steps, 64) along the only factor of some components, by their digit and weight."""
    digits = load_digits()
    # Grey levels are whole numbers: see plot_eigen_digits.py.
    X = digits.data + np.random.default_rng(0).uniform(size=digits.data.shape)
    mixture = MixtureOfFactorAnalyzers(DIGITS, n_factors=1, max_iter=500, random_state=0)
    found = mixture.fit_predict(X)
    lengths = np.linalg.norm(mixture.loadings_[:, :, 0], axis=1)
    paths = {}
    for c in np.argsort(-lengths, kind="stable")[:SHOWN]:
        digit = np.bincount(digits.target[found == c]).argmax()
        path = mixture.inverse_transform(STEPS[:, None], component=c)
        paths[f"component {c}, most often a {digit}"] = path
    return paths


def main() -> None:
    """Fit, print how the pieces lie, and draw them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write the picture to this file")
    output = parser.parse_args().output

    rng = np.random.default_rng(0)
    X = spiral(rng.uniform(size=ROWS)) + NOISE * rng.standard_normal((ROWS, 3))
    search = cover(X)
    positions, _, values = search.table("n_components", "n_factors")
    print(f"{ROWS} points near a curve; BIC by the number of components:")
    print("    1 factor   2 factors")
    for k, line in zip(positions, values, strict=True):
        print(f"{k:2}" + "".join(f"{value:10.1f}" for value in line))
    mixture = search.best_estimator_
    spread = np.sqrt(mixture.noise_variances_)
    print(f"\nlowest: {search.best_params_}")
    print(f"noise of the pieces: {spread.min():.3f} to {spread.max():.3f}, of the points: {NOISE}")
    print(f"angles between pieces and the curve: at most {angles(mixture).max():.1f} degrees")
    share = (angles(mixture) <= DEGREES).mean()
    print(f"\n{share:.1%} of the pieces are within ten degrees of the curve.")

    if output:
        draw(X, search, traverse_digits(), output)


def draw(X: np.ndarray, search: Any, paths: dict[str, np.ndarray], output: str) -> None:
    """The cover, the criterion, and ways through digits."""
    from matplotlib import pyplot

    from mixtures.plotting import InformationCriterionDisplay

    figure = pyplot.figure(figsize=(9.6, 7.6), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.15, 1.0])
    left, right = upper.subfigures(1, 2)
    ax = left.add_subplot(projection="3d", computed_zorder=False)
    ax.scatter(*X.T, s=3.0, color="#BBBBBB", linewidths=0.0)
    mixture = search.best_estimator_
    # A uniform distribution reaches sqrt(3) standard deviations to either side of its mean.
    half = np.sqrt(3.0) * mixture.loadings_[:, :, 0]
    for mean, away in zip(mixture.means_, half, strict=True):
        ax.plot(*np.array([mean - away, mean + away]).T, color="#D55E00", linewidth=2.2)
    ax.scatter(*mixture.means_.T, s=14.0, color="#0072B2", depthshade=False, zorder=5)
    ax.set_title(f"{len(half)} pieces of one factor", fontsize="medium")
    ax.set_axis_off()
    ax.view_init(elev=28.0, azim=-60.0)
    ax.set_box_aspect((1.0, 1.0, 0.8), zoom=1.5)
    values = search.table("n_components", "n_factors")[2]
    display = InformationCriterionDisplay(COMPONENTS, values, ["1 factor", "2 factors"])
    display.plot(right.subplots())

    axes = lower.subplots(len(paths), len(STEPS))
    for line, (name, path) in zip(axes, paths.items(), strict=True):
        for panel, image in zip(line, path, strict=True):
            panel.imshow(image.reshape(8, 8), cmap="Greys", vmin=0.0, vmax=17.0)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        line[0].set_ylabel(name.replace(", ", ",\n"), rotation=0, ha="right", va="center")
    for panel, z in zip(axes[0], STEPS, strict=True):
        panel.set_title(
            f"{z:+.1f}".replace("-", "\N{MINUS SIGN}").replace("+0.0", "0"), fontsize="medium"
        )
    lower.suptitle(
        "Images along the factor of a component, in standard deviations", fontsize="medium"
    )
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    main()
