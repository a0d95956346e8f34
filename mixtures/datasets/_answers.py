"""Loaders of data sets of yes/no answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._tables import make_bunch, read_table

ZOO_CLASSES = ["mammal", "bird", "reptile", "fish", "amphibian", "insect", "other invertebrate"]


def load_zoo(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load 101 animals, their fifteen yes/no properties and their number of legs.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return `(X, y)` in place of a Bunch.
    as_frame : bool, default=False
        Return a pandas DataFrame and Series in place of arrays.

    Returns
    -------
    Bunch
        `data` (101, 16) of 0 and 1 but for the column `legs` (0 to 8), `target` (101,) the class
        as 1..7, `target_names` (7,) so that class c is `target_names[c - 1]`, `animal` (101,) the
        names, `feature_names`, `frame`, `DESCR`, `filename`.

    References
    ----------
    Forsyth, R. S. (1990). Zoo. UCI Machine Learning Repository. CC BY 4.0.

    Examples
    --------
    >>> from mixtures.datasets import load_zoo
    >>> zoo = load_zoo()
    >>> zoo.data.shape
    (101, 16)
    >>> str(zoo.animal[0]), str(zoo.target_names[zoo.target[0] - 1])
    ('aardvark', 'mammal')
    >>> yes_no = [name for name in zoo.feature_names if name != "legs"]
    >>> len(yes_no)
    15
    """
    table = read_table("zoo")
    return make_bunch(
        table,
        table.header[1:-1],
        return_X_y=return_X_y,
        as_frame=as_frame,
        target=table.text("class").astype(np.int64),
        target_names=np.array(ZOO_CLASSES),
        animal=table.text("animal"),
    )


def load_house_votes(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load sixteen votes of 435 members of the US House of 1984; NaN where not known.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return `(X, y)` in place of a Bunch.
    as_frame : bool, default=False
        Return a pandas DataFrame and Series in place of arrays.

    Returns
    -------
    Bunch
        `data` (435, 16): 1 yes, 0 no, NaN not known; `target` (435,) the party as 0 or 1,
        `target_names` (2,) democrat and republican, `feature_names`, `frame`, `DESCR`, `filename`.

    References
    ----------
    Schlimmer, J. (1987). Congressional Voting Records. UCI Machine Learning Repository. CC BY 4.0.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtures.datasets import load_house_votes
    >>> votes = load_house_votes()
    >>> votes.data.shape, int(np.isnan(votes.data).sum())
    ((435, 16), 392)
    """
    table = read_table("house_votes")
    parties, target = np.unique(table.text("party"), return_inverse=True)
    return make_bunch(
        table,
        table.header[1:],
        return_X_y=return_X_y,
        as_frame=as_frame,
        target=target,
        target_names=parties,
    )
