"""Freezes what StepMix says of latent class models into a JSON file, which the tests read.

    cd tests/oracles && python stepmix_discrete.py

needs `pip install stepmix` (3.0 or newer) and this library, for its data sets. README.md says what
is in the file.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from stepmix import StepMix

from mixtures.datasets import load_house_votes, load_zoo

ITERATIONS = (1, 2, 10, 40)
LONGEST = 20_000  # iterations until a run is at rest
MISSING = "?"


class Started(StepMix):
    """StepMix from given parameters, in place of those it draws at random."""

    def __init__(self, n_components=2, *, start=None, **options):
        super().__init__(n_components, progress_bar=0, rel_tol=0.0, **options)
        self.start = start

    def _initialize_parameters(self, X, random_state):
        self.set_parameters({**self.start, "measurement_in": X.shape[1]})


def drawn(seed: int, categories: list[int], n: int, k: int, missing: float) -> np.ndarray:
    """Rows of codes from a latent class model, NaN where an answer is missing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    columns = []
    for c in categories:
        probabilities = rng.dirichlet(np.full(c, 0.7), size=k)
        steps = probabilities[labels].cumsum(axis=1)[:, :-1]
        columns.append((rng.random((n, 1)) > steps).sum(axis=1))
    X = np.column_stack(columns).astype(float)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def codes(X: np.ndarray) -> np.ndarray:
    """Every column's values as 0, 1, 2, ... in their order; NaN stays."""
    coded = np.full(X.shape, np.nan)
    for j, column in enumerate(X.T):
        known = ~np.isnan(column)
        coded[known, j] = np.unique(column[known], return_inverse=True)[1]
    return coded


def as_text(X: np.ndarray) -> list[str]:
    """A row as one string, a character an answer."""
    return ["".join(MISSING if np.isnan(x) else str(int(x)) for x in row) for row in X]


def start_of(seed: int, k: int, categories: list[int]) -> dict[str, Any]:
    """Random weights and, for every feature, category probabilities (k, c)."""
    rng = np.random.default_rng(seed)
    features = [rng.dirichlet(np.full(c, 4.0), size=k) for c in categories]
    return {"weights": rng.dirichlet(np.full(k, 10.0)), "probabilities": features}


class Case:
    """One data set, one number of components, one start."""

    def __init__(self, name, X, k, seed, *, kind, weight=None):
        self.name, self.X, self.k, self.kind, self.weight = name, X, k, kind, weight
        self.categories = [int(c) + 1 for c in np.nanmax(X, axis=0)]
        self.start = start_of(seed, k, self.categories)

    def measurement(self) -> str:
        return self.kind + "_nan" * bool(np.isnan(self.X).any())

    def to_stepmix(self, start) -> dict[str, Any]:
        """Parameters as StepMix writes them: for each feature as many columns as any one needs."""
        if self.kind == "binary":
            own = {"pis": np.column_stack([p[:, 1] for p in start["probabilities"]])}
        else:
            most = max(self.categories)
            columns = [np.pad(p, [(0, 0), (0, most - p.shape[1])]) for p in start["probabilities"]]
            own = {"pis": np.hstack(columns), "max_n_outcomes": most}
            own["total_outcomes"] = sum(self.categories)
        return {"weights": start["weights"].copy(), "measurement": own}

    def from_stepmix(self, model) -> dict[str, Any]:
        """The reverse, as lists; binary probabilities (k, d) are those of a 1."""
        found = model.get_parameters()
        pis = found["measurement"]["pis"]
        if self.kind == "categorical":
            by_feature = pis.reshape(self.k, len(self.categories), -1).transpose(1, 0, 2)
            pis = [p[:, :c] for p, c in zip(by_feature, self.categories, strict=True)]
        weight = np.ones(len(self.X)) if self.weight is None else self.weight
        return {
            "weights": found["weights"].tolist(),
            "probabilities": [np.asarray(p).tolist() for p in pis],
            "loglik": model.score(self.X, sample_weight=self.weight) * weight.sum(),
        }

    def fit(self, start, n_iter: int, tol: float = 0.0):
        options = {"abs_tol": tol, "max_iter": n_iter, "measurement": self.measurement()}
        model = Started(self.k, start=self.to_stepmix(start), **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a few iterations have not converged
            return model.fit(self.X, sample_weight=self.weight) or model

    def record(self) -> dict[str, Any]:
        """Parameters after some iterations, and at rest."""
        runs = [{"n_iter": n, **self.from_stepmix(self.fit(self.start, n))} for n in ITERATIONS]
        model = self.fit(self.start, LONGEST, tol=1e-16)
        rest = {"n_iter": model.n_iter_, **self.from_stepmix(model)}
        if self.weight is None:
            rest |= {"df": int(model.n_parameters), "bic": model.bic(self.X)}
        start = {
            "weights": self.start["weights"].tolist(),
            "probabilities": [p.tolist() for p in self.start["probabilities"]],
        }
        if self.kind == "binary":
            start["probabilities"] = np.transpose(
                [p[:, 1] for p in self.start["probabilities"]]
            ).tolist()
        return {
            "name": self.name,
            "kind": self.kind,
            "n_components": self.k,
            "rows": as_text(self.X),
            "sample_weight": None if self.weight is None else self.weight.tolist(),
            "start": start,
            "runs": runs,
            "rest": rest,
        }


def cases() -> list[Case]:
    votes, zoo = load_house_votes().data, load_zoo()
    yes_no = [j for j, name in enumerate(zoo.feature_names) if name != "legs"]
    binary, ragged = [2] * 8, [3, 2, 4, 5, 2]
    weight = np.arange(len(votes)) % 4.0  # zeros too
    return [
        Case("zoo", zoo.data[:, yes_no], 4, 1, kind="binary"),
        Case("drawn", drawn(2, binary, 300, 3, 0.0), 3, 3, kind="binary"),
        Case("house votes", votes, 2, 4, kind="binary"),
        Case("house votes", votes, 3, 5, kind="binary"),
        Case("house votes, weighted", votes, 2, 6, kind="binary", weight=weight),
        Case("drawn, missing", drawn(7, binary, 300, 3, 0.3), 3, 8, kind="binary"),
        Case("zoo with legs", codes(zoo.data), 5, 9, kind="categorical"),
        Case("drawn", drawn(10, ragged, 400, 3, 0.0), 3, 11, kind="categorical"),
        Case("house votes", votes, 3, 12, kind="categorical"),
        Case("drawn, missing", drawn(13, ragged, 400, 3, 0.2), 3, 14, kind="categorical"),
    ]


def main() -> None:
    meta = {
        "made_by": Path(__file__).name,
        "command": "cd tests/oracles && python stepmix_discrete.py",
        "stepmix": version("stepmix"),
        "numpy": np.__version__,
    }
    content = {"meta": meta, "fits": [case.record() for case in cases()]}
    text = json.dumps(content, separators=(",", ":")).replace('{"name"', '\n{"name"')
    Path(__file__).with_name("stepmix_discrete.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
