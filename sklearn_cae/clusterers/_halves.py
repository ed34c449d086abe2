"""Communities of random halves of the samples: which ones come back."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array
from sklearn.metrics import adjusted_rand_score

from ._links import RESOLUTIONS, communities, shared_neighbors

#: Halves are divided at every second resolution: enough to find the partition of a number again.
_OF_HALVES = RESOLUTIONS[::2]


class Half(NamedTuple):
    """Communities of a random half of the samples.

    Attributes
    ----------
    rows : ndarray of shape (n_half,)
        Samples of the half, in ascending order.
    partitions : list of ndarray of shape (n_half,)
        Communities of these samples, at several resolutions.
    """

    rows: np.ndarray
    partitions: list


def cluster_halves(X, n_neighbors, n_halves, rng):
    """Find communities of random halves of the samples, at several resolutions; list of `Half`."""
    halves = []
    for _ in range(n_halves):
        rows = np.sort(rng.choice(len(X), max(2, len(X) // 2), replace=False))
        links = shared_neighbors(X[rows], min(n_neighbors, max(2, len(rows) // 2)))
        partitions = [communities(links, r, rng.permutation(len(rows))) for r in _OF_HALVES]
        halves.append(Half(rows, partitions))
    return halves


def closest_partition(half, labels):
    """Return the partition of a half that agrees best with the labels of all samples.

    Returns
    -------
    partition : ndarray of shape (n_half,)
    rand : float
        Adjusted Rand index of both.
    """
    labels = labels[half.rows]
    rands = [adjusted_rand_score(labels, partition) for partition in half.partitions]
    best = int(np.argmax(rands))
    return half.partitions[best], rands[best]


def mean_agreement(halves, labels):
    """Compute the mean adjusted Rand index between labels and what each half finds."""
    return float(np.mean([closest_partition(half, labels)[1] for half in halves]))


def link_by_agreement(links, halves):
    """Multiply each link by the share of partitions that have both samples in one community.

    Links between samples that are never in the same half count half.

    Parameters
    ----------
    links : sparse array of shape (n_samples, n_samples)
    halves : list of Half

    Returns
    -------
    links : sparse array of shape (n_samples, n_samples)
    """
    links = coo_array(links)
    n_both, n_together = np.zeros((2, links.nnz))
    for rows, partitions in halves:
        place = np.full(links.shape[0], -1)
        place[rows] = np.arange(len(rows))
        (both,) = np.nonzero((place[links.row] >= 0) & (place[links.col] >= 0))
        n_both[both] += len(partitions)
        first, second = place[links.row[both]], place[links.col[both]]
        for partition in partitions:
            n_together[both] += partition[first] == partition[second]
    share = np.divide(n_together, n_both, out=np.full(links.nnz, 0.5), where=n_both > 0)
    linked = share > 0
    weights = (share * links.data)[linked]
    return csr_array((weights, (links.row[linked], links.col[linked])), shape=links.shape)


def runs_of(halves, links, labels):
    """Return the clusters of all samples by each half, (n_samples, n_halves).

    The partition of a half that agrees best with the labels is taken. Samples outside of the half
    are assigned by their links to it; -1 if they have none. Clusters have the numbers of the
    labels; see `renumber`.
    """
    links = csr_array(links)
    runs = np.empty((len(labels), len(halves)), dtype=int)
    for half, run in zip(halves, runs.T, strict=True):
        partition, _ = closest_partition(half, labels)
        is_in = csr_array((np.ones(len(partition)), (np.arange(len(partition)), partition)))
        votes = (links[:, half.rows] @ is_in).toarray()
        run[:] = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
        run[half.rows] = partition
        run[:] = renumber(run, labels)
    return runs


def renumber(run, labels):
    """Give the clusters of a run the numbers of the clusters with which they share most samples.

    Each cluster of the labels is paired with at most one of the run. The others are -1.

    Parameters
    ----------
    run, labels : ndarray of shape (n_samples,)
        Clusters from 0; in a run, samples without a cluster are -1.

    Returns
    -------
    run : ndarray of shape (n_samples,)
    """
    in_one = run >= 0
    shared = np.zeros((run.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(shared, (run[in_one], labels[in_one]), 1)
    numbers = np.full(len(shared) + 1, -1)  # the last one is for those without a cluster
    own, number = linear_sum_assignment(shared, maximize=True)
    numbers[own] = number
    return numbers[run]


def stability_of(runs, labels):
    """Return the share of runs in which each sample has its own cluster, (n_samples,)."""
    return (runs == labels[:, None]).mean(axis=1)


def cluster_stability_of(runs, labels, n_clusters):
    """Return the mean overlap (Jaccard) of each cluster with itself in each run, (n_clusters,)."""
    indices = np.zeros(n_clusters)
    for cluster in range(n_clusters):
        own, in_runs = (labels == cluster)[:, None], runs == cluster
        either = np.maximum((own | in_runs).sum(axis=0), 1)
        indices[cluster] = ((own & in_runs).sum(axis=0) / either).mean()
    return indices


def stability_by_neighbors(runs, labels, n_clusters):
    """Return the share of runs in which most neighbours of a sample are in its cluster.

    Parameters
    ----------
    runs : ndarray of shape (n_samples, n_neighbors, n_runs)
        Clusters of the neighbours of each sample, in each run.
    labels : ndarray of shape (n_samples,)
        Clusters of the samples.
    n_clusters : int

    Returns
    -------
    stability : ndarray of shape (n_samples,)
    """
    votes = np.stack([(runs == cluster).sum(axis=1) for cluster in range(n_clusters)])
    return stability_of(np.where(votes.any(axis=0), votes.argmax(axis=0), -1), labels)
