"""Ours and each peer behind one interface: the same F in memory, proportions and times out.

Times are of the whole call, in processor seconds (`process_time`; R: user and system), so that
other processes do not count; loading F, imports, compilation and a small warm-up call do not.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .proportions_judge import judge, on_simplex
from .proportions_r import ask_r
from .proportions_workloads import file_of, item_of, load, mapped, share_of
from .workloads import Array

TOL = 1e-8
"""The gap that everybody is asked for."""

CAP = 3600.0  # wall seconds after which mixsqp is stopped,
SCIPY_CAP = 60.0  # and processor seconds after which a method of SciPy's is
EM_WORK = 1e10  # numbers of F that plain EM may read: ten seconds or so
TINY = 1e-300  # keeps SciPy's logarithms finite where its trial point leaves a row no density


class Work(NamedTuple):
    """What a measurement is of."""

    name: str
    cache: str
    quick: bool = False
    order: str = "F"  # memory order of ours
    budget: float = 1.0  # wall seconds that repeated solutions fill

    def load(self) -> Array:
        return load(self.name, self.cache, self.quick)

    @property
    def log(self) -> bool:
        return item_of(self.name).log


class Solution(NamedTuple):
    """Proportions, and what they took."""

    weights: Array
    iterations: int
    status: str


class Solver(ABC):
    """A way to mixture proportions."""

    name: str
    version: str  # of the package that it comes from

    @abstractmethod
    def measure(self, work: Work) -> dict[str, Any]:
        """`cpu` and `wall` seconds, `fits`, `iterations`, `status`, and the judge's verdict."""


class InProcess(Solver):
    """A solver that runs in this process."""

    @abstractmethod
    def solve(self, lines: Array, log: bool) -> Solution:
        """Proportions for the (K, n) array."""

    def small(self, lines: Array) -> Array:
        """What the warm-up call solves."""
        return np.random.default_rng(0).random((4, 200))

    def prepare(self, lines: Array, order: str) -> Array:
        """Before the clock starts."""
        return lines

    def measure(self, work: Work) -> dict[str, Any]:
        begin, lines = time.perf_counter(), self.prepare(work.load(), work.order)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a solver stops at its limit
            self.solve(self.prepare(self.small(lines), work.order), work.log)
            cpu, wall, last = repeat(lambda: self.solve(lines, work.log), work.budget)
        record = {"cpu": statistics.median(cpu), "wall": statistics.median(wall), "fits": len(cpu)}
        record |= {"least": min(cpu), "iterations": last.iterations, "status": last.status}
        record |= judge(lines, work.log, on_simplex(last.weights))._asdict()
        return {**record, "version": self.version, "took": time.perf_counter() - begin}


def repeat(solve: Any, budget: float) -> tuple[list[float], list[float], Solution]:
    """Processor and wall seconds of enough calls to fill `budget`, and the last result.

    The first call is dropped where it is not the only one: memory is fresh to the process then.
    """
    cpu: list[float] = []
    wall: list[float] = []
    while not wall or (sum(wall) < budget and len(wall) < 200):
        before = time.perf_counter(), time.process_time()
        last = solve()
        cpu.append(time.process_time() - before[1])
        wall.append(time.perf_counter() - before[0])
    return (cpu[1:], wall[1:], last) if len(cpu) > 1 else (cpu, wall, last)


class Ours(InProcess):
    """`DynamicResponsibility`, on F in Fortran's order, or in C's if asked for."""

    def __init__(self, name: str, solver: str) -> None:
        import mixtures

        self.name, self.solver, self.version = name, solver, mixtures.__version__

    def small(self, lines: Array) -> Array:
        """EM is one loop; what else there is to compile, a share of the item needs, too."""
        return super().small(lines) if self.solver == "em" else share_of(lines, 20_000)

    def prepare(self, lines: Array, order: str) -> Array:
        return np.ascontiguousarray(lines.T).T if order == "C" else lines

    def solve(self, lines: Array, log: bool) -> Solution:
        from mixtures import DynamicResponsibility

        limit = None if self.solver == "auto" else max(100, int(EM_WORK / lines.size))
        model = DynamicResponsibility(
            input="log_density" if log else "density",
            solver=self.solver,
            tol=TOL,
            max_iter=limit,
            information=False,
            n_threads=1,
        ).fit(lines.T)
        return Solution(model.weights_, int(model.n_iter_), model.stop_reason_)


class Reached(Exception):
    """Ends a run of SciPy's at these proportions."""

    def __init__(self, weights: Array, status: str) -> None:
        self.weights, self.status = weights, status


