"""True effects behind noisy ones: empirical Bayes with a mixture of known normals.

Four thousand effects were measured, each with a standard error of its own; most are zero or small.
The prior of the effects is taken for a mixture of normals about zero whose standard deviations are
a fixed grid of a hundred; so the densities of the measurements are known, and only the weights are
to be estimated: a convex problem, solved to a certificate. Few of the hundred get a weight. With
the prior comes the posterior mean of each effect, nearer to the truth than what was measured.

The likelihood hardly tells small effects from none; a few pseudo-rows for "exactly zero" decide it.

    python examples/plot_deconvolution.py --output deconvolution.png
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import norm

from mixtures import DynamicResponsibility

N = 4000
TRUE_SCALES, TRUE_WEIGHTS = np.array([0.0, 0.5, 3.0]), np.array([0.6, 0.25, 0.15])


def simulate() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effects, what was measured of them, and the standard errors of that, all (n,)."""
    rng = np.random.default_rng(0)
    effects = rng.choice(TRUE_SCALES, N, p=TRUE_WEIGHTS) * rng.normal(size=N)
    errors = rng.uniform(0.5, 1.5, N)
    return effects, effects + errors * rng.normal(size=N), errors


def log_densities(x: np.ndarray, errors: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """``log N(x_n | 0, e_n^2 + s_k^2)``, (n, k): what was measured, the effect integrated out."""
    return norm.logpdf(x[:, np.newaxis], scale=np.hypot(errors[:, np.newaxis], scales))


def posterior_means(
    x: np.ndarray, errors: np.ndarray, scales: np.ndarray, responsibilities: np.ndarray
) -> np.ndarray:
    """``sum_k r_nk x_n s_k^2 / (s_k^2 + e_n^2)``: each component shrinks by its own factor."""
    factors = scales**2 / (scales**2 + errors[:, np.newaxis] ** 2)
    return x * (responsibilities * factors).sum(axis=1)


def main() -> None:
    """Fit the prior, shrink, print the errors, and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="write a picture of prior and posterior to this file")
    output = parser.parse_args().output

    effects, x, errors = simulate()
    scales = np.concatenate([[0.0], np.geomspace(0.1, 2.0 * np.abs(x).max(), 99)])
    A = log_densities(x, errors, scales)
    nulls = np.where(scales == 0.0, 10.0, 1.0)  # nine pseudo-rows that only zero explains
    fits = {
        "maximum likelihood": DynamicResponsibility(input="log_density"),
        "zero favoured": DynamicResponsibility(input="log_density", concentration=nulls),
    }
    print(f"{len(x)} effects, {len(scales)} known densities")
    for name, model in fits.items():
        model.fit(A)
        print(f"\n{name}: {model.n_iter_} steps; no weights gain more than {model.gap_:.0e} nats")
        print("standard deviation and weight of those that have one:")
        for scale, weight in zip(scales[model.active_], model.weights_[model.active_], strict=True):
            print(f"{scale:8.3f}{weight:10.4f}")

    # What one would do with the truth: no step is taken from weights that are known.
    B = log_densities(x, errors, TRUE_SCALES)
    truth = DynamicResponsibility(
        input="log_density", solver="em", start=TRUE_WEIGHTS, max_iter=0
    ).fit(B)
    best = posterior_means(x, errors, TRUE_SCALES, truth.predict_proba(B))
    risks = {"as measured": np.mean((x - effects) ** 2)}
    for name, model in fits.items():
        means = posterior_means(x, errors, scales, model.predict_proba(A))
        risks[name] = np.mean((means - effects) ** 2)
    risks["the prior known"] = np.mean((best - effects) ** 2)
    print("\nMean squared error of the effects, as measured and by posterior means:")
    for name, risk in risks.items():
        print(f"{name:30}{risk:8.4f}")
    raw, estimated, _, known = risks.values()
    share = (raw - estimated) / (raw - known)
    print(f"\n{share:.1%} of the gain comes without knowing the prior.")

    if output:
        priors = {name: model.weights_ for name, model in fits.items()}
        draw(output, effects, x, errors, means, scales, priors)


def draw(
    output: str,
    effects: np.ndarray,
    x: np.ndarray,
    errors: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
    priors: dict[str, np.ndarray],
) -> None:
    """The distribution of effects, true, measured and estimated; and how much each is shrunk."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10.0, 4.2), layout="constrained")
    at = np.linspace(-6.0, 6.0, 1001)
    steps = np.where(at >= 0.0, 1.0, 0.0)  # a standard deviation of zero is a step
    cumulative = np.column_stack([steps if s == 0.0 else norm.cdf(at, scale=s) for s in scales])
    left.plot(
        at, np.searchsorted(np.sort(x), at) / len(x), color="#999999", label="measured effects"
    )
    left.plot(
        at, np.searchsorted(np.sort(effects), at) / len(x), color="black", label="true effects"
    )
    for (name, weights), colour in zip(priors.items(), ("#0072B2", "#D55E00"), strict=True):
        left.plot(at, cumulative @ weights, "--", color=colour, label=name)
    left.set(xlabel="effect", ylabel="share of effects below")
    left.legend(frameon=False, loc="lower right")
    cloud = right.scatter(x, means, c=errors, s=6, cmap="viridis")
    right.axline((0.0, 0.0), slope=1.0, color="#999999", linewidth=1.0)
    right.set(xlabel="measured effect", ylabel="posterior mean", xlim=(-8, 8), ylim=(-8, 8))
    figure.colorbar(cloud, ax=right, label="standard error")
    figure.savefig(output, dpi=150)


if __name__ == "__main__":
    main()
