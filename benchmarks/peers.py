"""Ours and each peer behind one interface: the same rows, start, iterations and precision.

Every fit is plain maximum likelihood in float64 on one thread: no ridge, no tolerance, no
acceleration. What a library does around its iterations (checking its input, a last E-step) is
part of its time.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .likelihood import AGREEMENT
from .workloads import Array, Item, Work, dense


class Fit(NamedTuple):
    """One timed fit and the parameters that it ended with."""

    seconds: float
    n_iter: int
    weights: Array
    means: Array
    covariances: Array  # matrices (k, d, d) or variances (k, d)
    growth: float | None = None  # peak memory growth in MiB, where a process of its own measured it


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Result and wall seconds of a call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that fits of a few iterations have not converged
        start = time.perf_counter()
        result = function()
        return result, time.perf_counter() - start


class AbstractPeer(ABC):
    """A library that fits Gaussian mixtures."""

    name: str
    agreement = AGREEMENT  # of its final log-likelihood with the others', relative

    @abstractmethod
    def available(self) -> bool:
        """Whether the library is installed."""

    @abstractmethod
    def supports(self, item: Item) -> bool:
        """Whether it fits this kind of model in bearable time."""

    @abstractmethod
    def fit(self, work: Work, n_iter: int) -> Fit:
        """`n_iter` EM iterations from the work's start."""


def importable(*modules: str) -> bool:
    try:
        for module in modules:
            __import__(module)
    except ImportError:
        return False
    return True


def _like_sklearn(estimator: Any, work: Work) -> Fit:
    """A fit by anything with scikit-learn's interface."""
    _, seconds = timed(lambda: estimator.fit(work.X))
    covariances = dense(work.covariance, estimator.covariances_, *estimator.means_.shape)
    return Fit(seconds, estimator.n_iter_, estimator.weights_, estimator.means_, covariances)


def given(work: Work, n_iter: int) -> dict[str, Any]:
    """The constructor arguments that scikit-learn and ours share."""
    return {
        "n_components": len(work.weights),
        "covariance_type": work.covariance,
        "max_iter": n_iter,
        "tol": 0.0,
        "reg_covar": 0.0,
        "weights_init": work.weights,
        "means_init": work.means,
        "precisions_init": work.precisions,
        "random_state": 0,
    }


class Ours(AbstractPeer):
    name = "mixtures"

    def available(self) -> bool:
        return True

    def supports(self, item: Item) -> bool:
        return True

    def fit(self, work: Work, n_iter: int) -> Fit:
        from mixtures import GaussianMixture

        estimator = GaussianMixture(**given(work, n_iter), acceleration=None, n_threads=1)
        return _like_sklearn(estimator, work)


class ScikitLearn(AbstractPeer):
    name = "scikit-learn"

    def available(self) -> bool:
        return importable("sklearn")

    def supports(self, item: Item) -> bool:
        return True

    def fit(self, work: Work, n_iter: int) -> Fit:
        from sklearn.mixture import GaussianMixture

        # It initialises even where the whole start is given; this is its cheapest way to.
        estimator = GaussianMixture(**given(work, n_iter), init_params="random_from_data")
        return _like_sklearn(estimator, work)


class OneDAL(AbstractPeer):
    """Intel's EM. It stops early only if the objective's change is exactly zero."""

    name = "oneDAL"

    def available(self) -> bool:
        return importable("daal4py")

    def supports(self, item: Item) -> bool:
        return item.covariance in ("full", "diag")

    def fit(self, work: Work, n_iter: int) -> Fit:
        import daal4py

        daal4py.daalinit(nthreads=1)
        k, d = work.means.shape
        diagonal = work.covariance == "diag"
        start = [c.reshape(1, d) if diagonal else c for c in work.covariances.copy()]

        def run() -> Any:
            algorithm = daal4py.em_gmm(
                nComponents=k,
                maxIterations=n_iter,
                accuracyThreshold=0.0,
                covarianceStorage="diagonal" if diagonal else "full",
            )
            return algorithm.compute(work.X, work.weights[None].copy(), work.means.copy(), start)

        result, seconds = timed(run)
        covariances = np.array([np.asarray(c) for c in result.covariances])
        covariances = covariances.reshape(work.covariances.shape)
        weights, n_done = np.ravel(result.weights), int(np.ravel(result.nIterations)[0])
        return Fit(seconds, n_done, weights, result.means, covariances)


