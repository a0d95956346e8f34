"""How long a fit takes, beside scikit-learn's `MLPClassifier` and a loop in PyTorch, one thread.

python -m benchmarks.responsible.times [--quick] [--rounds 7]
                                       [--output docs/benchmarks-responsible.md]

Same architecture, batches and number of updates. PyTorch takes part where it is installed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from mixtures.neural import CrossEntropy, ResponsibleSoftmax, ResponsibleSoftmaxClassifier

from .. import machine
from ..fresh import ROOT
from ..tables import table
from ..targets import verdict
from .images import small_digits
from .page import prose
from .problems import Rows, slides_gmm

RATE, ALPHA = 1e-3, 1e-4
PEER, TORCH = "scikit-learn", "PyTorch, softmax"

HEADS: dict[str, dict[str, Any]] = {
    "softmax": {"head": "softmax"},
    "fixed": {"head": "fixed"},
    **{f"C = {c}": {"n_prior_iter": c} for c in (1, 2, 5, 17)},
    "implicit": {"prior_gradient": "implicit", "prior_concentration": 2.0},
}


@dataclass(frozen=True)
class Item:
    """A network, what it is trained on, and how many times scikit-learn's time ours may be."""

    name: str
    rows: Rows
    hidden: int
    batch: int
    epochs: int
    at_most: dict[str, float]  # by head

    @property
    def what(self) -> str:
        n, d = self.rows.X.shape
        sizes = f"{d}–{self.hidden}–{len(np.unique(self.rows.y))}"
        updates = self.epochs * -(-n // self.batch)
        return f"{sizes}, {n} rows in batches of {self.batch}, {updates} updates"


def items(quick: bool) -> list[Item]:
    """`quick` takes few epochs."""
    slides = slides_gmm().train(np.random.default_rng(0))
    digits = small_digits().rows
    rng = np.random.default_rng(1)
    images = Rows(rng.random((10_000, 784)), rng.integers(0, 10, 10_000))
    single = Rows(images.X.astype(np.float32), images.y)
    targets = {"softmax": 0.8, "C = 1": 1.2, "C = 2": 1.2, "C = 5": 2.0}
    wide = dict.fromkeys(set(HEADS) - {"implicit"}, 1.2)
    found = [
        Item("GMM", slides, 20, 100, 15, targets),
        Item("wide", slides, 2560, 100, 2, wide),
        Item("digits", digits, 36, 32, 20, {}),
        Item("784 features", images, 64, 200, 5, {}),
        Item("784 features, float32", single, 64, 200, 5, {}),
    ]
    return [replace(item, epochs=1) for item in found] if quick else found


# ---- who is timed --------------------------------------------------------------------------------


def ours(item: Item, head: dict[str, Any]) -> float:
    """Fit, and return the loss."""
    net = ResponsibleSoftmaxClassifier(
        item.hidden, batch_size=item.batch, max_epochs=item.epochs, learning_rate_init=RATE,
        alpha=ALPHA, tol=0.0, n_iter_no_change=item.epochs, random_state=0, **head,
    )  # fmt: skip
    return float(net.fit(item.rows.X, item.rows.y).loss_)


def peer(item: Item) -> float:
    """Fit scikit-learn's; it divides the penalty by the rows of a batch."""
    net = MLPClassifier(
        (item.hidden,), activation="tanh", batch_size=item.batch, max_iter=item.epochs,
        learning_rate_init=RATE, alpha=ALPHA * item.batch, tol=0.0, random_state=0,
        n_iter_no_change=item.epochs,
    )  # fmt: skip
    return float(net.fit(item.rows.X, item.rows.y).loss_)


def torch_loop(item: Item) -> float:
    """The loop that a user of PyTorch writes, on rows that are tensors already."""
    import torch

    X, y = torch.from_numpy(item.rows.X), torch.from_numpy(item.rows.y.astype(np.int64))
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], item.hidden, dtype=X.dtype),
        torch.nn.Tanh(),
        torch.nn.Linear(item.hidden, int(y.max()) + 1, dtype=X.dtype),
    )
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, weight_decay=ALPHA)
    loss_of = torch.nn.CrossEntropyLoss()
    losses: list[torch.Tensor] = []
    for _ in range(item.epochs):
        losses = []
        for index in torch.randperm(len(y)).split(item.batch):
            optimiser.zero_grad()
            loss = loss_of(net(X[index]), y[index])
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def methods(item: Item) -> dict[str, Callable[[], float]]:
    found: dict[str, Callable[[], float]] = {PEER: lambda: peer(item)}
    if has_torch():
        found[TORCH] = lambda: torch_loop(item)
    for name, head in HEADS.items():
        found[name] = lambda head=head: ours(item, head)  # type: ignore[misc]
    return found


def has_torch() -> bool:
    try:
        import torch
    except ImportError:
        return False
    torch.set_num_threads(1)
    return True


# ---- timing --------------------------------------------------------------------------------------


class Time(NamedTuple):
    method: str
    seconds: np.ndarray  # (n_rounds,), of the processor
    loss: float


