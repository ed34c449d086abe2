"""Tests of the association between metadata and clusters, with effect sizes.

Numbers are compared by ranks, categories by counts. All functions take arrays with one value per
sample, and ignore missing values. Without `groups`, samples are taken as independent. With them,
only patients are: p-values come from permutations of patients.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from .patients import compare_permuted, varies

MOST_CATEGORIES = 50
_SMALL_COUNT = 5
_PERMUTATIONS = (9, 1111)  # blocks, and tables per block


@dataclass(frozen=True)
class Association:
    """Association of a column with the clusters.

    Parameters
    ----------
    n_missing : int
        Number of missing values.
    reason : str, default=""
        Reason why the column was not tested; empty if it was.
    test : str, default=""
        Name of the test.
    statistic, p_value : float, default=NaN
        Statistic and uncorrected p-value of the test.
    effect : float, default=NaN
        Strength of the association, in [0, 1]: bias-corrected eta squared of ranks for numbers,
        bias-corrected Cramer's V for categories. With patients, the bias is the mean over their
        permutations.
    """

    n_missing: int
    reason: str = ""
    test: str = ""
    statistic: float = np.nan
    p_value: float = np.nan
    effect: float = np.nan


def compare_numbers(values, clusters, rng=None, groups=None):
    """Test whether numbers differ between clusters (Kruskal-Wallis).

    The effect is eta squared, max(0, (H - k + 1) / (n - k)) for k clusters. It is the share of the
    variance of the ranks that the clusters explain beyond chance [1]_. With patients, the
    expectation k - 1 of H is replaced by its mean over permutations.

    Parameters
    ----------
    values : ndarray of shape (n_samples,), float
        Numbers; NaN and infinity are missing values.
    clusters : ndarray of shape (n_samples,)
        Cluster of each sample.
    rng : RandomState, default=None
        Generator of the permutations of patients. Required if `groups` is passed.
    groups : ndarray of shape (n_samples,), int, default=None
        Patient of each sample. None takes the samples as independent.

    Returns
    -------
    association : Association

    References
    ----------
    .. [1] Tomczak and Tomczak, "The need to report effect size estimates revisited", Trends in
       Sport Sciences 21, 2014.
    """
    if groups is not None:
        return compare_over_patients([(values, None)], clusters, groups, rng)[0]
    known = np.isfinite(values)
    n_missing = int((~known).sum())
    values, clusters = values[known], clusters[known]
    reason = _why_not(values, clusters)
    if reason:
        return Association(n_missing, reason)
    parts = [values[clusters == cluster] for cluster in np.unique(clusters)]
    statistic, p_value = map(float, stats.kruskal(*parts))
    effect = _share_beyond(statistic, len(parts) - 1, len(values) - 1)
    return Association(n_missing, "", "Kruskal-Wallis", statistic, p_value, effect)


def compare_categories(codes, clusters, rng, groups=None):
    """Test whether categories are distributed differently over clusters (chi-squared).

    If fewer than 5 samples are expected in a cell, the p-value is computed from 9999 random tables
    with the same margins. The effect is bias-corrected Cramer's V [1]_. With patients, the p-value
    is computed from their permutations, and the bias is the mean of chi-squared over them.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int
        Categories, numbered from 0; -1 is a missing value.
    clusters : ndarray of shape (n_samples,)
        Cluster of each sample.
    rng : RandomState
        Generator of the random tables, or of the permutations of patients.
    groups : ndarray of shape (n_samples,), int, default=None
        Patient of each sample. None takes the samples as independent.

    Returns
    -------
    association : Association

    References
    ----------
    .. [1] Bergsma, "A bias-correction for Cramer's V and Tschuprow's T", Journal of the Korean
       Statistical Society 42, 2013.
    """
    if groups is not None:
        return compare_over_patients([(codes, ())], clusters, groups, rng)[0]
    known = codes >= 0
    n_missing = int((~known).sum())
    codes, clusters = codes[known], clusters[known]
    reason = _why_not(codes, clusters) or _why_too_many(codes)
    if reason:
        return Association(n_missing, reason)
    table = stats.contingency.crosstab(clusters, codes).count
    result = stats.chi2_contingency(table, correction=False)
    test, p_value = "chi-squared", float(result.pvalue)
    if result.expected_freq.min() < _SMALL_COUNT:
        test, p_value = "chi-squared, permuted", _permute(table, result, rng)
    effect = _cramers_v(float(result.statistic), table)
    return Association(n_missing, "", test, float(result.statistic), p_value, effect)


def compare_over_patients(columns, clusters, groups, rng):
    """Test columns by permutations of patients, which columns without gaps share.

    Parameters
    ----------
    columns : list of (ndarray of shape (n_samples,), list of str or None)
        Per column its numbers or codes, and the names of its categories; None for numbers.
    clusters : ndarray of shape (n_samples,)
        Cluster of each sample.
    groups : ndarray of shape (n_samples,), int
        Patient of each sample.
    rng : RandomState
        Generator of the permutations.

    Returns
    -------
    associations : list of Association
    """
    found, batches = [None] * len(columns), {}
    for index, (values, categories) in enumerate(columns):
        known = np.isfinite(values) if categories is None else values >= 0
        reason = _why_not(values[known], clusters[known], groups[known])
        if categories is not None:
            reason = reason or _why_too_many(values[known])
        if reason:
            found[index] = Association(int((~known).sum()), reason)
        else:
            alike = varies(values[known], groups[known])
            batches.setdefault((known.tobytes(), alike), (known, []))[1].append(index)
    for known, members in batches.values():
        tests = [_Column(columns[index], known, clusters) for index in members]
        codes = np.array([test.codes for test in tests])
        result = compare_permuted(partial(_compute, tests), codes, groups[known], rng)
        numbers = zip(result.statistic, result.p_value, result.mean, strict=True)
        for index, test, each in zip(members, tests, numbers, strict=True):
            found[index] = test.associate(*map(float, each))
    return found


def adjust(p_values):
    """Correct p-values for multiple tests (Benjamini-Hochberg).

    Parameters
    ----------
    p_values : list of float
        Uncorrected p-values.

    Returns
    -------
    adjusted : list of float
        Corrected p-values. The expected share of false discoveries among those below a level is at
        most this level.
    """
    return stats.false_discovery_control(p_values).tolist() if p_values else []


def quartiles(values, clusters, n_clusters):
    """Summarise the numbers of each cluster.

    Parameters
    ----------
    values : ndarray of shape (n_samples,), float
        Numbers; NaN and infinity are missing values.
    clusters : ndarray of shape (n_samples,), int
        Cluster of each sample.
    n_clusters : int
        Number of clusters.

    Returns
    -------
    counts : list of int
        Number of values per cluster that are not missing.
    quartiles : list of list of float
        First quartile, median and third quartile per cluster; NaN if there are no values.
    """
    groups = [values[(clusters == c) & np.isfinite(values)] for c in range(n_clusters)]
    summaries = [
        np.quantile(group, [0.25, 0.5, 0.75]).tolist() if len(group) else [np.nan] * 3
        for group in groups
    ]
    return [len(group) for group in groups], summaries


def count_categories(codes, clusters, n_clusters, n_categories):
    """Count the categories of each cluster.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int
        Categories, 0 to n_categories - 1; -1 is a missing value.
    clusters : ndarray of shape (n_samples,), int
        Cluster of each sample.
    n_clusters, n_categories : int
        Number of clusters and of categories.

    Returns
    -------
    counts : ndarray of shape (n_clusters, n_categories)
        Number of samples per cluster and category.
    """
    counts = np.zeros((n_clusters, n_categories), dtype=int)
    np.add.at(counts, (clusters[codes >= 0], codes[codes >= 0]), 1)
    return counts


def associate(columns, labels, n_clusters, rng, groups=None):
    """Test each column against the clusters, and correct the p-values for multiple tests.

    Parameters
    ----------
    columns : list of (str, ndarray of shape (n_samples,), list of str or None)
        Per column its name, its numbers or codes, and the names of its categories; None for
        numbers.
    labels : ndarray of shape (n_samples,), int
        Cluster of each sample, 0 to n_clusters - 1.
    n_clusters : int
        Number of clusters.
    rng : RandomState
        Generator of the permutations.
    groups : ndarray of shape (n_samples,), int, default=None
        Patient of each sample. None takes the samples as independent.

    Returns
    -------
    associations : dict
        Lists "tested" and "untested" of a dict per column: its name and categories, "tested" (its
        Association), "p_adjusted", and the counts and summaries of each cluster.
    """
    if groups is not None:
        compared = compare_over_patients([each[1:] for each in columns], labels, groups, rng)
    else:
        compared = [
            compare_numbers(values, labels)
            if categories is None
            else compare_categories(values, labels, rng)
            for _, values, categories in columns
        ]
    results = []
    for (name, values, categories), tested in zip(columns, compared, strict=True):
        if categories is None:
            counts, rows = quartiles(values, labels, n_clusters)
        else:
            rows = count_categories(values, labels, n_clusters, len(categories))
            counts = rows.sum(axis=1).tolist()
        results.append(
            {"name": name, "categories": categories, "tested": tested, "p_adjusted": None}
            | {"counts": counts, "rows": np.asarray(rows).tolist()}
        )
    tested = [result for result in results if not result["tested"].reason]
    adjusted = adjust([result["tested"].p_value for result in tested])
    for result, p_value in zip(tested, adjusted, strict=True):
        result["p_adjusted"] = p_value
    return {
        "tested": tested,
        "untested": [result for result in results if result["tested"].reason],
    }


def _why_not(values, clusters, groups=None):
    """Return the reason why values cannot be tested, or an empty text."""
    if len(values) == 0:
        return "all values are missing"
    if (values == values[0]).all():
        return "all values are equal"
    if groups is not None and (groups == groups[0]).all():
        return "all known values are of one patient"
    if (clusters == clusters[0]).all():
        return "all values are in one cluster"
    return ""


def _why_too_many(codes):
    """Return the reason why categories cannot be tested, or an empty text."""
    n_categories = len(np.unique(codes))
    too_many = n_categories > MOST_CATEGORIES
    return f"{n_categories} different values, more than {MOST_CATEGORIES}" if too_many else ""


class _Column:
    """Known values of a column, whose statistic is computed for each permutation."""

    def __init__(self, column, known, clusters):
        values, categories = column
        self.is_number = categories is None
        self.n_missing = int((~known).sum())
        distinct, self.codes = np.unique(values[known], return_inverse=True)
        self.n_values = len(distinct)
        _, self.clusters, self.sizes = np.unique(
            clusters[known], return_inverse=True, return_counts=True
        )

    def compute(self, codes):
        """Return H, or chi-squared, of permuted codes."""
        return self._kruskal(codes) if self.is_number else self._chi_squared(codes)

    def _kruskal(self, codes):
        n = len(codes)
        counts = np.bincount(codes, minlength=self.n_values)
        ranks = np.cumsum(counts) - (counts - 1) / 2 - (n + 1) / 2  # of each value, centred
        sums = np.bincount(self.clusters, ranks[codes])
        spread = counts @ ranks**2
        return (n - 1) * (sums**2 / self.sizes).sum() / spread if spread else 0.0

    def _chi_squared(self, codes):
        shape = len(self.sizes), self.n_values
        table = np.bincount(self.clusters * self.n_values + codes, minlength=np.prod(shape))
        table = table.reshape(shape)
        expected = np.outer(self.sizes, np.maximum(table.sum(axis=0), 1))  # times n
        return len(codes) * ((table**2 / expected).sum() - 1)

    def associate(self, statistic, p_value, mean):
        """Return the association of a statistic, by its p-value and its mean by chance."""
        n = len(self.codes)
        if self.is_number:
            test, effect = "Kruskal-Wallis", _share_beyond(statistic, mean, n - 1)
        else:
            largest = n * (min(len(self.sizes), self.n_values) - 1)
            test, effect = "chi-squared", float(np.sqrt(_share_beyond(statistic, mean, largest)))
        test = f"{test}, patients permuted"
        return Association(self.n_missing, "", test, statistic, p_value, effect)


def _compute(tests, codes):
    return [test.compute(column) for test, column in zip(tests, codes, strict=True)]


def _share_beyond(statistic, by_chance, largest):
    """Return how far a statistic is from chance to its largest value, in [0, 1]."""
    return max(0.0, (statistic - by_chance) / (largest - by_chance)) if largest > by_chance else 0.0


def _permute(table, result, rng):
    """Return the p-value: the share of random tables at least as far from expectation."""
    random_table = stats.random_table(table.sum(axis=1), table.sum(axis=0))
    n_blocks, n_tables = _PERMUTATIONS
    as_far = 0
    for _ in range(n_blocks):
        tables = random_table.rvs(n_tables, random_state=rng)
        distance = (tables - result.expected_freq) ** 2 / result.expected_freq
        # With a tolerance, because sums of equal tables differ in their last bits.
        as_far += (distance.sum(axis=(1, 2)) >= result.statistic * (1 - 1e-9)).sum()
    return float((1 + as_far) / (1 + n_blocks * n_tables))


def _cramers_v(statistic, table):
    n = table.sum()
    n_rows, n_columns = table.shape
    squared = max(0.0, statistic / n - (n_rows - 1) * (n_columns - 1) / (n - 1))
    smaller = min(side - (side - 1) ** 2 / (n - 1) for side in table.shape)
    return float(np.sqrt(squared / (smaller - 1))) if smaller > 1 else 0.0
