"""Small real data sets, bundled, and random ones whose truth is known.

Loaders return a `sklearn.utils.Bunch`, or `(X, y)` with `return_X_y=True`; labels that do not exist
are absent from the Bunch and None in the pair. Missing values are NaN. Nothing is downloaded.
"""

from ._answers import load_house_votes, load_zoo
from ._makers import make_crescents, make_imbalanced_gaussians, make_mixture
from ._measurements import load_acidity, load_faithful, load_galaxies, load_penguins

__all__ = [
    "load_acidity",
    "load_faithful",
    "load_galaxies",
    "load_house_votes",
    "load_penguins",
    "load_zoo",
    "make_crescents",
    "make_imbalanced_gaussians",
    "make_mixture",
]
