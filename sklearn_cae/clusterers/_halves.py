"""Communities whose number comes back on both halves of the samples."""

from typing import Self

import numpy as np
from scipy.sparse import coo_array
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.utils.validation import validate_data

from .._input.arrays import as_samples
from .._utils.random import local_random_state
from .._utils.warnings import warn
from ._communities import CommunityClusterer, communities, shared_neighbors
from ._joining import join_to

#: Fewer resolutions than `CommunityClusterer` has, and one run at each: halves replace its orders.
_RESOLUTIONS = np.geomspace(0.3, 1.0, 7)
_STABLE_SHARE = 1 / 5
_STABLE_RAND = 0.8
_FINER = 1.5
_FEWEST = 8  # samples of which halves are made


class HalvesClusterer(CommunityClusterer):
    """Cluster by communities, and choose the number on which two halves of the samples agree.

    The communities are those of `CommunityClusterer`. Each half of the samples is clustered alone,
    at seven resolutions. Each sample then has a community in either half: its own, or that of most
    of its neighbours in the other half. The stability of a number is the share of pairs of
    resolutions, equal or next to each other, at which both halves have this number, weighted by
    the adjusted Rand index of the two partitions [1]_. The most stable number is used to cluster
    all samples. There is a warning if its stability is below 1/5, or if the mean adjusted Rand
    index of its pairs is below 0.8.

    It has a third of the runs of `CommunityClusterer`. Samples without groups, such as those of one
    Gaussian, have communities as well, but these do not come back on the other half.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters; "auto" is the most stable number. With an int, or fewer than 8 samples,
        no halves are compared, and the clusters are those of `CommunityClusterer`.
    n_neighbors, max_clusters, max_samples, random_state
        As in `CommunityClusterer`.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample.
    n_clusters_ : int
        Number of clusters.
    search_ : dict or None
        "resolution": the resolutions tried; "n_clusters": number of communities per resolution and
        half, (7, 2); "stability": stability of each number, at most 1; "found": whether the most
        stable number is stable; "halves": mean adjusted Rand index of its pairs of partitions,
        0 if no two halves have it; "within": share of the weights of all links that link samples
        of the same cluster. With fewer than 8 samples, it is that of `CommunityClusterer`. None
        if `n_clusters` is an int.
    n_features_in_ : int
        Number of features.

    References
    ----------
    .. [1] Lange, Roth, Braun, Buhmann, "Stability-based validation of clustering solutions",
       Neural Computation 16 (2004).

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_cae.clusterers import HalvesClusterer
    >>> X, _ = make_blobs(400, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> HalvesClusterer(random_state=0).fit(X).n_clusters_
    3
    """

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
        self : HalvesClusterer

        Raises
        ------
        ValueError
            If a parameter breaks a rule, or `n_clusters` is greater than the number of samples.

        Warns
        -----
        ConvergenceWarning
            If no number of clusters comes back on both halves.
        """
        X = as_samples(X)
        if self.n_clusters != "auto" or len(X) < _FEWEST:
            return super().fit(X)
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        rng = local_random_state(self.random_state)
        drawn = rng.permutation(len(X))[: self.max_samples]
        seen = X[drawn]
        number, self.search_ = self._compare_halves(seen, rng)
        if not self.search_["found"]:
            warn(
                f"No number of communities comes back on both halves of the samples; n_clusters_="
                f"{number} is the most stable one. The groups may not be separate. Look at the "
                "clusterer's search_, or pass n_clusters.",
                ConvergenceWarning,
            )
        n_neighbors = self._count_neighbors(seen)
        links = shared_neighbors(seen, n_neighbors)
        labels = self._cluster_all(seen, links, number, rng)
        self.search_["within"] = _share_within(links, labels)
        self.n_clusters_ = int(labels.max()) + 1
        self._neighbors = KNeighborsClassifier(n_neighbors).fit(seen, labels)
        self.labels_ = self._neighbors.predict(X) if len(seen) < len(X) else np.empty_like(labels)
        self.labels_[drawn] = labels
        return self

    def _count_neighbors(self, X):
        return min(self.n_neighbors, max(2, len(X) // 2))  # with all, links are equal

    def _compare_halves(self, X, rng):
        """Return the most stable number, and the record of the search."""
        of_half = np.arange(len(X)) % 2  # the samples are in random order
        partitions = [self._cluster_half(X, of_half == half, rng) for half in (0, 1)]
        numbers = np.array([[labels.max() + 1 for labels in each] for each in partitions]).T
        agreement = {n: [] for n in np.unique(numbers).tolist() if 1 < n <= self.max_clusters}
        pairs = [(i, j) for i in range(len(numbers)) for j in (i - 1, i, i + 1)]
        pairs = [(i, j) for i, j in pairs if 0 <= j < len(numbers)]
        for i, j in pairs:
            n = int(numbers[i, 0])
            if n in agreement and n == numbers[j, 1]:
                agreement[n].append(adjusted_rand_score(partitions[0][i], partitions[1][j]))
        stability = {n: sum(rands) / len(pairs) for n, rands in agreement.items()}
        coarsest = min(int(numbers.min()), self.max_clusters)
        best = max(stability, key=stability.get, default=coarsest)
        rand = float(np.mean(agreement.get(best) or [0.0]))
        found = stability.get(best, 0) >= _STABLE_SHARE and rand >= _STABLE_RAND
        return best, {
            "resolution": _RESOLUTIONS,
            "n_clusters": numbers,
            "stability": stability,
            "found": bool(found),
            "halves": rand,
        }

    def _cluster_half(self, X, is_in, rng):
        """Return the partitions of a half at all resolutions, extended to the other half."""
        n_neighbors = self._count_neighbors(X[is_in])
        links = shared_neighbors(X[is_in], n_neighbors)
        search = NearestNeighbors(n_neighbors=n_neighbors).fit(X[is_in])
        nearest = search.kneighbors(X[~is_in], return_distance=False)
        partitions = []
        for resolution in _RESOLUTIONS:
            labels = np.empty(len(X), dtype=int)
            own = communities(links, resolution, rng.permutation(links.shape[0]))
            labels[is_in], labels[~is_in] = own, _vote(own[nearest])
            partitions.append(labels)
        return partitions

    def _cluster_all(self, X, links, number, rng):
        """Cluster all samples into this number of communities."""
        if number == 1:
            return np.zeros(len(X), dtype=int)
        numbers = self.search_["n_clusters"]
        nearest_first = np.argsort(np.abs(numbers - number).sum(axis=1), kind="stable")
        finer = []
        for resolution in _RESOLUTIONS[nearest_first]:
            labels = communities(links, resolution, rng.permutation(len(X)))
            if labels.max() + 1 == number:
                return labels
            if labels.max() + 1 > number:
                finer.append(labels)
        resolution = _RESOLUTIONS[-1]
        while not finer and resolution < len(X):  # at len(X), all samples are apart
            resolution *= _FINER
            labels = communities(links, resolution, rng.permutation(len(X)))
            if labels.max() + 1 >= number:
                finer.append(labels)
        finest = np.arange(len(X))
        return join_to(number, X, links, min(finer, key=np.max, default=finest))


def _vote(labels):
    """Return the most frequent label of each row, (n,); of several, the lowest."""
    counts = np.zeros((len(labels), labels.max() + 1), dtype=int)
    for column in labels.T:
        counts[np.arange(len(labels)), column] += 1
    return counts.argmax(axis=1)


def _share_within(links, labels):
    """Return the share of the weights of links that link samples of the same cluster."""
    links = coo_array(links)
    total = links.data.sum()
    return float(links.data[labels[links.row] == labels[links.col]].sum() / total) if total else 0.0
