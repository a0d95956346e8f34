"""Two parties in sixteen votes.

The US House of 1984 as a latent class model sees it: two classes of members, each with a
probability of voting yes on every bill. The model is not told the parties, and a vote that is not
on record is left missing: it adds nothing to the likelihood.

    python examples/plot_house_votes.py --output house_votes.png
"""

from __future__ import annotations

import argparse

import numpy as np

from mixtures import BernoulliMixture
from mixtures.datasets import load_house_votes
from mixtures.profiles import profile_table


def main() -> None:
    """Fit, print the classes, and draw them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture of the two classes to this file")
    output = parser.parse_args().output

    votes = load_house_votes()
    bills = [name.replace("_", " ") for name in votes.feature_names]
    print(f"{len(votes.data)} members, {len(bills)} votes, {np.isnan(votes.data).sum()} missing")

    # Ten random starts, of which the best is kept.
    model = BernoulliMixture(n_components=2, n_init=10, random_state=0)
    classes = model.fit_predict(votes.data)
    print(f"EM: {model.stop_reason_}")

    print("\nProbability of a yes, bills that divide the classes most first:")
    print(profile_table(model, bills, most=8))

    # Which class is which party? The one that agrees with it more.
    parties = votes.target
    table = np.array([np.bincount(parties[classes == c], minlength=2) for c in range(2)])
    print("\n" + " " * 9 + "".join(f"{name:>12}" for name in votes.target_names))
    for number, counts in enumerate(table):
        print(f"class {number}  " + "".join(f"{count:>12}" for count in counts))
    agreement = max(np.trace(table), np.trace(table[::-1])) / len(parties)
    print(f"\n{agreement:.1%} of the members are in the class of their party.")

    if output:
        from mixtures.plotting import PrototypeDisplay

        names = [f"mostly\n{votes.target_names[counts.argmax()]}" for counts in table]
        display = PrototypeDisplay.from_estimator(
            model, feature_names=bills, component_names=names, most=len(bills)
        )
        display.colorbar_.set_label("probability of a yes")
        display.figure_.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
