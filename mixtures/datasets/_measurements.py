"""Loaders of data sets with continuous measurements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._tables import make_bunch, read_table

PENGUIN_MEASUREMENTS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


def load_faithful(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load 272 eruptions of the Old Faithful geyser: two elongated clusters.

    Columns: `eruptions` (duration, minutes) and `waiting` (time to the next eruption, minutes).

    Parameters
    ----------
    return_X_y : bool, default=False
        Return `(X, None)` in place of a Bunch; these data have no labels.
    as_frame : bool, default=False
        Return a pandas DataFrame in place of an array.

    Returns
    -------
    Bunch
        `data` (272, 2), `feature_names`, `frame`, `DESCR`, `filename`.

    References
    ----------
    Azzalini, A. and Bowman, A. W. (1990). A look at some data on the Old Faithful geyser. Applied
    Statistics 39, 357-365. Values: MIT licence (plotnine).

    Examples
    --------
    >>> from mixtures.datasets import load_faithful
    >>> faithful = load_faithful()
    >>> faithful.data.shape
    (272, 2)
    >>> [round(float(mean), 3) for mean in faithful.data.mean(axis=0)]
    [3.488, 70.897]
    """
    table = read_table("faithful")
    return make_bunch(table, table.header, return_X_y=return_X_y, as_frame=as_frame)


def load_galaxies(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the velocities of 82 galaxies, in km/s, in increasing order.

    The 78th is 26960 km/s as in Roeder's table; R's MASS has 26690 there, a known typing error.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return `(X, None)` in place of a Bunch; these data have no labels.
    as_frame : bool, default=False
        Return a pandas DataFrame in place of an array.

    Returns
    -------
    Bunch
        `data` (82, 1), `feature_names`, `frame`, `DESCR`, `filename`.

    References
    ----------
    Roeder, K. (1990). Density estimation with confidence sets exemplified by superclusters and
    voids in the galaxies. Journal of the American Statistical Association 85, 617-624.

    Examples
    --------
    >>> from mixtures.datasets import load_galaxies
    >>> X = load_galaxies().data
    >>> X.shape, float(X.min()), float(X.max())
    ((82, 1), 9172.0, 34279.0)
    """
    table = read_table("galaxies")
    return make_bunch(table, table.header, return_X_y=return_X_y, as_frame=as_frame)


def load_acidity(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the acid-neutralising capacity of 155 lakes, as log(ANC + 50), ANC in µeq/l.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return `(X, None)` in place of a Bunch; these data have no labels.
    as_frame : bool, default=False
        Return a pandas DataFrame in place of an array.

    Returns
    -------
    Bunch
        `data` (155, 1), `feature_names`, `frame`, `DESCR`, `filename`.

    References
    ----------
    Crawford, S. L. (1994). An application of the Laplace method to finite mixture distributions.
    Journal of the American Statistical Association 89, 259-267.

    Examples
    --------
    >>> from mixtures.datasets import load_acidity
    >>> X, y = load_acidity(return_X_y=True)
    >>> X.shape, round(float(X.mean()), 4), y
    ((155, 1), 5.1051, None)
    """
    table = read_table("acidity")
    return make_bunch(table, table.header, return_X_y=return_X_y, as_frame=as_frame)


def load_penguins(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load body measurements of 344 penguins of three species; NaN where not measured.

    Columns: bill length, bill depth and flipper length (mm), body mass (g).

    Parameters
    ----------
    return_X_y : bool, default=False
        Return `(X, y)` in place of a Bunch.
    as_frame : bool, default=False
        Return a pandas DataFrame and Series in place of arrays.

    Returns
    -------
    Bunch
        `data` (344, 4), `target` (344,) the species as 0..2, `target_names` (3,), `island`, `sex`
        (text, empty or None where unknown) and `year` of each bird, `feature_names`, `frame`,
        `DESCR`, `filename`.

    References
    ----------
    Gorman, K. B., Williams, T. D. and Fraser, W. R. (2014). PLoS ONE 9(3), e90081. CC0 1.0.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.datasets import load_penguins
    >>> penguins = load_penguins()
    >>> [str(species) for species in penguins.target_names]
    ['Adelie', 'Chinstrap', 'Gentoo']
    >>> int(np.isnan(penguins.data).any(axis=1).sum())
    2
    """
    table = read_table("penguins")
    species, target = np.unique(table.text("species"), return_inverse=True)
    return make_bunch(
        table,
        PENGUIN_MEASUREMENTS,
        return_X_y=return_X_y,
        as_frame=as_frame,
        target=target,
        target_names=species,
        island=table.text("island"),
        sex=table.text("sex"),
        year=table.text("year").astype(np.int64),
    )
