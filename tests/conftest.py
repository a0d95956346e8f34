"""What all tests share: floating-point errors raise, random draws repeat, threads are few."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before numpy is imported: BLAS threads would change the last bits of naive twins and make timings
# of a shared machine noisy; our own threads are set where a test is about them.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile(
    "laws",
    derandomize=True,  # the same examples in every run, so that a red test is red for everyone
    deadline=None,  # the first example may compile kernels, and the machine may be busy
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("laws")

collect_ignore_glob = ["oracles/*"]  # scripts that need packages which the tests do not


@pytest.fixture(autouse=True)
def floating_point_errors_raise() -> Iterator[None]:
    """Overflow, 0/0 and 1/0 are errors; underflow in exp is expected and is none.

    The library's own `np.errstate` blocks still hold: they mark where it means to divide by zero.
    """
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        yield
