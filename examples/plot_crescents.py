"""Four crescents, one of them rare: what helps to find it, and where the layer's prior goes.

With few updates a softmax misses most of the rare crescent, and a layer that estimates its prior
finds more. With ten times the updates a softmax misses few; and leaving the training shares out of
its posterior, which takes no training at all, finds some of the rest.

    python examples/plot_crescents.py --output crescents.png
"""

from __future__ import annotations

import argparse
import warnings
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import recall_score

from mixtures import ResponsibleSoftmaxClassifier
from mixtures.datasets import make_crescents

RARE = 2
SEED = 10  # of the networks; with few updates what they find varies, here it is near the mean


def network(epochs: int, rate: float, **options: Any) -> ResponsibleSoftmaxClassifier:
    """Two features, sixteen hidden units; the rate falls to a fifth twice."""
    return ResponsibleSoftmaxClassifier(
        (16,),
        batch_size=100,
        learning_rate="step",
        learning_rate_init=rate,
        lr_drop_period=epochs // 3,
        max_epochs=epochs,
        n_iter_no_change=epochs,
        random_state=SEED,
        **options,
    )


def main() -> None:
    """Fit three networks, print what they find, and draw regions and a prior if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture to this file")
    output = parser.parse_args().output

    X, y = make_crescents(4500, random_state=0)
    new, truth = make_crescents(20_000, random_state=1)
    with warnings.catch_warnings():  # so many epochs and no more: they are what is compared
        warnings.simplefilter("ignore", ConvergenceWarning)
        short = network(15, 1e-3, head="softmax", predict_prior="train").fit(X, y)
        estimated = network(15, 1e-3, n_prior_iter=2).fit(X, y)
        long = network(150, 1e-2, head="softmax", predict_prior="train").fit(X, y)
    models = {
        "softmax, few updates": short,
        "prior estimated, few updates": estimated,
        "softmax, ten times the updates": long,
        "the same, equal shares assumed": deepcopy(long).set_params(predict_prior="uniform"),
    }
    print(f"{'recall':32}{'rare crescent':>14}{'all':>8}")
    found = {}
    for name, model in models.items():
        named = model.predict(new)
        found[name] = recall_score(truth, named, labels=[RARE], average=None)[0]
        print(f"{name:32}{found[name]:14.1%}{np.mean(named == truth):8.1%}")
    print(f"\n{found[name]:.1%} of the points of the rare crescent are found with equal shares.")

    if output:
        from matplotlib import pyplot

        from mixtures.plotting import ClassRegionsDisplay, PriorCurveDisplay

        shown, labels = make_crescents(500, random_state=5489)
        figure, axes = pyplot.subplots(2, 2, figsize=(10.0, 7.2), layout="constrained")
        for ax, name in zip(axes.flat, [n for n in models if "equal" not in n], strict=False):
            look = {"legend": False, "scatter_kwargs": {"s": 12}, "ax": ax}
            display = ClassRegionsDisplay.from_estimator(models[name], shown, labels, **look)
            ax.set_title(f"{name}\nfound of the rare class 2: {found[name]:.0%}", fontsize=11)
        curve = PriorCurveDisplay.from_estimator(estimated, ax=axes[1, 1], legend=False)
        curve.ax_.set_title("prior estimated, few updates\ndashed: shares in training", fontsize=11)
        above = {"loc": "outside upper center", "ncols": 4, "frameon": False}
        figure.legend(handles=display.handles_, handletextpad=0.1, title="class", **above)
        figure.savefig(output, dpi=110)


if __name__ == "__main__":
    main()
