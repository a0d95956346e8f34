"""Factor analysis, principal components and mixtures of them, beside their peers."""
