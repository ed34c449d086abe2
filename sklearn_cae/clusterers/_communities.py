"""Groups of any shape: communities of the graph of shared nearest neighbours."""

from itertools import pairwise, product
from numbers import Integral
from typing import Self

import numpy as np
from scipy.sparse import coo_array, csr_array, csr_matrix
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from sknetwork.clustering import Louvain

from .._input.arrays import as_samples
from .._utils.random import local_random_state
from .._utils.warnings import warn
from ._halves import (
    Half,
    cluster_stability_of,
    draw_half,
    link_by_agreement,
    mean_agreement,
    runs_of,
    stability_by_neighbors,
    stability_of,
)
from ._joining import join_to
from ._posterior import PosteriorMixin

#: At lower resolutions, the modularity merges groups that are small compared with the whole.
RESOLUTIONS = np.geomspace(0.3, 1.0, 13)
#: Runs per resolution, each with another order of the samples, because one run depends on luck.
_RUNS = 5
_STABLE_SHARE = 1 / 3
_STABLE_RAND = 0.9
#: Halves that check a stable number, and their smallest mean adjusted Rand index.
_CHECKS = 4
_STABLE_HALVES = 0.8
#: Halves are divided at every second resolution: enough to find the partition of a number again.
_OF_HALVES = RESOLUTIONS[::2]
_FINER = 1.5
#: A resolution is too low if its number of communities, plus `_SPREAD`, is below this share of the
#: requested number.
_FAR_FEWER = 0.8
_SPREAD = 10


