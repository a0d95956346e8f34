"""What low rank is good for: likelihood of images not seen, and a classifier of densities."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from scipy.special import log_softmax

from ..tables import table
from . import workloads
from .apart import at_once, clocked
from .section import Context, Section

TRAIN, TEST = 4_000, 1_000
QUICK = (600, 200)
RANKS = (1, 2, 4, 8, 16)
COMPONENTS = 10
MAX_ITER = 50
FULL_RIDGES = (1e-3, 1e-2, 1e-1, 1.0)  # relative
PEER_RIDGES = (1e-4, 1e-3, 3e-3, 1e-2)
FULL_ITER = 10
OWN = [(k, q) for k in (1, 2, 4) for q in (4, 8, 16)]  # components and factors of a class
RIDGE = 1e-3

FACTORS, PPCA, SINGLE = "mixture of factor analysers", "mixture of PPCA", "one factor analysis"
FULL, DIAGONAL = "full covariances", "variances alone"
PEER = "scikit-learn, full covariances"


def split(quick: bool) -> workloads.Split:
    return workloads.image_split(*(QUICK if quick else (TRAIN, TEST)))


# ---- densities -----------------------------------------------------------------------------------


def density(method: str, k: int, rank: int, ridge: float) -> Any:
    """Unfitted."""
    from sklearn.mixture import GaussianMixture as Peer

    from mixtures import FactorAnalysis, GaussianMixture
    from mixtures.covariance import LowRank

    if method == PEER:
        return Peer(k, reg_covar=ridge, random_state=0, max_iter=FULL_ITER)
    if method == SINGLE:
        return FactorAnalysis(rank, n_threads=1)
    types: dict[str, Any] = {
        FACTORS: LowRank(rank or 1, "diagonal"), PPCA: LowRank(rank or 1, "isotropic"),
        FULL: "full", DIAGONAL: "diag",
    }  # fmt: skip
    return GaussianMixture(
        k, covariance_type=types[method], reg_covar=ridge, random_state=0, n_threads=1,
        max_iter=FULL_ITER if method == FULL else MAX_ITER,
    )  # fmt: skip


def density_task(method: str, k: int, rank: int, ridge: float, quick: bool) -> dict[str, Any]:
    """Nats per row on both halves, and processor seconds; in this process."""
    rows = split(quick)
    model = density(method, k, rank, ridge)
    fitted, _, seconds = clocked(lambda: model.fit(rows.train))
    each = fitted.score_samples(rows.test)
    return {
        "train": float(fitted.score(rows.train)), "test": float(each.mean()),
        "error": float(each.std() / math.sqrt(len(each))), "seconds": seconds,
    }  # fmt: skip


def densities(quick: bool) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = [
        {"method": method, "k": k, "rank": 0, "ridge": ridge}
        for k in (COMPONENTS, 1)
        for method, ridges in ((PEER, PEER_RIDGES), (FULL, FULL_RIDGES))
        for ridge in ridges
    ]
    for rank in reversed(RANKS):
        for method in (FACTORS, PPCA):
            tasks.append({"method": method, "k": COMPONENTS, "rank": rank, "ridge": RIDGE})
        tasks.append({"method": SINGLE, "k": 1, "rank": rank, "ridge": 0.0})
        together = COMPONENTS * rank  # the factors of all components
        tasks.append({"method": SINGLE, "k": 1, "rank": together, "ridge": 0.0})
    tasks.append({"method": DIAGONAL, "k": COMPONENTS, "rank": 0, "ridge": RIDGE})
    if quick:
        tasks = [t for t in tasks if t["method"] not in (FULL, PEER) and t["rank"] < 2]
    return tasks


def densities_text(context: Context) -> str:
    tasks = densities(context.quick)
    found = at_once("quality:density_task", tasks, context.jobs, {"quick": context.quick})
    context.say("quality, densities done")
    lines = [
        [
            task["method"], task["k"], task["rank"] or "–", f"{task['ridge']:g}",
            f"{one['test']:.2f} ± {one['error']:.2f}", f"{one['train']:.2f}",
            f"{one['seconds']:.1f}",
        ]
        for task, one in sorted(
            zip(tasks, found, strict=True), key=lambda pair: -pair[1]["test"]
        )
    ]  # fmt: skip
    head = ["model", "components", "rank", "`reg_covar`", "test, nats a row", "training", "s"]
    return table(head, lines)


# ---- classifiers ---------------------------------------------------------------------------------


def classifier_task(method: str, k: int, rank: int, quick: bool) -> dict[str, Any]:
    """Accuracy and log-loss on the test, of a density a class or one of `peers`."""
    rows = split(quick)
    begin = time.process_time()
    if k == 0:
        model = peers()[method]
        clocked(lambda: model.fit(rows.train, rows.labels))
        log_posterior = model.predict_log_proba(rows.test)
        classes = model.classes_
    else:
        classes, counts = np.unique(rows.labels, return_counts=True)
        joint = np.log(counts / counts.sum()) + np.column_stack(
            [_class_density(rows, label, method, k, rank) for label in classes]
        )
        log_posterior = log_softmax(joint, axis=1)
    seconds = time.process_time() - begin
    own = log_posterior[np.arange(len(rows.test)), np.searchsorted(classes, rows.test_labels)]
    hits = classes[log_posterior.argmax(axis=1)] == rows.test_labels
    return {"hits": float(hits.mean()), "loss": float(-own.mean()), "seconds": seconds}


def _class_density(rows: workloads.Split, label: Any, method: str, k: int, rank: int) -> np.ndarray:
    model = density(method, k, rank, RIDGE)
    train = rows.train[rows.labels == label]
    return clocked(lambda: model.fit(train))[0].score_samples(rows.test)


def peers() -> dict[str, Any]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis as Lda
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis as Qda
    from sklearn.naive_bayes import GaussianNB

    found: dict[str, Any] = {"LDA, shrinkage 'auto'": Lda(solver="lsqr", shrinkage="auto")}
    found["QDA, shrinkage 'auto'"] = Qda(solver="eigen", shrinkage="auto")
    for share in (0.01, 0.1, 0.5):
        found[f"QDA, shrinkage {share:g}"] = Qda(solver="eigen", shrinkage=share)
    found["naive Bayes"] = GaussianNB(var_smoothing=1e-2)
    return found


def classifiers_text(context: Context) -> str:
    others = list(peers())
    tasks: list[dict[str, Any]] = [
        {"method": method, "k": k, "rank": q} for method in (FACTORS, PPCA) for k, q in OWN
    ]
    tasks += [{"method": name, "k": 0, "rank": 0} for name in others]
    if context.quick:
        tasks = [tasks[0], tasks[-1]]
    found = at_once("quality:classifier_task", tasks, context.jobs, {"quick": context.quick})
    context.say("quality, classifiers done")
    n_test = split(context.quick).test.shape[0]
    lines = []
    for task, one in sorted(zip(tasks, found, strict=True), key=lambda pair: -pair[1]["hits"]):
        name = task["method"]
        if task["k"]:
            name += f", {task['k']} component(s) a class, rank {task['rank']}"
        error = math.sqrt(one["hits"] * (1.0 - one["hits"]) / n_test)
        lines.append([
            ("" if task["k"] else "scikit-learn, ") + name,
            f"{100 * one['hits']:.1f} ± {100 * error:.1f}", f"{one['loss']:.3f}",
            f"{one['seconds']:.1f}",
        ])  # fmt: skip
    return table(["classifier", "accuracy, %", "log-loss, nats", "s, test included"], lines)


def section(context: Context) -> Section:
    n, m = QUICK if context.quick else (TRAIN, TEST)
    clash = "" if context.jobs == 1 else f" Run {context.jobs} at a time: seconds are rough."
    text = f"""{n} images of {workloads.images().name} for training and {m} for tests, with Gaussian
noise of {workloads.GREY:g} grey levels, over 255; one split. Everything that was tried is here, in
the order of the test's figure: what stands first was chosen by it. ± is the standard error over the
test's rows, for one and the same training set. Low-rank mixtures: at most {MAX_ITER} EM iterations;
full covariances: at most {FULL_ITER}. `reg_covar` is added to variances by scikit-learn, and
multiplies them in ours, as they are below one.{clash} There is no target.

### Log-likelihood

{densities_text(context)}

### Classifiers: a density for each class, and Bayes' rule

Shares of the classes from training. All of low rank have `reg_covar={RIDGE:g}`.

{classifiers_text(context)}"""
    return Section("Quality", text)