class SciPy(InProcess):
    """`scipy.optimize.minimize` with gradients by NumPy.

    It is stopped as soon as the certificate holds, which costs it nothing: the gap is read off the
    gradient that it has asked for. Its own tolerances are as tight as can be.
    """

    def __init__(self, method: str) -> None:
        self.name, self.version = method, version("scipy")

    def solve(self, lines: Array, log: bool) -> Solution:
        from scipy.optimize import minimize

        F = np.exp(lines - lines.max(axis=0)) if log else lines
        calls, end = [], time.process_time() + SCIPY_CAP

        def value_and_gradient(x: Array) -> tuple[float, Array]:
            """Of the sum of x less the mean log-likelihood; on the simplex the sum is constant."""
            density = np.maximum(x @ F, TINY)
            pull, total = (F @ (1.0 / density)) / F.shape[1], x.sum()
            calls.append(total)
            if total > 0.0 and (x >= 0.0).all() and pull.max() * total <= 1.0 + TOL:
                raise Reached(x, "gap reached")
            if time.process_time() > end:
                raise Reached(x, f"stopped after {SCIPY_CAP:g} s")
            return total - np.log(density).mean(), 1.0 - pull

        start = np.full(len(F), 1.0 / len(F))
        try:
            found = minimize(value_and_gradient, start, jac=True, **self.settings(len(F)))
        except Reached as stop:
            return Solution(stop.weights, len(calls), stop.status)
        return Solution(found.x, len(calls), str(found.message))

    def settings(self, k: int) -> dict[str, Any]:
        if self.name == "SLSQP":
            ones = np.ones(k)
            simplex = {"type": "eq", "fun": lambda x: x.sum() - 1.0, "jac": lambda _: ones}
            options = {"ftol": 1e-16, "maxiter": 2000}
            more: dict[str, Any] = {"bounds": [(0.0, 1.0)] * k, "constraints": [simplex]}
        else:  # the sum of x in the objective is the penalty: its minimum has sum one
            options = {"ftol": 0.0, "gtol": 1e-10, "maxcor": 30, "maxiter": 20_000}
            options |= {"maxfun": 20_000}
            more = {"bounds": [(0.0, None)] * k}
        return {"method": self.name, "options": options, **more}


class Mixsqp(Solver):
    """R's mixsqp, in a process of R's, at its default settings or tighter ones (mixsqp.R)."""

    script = Path(__file__).with_name("mixsqp.R")

    def __init__(self, name: str, setting: str) -> None:
        self.name, self.setting = name, setting
        self.version = ask_r('cat(as.character(packageVersion("mixsqp")))')

    def measure(self, work: Work) -> dict[str, Any]:
        begin, item = time.perf_counter(), item_of(work.name, work.quick)
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "weights"
            what = [file_of(work.name, work.cache, work.quick), item.n, item.k, int(item.log)]
            what += [self.setting, work.budget, result]
            command = ["Rscript", str(self.script), *map(str, what)]
            try:
                done = subprocess.run(
                    command, stdout=subprocess.PIPE, text=True, timeout=CAP, check=True
                )
            except subprocess.TimeoutExpired:
                return {"status": f"none after {CAP:g} s", "cpu": None, "took": CAP}
            except subprocess.CalledProcessError as failure:
                took = time.perf_counter() - begin
                return {"status": f"failed: {failure.returncode}", "cpu": None, "took": took}
            weights = on_simplex(np.fromfile(result))
        cpu, wall, fits, iterations, status = done.stdout.split(maxsplit=4)
        record = {"cpu": float(cpu), "wall": float(wall), "fits": int(fits)}
        record |= {"iterations": int(iterations), "status": status.strip()}
        record |= judge(mapped(work.name, work.cache, work.quick), item.log, weights)._asdict()
        return {**record, "version": self.version, "took": time.perf_counter() - begin}


OURS, EM = "mixtures", "EM"
MIXSQP = {"mixsqp": "default", "mixsqp-tight": "tight", "mixsqp-exact6": "exact6"}
SCIPY = ("SLSQP", "L-BFGS-B")
NAMES = (OURS, EM, *MIXSQP, *SCIPY)


def solver_of(name: str) -> Solver:
    """The solver of this name, made where it is used: an import may be slow or impossible."""
    if name in MIXSQP:
        return Mixsqp(name, MIXSQP[name])
    return SciPy(name) if name in SCIPY else Ours(name, "em" if name == EM else "auto")


def measure(name: str, solver: str, **work: Any) -> dict[str, Any]:
    """One solver on one item, in this process."""
    return solver_of(solver).measure(Work(name, **work))
