"""Class shares of an unlabelled set of digits.

A classifier of handwritten digits is trained where a zero is ten times as frequent as a nine. Then
come images without labels, in which it is the other way round. Counting its predictions gives
shares that lie towards those in training; the mixture proportions of its density ratios do not, and
say how sure they are. With them the same classifier makes fewer errors.

    python examples/plot_label_shift.py --output shares.png
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mixtures.label_shift import PriorShiftClassifier

FREQUENT_TO_RARE = 10.0


def some_of(images: np.ndarray, digits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Numbers of rows such that digit d is as frequent as its share says."""
    most = min(np.bincount(digits[images])) / shares.max()
    kinds = (images[digits[images] == d] for d in range(10))
    return np.concatenate([kind[: round(most * s)] for kind, s in zip(kinds, shares, strict=True)])


def main() -> None:
    """Fit, estimate, print the shares, and draw them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture of the shares to this file")
    output = parser.parse_args().output

    X, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digits))
    falling = FREQUENT_TO_RARE ** (-np.arange(10) / 9.0)
    falling /= falling.sum()
    train = some_of(order[:900], digits, falling)
    new = some_of(order[900:], digits, falling[::-1])
    print(f"{len(train)} images with labels, {len(new)} without")

    inner = make_pipeline(StandardScaler(), LogisticRegression())
    model = PriorShiftClassifier(inner).fit(X[train], digits[train])
    print(f"Posteriors are divided by a temperature of {model.temperature_:.2f}")

    adapted = model.adapt(X[new])
    estimate = adapted.prior_estimate_
    counted = np.bincount(model.predict(X[new]), minlength=10) / len(new)
    truth = np.bincount(digits[new], minlength=10) / len(new)
    print("\ndigit  training  counted  estimated      95 %      true")
    for d, (low, high) in enumerate(estimate.confidence_interval()):
        print(
            f"{d:5d}  {model.train_prior_[d]:8.3f}  {counted[d]:7.3f}  {estimate.prior[d]:9.3f}  "
            f"{low:.3f}-{high:.3f}  {truth[d]:.3f}"
        )
    errors = [np.abs(shares - truth).sum() for shares in (counted, estimate.prior)]
    print(f"\nSum of errors: counted {errors[0]:.3f}, estimated {errors[1]:.3f}")
    print(f"No better shares exist than by {estimate.gap:.0e} nats per image.")
    print(f"That the shares are those in training has a p-value of {estimate.p_value:.0e}.")
    print(f"With the shares in training {model.score(X[new], digits[new]):.1%} were right.")
    score = adapted.score(X[new], digits[new])
    print(f"{score:.1%} of the images are named right with the estimated shares.")

    if output:
        from mixtures.plotting.shares import ClassShareDisplay

        others = {"counted predictions": counted, "true": truth}
        display = ClassShareDisplay.from_estimate(estimate, references=others)
        display.ax_.set_xlabel("digit")
        display.figure_.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
