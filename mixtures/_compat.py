"""What we need of scikit-learn that is not public, in one place, with a public fallback."""

from __future__ import annotations

from functools import cache
from typing import Any

try:
    from sklearn.utils._param_validation import (
        Interval,
        StrOptions,
        make_constraint,
        validate_parameter_constraints,
    )
except ImportError:  # scikit-learn moved its private module

    class Interval:  # type: ignore[no-redef]
        """Stands in for a constraint that is then not checked before use."""

        def __init__(self, *_: Any, **__: Any) -> None: ...

    StrOptions = Interval
    make_constraint = validate_parameter_constraints = None


@cache
def _constraints(cls: Any) -> list[tuple[str, list[Any]]]:
    """The constraints of an estimator's parameters, made ready once."""
    declared: dict[str, list[Any]] = cls._parameter_constraints
    return [(name, [make_constraint(c) for c in options]) for name, options in declared.items()]


def check_constraints(estimator: Any) -> None:
    """Check the constructor's arguments, with scikit-learn's messages.

    As `BaseEstimator._validate_params`, at a tenth of its time, which a fit of half a millisecond
    notices.
    """
    if make_constraint is None:
        return
    for name, options in _constraints(type(estimator)):  # type: ignore[arg-type]
        value = getattr(estimator, name)
        if not any(option.is_satisfied_by(value) for option in options):
            constraints = {name: estimator._parameter_constraints[name]}
            validate_parameter_constraints(constraints, {name: value}, type(estimator).__name__)


def has_callbacks(estimator: Any) -> bool:
    """Whether any callback listens to this fit, its own or one handed down by a search."""
    return bool(getattr(estimator, "_skl_callbacks", None)) or hasattr(
        estimator, "_parent_callback_ctx"
    )


def array_namespace(array: Any) -> Any:
    """The array-API namespace (NumPy's, PyTorch's, ...) of an array; TypeError for anything else.

    scikit-learn carries array-api-compat, which wraps libraries that do not follow the standard to
    the letter; without it arrays have to say for themselves.
    """
    try:
        from sklearn.externals import array_api_compat
    except ImportError:  # scikit-learn moved it
        if not hasattr(array, "__array_namespace__"):
            raise TypeError(
                f"{type(array).__name__} is not an array of a known namespace"
            ) from None
        return array.__array_namespace__()
    return array_api_compat.array_namespace(array)


__all__ = ["Interval", "StrOptions", "array_namespace", "check_constraints", "has_callbacks"]
