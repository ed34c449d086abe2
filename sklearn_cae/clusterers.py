"""Clusterers for embeddings whose groups are no balls: communities of neighbours, and mixtures.

Both are scikit-learn clusterers with ``predict_proba``, and go into
``ContrastiveAutoencoderClusterer(clusterer=...)`` as any other clusterer does; with
``n_clusters="auto"`` there, they find the number of clusters by themselves.
"""

import warnings
from itertools import pairwise
from numbers import Integral

import networkx as nx
import numpy as np
from scipy.sparse import coo_array, csr_array
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ._random import draw_seed, local_random_state

__all__ = ["CommunityClusterer", "MixtureClusterer"]

#: Below these, the modularity joins groups that are small beside the whole.
RESOLUTIONS = np.geomspace(0.3, 1.0, 13)
_STABLE_STEPS = 2
_STABLE_RAND = 0.9
_FINER = 1.5
_FINEST = 100.0


class _PosteriorMixin(ClusterMixin):
    """A clusterer that assigns samples to their most probable cluster."""

    def predict(self, X):
        """Assign samples to their most probable cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return self.predict_proba(X).argmax(axis=1)


class CommunityClusterer(_PosteriorMixin, BaseEstimator):
    """Cluster by communities of the graph of shared nearest neighbours.

    Samples are joined with their nearest neighbours, by the share of neighbours that both have in
    common (Jaccard), and the communities of that graph are found with the Louvain method, as in
    PhenoGraph [1]_. Groups may have any shape. How many communities there are depends on a
    resolution: it is raised from 0.3 to 1, and the number that stays over the widest range wins,
    with the partitions in it agreeing with each other. New samples go where most of their
    neighbours are.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters, or that which is most stable. A number that no resolution gives is
        reached by joining the communities that are linked best.
    n_neighbors : int, default=15
        Neighbours in the graph, and of a new sample. More find fewer and larger groups.
    max_clusters : int, default=20
        Largest number that "auto" may find.
    max_samples : int, default=10_000
        At most so many samples, drawn at random, make the graph;
        the others are assigned as new ones are.
    random_state : int, RandomState instance or None, default=None
        Seeds the Louvain method; None is fresh entropy.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The largest cluster, of those that make the graph, is 0.
    n_clusters_ : int
    search_ : dict or None
        "resolution", "n_clusters" and "agreement" (adjusted Rand index with the next resolution),
        arrays over the resolutions tried, and "found": whether a number is stable. None with an
        `n_clusters` given.
    n_features_in_ : int

    References
    ----------
    .. [1] Levine et al., "Data-driven phenotypic dissection of AML reveals progenitor-like cells
       that correlate with prognosis", Cell 162 (2015).

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn_cae.clusterers import CommunityClusterer
    >>> X, _ = make_moons(200, noise=0.05, random_state=0)
    >>> CommunityClusterer(n_clusters=2, random_state=0).fit(X).n_clusters_
    2
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_neighbors": [Interval(Integral, 2, None, closed="left")],
        "max_clusters": [Interval(Integral, 2, None, closed="left")],
        "max_samples": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters="auto",
        *,
        n_neighbors=15,
        max_clusters=20,
        max_samples=10_000,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.max_clusters = max_clusters
        self.max_samples = max_samples
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
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
            If no number of clusters is stable.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        rng = local_random_state(self.random_state)
        n_drawn = min(self.max_samples, len(X))
        drawn = np.sort(rng.choice(len(X), n_drawn, replace=False))
        n_neighbors = min(self.n_neighbors, n_drawn)
        links, seed = shared_neighbors(X[drawn], n_neighbors), draw_seed(rng)
        if self.n_clusters == "auto":
            labels, self.search_ = most_stable(X[drawn], links, self.max_clusters, seed)
        else:
            if self.n_clusters > n_drawn:
                raise ValueError(
                    f"n_clusters must be at most the number of samples, {n_drawn} (max_samples="
                    f"{self.max_samples}), got {self.n_clusters}. Pass fewer clusters."
                )
            labels, self.search_ = so_many(X[drawn], links, self.n_clusters, seed), None
        self.n_clusters_ = int(labels.max()) + 1
        self._neighbors = KNeighborsClassifier(n_neighbors).fit(X[drawn], labels)
        self.labels_ = self._neighbors.predict(X) if n_drawn < len(X) else labels
        self.labels_[drawn] = labels
        return self

    def predict_proba(self, X):
        """Tell which share of a sample's neighbours is in each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, `n_clusters_`)
        """
        check_is_fitted(self)
        return self._neighbors.predict_proba(validate_data(self, X, reset=False))


