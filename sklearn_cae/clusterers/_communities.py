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
from ._joining import join_to
from ._posterior import PosteriorMixin

#: Below these, the modularity joins groups that are small beside the whole.
RESOLUTIONS = np.geomspace(0.3, 1.0, 13)
#: Runs at each of them, through the samples in other orders, since one alone is a matter of luck.
_RUNS = 5
_STABLE_SHARE = 1 / 3
_STABLE_RAND = 0.9
_FINER = 1.5
#: Of a number that is asked for: with this share of it, less so many, a resolution is too low.
_FAR_FEWER = 0.8
_SPREAD = 10


class CommunityClusterer(PosteriorMixin, BaseEstimator):
    """Cluster by communities of the graph of shared nearest neighbours.

    Samples are joined with their nearest neighbours, by the share of neighbours that both have in
    common (Jaccard), and the communities of that graph are found with the Louvain method, as in
    PhenoGraph [1]_. Groups may have any shape. How many communities there are depends on a
    resolution, and a little on the order in which samples are taken: the resolution is raised from
    0.3 to 1, with five random orders at each step. The number wins that comes back most from step
    to step, weighted by how far the partitions agree; it is called stable if that fills a third of
    the range, and the partitions agree by an adjusted Rand index of 0.9 on average. New samples go
    where most of their neighbours are.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters, or that which is most stable. A number that no resolution gives is
        reached by joining the communities that are linked best.
    n_neighbors : int, default=15
        Neighbours in the graph, and of a new sample; at most half of the samples are. More find
        fewer and larger groups.
    max_clusters : int, default=20
        Largest number that "auto" may find.
    max_samples : int, default=10_000
        At most so many samples, drawn at random, make the graph;
        the others are assigned as new ones are.
    random_state : int, RandomState instance or None, default=None
        Seeds the orders; None is fresh entropy.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        The largest cluster, of those that make the graph, is 0.
    n_clusters_ : int
    search_ : dict or None
        "resolution": those tried; "n_clusters": (n_resolutions, 5), the numbers they gave;
        "stability": of each number, at most 1, the share of the range in which it comes back, times
        the adjusted Rand index of what comes back; "found": whether the most stable one counts.
        None with an `n_clusters` given.
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
            If no number of clusters is stable.
        """
        X = validate_data(self, as_samples(X), dtype=[np.float64, np.float32], ensure_min_samples=2)
        rng = local_random_state(self.random_state)
        n_drawn = min(self.max_samples, len(X))
        drawn = np.sort(rng.choice(len(X), n_drawn, replace=False))
        n_neighbors = min(self.n_neighbors, max(2, n_drawn // 2))  # of all, all would be alike
        links = shared_neighbors(X[drawn], n_neighbors)
        if self.n_clusters == "auto":
            labels, self.search_ = most_stable(X[drawn], links, self.max_clusters, rng)
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
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Tell which share of a sample's neighbours is in each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, `n_clusters_`)
        """
        check_is_fitted(self)
        return self._neighbors.predict_proba(validate_data(self, as_samples(X), reset=False))


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


def communities(links, resolution, order):
    """Labels of the Louvain communities, the largest first; samples are taken in an order."""
    # Not Leiden: that of scikit-network draws from C's generator, which nothing seeds. Its
    # probabilities are not asked for: their largest is not always the label.
    louvain = Louvain(resolution, "newman", return_probs=False, return_aggregate=False)
    links = csr_matrix(links)[order][:, order]  # of sparse matrices, it knows only those
    return louvain.fit_predict(links)[np.argsort(order)]


def _orders(links, rng):
    """Random orders of the samples, one for each run at a resolution."""
    return [rng.permutation(links.shape[0]) for _ in range(_RUNS)]


def _several(links, resolution, orders):
    return [communities(links, resolution, order) for order in orders]


def _count(partitions):
    """Communities of each resolution's runs, (n_resolutions, n_runs)."""
    return np.array([[labels.max() + 1 for labels in runs] for runs in partitions])


def most_stable(X, links, max_clusters, rng):
    """Raise the resolution, and take the number of communities that comes back most.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
    search : dict
        As `CommunityClusterer.search_`.
    """
    partitions = [_several(links, resolution, _orders(links, rng)) for resolution in RESOLUTIONS]
    numbers = _count(partitions)
    coarsest = int(numbers.min())
    search = {"resolution": RESOLUTIONS, "n_clusters": numbers, "stability": {}, "found": False}
    if coarsest > max_clusters:
        warn(
            f"There are {coarsest} communities at the coarsest, more than max_clusters="
            f"{max_clusters}: those that are closest were joined. Raise max_clusters.",
            ConvergenceWarning,
        )
        return join_to(max_clusters, X, links, _typical(partitions, numbers == coarsest)), search
    # Of a number: how far the runs of one resolution and of the next agree that both give it.
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
    if not found:
        warn(
            f"No number of communities is stable; n_clusters_={best} is the most stable one. The "
            "groups may not be separate. Look at the clusterer's search_, or pass n_clusters.",
            ConvergenceWarning,
        )
    search |= {"stability": stability, "found": bool(found)}
    return _typical(partitions, numbers == best), search


def so_many(X, links, n_clusters, rng):
    """Find the resolution that gives a number of communities, or join those of a finer one."""
    partitions = []
    orders = [_orders(links, rng) for _ in RESOLUTIONS]
    for resolution, each in zip(RESOLUTIONS[::-1], orders[::-1], strict=True):
        runs = _unless_far_fewer(n_clusters, links, resolution, each)
        if not runs:  # nor are there enough at any that is lower
            break
        partitions.insert(0, runs)
    resolution = RESOLUTIONS[-1]
    is_reached = bool(partitions) and _count(partitions[-1:]).max() >= n_clusters
    while not is_reached and resolution < len(X):  # all are apart then
        resolution *= _FINER
        runs = _unless_far_fewer(n_clusters, links, resolution, _orders(links, rng))
        if runs:
            partitions.append(runs)
            is_reached = _count([runs]).max() >= n_clusters
    partitions.append([np.arange(len(X))] * _RUNS)  # the finest of all
    numbers = _count(partitions)
    nearest = numbers[numbers >= n_clusters].min()
    return join_to(n_clusters, X, links, _typical(partitions, numbers == nearest))


def _unless_far_fewer(n_clusters, links, resolution, orders):
    """Several runs, or none if the first one shows that all have too few communities."""
    first, *others = orders
    labels = communities(links, resolution, first)
    if labels.max() + 1 + _SPREAD < _FAR_FEWER * n_clusters:
        return []
    return [labels, *_several(links, resolution, others)]


def _typical(partitions, chosen):
    """Give the partition that agrees best with the others, of the resolution that has most chosen.

    Of several such resolutions, the middle one.
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
