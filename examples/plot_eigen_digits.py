"""Eigen-digits: what a few numbers say of an image of sixty-four pixels.

Probabilistic PCA of all digits: its mean and principal axes as images, images from two to twenty
factors, and images that it draws. One linear map is too few for ten digits, so what it draws are
hardly any; a mixture of factor analysers has one for each way of writing, in fewer dimensions.

    python examples/plot_eigen_digits.py --output eigen_digits.png
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits

from mixtures import MixtureOfFactorAnalyzers, ProbabilisticPCA

SIDE = 8
COLUMNS = 20  # images in a line
RANKS = (2, 5, 10, 20)
COMPONENTS = COLUMNS
FACTORS = 2


def explain(X: np.ndarray) -> dict[int, ProbabilisticPCA]:
    """Probabilistic PCA of several ranks, with what each of them explains."""
    models = {rank: ProbabilisticPCA(rank).fit(X) for rank in RANKS}
    print("factors  variance explained  noise variance      BIC")
    for rank, model in models.items():
        share = model.explained_variance_ratio_.sum()
        print(f"{rank:7}  {share:18.1%}  {model.noise_variance_:14.2f}  {model.bic(X):7.0f}")
    return models


def divide(X: np.ndarray, digits: np.ndarray) -> tuple[MixtureOfFactorAnalyzers, np.ndarray]:
    """A mixture of factor analysers, and the digits in each of its components (k, 10)."""
    mixture = MixtureOfFactorAnalyzers(COMPONENTS, n_factors=FACTORS, max_iter=500, random_state=0)
    components = mixture.fit_predict(X)
    print(f"\n{COMPONENTS} components of {FACTORS} factors: BIC {mixture.bic(X):.0f}")
    print(f"EM: {mixture.stop_reason_}")
    counts = [np.bincount(digits[components == c], minlength=10) for c in range(COMPONENTS)]
    return mixture, np.array(counts)


def main() -> None:
    """Fit, print what was found, and draw it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write the picture to this file")
    output = parser.parse_args().output

    # Grey levels are whole numbers, and some pixels are always white: a density would rise above
    # all bounds there. A number between 0 and 1 added to each makes them continuous.
    rng = np.random.default_rng(0)
    digits = load_digits()
    X = digits.data + rng.uniform(size=digits.data.shape)
    print(f"{len(X)} images of {X.shape[1]} pixels\n")

    models = explain(X)
    mixture, table = divide(X, digits.target)
    order = np.lexsort([-mixture.weights_, table.argmax(axis=1)])
    purity = table.max(axis=1).sum() / len(X)
    print(f"\n{purity:.1%} of the images show the most frequent digit of their component.")

    if output:
        draw(X[:COLUMNS], models, mixture, order, output)


def strip(images: np.ndarray) -> np.ndarray:
    """Images (m, 64) side by side, with a column of NaN between them."""
    gap = np.full((len(images), SIDE, 1), np.nan)
    tiles = np.concatenate([images.reshape(-1, SIDE, SIDE), gap], axis=2)
    return np.hstack(tiles)[:, :-1]


def draw(
    X: np.ndarray,
    models: dict[int, ProbabilisticPCA],
    mixture: MixtureOfFactorAnalyzers,
    order: np.ndarray,
    output: str,
) -> None:
    """Lines of twenty images: axes, what factors keep, what is drawn, and the mixture's parts."""
    from matplotlib import pyplot

    largest, loadings = models[max(RANKS)], mixture.loadings_[order]
    rng = np.random.default_rng(1)
    z, z_own = rng.standard_normal((COLUMNS, max(RANKS))), rng.standard_normal((COLUMNS, FACTORS))
    drawn = [mixture.inverse_transform(z_own[[c]], component=c) for c in order]
    blocks: dict[str, dict[str, np.ndarray]] = {
        f"Probabilistic PCA: mean, and loadings of the first {COLUMNS - 1} factors": {
            "": np.vstack([np.full(SIDE**2, np.nan), largest.loadings_.T[: COLUMNS - 1]])
        },
        "Images, and what is expected of them given their factors": {
            "image": X,
            **{f"{r} factors": m.inverse_transform(m.transform(X)) for r, m in models.items()},
        },
        f"What is expected given {max(RANKS)} random factors": {"": largest.inverse_transform(z)},
        f"Mixture of {COMPONENTS} factor analysers: a column is a component": {
            "mean": mixture.means_[order],
            **{f"factor {j}": loadings[:, :, j] for j in range(FACTORS)},
            "random": np.vstack(drawn),
        },
    }
    lines = [(title, *line) for title, block in blocks.items() for line in block.items()]
    figure, axes = pyplot.subplots(len(lines), 1, figsize=(9.6, 7.4), layout="constrained")
    figure.get_layout_engine().set(hspace=0.0, h_pad=0.02)
    grey, title_above = {"cmap": "Greys", "vmin": 0.0, "vmax": 17.0}, ""
    for ax, (title, name, images) in zip(axes, lines, strict=True):
        if "loadings" in title or name.startswith("factor "):
            limit = np.nanmax(np.abs(images))
            ax.imshow(strip(images), cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            ax.imshow(strip(images), **grey)
        if title != title_above:
            ax.set_title(title, loc="left", fontsize="medium")
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        title_above = title
    rest = np.full((COLUMNS - 1, SIDE**2), np.nan)
    axes[0].imshow(strip(np.vstack([largest.mean_, rest])), **grey)
    figure.savefig(output, dpi=120)


if __name__ == "__main__":
    main()
