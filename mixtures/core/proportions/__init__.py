"""Mixing weights of components whose densities are known: a concave problem, solved to proof."""
