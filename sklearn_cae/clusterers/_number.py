"""The number of communities: the most stable one, or one that was asked for."""

from itertools import pairwise, product

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from .._utils.warnings import warn
from ._halves import cluster_halves, mean_agreement
from ._joining import join_to
from ._links import RESOLUTIONS, communities

#: Runs per resolution, each with another order of the samples, because one run depends on luck.
_RUNS = 5
_STABLE_SHARE = 1 / 3
_STABLE_RAND = 0.9
#: Halves that judge the numbers, and the smallest agreement of a stable one with them.
_HALVES = 10
_STABLE_HALVES = 0.8
_FINER = 1.5
#: A resolution is too low if its number of communities, plus `_SPREAD`, is below this share of the
#: requested number.
_FAR_FEWER = 0.8
_SPREAD = 10


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
    share, rand = _agreement_of_runs(partitions, numbers, max_clusters)
    halves = halves or cluster_halves(X, n_neighbors, _HALVES, rng)
    labels = {n: _typical(partitions, numbers == n) for n in share}
    in_halves = {n: mean_agreement(halves, each) for n, each in labels.items()}
    stability = {n: share[n] * max(in_halves[n], 0.0) for n in share}
    best = max(stability, key=lambda n: (stability[n], share[n]), default=1)
    found = (
        best > 1
        and share[best] >= _STABLE_SHARE
        and rand[best] >= _STABLE_RAND
        and in_halves[best] >= _STABLE_HALVES
    )
    if not found:
        warn(
            f"No number of communities is stable; n_clusters_={best} is the most stable one. The "
            "samples may be a single group. Look at the clusterer's search_, or pass n_clusters.",
            ConvergenceWarning,
        )
    search |= {"stability": stability, "halves": in_halves.get(best), "found": bool(found)}
    return labels.get(best, np.zeros(len(X), dtype=int)), search


def _agreement_of_runs(partitions, numbers, max_clusters):
    """Compare each run at a resolution with each run at the next.

    Returns
    -------
    share : dict
        For each number above 1: the share of these pairs that both have it, weighted by their
        adjusted Rand index.
    rand : dict
        For each number, the mean adjusted Rand index of its pairs; 0 if there are none.
    """
    rands = {n: [] for n in np.unique(numbers).tolist() if 1 < n <= max_clusters}
    for runs, finer in pairwise(partitions):
        for pair in product(runs, finer):
            n, n_finer = (labels.max() + 1 for labels in pair)
            if n == n_finer and n in rands:
                rands[n].append(adjusted_rand_score(*pair))
    n_pairs = (len(RESOLUTIONS) - 1) * _RUNS**2
    share = {n: sum(each) / n_pairs for n, each in rands.items()}
    return share, {n: np.mean(each) if each else 0.0 for n, each in rands.items()}


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