def measure(item: Item, rounds: int) -> list[Time]:
    """The methods take turns, so that a busy moment of the machine meets all."""
    given = methods(item)
    seconds: dict[str, list[float]] = {name: [] for name in given}
    losses: dict[str, float] = {}
    for number in range(1 + rounds):
        for name, run in given.items():
            begin = time.process_time()
            losses[name] = run()
            if number > 0:  # the first round also compiles
                seconds[name].append(time.process_time() - begin)
    return [Time(name, np.array(found), losses[name]) for name, found in seconds.items()]


SHAPES = [(100, 5), (100, 10), (1000, 10), (10_000, 10)]
APPLICATIONS = (0, 1, 4, 16)


def layer_times(shape: tuple[int, int], rounds: int) -> list[float]:
    """Microseconds of the layer and its loss, forward and backward, for each C; then implicit."""
    n, k = shape
    rng = np.random.default_rng(n + k)
    logits, labels = 3.0 * rng.standard_normal(shape), rng.integers(0, k, n)
    layers = [ResponsibleSoftmax(c) for c in APPLICATIONS]
    layers.append(ResponsibleSoftmax(concentration=2.0, gradient="implicit"))

    def once(layer: ResponsibleSoftmax) -> None:
        log_posterior, of_layer = layer.forward(logits)
        _, of_loss = CrossEntropy().forward(log_posterior, labels, None)
        layer.backward(of_layer, CrossEntropy().backward(of_loss, 1.0)[0])

    repeats = max(1, 20_000 // n)
    least = np.full(len(layers), np.inf)
    for _ in range(1 + rounds):
        for i, layer in enumerate(layers):
            begin = time.process_time()
            for _ in range(repeats):
                once(layer)
            least[i] = min(least[i], (time.process_time() - begin) / repeats)
    return (1e6 * least).tolist()


# ---- the page ------------------------------------------------------------------------------------


def item_section(item: Item, found: list[Time]) -> str:
    base = found[0].seconds
    lines = []
    for name, seconds, loss in found:
        ratio = seconds.min() / base.min()
        target = ""
        if name in item.at_most:
            target = f"≤ {item.at_most[name]:g}: {verdict(ratio <= item.at_most[name])}"
        lines.append([
            name, f"{seconds.min():.3f}", f"{np.median(seconds):.3f}", f"{ratio:.2f}",
            f"{np.median(seconds) / np.median(base):.2f}", target, f"{loss:.3f}",
        ])  # fmt: skip
    head = ["method", "least, s", "median, s", f"× {PEER}, least", "median", "target", "loss"]
    return f"### {item.name}\n\n{item.what}.\n\n{table(head, lines)}"


def layer_section(rounds: int) -> str:
    lines = []
    for n, k in SHAPES:
        lines.append([f"{n} × {k}", *(f"{us:.0f}" for us in layer_times((n, k), rounds))])
    head = ["rows × classes", *(f"C = {c}" for c in APPLICATIONS), "implicit"]
    return f"""## The layer alone

Microseconds of `ResponsibleSoftmax` and `CrossEntropy`, forward and backward, checks included; the
least of all rounds. Implicit: the fixed point, concentration 2.

{table(head, lines)}"""


def heading(rounds: int, quick: bool) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in machine.versions().items())
    command = shlex.join(["python", "-m", "benchmarks.responsible.times", *sys.argv[1:]])
    trial = "**A trial run (`--quick`): the targets do not apply to it.**" if quick else ""
    absent = "" if has_torch() else "**PyTorch is not installed here, so its rows are missing.**"
    return f"""# Times of the responsible softmax

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.

{trial}

{absent}

- Machine: {machine.processor()}.
- Versions: {versions}.

A whole fit, checks of the data included, by `ResponsibleSoftmaxClassifier` with its three heads, C
applications of the responsibility map to each batch, and by scikit-learn's `MLPClassifier`: the
same layers, batches, optimiser (Adam) and number of updates, one thread. Processor time of {rounds}
rounds in which the methods take turns, after one that also compiles; targets are on the least. The
loss, of the last epoch, says that the work is the same: `fixed` and C > 0 have another loss, and
scikit-learn's and ours have the penalty in it, PyTorch's has not. PyTorch's is the loop that its
users write, on tensors made before the clock starts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one epoch, two rounds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks-responsible.md")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":  # libraries read it when they are loaded
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "benchmarks.responsible.times", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)
    rounds = 2 if options.quick else options.rounds
    sections = ["## Fits"]
    with threadpool_limits(1), warnings.catch_warnings(), machine.Busy() as busy:
        warnings.simplefilter("ignore", ConvergenceWarning)  # that epochs end a fit is meant
        for item in items(options.quick):
            sections.append(item_section(item, measure(item, rounds)))
            print(f"{item.name} done", flush=True)
        sections.append(layer_section(rounds))
    sections.insert(0, f"{heading(rounds, options.quick)}\n\nMeanwhile: {busy.describe()}.")
    options.output.write_text(prose("\n\n".join(sections)))
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
