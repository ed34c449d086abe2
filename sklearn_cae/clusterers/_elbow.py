"""The number of clusters at the elbow of the inertia."""

import warnings
from numbers import Integral
from typing import Self

import numpy as np
from kneed import KneeLocator
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm.auto import tqdm

from .._input.arrays import as_samples
from .._utils.random import local_random_state
from .._utils.warnings import warn
from ._silhouette import simplified_silhouette
from ._steps import cluster_means, fit_clone, one_at_least

#: Maximum number of samples in the search, to limit memory and time.
SWEEP_SAMPLES = 10_000
_STRUCTURE_MARGIN = 1.1


def _inner_has(name):
    """Return a check whether the inner clusterer, fitted if possible, has a method."""
    return lambda self: hasattr(getattr(self, "clusterer_", self._inner()), name)


class ElbowClusterer(ClusterMixin, BaseEstimator):
    """Cluster with another clusterer, and find the number of clusters at the elbow of the inertia.

    The clusterer is fitted with every number of clusters from 2 to `max_clusters`. The number at
    the knee of the inertia [1]_ is used if two conditions are met: the knee stays if fewer numbers
    are tried, and its clusters are tighter than those of one Gaussian. Otherwise the number with
    the best silhouette is used, with a warning. Samples are compared by cosine: rows of X that are
    not of unit length are normalised.

    Parameters
    ----------
    clusterer : estimator, default=None
        Clusterer with a parameter `n_clusters` or `n_components`. None is KMeans.
    max_clusters : int, default=20
        Largest number of clusters that is tried.
    random_state : int, RandomState instance or None, default=None
        Seed of the search and of the clusterer. None gives different results on each call.

    Attributes
    ----------
    clusterer_ : estimator
        Clusterer, fitted with the number that was chosen.
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample; -1 is noise.
    n_clusters_ : int
        Number of clusters that was chosen.
    search_ : dict
        "n_clusters", "inertia" and "silhouette": arrays over the numbers tried; "knee": int or
        None; "found": whether the knee is used; "best": the number that was chosen.
    n_features_in_ : int
        Number of features.

    References
    ----------
    .. [1] Satopaa, Albrecht, Irwin, Raghavan, "Finding a kneedle in a haystack", ICDCSW 2011.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_cae.clusterers import ElbowClusterer
    >>> X, _ = make_blobs(300, 8, centers=4, cluster_std=0.5, random_state=0)
    >>> ElbowClusterer(max_clusters=10, random_state=0).fit(X).n_clusters_
    4
    """

    _parameter_constraints: dict = {
        "clusterer": [HasMethods(["fit_predict", "get_params"]), None],
        "max_clusters": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, clusterer=None, *, max_clusters=20, random_state=None):
        self.clusterer = clusterer
        self.max_clusters = max_clusters
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None) -> Self:
        """Search for the elbow, and cluster with the number found.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : ElbowClusterer

        Warns
        -----
        UserWarning
            If no elbow is found.
        """
        X = validate_data(self, as_samples(X), dtype=[np.float64, np.float32], ensure_min_samples=2)
        return self._search(_to_unit(X), local_random_state(self.random_state))

    def _search(self, unit, rng, *, verbose=0):
        """Fit with a given generator of random numbers."""
        self.n_features_in_ = unit.shape[1]
        inner = self._inner()
        self.search_ = find_elbow(unit, inner, self.max_clusters, rng, verbose=verbose)
        self.n_clusters_ = self.search_["best"]
        self.clusterer_, self.labels_ = fit_clone(unit, inner, self.n_clusters_, rng)
        return self

    def _inner(self):
        return KMeans(n_init=5) if self.clusterer is None else self.clusterer

    @available_if(_inner_has("predict"))
    def predict(self, X) -> np.ndarray:
        """Assign samples with the fitted clusterer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        X = self._check(X)
        return self.clusterer_.predict(X)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X) -> np.ndarray:
        """Assign samples softly with the fitted clusterer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, `n_clusters_`)
        """
        X = self._check(X)
        return self.clusterer_.predict_proba(X)

    def _check(self, X):
        check_is_fitted(self)
        X = validate_data(self, as_samples(X), reset=False, dtype=[np.float64, np.float32])
        return _to_unit(X)


def _to_unit(X):
    """Normalise rows, or return X unchanged if all rows have unit length."""
    lengths = np.linalg.norm(X, axis=1)
    return X if np.allclose(lengths, 1, atol=1e-5) else normalize(X)


def find_elbow(unit, clusterer, max_clusters, rng, *, verbose=0):
    """Cluster with every number from 2 to `max_clusters`, and find the knee of the inertia.

    Every falling curve has a point of largest curvature. Two conditions therefore decide whether
    the knee is used. First, a search over the first two thirds of the numbers, or up to two beyond
    the knee if that is more, must find the same knee or a neighbour. Second, the silhouette at the
    knee must be a tenth above that of one Gaussian with the mean and covariance of the samples.
    Otherwise the number with the best silhouette is used, with a warning.

    Parameters
    ----------
    unit : ndarray of shape (n_samples, embedding_dim)
        Normalised embeddings.
    clusterer : estimator
    max_clusters : int
    rng : RandomState
    verbose : int, default=0

    Returns
    -------
    elbow : dict
        "n_clusters", "inertia" and "silhouette": arrays over the numbers tried; "knee": int or
        None, over all numbers; "found": whether it is used; "best": the number chosen.
    """
    if len(unit) > SWEEP_SAMPLES:
        unit = unit[rng.choice(len(unit), SWEEP_SAMPLES, replace=False)]
    numbers = np.arange(2, max(2, min(max_clusters, len(unit) - 1)) + 1)
    bar = tqdm(numbers, desc="elbow", unit="k", disable=not verbose)
    inertia, silhouette = np.array([_score(unit, clusterer, k, rng) for k in bar]).T
    knee = _knee(numbers, inertia)
    doubt = _doubt(knee, numbers, inertia, silhouette, unit, clusterer, rng)
    best = knee if doubt is None else int(numbers[silhouette.argmax()])
    if doubt is not None:
        warn(
            f"No elbow was found over 2 to {numbers[-1]} clusters: {doubt}. The groups may not be "
            f"separate. n_clusters_={best} is the number with the best silhouette; look at "
            "search_, or pass n_clusters.",
            UserWarning,
        )
    return {
        "n_clusters": numbers,
        "inertia": inertia,
        "silhouette": silhouette,
        "knee": knee,
        "found": doubt is None,
        "best": best,
    }


def _score(unit, clusterer, n_clusters, rng):
    labels = one_at_least(fit_clone(unit, clusterer, n_clusters, rng)[1])
    means, members = cluster_means(unit, labels), labels >= 0
    inertia = np.square(unit[members] - means[labels[members]]).sum()
    return inertia, simplified_silhouette(unit @ normalize(means).T).mean()


def _knee(numbers, inertia):
    if len(numbers) < 3:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of kneed; `find_elbow` warns if there is no knee
        knee = KneeLocator(numbers, inertia, curve="convex", direction="decreasing").knee
    return None if knee is None else int(knee)


def _doubt(knee, numbers, inertia, silhouette, unit, clusterer, rng):
    """Return the reason why a knee is not used, or None."""
    if knee is None:
        return "the inertia has no knee"
    shown = numbers <= min(max(2 * numbers[-1] / 3, knee + 2), numbers[-1] - 1)
    again = _knee(numbers[shown], inertia[shown])
    if again is None:
        return f"the knee at {knee} is gone if only {shown.sum()} numbers are tried"
    if abs(again - knee) > 1:
        return f"the knee at {knee} moves to {again} if only {shown.sum()} numbers are tried"
    gaussian = rng.multivariate_normal(unit.mean(axis=0), np.cov(unit.T), size=len(unit))
    _, reference = _score(normalize(gaussian), clusterer, knee, rng)
    found = silhouette[knee - numbers[0]]
    if found < _STRUCTURE_MARGIN * reference:
        return (
            f"{knee} clusters are hardly tighter (silhouette {found:.3f}) than those of a single "
            f"Gaussian ({reference:.3f})"
        )
    return None
