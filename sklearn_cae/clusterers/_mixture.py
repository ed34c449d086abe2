"""Elongated groups: a mixture of Gaussians in a few principal components."""

from collections.abc import Iterable
from numbers import Integral
from typing import Self

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, _fit_context
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .._input.arrays import as_samples
from .._utils.random import draw_seed, local_random_state
from ._posterior import PosteriorMixin


class MixtureClusterer(PosteriorMixin, BaseEstimator):
    """Cluster with a mixture of Gaussians with full covariances, in a few principal components.

    Groups may be elongated, each in its own direction.

    Parameters
    ----------
    n_components : int or "bic", default="bic"
        Number of Gaussians. "bic" is the number with the lowest Bayesian information criterion,
        among those with a mean of at least ``2 * d + 2`` samples per Gaussian of d dimensions.
    n_dims : int, default=20
        Maximum number of principal components.
    max_components : int, default=20
        Largest number that "bic" tries.
    random_state : int, RandomState instance or None, default=None
        Seed of the fit. None gives different results on each call.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample.
    mixture_ : GaussianMixture
        Mixture of the principal components, on a common scale.
    pca_ : PCA
        Principal components.
    n_features_in_ : int
        Number of features.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_cae.clusterers import MixtureClusterer
    >>> X, _ = make_blobs(300, centers=3, random_state=0, cluster_std=0.5)
    >>> MixtureClusterer(random_state=0).fit(X).mixture_.n_components
    3
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"bic"})],
        "n_dims": [Interval(Integral, 1, None, closed="left")],
        "max_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_components="bic", *, n_dims=20, max_components=20, random_state=None):
        self.n_components = n_components
        self.n_dims = n_dims
        self.max_components = max_components
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : MixtureClusterer
        """
        X = validate_data(self, as_samples(X), dtype=[np.float64, np.float32], ensure_min_samples=2)
        rng = local_random_state(self.random_state)
        self.pca_ = PCA(min(self.n_dims, *X.shape), random_state=draw_seed(rng)).fit(X)
        reduced = self._reduce(X)
        numbers: Iterable = [self.n_components]
        if self.n_components == "bic":
            # A Gaussian with hardly more samples than dimensions overfits.
            largest = len(X) // (2 * (reduced.shape[1] + 1))
            numbers = range(1, max(1, min(self.max_components, largest)) + 1)
        with config_context(array_api_dispatch=False):  # with it, the start by k-means fails
            mixtures = [
                GaussianMixture(number, n_init=3, random_state=draw_seed(rng)).fit(reduced)
                for number in numbers
            ]
        self.mixture_ = min(mixtures, key=lambda mixture: mixture.bic(reduced))
        self.labels_ = self.mixture_.predict(reduced)
        return self

    def _reduce(self, X):
        # Rescale, because the mixture adds a fixed minimum to all variances.
        scale = np.sqrt(self.pca_.explained_variance_.mean())
        return self.pca_.transform(X) / max(scale, np.finfo(np.float32).tiny)

    def predict_proba(self, X) -> np.ndarray:
        """Compute the posterior probability of each Gaussian.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return self.mixture_.predict_proba(
            self._reduce(validate_data(self, as_samples(X), reset=False))
        )
