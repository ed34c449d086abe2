"""The most typical and the most doubtful members of each cluster."""

import numpy as np


def find_typical(similarity, labels, n_clusters, n):
    """Find the members of each cluster that are closest to its prototype.

    Parameters
    ----------
    similarity : ndarray of shape (n_samples,)
        Cosine of each sample to the prototype of its cluster.
    labels : ndarray of shape (n_samples,)
        Cluster of each sample.
    n_clusters, n : int
        Number of clusters, and maximum number of members per cluster.

    Returns
    -------
    rows : list of n_clusters ndarrays of shape (<= n,)
        Indices of the members, the closest first.
    """
    order = np.argsort(-similarity, kind="stable")
    return [order[labels[order] == cluster][:n] for cluster in range(n_clusters)]


def find_doubtful(margin, labels, n_clusters, n):
    """Find the members of each cluster with the smallest margins, like `find_typical`.

    If there is only one prototype, no member is more doubtful than another.
    """
    return (
        [np.empty(0, dtype=int)]
        if n_clusters == 1
        else find_typical(-margin, labels, n_clusters, n)
    )
