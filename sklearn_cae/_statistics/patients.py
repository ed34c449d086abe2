"""Permutations and resamples of patients, whose samples are not independent."""

import warnings
from dataclasses import dataclass

import numpy as np

#: Permutations of a test, which bound its p-value from below.
PERMUTATIONS = 1999
_FEWEST_ALIKE = 5


@dataclass(frozen=True)
class Permuted:
    """Result of a permutation test.

    Parameters
    ----------
    statistic : ndarray
        Statistic of the samples as they are: a number, or an array of numbers.
    p_value : ndarray
        Share of all permutations, including the one that changes nothing, whose statistic is at
        least as large.
    mean : ndarray
        Mean of the statistic over the permutations, which is its expectation by chance.
    """

    statistic: np.ndarray
    p_value: np.ndarray
    mean: np.ndarray


def permuted_samples(groups, rng, *, alike, n_permutations=None):
    """Yield permutations of patients, each as the sample whose value each sample takes.

    In each permutation, every patient gets the samples of one patient. If a patient has fewer
    samples than it gets, it takes some of them, and if it has more, they repeat. A value that is
    equal for all samples of a patient is therefore permuted exactly. Other values repeat, and are
    more alike within patients than before. So that they rarely do, patients can change places
    only with patients of the same number of samples.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,), int
        Patient of each sample.
    rng : RandomState
        Generator of the permutations.
    alike : bool
        Whether patients change places only with patients of the same number of samples. If there
        are fewer than 5 of a number, the next larger number is added.
    n_permutations : int, default=None
        Number of permutations. None is 1999.

    Yields
    ------
    sources : ndarray of shape (n_samples,), int
        Sample whose value each sample takes.
    """
    patients, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    # The samples of each patient in random order: a new order in each permutation takes long.
    order = rng.permutation(len(patients))
    order = order[np.argsort(patients[order], kind="stable")]
    starts = np.cumsum(sizes) - sizes
    places = np.arange(len(order)) - np.repeat(starts, sizes)
    strata = _strata(sizes) if alike else [np.arange(len(sizes))]
    givers = np.empty(len(sizes), dtype=int)
    for _ in range(PERMUTATIONS if n_permutations is None else n_permutations):
        for members in strata:
            givers[members] = rng.permutation(members)
        given = sizes[givers]
        firsts = (rng.random_sample(len(sizes)) * given).astype(int)
        taken = (places + np.repeat(firsts, sizes)) % np.repeat(given, sizes)
        sources = np.empty_like(order)
        sources[order] = order[np.repeat(starts[givers], sizes) + taken]
        yield sources


def compare_permuted(statistic, values, groups, rng):
    """Compare a statistic with its values after permutations of patients.

    If values differ within patients, patients change places only with patients of about the same
    number of samples.

    Parameters
    ----------
    statistic : callable
        Function of an array such as `values` that returns a number or an array of numbers, which
        are large if the values differ from chance.
    values : ndarray of shape (..., n_samples)
        Value of each sample.
    groups : ndarray of shape (n_samples,), int
        Patient of each sample.
    rng : RandomState
        Generator of the permutations.

    Returns
    -------
    result : Permuted
    """
    found = np.asarray(statistic(values))
    permuted = permuted_samples(groups, rng, alike=varies(values, groups))
    by_chance = np.array([statistic(np.take(values, sources, axis=-1)) for sources in permuted])
    # With a tolerance, because sums of equal tables differ in their last bits.
    as_far = (by_chance >= found - 1e-9 * np.maximum(np.abs(found), 1e-3)).sum(axis=0)
    return Permuted(found, (1 + as_far) / (1 + len(by_chance)), by_chance.mean(axis=0))


def bootstrap_interval(statistic, n_patients, n_resamples, rng):
    """Return the 95 % interval of a statistic over resamples of patients (percentiles).

    Parameters
    ----------
    statistic : callable
        Function of the rows of the drawn patients, an ndarray of shape (n_patients,), that returns
        an array of numbers. NaN is left out.
    n_patients : int
        Number of patients.
    n_resamples : int
        Number of resamples.
    rng : RandomState
        Generator of the resamples.

    Returns
    -------
    low, high : ndarray
        Percentiles 2.5 and 97.5 of the statistic; NaN if it is always NaN.
    """
    drawn = np.array(
        [statistic(rng.randint(n_patients, size=n_patients)) for _ in range(n_resamples)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that are always NaN
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return low, high


def _strata(sizes):
    """Divide the patients into strata of about the same number of samples."""
    strata, waiting = [], []
    for number in np.unique(sizes):
        waiting.extend(np.flatnonzero(sizes == number))
        if len(waiting) >= _FEWEST_ALIKE:
            strata.append(waiting)
            waiting = []
    if waiting:
        strata[-1:] = [[*(strata[-1] if strata else []), *waiting]]
    return [np.array(members) for members in strata]


def varies(values, groups):
    """Return whether any values differ within patients."""
    first, inverse = np.unique(groups, return_index=True, return_inverse=True)[1:]
    return bool((values != values[..., first[inverse]]).any())
