"""k-means of ours and of each peer behind one interface: the same rows, starts and iterations.

float64 on one thread, but for faiss, which has float32 only and is given rows of it. Lloyd's
iterations are fixed in number: no tolerance ends them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import fresh
from .peers import OURS, SKLEARN, importable, timed
from .workloads import Array, Clusters

ELKAN, FAISS = "scikit-learn elkan", "faiss float32"


class Fit(NamedTuple):
    """One timed fit and the centres that it ended with."""

    seconds: float
    n_iter: int
    centres: Array  # (k, d)


class Seeding(NamedTuple):
    """One timed k-means++ and the centres that it found."""

    seconds: float
    centres: Array  # (k, d)


def trials(k: int) -> int:
    """Candidates for each centre: scikit-learn's default, given to all."""
    return 2 + int(math.log(k))


class AbstractClusterer(ABC):
    """A library's k-means."""

    name: str
    agreement = 1e-10  # of its final inertia with the others', relative
    float64 = True
    seeds = True  # whether it has greedy k-means++

    @abstractmethod
    def available(self) -> bool:
        """Whether the library is installed."""

    def prepare(self, work: Clusters) -> Clusters:
        """The work as the library wants it, before the clock starts."""
        return work

    @abstractmethod
    def fit(self, work: Clusters, n_iter: int) -> Fit:
        """`n_iter` Lloyd iterations from the work's start."""

    @abstractmethod
    def seed(self, X: Array, k: int, state: int) -> Seeding:
        """Greedy k-means++ with ``trials(k)`` candidates for each centre."""


class _AbstractEstimator(AbstractClusterer):
    """Anything with scikit-learn's interface."""

    @abstractmethod
    def estimator(self, k: int, **settings: Any) -> Any:
        """Unfitted, one run from one start."""

    @abstractmethod
    def plusplus(self) -> Callable[..., tuple[Array, Array]]:
        """The function that seeds."""

    def fit(self, work: Clusters, n_iter: int) -> Fit:
        model = self.estimator(len(work.centres), init=work.centres, max_iter=n_iter, tol=0.0)
        _, seconds = timed(lambda: model.fit(work.X))
        return Fit(seconds, model.n_iter_, model.cluster_centers_)

    def seed(self, X: Array, k: int, state: int) -> Seeding:
        seed, settings = self.plusplus(), {"n_local_trials": trials(k), "random_state": state}
        (centres, _), seconds = timed(lambda: seed(X, k, **settings))
        return Seeding(seconds, centres)


class Ours(_AbstractEstimator):
    name = OURS

    def available(self) -> bool:
        return True

    def estimator(self, k: int, **settings: Any) -> Any:
        from mixtures import KMeans

        return KMeans(k, **{"n_init": 1, "n_threads": 1, **settings})

    def plusplus(self) -> Callable[..., tuple[Array, Array]]:
        from mixtures import kmeans_plusplus

        return kmeans_plusplus


class ScikitLearn(_AbstractEstimator):
    name = SKLEARN
    algorithm = "lloyd"

    def available(self) -> bool:
        return importable("sklearn")

    def estimator(self, k: int, **settings: Any) -> Any:
        from sklearn.cluster import KMeans

        return KMeans(k, **{"n_init": 1, "algorithm": self.algorithm, **settings})

    def plusplus(self) -> Callable[..., tuple[Array, Array]]:
        from sklearn.cluster import kmeans_plusplus

        return kmeans_plusplus


class Elkan(ScikitLearn):
    """scikit-learn's other algorithm: the same iterations, distances spared by bounds."""

    name = ELKAN
    algorithm = "elkan"
    seeds = False  # as scikit-learn


class OneDAL(AbstractClusterer):
    """Intel's k-means, called below its wrappers, whose overhead it is spared."""

    name = "oneDAL"

    def available(self) -> bool:
        return importable("daal4py")

    def fit(self, work: Clusters, n_iter: int) -> Fit:
        import daal4py

        daal4py.daalinit(nthreads=1)
        algorithm = daal4py.kmeans(
            nClusters=len(work.centres),
            maxIterations=n_iter,
            accuracyThreshold=0.0,
            fptype="double",
            method="lloydDense",
        )
        result, seconds = timed(lambda: algorithm.compute(work.X, work.centres))
        return Fit(seconds, int(np.ravel(result.nIterations)[0]), result.centroids)

    def seed(self, X: Array, k: int, state: int) -> Seeding:
        import daal4py

        daal4py.daalinit(nthreads=1)
        algorithm = daal4py.kmeans_init(
            nClusters=k,
            fptype="double",
            method="plusPlusDense",
            nTrials=trials(k),
            engine=daal4py.engines_mt19937(seed=state),
        )
        result, seconds = timed(lambda: algorithm.compute(X))
        return Seeding(seconds, result.centroids)


class Faiss(AbstractClusterer):
    """float32 rows, made before the clock starts; the others are twice as wide."""

    name = FAISS
    agreement = 1e-4
    float64 = False
    seeds = False

    def available(self) -> bool:
        return importable("faiss")

    def prepare(self, work: Clusters) -> Clusters:
        return Clusters(*(np.ascontiguousarray(field, np.float32) for field in work))

    def fit(self, work: Clusters, n_iter: int) -> Fit:
        import faiss

        faiss.omp_set_num_threads(1)
        (n, d), k = work.X.shape, len(work.centres)
        every_row = {"min_points_per_centroid": 1, "max_points_per_centroid": n}
        model = faiss.Kmeans(d, k, niter=n_iter, nredo=1, **every_row)
        _, seconds = timed(lambda: model.train(work.X, init_centroids=work.centres))
        return Fit(seconds, len(model.iteration_stats), model.centroids.astype(np.float64))

    def seed(self, X: Array, k: int, state: int) -> Seeding:
        raise NotImplementedError("faiss draws its centres at random by default.")


PEERS: dict[str, AbstractClusterer] = {
    peer.name: peer for peer in (Ours(), ScikitLearn(), Elkan(), OneDAL(), Faiss())
}


def chosen(libraries: list[str] | None) -> list[str]:
    """Those that are installed and named; the first word names all of a library."""
    wanted = [
        name for name in PEERS if not libraries or {name, name.split()[0]}.intersection(libraries)
    ]
    return [name for name in wanted if fresh.call("kmeans_peers:is_available", library=name)]


def is_available(library: str) -> bool:
    return PEERS[library].available()
