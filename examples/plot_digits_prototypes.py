"""Prototypes of handwritten digits.

Images of 8 x 8 pixels are made black and white; a mixture of twenty Bernoulli components then finds
typical ways of writing a digit. Each component is a picture: the probability of ink in every pixel.

    python examples/plot_digits_prototypes.py --output digits.png
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits

from mixtures import BernoulliMixture
from mixtures.priors import Beta

INK = 7.5  # grey levels are 0 to 16; above this a pixel counts as ink


def main() -> None:
    """Fit, print what each component holds, and draw the prototypes if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write the prototypes as a picture to this file")
    output = parser.parse_args().output

    digits = load_digits()
    X = digits.data > INK
    print(f"{X.shape[0]} images of {X.shape[1]} pixels, {X.mean():.0%} of them ink")

    # One imagined image with ink and one without, for every pixel of every component: so that no
    # pixel is impossible only because it was never seen.
    model = BernoulliMixture(n_components=20, prior=Beta(2.0, 2.0), random_state=0)
    components = model.fit_predict(X)
    print(f"EM: {model.stop_reason_}")

    # Components were not told the digits; count which of them each one holds.
    table = np.array([np.bincount(digits.target[components == c], minlength=10) for c in range(20)])
    order = np.lexsort([-model.weights_, table.argmax(axis=1)])
    print("\ncomponent  weight" + "".join(f"{digit:>5}" for digit in range(10)))
    for c in order:
        counts = "".join(f"{count or '.':>5}" for count in table[c])
        print(f"{c:>9}  {model.weights_[c]:>6.3f}{counts}")
    purity = table.max(axis=1).sum() / len(X)
    print(f"\n{purity:.1%} of the images show the most frequent digit of their component.")

    if output:
        from mixtures.plotting import PrototypeDisplay

        display = PrototypeDisplay.from_estimator(model, shape=(8, 8), components=order)
        display.colorbar_.set_label("probability of ink")
        display.figure_.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
