"""Three species of penguins, by what was measured and by what was noted.

Bill, flipper and mass are numbers, correlated within a species: a Gaussian block. The island where
a bird was found and its sex, where known, are categories: a block each. One mixture of all of them
is not told the species; with the measurements alone a few birds more are taken for others.

    python examples/plot_mixed_penguins.py --output mixed_penguins.png
"""

from __future__ import annotations

import argparse

import numpy as np

from mixtures import CategoricalMixture, GaussianMixture, MixedMixture
from mixtures.datasets import load_penguins
from mixtures.profiles import profile_table

SPECIES = 3


def table_of(species: np.ndarray, components: np.ndarray) -> np.ndarray:
    """How many birds of each species (a column) are in each component (a row)."""
    return np.array(
        [np.bincount(species[components == c], minlength=SPECIES) for c in range(SPECIES)]
    )


def main() -> None:
    """Fit, print the components and their species, and draw them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture of the measurements to this file")
    output = parser.parse_args().output

    penguins = load_penguins()
    measured = ~np.isnan(penguins.data).any(axis=1)
    size, species = penguins.data[measured], penguins.target[measured]
    sex = np.where(penguins.sex == "", None, penguins.sex)  # unknown, which is no third sex
    X = np.column_stack([size.astype(object), penguins.island[measured], sex[measured]])
    print(f"{len(X)} penguins, {size.shape[1]} measurements, the island and the sex")

    blocks = [
        ("size", GaussianMixture(covariance_type="full"), slice(0, 4)),
        ("island", CategoricalMixture(), [4]),
        ("sex", CategoricalMixture(), [5]),
    ]
    model = MixedMixture(SPECIES, blocks=blocks, random_state=0, component_order="means")
    components = model.fit_predict(X)
    print(f"EM: {model.stop_reason_}")

    print("\nMeans of the measurements, and probabilities of the islands and of being male:")
    names = [str(name) for name in penguins.feature_names]
    for block, own in (("size", names), ("island", ["island"]), ("sex", ["sex"])):
        print(profile_table(model.named_blocks_[block], own))

    alone = GaussianMixture(SPECIES, random_state=0).fit_predict(size)
    shares = []
    for what, found in (("the measurements alone", alone), ("all columns", components)):
        table = table_of(species, found)
        shares.append(table.max(axis=1).sum() / len(X))
        print(f"\nBy {what}, {shares[-1]:.1%} are right:")
        print(" " * 11 + "".join(f"{name:>11}" for name in penguins.target_names))
        for number, counts in enumerate(table):
            print(f"component {number}" + "".join(f"{count:>11}" for count in counts))
    share = shares[-1]
    print(f"\n{share:.1%} of the penguins are of the most frequent species of their component.")

    if output:
        from mixtures.plotting import MixtureDisplay

        own = model.named_blocks_.size
        display = MixtureDisplay(
            size, components, own.weights_, own.means_, own.covariances_, feature_names=names
        )
        display.plot().figure_.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
