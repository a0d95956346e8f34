"""What is fitted on a device, for machines that have none."""

from __future__ import annotations

from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from .backend import to_host


class NetworkDeviceMixin:
    """Fitted attributes, taken from wherever they were trained."""

    def to_host(self) -> Self:
        """A copy whose fitted attributes are NumPy's; pickles are made of it.

        Returns
        -------
        host : object
            An estimator of the same parameters. It predicts with NumPy, also where ``device`` is
            'cuda': predictions are made where the network is.

        Raises
        ------
        NotFittedError
            If there is nothing to move.
        """
        check_is_fitted(self)
        twin = type(self).__new__(type(self))
        twin.__dict__.update(_on_host(self.__dict__))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return _on_host(super().__getstate__())  # type: ignore[arg-type]


def _on_host(state: dict[str, Any]) -> dict[str, Any]:
    """Attributes with NumPy's arrays for those on a device."""
    moved = {name: to_host(value) for name, value in state.items()}
    for name in {"coefs_", "intercepts_"} & set(moved):
        moved[name] = [to_host(array) for array in moved[name]]
    if "_memory" in moved:
        memory = moved["_memory"]
        moved["_memory"] = memory._replace(optimiser=memory.optimiser.to_host())
    return moved
