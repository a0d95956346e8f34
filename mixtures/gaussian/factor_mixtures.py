"""Mixtures of probabilistic PCA and of factor analysers."""

from __future__ import annotations

from .factor_inference import AbstractFactorMixture


class MixtureOfPPCA(AbstractFactorMixture):
    """Mixture of probabilistic principal component analysers (Tipping and Bishop 1999).

    ``x = mean_k + L_k z + e`` with probability ``weight_k``, where ``z ~ N(0, I)`` has `n_factors`
    numbers and ``e ~ N(0, p_k I)``. It is ``GaussianMixture(covariance_type=LowRank(n_factors,
    'isotropic'))`` with what there is to say of the factors.

    Parameters
    ----------
    n_components : int, default=1
    n_factors : int, default=1
        Factors of each component, fewer than features.
    tol, reg_covar, max_iter, n_init, init_params, weights_init, means_init, random_state, \
            warm_start, verbose, verbose_interval, prior, weight_prior, acceleration, \
            component_order, n_threads
        As in `GaussianMixture`.

    Attributes
    ----------
    loadings_ : ndarray of shape (n_components, n_features, n_factors)
        Orthogonal columns, the longest first; of each the largest entry is positive.
    noise_variances_ : ndarray of shape (n_components,)
    posterior_covariances_ : ndarray of shape (n_components, n_factors, n_factors)
        Of a row's factors, given the row and its component.
    weights_, means_, covariances_, converged_, n_iter_, lower_bound_, lower_bounds_, \
            initial_lower_bound_, stop_reason_, restarts_, n_features_in_, feature_names_in_
        As in `GaussianMixture`.

    Raises
    ------
    ValueError
        If X or a parameter is not as described, if there are not more features than factors, or
        if no start led to a model.

    Examples
    --------
    >>> from mixtures import MixtureOfPPCA
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> mixture = MixtureOfPPCA(3, n_factors=2, random_state=0).fit(X)
    >>> mixture.loadings_.shape, mixture.noise_variances_.shape
    ((3, 4, 2), (3,))
    >>> mixture.transform(X).shape, mixture.factors(X, component=0).shape
    ((150, 6), (150, 2))
    """

    _noise = "isotropic"


class MixtureOfFactorAnalyzers(AbstractFactorMixture):
    """Mixture of factor analysers (Ghahramani and Hinton 1996; McLachlan and Peel 2000, chapter 8).

    ``x = mean_k + L_k z + e`` with probability ``weight_k``, where ``z ~ N(0, I)`` has `n_factors`
    numbers and ``e ~ N(0, P_k)``, P diagonal: the factors explain all that a component's features
    have in common. It is ``GaussianMixture(covariance_type=LowRank(n_factors, 'diagonal'))`` with
    what there is to say of the factors.

    Parameters
    ----------
    n_components : int, default=1
    n_factors : int, default=1
        Factors of each component, fewer than features.
    tol, reg_covar, max_iter, n_init, init_params, weights_init, means_init, random_state, \
            warm_start, verbose, verbose_interval, prior, weight_prior, acceleration, \
            component_order, n_threads
        As in `GaussianMixture`.

    Attributes
    ----------
    loadings_ : ndarray of shape (n_components, n_features, n_factors)
        Columns orthogonal in units of the noise, ``L' P^-1 L`` diagonal and decreasing; of each
        the largest entry is positive.
    noise_variances_ : ndarray of shape (n_components, n_features)
    posterior_covariances_ : ndarray of shape (n_components, n_factors, n_factors)
        Of a row's factors, given the row and its component.
    weights_, means_, covariances_, converged_, n_iter_, lower_bound_, lower_bounds_, \
            initial_lower_bound_, stop_reason_, restarts_, n_features_in_, feature_names_in_
        As in `GaussianMixture`.

    Raises
    ------
    ValueError
        If X or a parameter is not as described, if there are not more features than factors, or
        if no start led to a model.

    Examples
    --------
    >>> from mixtures import MixtureOfFactorAnalyzers
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> mixture = MixtureOfFactorAnalyzers(2, n_factors=1, random_state=0).fit(X)
    >>> mixture.get_covariance().shape
    (2, 4, 4)
    >>> mixture.reconstruct(X).shape
    (150, 4)
    """

    _noise = "diagonal"
