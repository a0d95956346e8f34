"""How many penguins of each species there are, told from their flippers alone.

Half of the birds have a name: from these come the densities of flipper length of three species. Of
the other half nothing is known but the lengths, and the shares of the species are wanted. The map
"mean responsibility of each species" is applied again and again; from every start its orbit climbs
to the one maximum of the likelihood.

    python examples/plot_orbit_on_the_simplex.py --output orbit_on_the_simplex.png
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import norm

from mixtures import DynamicResponsibility
from mixtures.datasets import load_penguins

FLIPPER = 2  # the measurement, mm
STARTS = np.array([[1, 1, 1], [0.02, 0.06, 0.92], [0.02, 0.96, 0.02], [0.95, 0.03, 0.02]])


def densities() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Of the unnamed birds under each species (n, 3), per mm; their species; its names."""
    penguins = load_penguins()
    length, species = penguins.data[:, FLIPPER], penguins.target
    measured = ~np.isnan(length)
    length, species = length[measured], species[measured]
    named = np.random.default_rng(0).random(len(length)) < 0.5
    groups = [length[named & (species == s)] for s in range(3)]
    means, deviations = [g.mean() for g in groups], [g.std() for g in groups]
    F = norm.pdf(length[~named, np.newaxis], means, deviations)
    return F, species[~named], [str(name) for name in penguins.target_names]


def main() -> None:
    """Estimate the shares, print them beside the truth, and draw the orbits if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture of the orbits to this file")
    output = parser.parse_args().output

    F, species, names = densities()
    truth = np.bincount(species, minlength=3) / len(species)
    print(f"{len(F)} penguins, of which only the flippers are known")

    best = DynamicResponsibility().fit(F)
    print(f"\n{'':12}{'share':>8}{'± s.e.':>9}{'truth':>9}")
    for row in zip(names, best.weights_, best.standard_errors_, truth, strict=True):
        print("{:12}{:8.3f}{:9.3f}{:9.3f}".format(*row))

    orbits = []
    for start in STARTS / STARTS.sum(axis=1, keepdims=True):
        model = DynamicResponsibility(solver="em", start=start, store_orbit=True).fit(F)
        away = np.abs(model.weights_ - best.weights_).max()
        print(f"\nEM from {start.round(2)}: {model.n_iter_} steps, {away:.0e} from the maximum")
        orbits.append(model)
    print(f"Newton steps on the same problem: {best.n_iter_}")
    share = 1.0 - np.abs(best.weights_ - truth).sum() / 2.0
    print(f"\n{share:.1%} of the birds are counted under the species that they are.")

    if output:
        from mixtures.plotting import OrbitDisplay

        display, ax = None, None
        for number, model in enumerate(orbits):
            look = {"color": f"C{number}"}
            display = OrbitDisplay.from_estimator(
                model, F, names=names, ax=ax, background=ax is None, line_kwargs=look
            )
            ax = display.ax_
        display.figure_.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
