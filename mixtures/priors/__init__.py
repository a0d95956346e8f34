"""Conjugate priors: pseudo-data added to the sufficient statistics.

One M-step formula serves maximum likelihood and MAP: a prior adds pseudo-counts and pseudo-sums,
and the flat prior adds zeros. The objective that EM climbs and reports is log-likelihood plus
log-prior. k components, d features, N_k the responsibility-weighted count of component k.

Hyperparameters are numbers, or arrays that broadcast to the shape of the parameters. None may be
such that the posterior grows without bound towards an end of a parameter's range (a concentration
below one): it has no mode there, and whatever EM stopped at would depend on where it stopped.
"""

from .beta import Beta
from .dirichlet import Dirichlet
from .gamma import Gamma
from .normal_inverse_wishart import NormalInverseWishart, ResolvedNIW

__all__ = ["Beta", "Dirichlet", "Gamma", "NormalInverseWishart", "ResolvedNIW"]