def shared_neighbors(X, n_neighbors):
    """Link samples with their nearest neighbours, by the share of neighbours in common.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    n_neighbors : int
        Each sample counts as its own nearest one.

    Returns
    -------
    links : sparse array of shape (n_samples, n_samples)
        Symmetric, in [0, 1], zero on the diagonal.
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


def communities(graph, resolution, seed):
    """Labels of the Louvain communities of a graph, the largest first."""
    found = nx.community.louvain_communities(graph, resolution=resolution, seed=seed)
    labels = np.empty(len(graph), dtype=int)
    for label, members in enumerate(sorted(found, key=len, reverse=True)):
        labels[list(members)] = label
    return labels


def most_stable(X, links, max_clusters, seed):
    """Raise the resolution, and take the number of communities that stays longest.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
    search : dict
        As `CommunityClusterer.search_`.
    """
    graph = nx.from_scipy_sparse_array(links)
    partitions = [communities(graph, resolution, seed) for resolution in RESOLUTIONS]
    numbers = np.array([labels.max() + 1 for labels in partitions])
    agreement = np.array([adjusted_rand_score(*pair) for pair in pairwise(partitions)])
    search = {"resolution": RESOLUTIONS, "n_clusters": numbers, "agreement": agreement}
    if numbers[0] > max_clusters:
        warnings.warn(
            f"There are {numbers[0]} communities at the coarsest, more than max_clusters="
            f"{max_clusters}: those that are closest were joined. Raise max_clusters.",
            ConvergenceWarning,
            stacklevel=3,
        )
        return _join_to(max_clusters, X, links, partitions[0]), {**search, "found": False}
    stays = np.where(numbers[1:] == numbers[:-1], agreement, 0)
    allowed = np.unique(numbers[(numbers > 1) & (numbers <= max_clusters)])
    # The sum over its steps, each at most 1: a number that stays, with partitions that agree.
    stability = {number: stays[numbers[:-1] == number].sum() for number in allowed}
    best = max(stability, key=stability.get, default=numbers[0])
    steps = stays[(numbers[:-1] == best) & (stays > 0)]
    found = best > 1 and len(steps) >= _STABLE_STEPS and steps.mean() >= _STABLE_RAND
    if not found:
        warnings.warn(
            f"No number of communities is stable; n_clusters_={best} is the most stable one. The "
            "groups may not be separate. Look at search_, or pass n_clusters.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return _middle(partitions, numbers == best), {**search, "found": bool(found)}


def so_many(X, links, n_clusters, seed):
    """Find the resolution that gives a number of communities, or join those of a finer one."""
    graph = nx.from_scipy_sparse_array(links)
    partitions = [communities(graph, resolution, seed) for resolution in RESOLUTIONS]
    resolution = RESOLUTIONS[-1]
    while partitions[-1].max() + 1 < n_clusters and resolution < _FINEST:
        resolution *= _FINER
        partitions.append(communities(graph, resolution, seed))
    partitions.append(np.arange(len(X)))  # the finest of all
    numbers = np.array([labels.max() + 1 for labels in partitions])
    if (numbers == n_clusters).any():
        return _middle(partitions, numbers == n_clusters)
    return _join_to(n_clusters, X, links, partitions[np.argmax(numbers >= n_clusters)])


def _middle(partitions, chosen):
    (indices,) = np.nonzero(chosen)
    return partitions[indices[len(indices) // 2]]


def _join_to(n_clusters, X, links, labels):
    """Join two clusters after the other, until there are so many; the largest is 0."""
    while labels.max() + 1 > n_clusters:
        labels = _join_two(X, links, labels)
    by_size = np.argsort(-np.bincount(labels), kind="stable")
    return np.argsort(by_size)[labels]


def _join_two(X, links, labels):
    """Join the two clusters whose samples are linked best, on average.

    Where no two are linked, those whose means are closest.
    """
    sizes = np.bincount(labels)
    member = csr_array((np.ones(len(labels)), (np.arange(len(labels)), labels)))
    between = (member.T @ links @ member).toarray() / np.outer(sizes, sizes)
    np.fill_diagonal(between, 0)
    if not between.any():
        between = -euclidean_distances((member.T @ X) / sizes[:, None])
    np.fill_diagonal(between, -np.inf)
    kept, gone = sorted(np.unravel_index(between.argmax(), between.shape))
    joined = np.where(labels == gone, kept, labels)
    return joined - (joined > gone)


class MixtureClusterer(_PosteriorMixin, BaseEstimator):
    """Cluster by a mixture of Gaussians with full covariances, in a few principal components.

    Groups may be elongated, each in its own direction.

    Parameters
    ----------
    n_components : int or "bic", default="bic"
        Number of Gaussians, or that with the lowest Bayesian information criterion, of those that
        leave each Gaussian twice as many samples as it has dimensions.
    n_dims : int, default=20
        Principal components that are kept, at most.
    max_components : int, default=20
        Largest number that "bic" tries.
    random_state : int, RandomState instance or None, default=None
        Seeds the starts; None is fresh entropy.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
    mixture_ : GaussianMixture
    pca_ : PCA
    n_features_in_ : int

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
    def fit(self, X, y=None):
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
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        rng = local_random_state(self.random_state)
        self.pca_ = PCA(min(self.n_dims, *X.shape), random_state=draw_seed(rng)).fit(X)
        reduced = self._reduce(X)
        numbers = [self.n_components]
        if self.n_components == "bic":
            # A Gaussian on hardly more samples than it has dimensions fits them all too well.
            largest = len(X) // (2 * (reduced.shape[1] + 1))
            numbers = range(1, max(1, min(self.max_components, largest)) + 1)
        mixtures = [
            GaussianMixture(number, n_init=3, random_state=draw_seed(rng)).fit(reduced)
            for number in numbers
        ]
        self.mixture_ = min(mixtures, key=lambda mixture: mixture.bic(reduced))
        self.labels_ = self.mixture_.predict(reduced)
        return self

    def _reduce(self, X):
        # On a scale of its own, so that the mixture's floor of variances means the same everywhere.
        scale = np.sqrt(self.pca_.explained_variance_.mean())
        return self.pca_.transform(X) / max(scale, np.finfo(np.float32).tiny)

    def predict_proba(self, X):
        """Give the posterior of the Gaussians.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return self.mixture_.predict_proba(self._reduce(validate_data(self, X, reset=False)))
