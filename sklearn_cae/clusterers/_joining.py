"""Merge clusters, one pair after the other."""

from heapq import heapify, heappop, heappush
from itertools import islice

import numpy as np
from scipy.sparse import coo_array, csr_array
from sklearn.metrics import pairwise_distances_chunked
from sklearn.metrics.pairwise import euclidean_distances

_MEBIBYTES = 32  # for distances that are in memory at the same time


def join_to(n_clusters, X, links, labels):
    """Merge pairs of clusters until `n_clusters` are left.

    The pair whose samples have the strongest mean link is merged first. If no two clusters are
    linked, the pair with the closest means is merged.

    Parameters
    ----------
    n_clusters : int
    X : ndarray of shape (n_samples, n_features)
    links : sparse array of shape (n_samples, n_samples)
        Weights of the links, symmetric and not negative.
    labels : ndarray of shape (n_samples,)
        Clusters, contiguous from 0.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        Clusters after the merges, the largest first.
    """
    labels = _join(n_clusters, labels, linked_pairs(links, labels))
    labels = _join(n_clusters, labels, closest_pairs(X, labels))  # if the links were too few
    by_size = np.argsort(-np.bincount(labels), kind="stable")
    return np.argsort(by_size)[labels]


def _join(n_clusters, labels, pairs):
    """Merge pairs into their lower number until `n_clusters` are left; make numbers contiguous."""
    into = np.arange(labels.max() + 1)
    for kept, gone in islice(pairs, len(into) - n_clusters):
        into[gone] = kept
    for cluster, joined in enumerate(into):  # `joined` itself may have been merged later
        into[cluster] = into[joined]
    return np.unique(into[labels], return_inverse=True)[1]


def linked_pairs(links, labels):
    """Yield the pair with the strongest links, (kept, gone), until no two clusters are linked.

    The sums of the links between clusters are stored. A merge changes only those of one cluster.
    """
    sizes = np.bincount(labels).tolist()
    member = _members(labels)
    sums = [{} for _ in sizes]
    between = coo_array(member.T @ links @ member)
    for one, other, total in zip(
        between.row.tolist(), between.col.tolist(), between.data.tolist(), strict=True
    ):
        if one != other:
            sums[one][other] = total

    def entry(one, other):
        return -sums[one].get(other, 0.0) / (sizes[one] * sizes[other]), one, other

    # The numbers of the clusters break ties.
    heap = [entry(one, other) for one in range(len(sizes)) for other in sums[one] if one < other]
    heapify(heap)
    while heap:
        best = heappop(heap)
        _, kept, gone = best
        if best != entry(kept, gone):  # a cluster was merged since
            continue
        yield kept, gone
        sizes[kept] += sizes[gone]
        for other, total in sums[gone].items():
            del sums[other][gone]
            if other != kept:
                sums[kept][other] = sums[other][kept] = sums[kept].get(other, 0.0) + total
        sums[gone] = {}
        for other in sums[kept]:
            heappush(heap, entry(min(kept, other), max(kept, other)))


def closest_pairs(X, labels):
    """Yield the pair of clusters with the closest means, (kept, gone).

    The closest cluster of each cluster is stored. It is searched again only if it was merged.
    """
    sizes = np.bincount(labels)
    totals = _members(labels).T @ X
    means = totals / sizes[:, None]
    is_gone = np.zeros(len(sizes), dtype=bool)

    def closest_of(clusters, distances):
        rows = np.arange(len(clusters))
        distances[:, is_gone] = distances[rows, clusters] = np.inf
        found = distances.argmin(axis=1)
        return found, distances[rows, found]

    chunks = pairwise_distances_chunked(
        means,
        reduce_func=lambda chunk, start: closest_of(np.arange(start, start + len(chunk)), chunk),
        working_memory=_MEBIBYTES,
    )
    closest, distance = (np.concatenate(each) for each in zip(*chunks, strict=True))
    for _ in range(len(sizes) - 1):
        kept = distance.argmin()
        kept, gone = sorted([kept, closest[kept]])
        yield kept, gone
        sizes[kept] += sizes[gone]
        totals[kept] += totals[gone]
        means[kept] = totals[kept] / sizes[kept]
        is_gone[gone] = True
        is_stale = ((closest == kept) | (closest == gone)) & ~is_gone
        is_stale[kept] = True
        distances = euclidean_distances(means[is_stale], means)
        closest[is_stale], distance[is_stale] = closest_of(np.flatnonzero(is_stale), distances)
        distance[gone] = np.inf
        to_kept = distances[np.count_nonzero(is_stale[:kept])]
        is_closer = (to_kept < distance) | ((to_kept == distance) & (kept < closest))
        is_closer &= ~is_gone
        closest[is_closer], distance[is_closer] = kept, to_kept[is_closer]


def _members(labels):
    """Return the membership of samples in clusters, sparse (n_samples, n_clusters)."""
    return csr_array((np.ones(len(labels)), (np.arange(len(labels)), labels)))