class Pomegranate(AbstractPeer):
    """torch; slow enough that only its order of magnitude is wanted, and only on smaller items."""

    name = "pomegranate"
    agreement = 1e-6  # given float64 throughout, its first step is off by 1e-8: float32 somewhere

    def available(self) -> bool:
        return importable("torch", "pomegranate.gmm")

    def supports(self, item: Item) -> bool:
        # Its spherical density counts one dimension; it has no tied covariance.
        return item.covariance in ("full", "diag") and item.n * item.d * item.k <= 5e7

    def fit(self, work: Work, n_iter: int) -> Fit:
        import torch
        from pomegranate.distributions import Normal
        from pomegranate.gmm import GeneralMixtureModel

        torch.set_num_threads(1)
        starts = zip(work.means, work.covariances, strict=True)
        kind = work.covariance
        components = [Normal(torch.tensor(m), torch.tensor(c), kind) for m, c in starts]
        priors = torch.tensor(work.weights)
        model = GeneralMixtureModel(components, priors=priors, max_iter=n_iter)
        model.tol = -float("inf")  # the constructor takes only tolerances that rounding can reach
        steps, step = [], model.from_summaries
        model.from_summaries = lambda: steps.append(step())
        rows = torch.from_numpy(work.X)
        _, seconds = timed(lambda: model.fit(rows))
        weights = model.priors.numpy()
        means = np.array([c.means.numpy() for c in model.distributions])
        covariances = np.array([c.covs.numpy() for c in model.distributions])
        return Fit(seconds, len(steps), weights, means, covariances)


class Mclust(AbstractPeer):
    """R's mclust: a process of its own, which times itself after a warm-up call of its own."""

    name = "mclust"
    script = Path(__file__).with_name("mclust.R")

    def available(self) -> bool:
        if shutil.which("Rscript") is None:
            return False
        return not subprocess.run(
            ["Rscript", "-e", "library(mclust)"], capture_output=True, check=False
        ).returncode

    def supports(self, item: Item) -> bool:
        return item.n * item.d * item.k <= 2e8

    def fit(self, work: Work, n_iter: int) -> Fit:
        (n, d), k = work.X.shape, len(work.weights)
        models = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}
        model = models[work.covariance] if d > 1 else "V"
        with tempfile.TemporaryDirectory() as folder:
            work.X.T.tofile(f"{folder}/rows")  # C order of the transpose is R's order of the rows
            for field in ("weights", "means", "covariances"):
                getattr(work, field).tofile(f"{folder}/{field}")
            command = ["Rscript", str(self.script), folder, model, *map(str, (n, d, k, n_iter))]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result = np.fromfile(f"{folder}/result.bin")
        seconds, iterations, growth = map(float, done.stdout.replace("NA", "nan").split())
        weights, means, spread = np.split(result, [k, k + k * d])
        shape = work.covariances.shape  # symmetric, or one row a component: the order is the same
        covariances = dense(work.covariance, spread.reshape(shape), k, d)
        return Fit(seconds, int(iterations), weights, means.reshape(k, d), covariances, growth)


PEERS: dict[str, AbstractPeer] = {
    peer.name: peer for peer in (Ours(), ScikitLearn(), OneDAL(), Mclust(), Pomegranate())
}
OURS, SKLEARN, ONEDAL = "mixtures", "scikit-learn", "oneDAL"