class CommunityClusterer(PosteriorMixin, BaseEstimator):
    """Cluster by communities of the graph of shared nearest neighbours.

    Each sample is linked with its nearest neighbours. The weight of a link is the share of
    neighbours that both samples have in common (Jaccard). The communities of this graph are found
    with the Louvain method, as in PhenoGraph [1]_. Groups may have any shape.

    The number of communities depends on a resolution, and a little on the order of the samples.
    The resolution is therefore raised from 0.3 to 1, with five random orders per step. The
    stability of a number is the share of pairs of runs, from one step and the next, that both have
    this number, weighted by the adjusted Rand index of the two partitions. The most stable number
    is used. There is a warning if its stability is below 1/3, or if the mean adjusted Rand index
    of its pairs is below 0.9. All these runs see the same links, in which noise may look like
    groups. Communities are therefore also found in random halves of the samples. There is a
    warning, too, if their mean adjusted Rand index with the groups is below 0.8.

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
        adjusted Rand index of the groups and those of halves, None if it was not needed; "found":
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


def shared_neighbors(X, n_neighbors):
    """Link samples with their nearest neighbours, weighted by the share of common neighbours.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    n_neighbors : int
        Number of neighbours, with the sample itself.

    Returns
    -------
    links : sparse array of shape (n_samples, n_samples)
        Weights of the links: symmetric, in [0, 1], zero on the diagonal.
    """
    n_samples = len(X)
    others = NearestNeighbors(n_neighbors=n_neighbors - 1).fit(X).kneighbors(return_distance=False)
    nearest = np.column_stack([np.arange(n_samples), others])
    is_near = csr_array(
        (np.ones(nearest.size), nearest.ravel(), np.arange(0, nearest.size + 1, n_neighbors)),
        shape=(n_samples, n_samples),
    )
    n_shared = coo_array((is_near @ is_near.T) * ((is_near + is_near.T) > 0))
    between = n_shared.row != n_shared.col
    row, col, n_shared = (each[between] for each in (n_shared.row, n_shared.col, n_shared.data))
    return csr_array(
        (n_shared / (2 * n_neighbors - n_shared), (row, col)), shape=(n_samples, n_samples)
    )


def communities(links, resolution, order):
    """Find Louvain communities, the largest first, with the samples in a given order."""
    # Leiden is not used, because scikit-network's draws from C's generator, which cannot be
    # seeded. Probabilities are not returned, because the largest one is not always the label.
    louvain = Louvain(resolution, "newman", return_probs=False, return_aggregate=False)
    links = csr_matrix(links)[order][:, order]  # Louvain accepts only this type
    return louvain.fit_predict(links)[np.argsort(order)]


def cluster_halves(X, n_neighbors, n_halves, rng):
    """Find communities of random halves of the samples, at several resolutions; list of `Half`."""
    halves = []
    for _ in range(n_halves):
        rows = draw_half(len(X), rng)
        links = shared_neighbors(X[rows], min(n_neighbors, max(2, len(rows) // 2)))
        partitions = [communities(links, r, rng.permutation(len(rows))) for r in _OF_HALVES]
        halves.append(Half(rows, partitions))
    return halves


def _orders(links, rng):
    """Draw random orders of the samples, one per run at a resolution."""
    return [rng.permutation(links.shape[0]) for _ in range(_RUNS)]


def _several(links, resolution, orders):
    return [communities(links, resolution, order) for order in orders]


def _count(partitions):
    """Count the communities per resolution and run, (n_resolutions, n_runs)."""
    return np.array([[labels.max() + 1 for labels in runs] for runs in partitions])


def most_stable(X, links, max_clusters, n_neighbors, rng, halves):
    """Raise the resolution, and return a partition with the most stable number of communities.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
    search : dict
        Record of the search, as in `CommunityClusterer.search_`.
    """
    partitions = [_several(links, resolution, _orders(links, rng)) for resolution in RESOLUTIONS]
    numbers = _count(partitions)
    coarsest = int(numbers.min())
    search = {"resolution": RESOLUTIONS, "n_clusters": numbers, "stability": {}}
    search |= {"halves": None, "found": False}
    if coarsest > max_clusters:
        warn(
            f"There are at least {coarsest} communities, more than max_clusters={max_clusters}. "
            "The closest ones were merged. Raise max_clusters.",
            ConvergenceWarning,
        )
        return join_to(max_clusters, X, links, _typical(partitions, numbers == coarsest)), search
    # For each number: agreement of two runs, at one resolution and the next, that both have it.
    agreement = {n: [] for n in np.unique(numbers).tolist() if 1 < n <= max_clusters}
    for runs, finer in pairwise(partitions):
        for pair in product(runs, finer):
            n, n_finer = (labels.max() + 1 for labels in pair)
            if n == n_finer and n in agreement:
                agreement[n].append(adjusted_rand_score(*pair))
    n_pairs = (len(RESOLUTIONS) - 1) * _RUNS**2
    stability = {n: sum(rands) / n_pairs for n, rands in agreement.items()}
    best = max(stability, key=stability.get, default=1)
    found = (
        best > 1 and stability[best] >= _STABLE_SHARE and np.mean(agreement[best]) >= _STABLE_RAND
    )
    labels = _typical(partitions, numbers == best)
    if found:
        halves = halves or cluster_halves(X, n_neighbors, _CHECKS, rng)
        search["halves"] = mean_agreement(halves, labels)
        found = search["halves"] >= _STABLE_HALVES
    if not found:
        warn(
            f"No number of communities is stable; n_clusters_={best} is the most stable one. The "
            "samples may be a single group. Look at the clusterer's search_, or pass n_clusters.",
            ConvergenceWarning,
        )
    search |= {"stability": stability, "found": bool(found)}
    return labels, search


def so_many(X, links, n_clusters, rng):
    """Return a partition into `n_clusters` communities, merged from a finer one if necessary."""
    partitions = []
    orders = [_orders(links, rng) for _ in RESOLUTIONS]
    for resolution, each in zip(RESOLUTIONS[::-1], orders[::-1], strict=True):
        runs = _unless_far_fewer(n_clusters, links, resolution, each)
        if not runs:  # lower resolutions have even fewer communities
            break
        partitions.insert(0, runs)
    resolution = RESOLUTIONS[-1]
    is_reached = bool(partitions) and _count(partitions[-1:]).max() >= n_clusters
    while not is_reached and resolution < len(X):  # at len(X), all samples are apart
        resolution *= _FINER
        runs = _unless_far_fewer(n_clusters, links, resolution, _orders(links, rng))
        if runs:
            partitions.append(runs)
            is_reached = _count([runs]).max() >= n_clusters
    partitions.append([np.arange(len(X))] * _RUNS)  # the finest partition
    numbers = _count(partitions)
    nearest = numbers[numbers >= n_clusters].min()
    return join_to(n_clusters, X, links, _typical(partitions, numbers == nearest))


def _unless_far_fewer(n_clusters, links, resolution, orders):
    """Return several runs, or an empty list if the first run has far too few communities."""
    first, *others = orders
    labels = communities(links, resolution, first)
    if labels.max() + 1 + _SPREAD < _FAR_FEWER * n_clusters:
        return []
    return [labels, *_several(links, resolution, others)]


def _typical(partitions, chosen):
    """Return the chosen partition that agrees best with the other chosen ones of its resolution.

    The resolution is the one with the most chosen partitions. If several have the most, it is the
    middle one.
    """
    most = chosen.sum(axis=1)
    (indices,) = np.nonzero(most == most.max())
    index = indices[len(indices) // 2]
    runs = [
        labels
        for labels, is_chosen in zip(partitions[index], chosen[index], strict=True)
        if is_chosen
    ]
    agreement = [sum(adjusted_rand_score(labels, other) for other in runs) for labels in runs]
    return runs[np.argmax(agreement)]
