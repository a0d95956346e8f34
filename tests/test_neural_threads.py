"""Fits in threads: the same bits as one after the other, and BLAS is left as it was found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

SCRIPT = """
import json, os, threading, warnings
import numpy as np
import threadpoolctl
from mixtures import ResponsibleSoftmaxClassifier

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(600, 40))
y = (X @ rng.normal(size=(40, 3))).argmax(axis=1)


def threads_of_blas():
    return [d["num_threads"] for d in threadpoolctl.threadpool_info() if d["user_api"] == "blas"]


def fitted():
    model = ResponsibleSoftmaxClassifier((96,), batch_size=600, max_epochs=6, random_state=0)
    model.fit(X, y).predict(X)
    return model.coefs_[0].tobytes()


before = threads_of_blas()
with threadpoolctl.threadpool_limits(1, "blas"):
    alone = fitted()
found = [fitted()]
workers = [
    threading.Thread(target=lambda: found.extend(fitted() for _ in range(4))) for _ in range(4)
]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
same = sum(bits == alone for bits in found)
child = None
if hasattr(os, "fork"):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, b"1" if fitted() == alone else b"0")
        os._exit(0)
    os.waitpid(pid, 0)
    child = os.read(reading, 1).decode()
    from mixtures.core.blas import one_blas_thread

    inside, go = threading.Event(), threading.Event()

    def hold():
        with one_blas_thread:
            inside.set()
            go.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:  # without the thread that would take the limit back
        with one_blas_thread:
            pass
        os.write(writing, b"1" if threads_of_blas() == before else b"0")
        os._exit(0)
    os.waitpid(pid, 0)
    child += os.read(reading, 1).decode()
    go.set()
    holder.join()
print(json.dumps([before, threads_of_blas(), same, len(found), child]))
"""


def test_threads_leave_bits_and_blas_alone():
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True
    )
    before, after, same, n_fits, child = json.loads(done.stdout.splitlines()[-1])
    assert after == before
    assert same == n_fits == 17
    assert child in (None, "11")
