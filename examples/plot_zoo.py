"""Kinds of animals in a small zoo.

Fifteen yes-or-no properties and the number of legs, one of six categories, of 101 animals. A
categorical mixture of seven classes is not told that they are mammals, birds, reptiles, fish,
amphibians, insects and other invertebrates; how many of these does it find?

    python examples/plot_zoo.py --output zoo.png
"""

from __future__ import annotations

import argparse

import numpy as np

from mixtures import CategoricalMixture
from mixtures.datasets import load_zoo
from mixtures.priors import Dirichlet
from mixtures.profiles import profile_table

CLASSES = 7


def main() -> None:
    """Fit, print the classes and their animals, and draw them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture of the classes to this file")
    output = parser.parse_args().output

    zoo = load_zoo()
    print(f"{len(zoo.data)} animals, {len(zoo.feature_names)} properties")

    # The prior counts a tenth of an imagined animal for every category, so that with few animals
    # in a class no property is taken for impossible. Of twenty starts the best is kept.
    prior = Dirichlet(1.1)
    model = CategoricalMixture(CLASSES, prior=prior, n_init=20, random_state=0)
    classes = model.fit_predict(zoo.data.astype(int))
    print(f"EM: {model.stop_reason_}")

    print("\nWhat divides the classes most:")
    print(profile_table(model, zoo.feature_names, most=12))

    print("\nWho is in them:")
    table = np.array(
        [np.bincount(zoo.target[classes == c] - 1, minlength=CLASSES) for c in range(CLASSES)]
    )
    for number, counts in enumerate(table):
        kinds = [f"{n} × {kind}" for n, kind in zip(counts, zoo.target_names, strict=True) if n]
        some = ", ".join(zoo.animal[classes == number][:5])
        print(f"class {number}: {', '.join(kinds) or 'nobody'} ({some}, ...)")
    purity = table.max(axis=1).sum() / len(zoo.data)
    print(f"\n{purity:.1%} of the animals are of the most frequent kind of their class.")

    if output:
        from mixtures.plotting import PrototypeDisplay

        names = [zoo.target_names[counts.argmax()] for counts in table]
        display = PrototypeDisplay.from_estimator(
            model, feature_names=zoo.feature_names, component_names=names
        )
        display.figure_.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
