"""Which members of a cluster are shown: the most typical and the most doubtful ones."""

import numpy as np


def find_typical(similarity, labels, n_clusters, n):
    """Find the members of each cluster that are closest to its prototype.

    Parameters
    ----------
    similarity : ndarray of shape (n_samples,)
        Cosine of each sample to the prototype of its cluster.
    labels : ndarray of shape (n_samples,)
        Clusters.
    n_clusters, n : int
        Number of clusters, and of members to find, at most.

    Returns
    -------
    rows : list of n_clusters ndarrays of shape (<= n,)
        The closest first.
    """
    order = np.argsort(-similarity, kind="stable")
    return [order[labels[order] == cluster][:n] for cluster in range(n_clusters)]


def find_doubtful(margin, labels, n_clusters, n):
    """Find the members of each cluster with the smallest margins, as `find_typical`.

    Beside a single prototype no member is more doubtful than another.
    """
    return (
        [np.empty(0, dtype=int)]
        if n_clusters == 1
        else find_typical(-margin, labels, n_clusters, n)
    )
