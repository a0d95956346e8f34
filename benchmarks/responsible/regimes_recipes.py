"""The ways of training that are compared: rivals, and regimes of the responsible head.

All of the latter start a batch's prior at the shares in training and apply the map once, with the
exact gradient, where their names do not say otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .regimes_train import Phase, Recipe

SOFTMAX, FIXED = Phase({"head": "softmax"}), Phase({"head": "fixed"})


def lately(recipes: dict[str, Recipe]) -> dict[str, Recipe]:
    """The same with a learning rate that stays high for longer."""
    return {f"late, {name}": replace(recipe, late=True) for name, recipe in recipes.items()}


HEADS = {
    "softmax, adjusted": Recipe((SOFTMAX,)),
    "class weights": Recipe((replace(SOFTMAX, tau=1.0),)),
    "balanced softmax": Recipe((FIXED,)),
}
RIVALS = HEADS | lately(HEADS) | {"scikit-learn, adjusted": Recipe(peer="scikit-learn")}


def rule(pseudo: float = 0.0, tau: float = 0.0, **settings: Any) -> Phase:
    """A responsible head."""
    given = {"head": "responsible", "prior_start": "empirical", "prior_gradient": "exact"}
    return Phase({**given, "n_prior_iter": 1, **settings}, 1.0, tau, pseudo)


def one(*given: Any, **settings: Any) -> Recipe:
    return Recipe((rule(*given, **settings),))


def after_another(*phases: Phase, shares: tuple[float, ...] = ()) -> Recipe:
    """Phases that are equally long, or as long as the shares say."""
    lengths = shares or (1.0 / len(phases),) * len(phases)
    return Recipe(tuple(replace(p, share=s) for p, s in zip(phases, lengths, strict=True)))


def weights_between(phase: Phase, last: float = 0.0, until: float = 0.5) -> Recipe:
    """Equal classes from the second quarter of the epochs on, ``t ** -last`` at the end."""
    taus, shares = (0.0, 1.0, last), (0.25, until - 0.25, 1.0 - until)
    return after_another(*(replace(phase, tau=tau) for tau in taus), shares=shares)


STOP: dict[str, Any] = {"prior_gradient": "stop"}
UNIFORM: dict[str, Any] = {"prior_start": "uniform"}
CARRY: dict[str, Any] = {"prior_start": "carry"}
PSEUDO = (10.0, 100.0, 1000.0, 10000.0)
HEAVY = rule(1000.0)

OWN: dict[str, Recipe] = {
    "uniform start, C = 1": one(**UNIFORM),
    "uniform start, C = 5": one(**UNIFORM, n_prior_iter=5),
    "uniform start, C = 5, stop": one(**UNIFORM, **STOP, n_prior_iter=5),
    "uniform start, 100 pseudo-rows": one(100.0, **UNIFORM),
    "C = 1": one(),
    "C = 5": one(n_prior_iter=5),
    "C = 1, stop": one(**STOP),
    **{f"{n:g} pseudo-rows": one(n) for n in PSEUDO},
    "fixed point, 100 pseudo-rows": one(100.0, prior_gradient="implicit"),
    "carried, momentum 0.99, stop": one(**CARRY, **STOP, prior_momentum=0.99),
    "C = 0, 1, 2, 5 in turn": after_another(*(rule(n_prior_iter=c) for c in (0, 1, 2, 5))),
    "C = 5, 2, 1, 0 in turn": after_another(*(rule(n_prior_iter=c) for c in (5, 2, 1, 0))),
    "stop, then exact": after_another(rule(**STOP), rule()),
    "10, 100, 1000 pseudo-rows in turn": after_another(*map(rule, PSEUDO[:3])),
    "class weights": one(0.0, 1.0),
    "class weights^0.25": one(0.0, 0.25),
    "class weights^0.25, 1000 pseudo-rows": one(1000.0, 0.25),
    "class weights between": weights_between(rule()),
    "class weights between, stop": weights_between(rule(**STOP)),
    "class weights between, 1000 pseudo-rows": weights_between(HEAVY),
    "class weights between, then ^0.33, 1000 pseudo-rows": weights_between(HEAVY, 0.33),
}
LATE = {
    "uniform start, C = 1": OWN["uniform start, C = 1"],
    "C = 1": OWN["C = 1"],
    "C = 1, stop": OWN["C = 1, stop"],
    "1000 pseudo-rows": OWN["1000 pseudo-rows"],
    "stop, then exact": OWN["stop, then exact"],
    "class weights^0.25, 1000 pseudo-rows": OWN["class weights^0.25, 1000 pseudo-rows"],
    "class weights^0.5, 1000 pseudo-rows": one(1000.0, 0.5),
    "class weights between, 1000 pseudo-rows": OWN["class weights between, 1000 pseudo-rows"],
    "class weights between, longer, then ^0.5, stop": weights_between(rule(**STOP), 0.5, 0.75),
    "class weights between, longer, then ^0.5, 1000 pseudo-rows": weights_between(HEAVY, 0.5, 0.75),
    "class weights between, longest, 1000 pseudo-rows": weights_between(HEAVY, 0.0, 0.9),
}
REGIMES = OWN | lately(LATE)

SIZES = (0.5, 2.0, 4.0)  # as multiples
BATCHED = {
    "balanced softmax": RIVALS["late, balanced softmax"],
    "C = 1": REGIMES["late, C = 1"],
    "C = 1, stop": REGIMES["late, C = 1, stop"],
}
