"""What a rotation does to loadings.

Thirteen measurements of 178 wines have three factors in common. Which three axes span them, the
likelihood does not say: loadings may be rotated. The canonical ones are mixtures of everything;
varimax makes each feature load on few factors, and oblimin lets the factors correlate for it.

    python examples/plot_factor_rotation.py --output factor_rotation.png
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_wine

from mixtures import FactorAnalysis

FACTORS = 3
ROTATIONS = {None: "not rotated", "varimax": "varimax", "oblimin": "oblimin"}
SIMPLE = 0.8  # share of a sum of squared loadings that one factor has nearly alone


def main() -> None:
    """Fit, print loadings and how simple they are, and draw them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write the loadings as a picture to this file")
    output = parser.parse_args().output

    wine = load_wine()
    X = wine.data / wine.data.std(axis=0)  # loadings are then correlations with the factors
    names = [name.split("/")[0].replace("_", " ") for name in wine.feature_names]
    models = {r: FactorAnalysis(FACTORS, rotation=r).fit(X) for r in ROTATIONS}
    print(f"{X.shape[0]} wines, {X.shape[1]} measurements, {FACTORS} factors")

    simple = {}
    for rotation, title in ROTATIONS.items():
        model = models[rotation]
        squares = model.components_**2
        simple[rotation] = (squares.max(axis=0) > SIMPLE * squares.sum(axis=0)).mean()
        print(f"\n{title}: log-likelihood {model.score(X):.6f} nats per row")
        for name, loadings, left in zip(
            names, model.components_.T, model.uniquenesses_, strict=True
        ):
            print(f"{name:22}" + "".join(f"{x:7.2f}" for x in loadings) + f"   noise {left:.2f}")
        correlations = model.factor_covariance_[np.triu_indices(FACTORS, 1)]
        print("correlations of the factors: " + ", ".join(f"{r + 0.0:.2f}" for r in correlations))
        print(f"{simple[rotation]:.1%} have {SIMPLE:.0%} of their communality from one factor")
    share = simple["oblimin"]
    print(f"\n{share:.1%} of the features are explained by one factor of oblimin, nearly alone.")

    if output:
        from matplotlib import pyplot

        from mixtures.plotting import LoadingsDisplay

        figure, axes = pyplot.subplots(1, 3, figsize=(9.6, 4.4), sharey=True, layout="constrained")
        order = LoadingsDisplay(models["varimax"].components_.T).order()
        for ax, (rotation, title) in zip(axes, ROTATIONS.items(), strict=True):
            LoadingsDisplay.from_estimator(
                models[rotation],
                features=order,
                feature_names=names,
                ax=ax,
                limit=1.0,
                factor_names=[str(number) for number in range(FACTORS)],
                colorbar=ax is axes[-1],
            )
            ax.set_title(title)
        figure.savefig(output, dpi=120)


if __name__ == "__main__":
    main()
