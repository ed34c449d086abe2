"""Permutation of patients: tests for samples that are independent between patients only."""

from dataclasses import dataclass

import numpy as np

#: Permutations of a test, which bound its p-value from below.
PERMUTATIONS = 1999


@dataclass(frozen=True)
class Permuted:
    """Result of a permutation test.

    Parameters
    ----------
    statistic : float
        Statistic of the samples as they are.
    p_value : float
        Share of all permutations, including the one that changes nothing, whose statistic is at
        least as large.
    mean : float
        Mean of the statistic over the permutations, which is its expectation by chance.
    """

    statistic: float
    p_value: float
    mean: float


def permuted_samples(groups, rng, n_permutations=PERMUTATIONS):
    """Yield permutations of patients, each as the sample whose value each sample takes.

    In each permutation, every patient gets the samples of one patient, from a random one on, in
    a random circle. If a patient has more samples than it gets, they repeat; if it has fewer, it
    takes the first ones. A value that is equal for all samples of a patient is therefore permuted
    exactly.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,), int
        Patient of each sample.
    rng : RandomState
        Generator of the permutations.
    n_permutations : int, default=1999
        Number of permutations.

    Yields
    ------
    sources : ndarray of shape (n_samples,), int
        Sample whose value each sample takes.
    """
    patients, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    # The samples of each patient in random order: a new order in each permutation takes long.
    order = rng.permutation(len(patients))
    order = order[np.argsort(patients[order], kind="stable")]
    patients = patients[order]
    starts = np.cumsum(sizes) - sizes
    places = np.arange(len(order)) - starts[patients]
    for _ in range(n_permutations):
        givers = rng.permutation(len(sizes))
        firsts = (rng.random_sample(len(sizes)) * sizes[givers]).astype(int)
        taken = (places + firsts[patients]) % sizes[givers][patients]
        sources = np.empty_like(order)
        sources[order] = order[starts[givers][patients] + taken]
        yield sources


def compare_permuted(statistic, values, groups, rng):
    """Compare a statistic with its values after permutations of patients.

    Parameters
    ----------
    statistic : callable
        Function of an array such as `values` that returns a number; large if the values differ
        from chance.
    values : ndarray of shape (n_samples,)
        Value of each sample.
    groups : ndarray of shape (n_samples,), int
        Patient of each sample.
    rng : RandomState
        Generator of the permutations.

    Returns
    -------
    result : Permuted
    """
    found = float(statistic(values))
    by_chance = np.array([statistic(values[each]) for each in permuted_samples(groups, rng)])
    # With a tolerance, because sums of equal tables differ in their last bits.
    as_far = (by_chance >= found * (1 - 1e-9)).sum()
    p_value = float((1 + as_far) / (1 + len(by_chance)))
    return Permuted(found, p_value, float(by_chance.mean()))
