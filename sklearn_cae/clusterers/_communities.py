"""Groups of any shape: communities of the graph of shared nearest neighbours."""

from numbers import Integral
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .._input.arrays import as_samples
from .._utils.random import local_random_state
from ._halves import (
    cluster_halves,
    cluster_stability_of,
    link_by_agreement,
    runs_of,
    stability_by_neighbors,
    stability_of,
)
from ._links import shared_neighbors
from ._number import most_stable, so_many
from ._posterior import PosteriorMixin


class CommunityClusterer(PosteriorMixin, BaseEstimator):
    """Cluster by communities of the graph of shared nearest neighbours.

    Each sample is linked with its nearest neighbours. The weight of a link is the share of
    neighbours that both samples have in common (Jaccard). The communities of this graph are found
    with the Louvain method, as in PhenoGraph [1]_. Groups may have any shape.

    The number of communities depends on a resolution, and a little on the order of the samples.
    The resolution is therefore raised from 0.2 to 1, with five random orders per step. All these
    runs see the same links, in which noise may look like groups. Communities are therefore also
    found in random halves of the samples. The stability of a number is the product of two factors:

    - the share of pairs of runs, from one step and the next, that both have this number, weighted
      by the adjusted Rand index of the two partitions;
    - the mean adjusted Rand index of its partition with those of the halves.

    The most stable number is used. There is a warning if the share is below 1/3, or if the mean
    adjusted Rand index is below 0.9 among its pairs, or below 0.8 with the halves.

    With `n_init` > 1, the communities of this many halves also form a consensus [2]_: each link is
    multiplied by the share of these clusterings that have both samples in one community. Another
    seed then leads to nearly the same groups, and the halves tell how stable each sample is.

    A new sample is assigned to the cluster of most of its neighbours.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters; "auto" is the most stable number. If no resolution leads to the number,
        communities with the strongest links are merged.
    n_neighbors : int, default=15
        Number of neighbours in the graph and of a new sample, at most half of the samples. More
        neighbours lead to fewer and larger groups.
    max_clusters : int, default=20
        Largest number that "auto" may find.
    max_samples : int, default=10_000
        Maximum number of samples in the graph, drawn at random. The other samples are assigned like
        new ones.
    n_init : int, default=1
        Number of random halves whose communities form a consensus, such as 10. With 1 there is no
        consensus, and nothing is known of the stability of samples.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw and of the orders. None gives different results on each call.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample. Cluster 0 has the most samples in the graph.
    n_clusters_ : int
        Number of clusters.
    search_ : dict or None
        "resolution": the resolutions tried; "n_clusters": number of communities per resolution and
        run, (n_resolutions, 5); "stability": stability of each number, at most 1; "halves": mean
        adjusted Rand index of the groups and those of halves, None if there is one group; "found":
        whether the most stable number is stable. None if `n_clusters` is an int.
    stability_ : ndarray of shape (n_samples,) or None
        Share of the halves in which each sample is in its own cluster. A half has its own clusters,
        which are paired with those of `labels_` so that they share the most samples. Samples
        outside of a half are assigned by their links to it. None with ``n_init=1``.
    cluster_stability_ : ndarray of shape (`n_clusters_`,) or None
        Overlap (Jaccard) of each cluster with its own in each half, averaged over the halves. Below
        about 0.6 a cluster does not come back, above about 0.75 it does [3]_.
    runs_ : ndarray of shape (n_samples, `n_init`) or None
        Cluster of each sample by each half, with the numbers of `labels_`; -1 if it is none of
        them.
    n_features_in_ : int
        Number of features.

    References
    ----------
    .. [1] Levine et al., "Data-driven phenotypic dissection of AML reveals progenitor-like cells
       that correlate with prognosis", Cell 162 (2015).
    .. [2] Poulin and Theberge, "Ensemble clustering for graphs", Complex Networks (2018).
    .. [3] Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics and
       Data Analysis 52 (2007).

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn_cae.clusterers import CommunityClusterer
    >>> X, _ = make_moons(200, noise=0.05, random_state=0)
    >>> clusterer = CommunityClusterer(n_clusters=2, n_init=5, random_state=0).fit(X)
    >>> clusterer.n_clusters_
    2
    >>> clusterer.stability_.shape
    (200,)
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_neighbors": [Interval(Integral, 2, None, closed="left")],
        "max_clusters": [Interval(Integral, 2, None, closed="left")],
        "max_samples": [Interval(Integral, 2, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters="auto",
        *,
        n_neighbors=15,
        max_clusters=20,
        max_samples=10_000,
        n_init=1,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.max_clusters = max_clusters
        self.max_samples = max_samples
        self.n_init = n_init
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Find the communities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : CommunityClusterer

        Raises
        ------
        ValueError
            If a parameter breaks a rule, or `n_clusters` is greater than the number of samples.

        Warns
        -----
        ConvergenceWarning
            If no number of clusters is stable, or if all numbers exceed `max_clusters`.
        """
        X = validate_data(self, as_samples(X), dtype=[np.float64, np.float32], ensure_min_samples=2)
        rng = local_random_state(self.random_state)
        n_drawn = min(self.max_samples, len(X))
        drawn = np.sort(rng.choice(len(X), n_drawn, replace=False))
        n_neighbors = min(self.n_neighbors, max(2, n_drawn // 2))  # with all, links are equal
        halves, links = [], shared_neighbors(X[drawn], n_neighbors)
        if self.n_init > 1:
            halves = cluster_halves(X[drawn], n_neighbors, self.n_init, rng)
            links = link_by_agreement(links, halves)
        if self.n_clusters == "auto":
            labels, self.search_ = most_stable(
                X[drawn], links, self.max_clusters, n_neighbors, rng, halves
            )
        else:
            if self.n_clusters > n_drawn:
                raise ValueError(
                    f"n_clusters must be at most the number of samples, {n_drawn} (max_samples="
                    f"{self.max_samples}), got {self.n_clusters}. Pass fewer clusters."
                )
            labels, self.search_ = so_many(X[drawn], links, self.n_clusters, rng), None
        self.n_clusters_ = int(labels.max()) + 1
        self._neighbors = KNeighborsClassifier(n_neighbors).fit(X[drawn], labels)
        self.labels_ = self._neighbors.predict(X) if n_drawn < len(X) else labels
        self.labels_[drawn] = labels
        self._drawn_runs = runs_of(halves, links, labels) if halves else None
        self._measure_stability(X, drawn)
        return self

    def _measure_stability(self, X, drawn):
        """Measure how stable samples and clusters are, from the clusterings of the halves."""
        self.runs_ = self.stability_ = self.cluster_stability_ = None
        if self._drawn_runs is None:
            return
        self.runs_ = self._drawn_runs
        if len(drawn) < len(X):  # others have the clusters of their nearest neighbour
            nearest = self._neighbors.kneighbors(X, 1, return_distance=False)[:, 0]
            nearest[drawn] = np.arange(len(drawn))
            self.runs_ = self._drawn_runs[nearest]
        self.stability_ = stability_of(self.runs_, self.labels_)
        self.cluster_stability_ = cluster_stability_of(self.runs_, self.labels_, self.n_clusters_)

    def predict_proba(self, X) -> np.ndarray:
        """Compute the share of a sample's neighbours in each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, `n_clusters_`)
        """
        check_is_fitted(self)
        return self._neighbors.predict_proba(validate_data(self, as_samples(X), reset=False))

    def predict_stability(self, X) -> np.ndarray:
        """Compute the share of halves in which new samples are in their own cluster.

        A half assigns a sample to the cluster of most of its neighbours.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        stability : ndarray of shape (n_samples,)
            Share in [0, 1].

        Raises
        ------
        ValueError
            If the fit had ``n_init=1``.
        """
        check_is_fitted(self)
        if self._drawn_runs is None:
            raise ValueError("predict_stability needs a fit with n_init > 1. Pass n_init=10.")
        X = validate_data(self, as_samples(X), reset=False)
        near = self._neighbors.kneighbors(X, return_distance=False)
        return stability_by_neighbors(self._drawn_runs[near], self.predict(X), self.n_clusters_)
