"""Components that are products: several kinds of columns, independent given the component."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .discriminants import Array
from .family import AbstractFamily, DegenerateComponentError, Sweep
from .product import ProductDiscriminants
from .unconstrained import Coordinates, Simplex


class ProductParams(NamedTuple):
    """Parameters of a mixture of products."""

    weights: Array  # (k,), on the simplex
    parts: tuple[Any, ...]  # the families' own, whose weights are all one


def weightless(params: Any) -> Any:
    """A family's parameters with weights of one, whose logarithms add nothing to any value."""
    return params._replace(weights=np.ones(len(params.weights)))


@dataclass(frozen=True, eq=False)
class ProductFamily(AbstractFamily[ProductParams]):
    """``log p(x) = sum_b log p_b(x_b)``, each part x_b of the row with a family of its own."""

    families: tuple[AbstractFamily[Any], ...]
    names: tuple[str, ...]  # what messages call the parts
    weight_prior: Any  # with `mode`, `log_density` and `gradient`
    columns: tuple[slice, ...] = ()  # of a source's features, those of each part

    @property
    def moments(self) -> tuple[Any, ...]:  # type: ignore[override]
        return tuple(family.moments for family in self.families)

    def discriminants(self, params: ProductParams) -> ProductDiscriminants:  # type: ignore[override]
        parts = []
        for name, family, own in self._named(params):
            with _naming(name):
                parts.append(family.discriminants(own))
        return ProductDiscriminants(tuple(parts), _log(params.weights))

    def sweep(self, params: ProductParams) -> Sweep:
        sweeps = []
        for name, family, own in self._named(params):
            with _naming(name):
                sweeps.append(family.sweep(own))
        v = ProductDiscriminants(tuple(s.discriminants for s in sweeps), _log(params.weights))
        return Sweep(v, tuple(s.moments for s in sweeps), sum(s.omitted for s in sweeps))

    def m_step(self, stats: Any, params: ProductParams) -> ProductParams:
        joint = {"log_likelihood": stats.log_likelihood}  # which says whether any row is impossible
        parts = (
            family.m_step(own._replace(**joint), part)
            for family, own, part in zip(self.families, stats.parts, params.parts, strict=True)
        )
        return self._joined(stats, parts)

    def start(self, stats: Any, centres: Array) -> ProductParams:
        pairs = zip(self.families, stats.parts, self._split(centres), strict=True)
        return self._joined(stats, (family.start(own, part) for family, own, part in pairs))

    def refine(self, params: ProductParams, start: Any) -> ProductParams:
        each = zip(self.families, params.parts, start.source.parts, start.totals.parts, strict=True)
        parts = (
            family.refine(own, start._replace(source=source, totals=totals, family=family))
            for family, own, source, totals in each
        )
        return params._replace(parts=tuple(weightless(part) for part in parts))

    def guess(self, centres: Array) -> ProductParams:
        pairs = zip(self.families, self._split(centres), strict=True)
        parts = tuple(weightless(family.guess(part)) for family, part in pairs)
        return ProductParams(np.full(len(centres), 1.0 / len(centres)), parts)

    def reference(self, centres: Array) -> Array:
        pairs = zip(self.families, self._split(centres), strict=True)
        return np.hstack([family.reference(part) for family, part in pairs])

    def log_base(self, X: Any) -> Array | float:
        pairs = zip(self.families, X.parts, strict=True)
        return sum(family.log_base(part) for family, part in pairs)

    def base(self, source: Any) -> float:
        pairs = zip(self.families, source.parts, strict=True)
        return sum(family.base(part) for family, part in pairs)

    def log_prior(self, params: ProductParams) -> float:
        parts = sum(family.log_prior(own) for _, family, own in self._named(params))
        return parts + self.weight_prior.log_density(params.weights)

    def gradient(self, stats: Any, params: ProductParams) -> Array | None:
        k = len(params.weights)
        gradient = [self.weight_prior.gradient(stats.counts, params.weights)]
        for family, own, part in zip(self.families, stats.parts, params.parts, strict=True):
            found = family.gradient(own, part)
            if found is None:
                return None
            gradient.append(found[k:])
        return np.concatenate(gradient)

    def exact(self) -> ProductFamily | None:
        found = [family.exact() for family in self.families]
        if not any(found):
            return None
        pairs = zip(self.families, found, strict=True)
        return replace(self, families=tuple(new or old for old, new in pairs))

    def doubts(self, params: ProductParams) -> str | None:
        each = ((name, family.doubts(own)) for name, family, own in self._named(params))
        said = [f"In block {name!r}: {sentence}" for name, sentence in each if sentence]
        return " ".join(said) or None

    def sample(
        self, params: ProductParams, component: int, n: int, rng: np.random.RandomState
    ) -> Array:
        named = self._named(params)
        return np.hstack([family.sample(own, component, n, rng) for _, family, own in named])

    def n_parameters(self, params: ProductParams) -> int:
        free = len(params.weights) - 1
        return free + sum(f.n_parameters(own) - free for _, f, own in self._named(params))

    def distances(self, params: ProductParams, others: ProductParams) -> Array:
        """Sums of the parts' distances, relative to their means: each has a unit of its own."""
        total = np.zeros((len(params.weights), len(others.weights)))
        for family, one, other in zip(self.families, params.parts, others.parts, strict=True):
            own = family.distances(one, other)
            total += own / (own.mean() or 1.0)
        return total

    def coordinates(self, params: ProductParams) -> list[tuple[Coordinates, tuple[int, ...]]]:
        found: list[tuple[Coordinates, tuple[int, ...]]] = [(Simplex(), params.weights.shape)]
        for _, family, own in self._named(params):
            found += family.coordinates(own)[1:]  # but for its weights
        return found

    def pack(self, params: ProductParams) -> Array:
        k = len(params.weights)
        parts = [family.pack(own)[k:] for _, family, own in self._named(params)]
        return np.concatenate([Simplex().pack(params.weights), *parts])

    def unpack(self, vector: Array, like: ProductParams) -> ProductParams:
        k = len(like.weights)
        even, start, parts = np.zeros(k), k, []
        for _, family, own in self._named(like):
            size = sum(c.size(shape) for c, shape in family.coordinates(own)[1:])
            part = np.concatenate([even, vector[start : start + size]])
            parts.append(weightless(family.unpack(part, own)))
            start += size
        return ProductParams(Simplex().unpack(vector[:k], (k,)), tuple(parts))

    def _named(self, params: ProductParams) -> Iterator[tuple[str, AbstractFamily[Any], Any]]:
        return zip(self.names, self.families, params.parts, strict=True)

    def _split(self, centres: Array) -> list[Array]:
        return [np.ascontiguousarray(centres[:, own]) for own in self.columns]

    def _joined(self, stats: Any, parts: Iterator[Any]) -> ProductParams:
        own = tuple(weightless(part) for part in parts)
        return ProductParams(self.weight_prior.mode(stats.counts), own)


def _log(weights: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(weights)


@contextmanager
def _naming(part: str) -> Iterator[None]:
    """An error in a part's parameters says in whose."""
    try:
        yield
    except DegenerateComponentError as error:
        reason = f"{error.reason} (in block {part!r})"
        raise DegenerateComponentError(error.component, reason) from None
