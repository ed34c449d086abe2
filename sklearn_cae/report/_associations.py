"""Whether what is known of samples goes with their clusters: tests, and how strong the tie is.

Numbers are compared by their ranks, categories by their counts. All functions take arrays, one
value a sample, and leave missing ones out.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

MOST_CATEGORIES = 50
_SMALL_COUNT = 5
_PERMUTATIONS = (9, 1111)  # blocks, and tables a block


@dataclass(frozen=True)
class Association:
    """How a column goes with the clusters.

    Parameters
    ----------
    n_missing : int
        Values left out.
    reason : str, default=""
        Why the column was not tested; empty where it was.
    test : str, default=""
        Name of the test.
    statistic, p_value : float, default=NaN
        Of the test, uncorrected.
    effect : float, default=NaN
        Strength of the tie, in [0, 1]: eta squared of the ranks of numbers, Cramer's V of
        categories, both with their bias corrected.
    """

    n_missing: int
    reason: str = ""
    test: str = ""
    statistic: float = np.nan
    p_value: float = np.nan
    effect: float = np.nan


def compare_numbers(values, clusters):
    """Test by Kruskal and Wallis whether numbers differ between clusters.

    The effect is eta squared, (H - k + 1) / (n - k) for k clusters, or 0 where that is less: the
    share of the ranks' variance that the clusters account for, beyond what they would by chance
    [1]_.

    Parameters
    ----------
    values : ndarray of shape (n_samples,), float
        NaN and infinity are missing.
    clusters : ndarray of shape (n_samples,)

    Returns
    -------
    association : Association

    References
    ----------
    .. [1] Tomczak and Tomczak, "The need to report effect size estimates revisited", Trends in
       Sport Sciences 21, 2014.
    """
    known = np.isfinite(values)
    n_missing = int((~known).sum())
    values, clusters = values[known], clusters[known]
    reason = _why_not(values, clusters)
    if reason:
        return Association(n_missing, reason)
    groups = [values[clusters == cluster] for cluster in np.unique(clusters)]
    statistic, p_value = map(float, stats.kruskal(*groups))
    n, k = len(values), len(groups)
    effect = max(0.0, (statistic - k + 1) / (n - k)) if n > k else 0.0
    return Association(n_missing, "", "Kruskal-Wallis", statistic, p_value, effect)


def compare_categories(codes, clusters, rng):
    """Test by chi-squared whether categories are spread differently over clusters.

    Where fewer than 5 samples are expected in a cell, the p-value is that of 9999 random tables
    with the same margins. The effect is Cramer's V with its bias corrected [1]_.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int
        Categories from 0 on; -1 is missing.
    clusters : ndarray of shape (n_samples,)
    rng : RandomState
        Of the random tables.

    Returns
    -------
    association : Association

    References
    ----------
    .. [1] Bergsma, "A bias-correction for Cramer's V and Tschuprow's T", Journal of the Korean
       Statistical Society 42, 2013.
    """
    known = codes >= 0
    n_missing = int((~known).sum())
    codes, clusters = codes[known], clusters[known]
    n_categories = len(np.unique(codes))
    reason = _why_not(codes, clusters)
    if n_categories > MOST_CATEGORIES:
        reason = f"{n_categories} different values, more than {MOST_CATEGORIES}"
    if reason:
        return Association(n_missing, reason)
    table = stats.contingency.crosstab(clusters, codes).count
    result = stats.chi2_contingency(table, correction=False)
    test, p_value = "chi-squared", float(result.pvalue)
    if result.expected_freq.min() < _SMALL_COUNT:
        test, p_value = "chi-squared, permuted", _permute(table, result, rng)
    effect = _cramers_v(float(result.statistic), table)
    return Association(n_missing, "", test, float(result.statistic), p_value, effect)


def adjust(p_values):
    """Correct p-values for their number, by Benjamini and Hochberg.

    Parameters
    ----------
    p_values : list of float

    Returns
    -------
    adjusted : list of float
        Those below a level have at most that share of false ones among them, on average.
    """
    return stats.false_discovery_control(p_values).tolist() if p_values else []


def quartiles(values, clusters, n_clusters):
    """Summarise the numbers of each cluster.

    Parameters
    ----------
    values : ndarray of shape (n_samples,), float
        NaN and infinity are missing.
    clusters : ndarray of shape (n_samples,), int
    n_clusters : int

    Returns
    -------
    counts : list of int
        Of the values that are not missing.
    quartiles : list of list of float
        First quartile, median and third quartile; NaN where there is no value.
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
        In 0 to n_categories - 1; -1 is missing.
    clusters : ndarray of shape (n_samples,), int
    n_clusters, n_categories : int

    Returns
    -------
    counts : ndarray of shape (n_clusters, n_categories)
    """
    counts = np.zeros((n_clusters, n_categories), dtype=int)
    np.add.at(counts, (clusters[codes >= 0], codes[codes >= 0]), 1)
    return counts


def _why_not(values, clusters):
    """Say why values that are not missing cannot be tested; nothing where they can."""
    if len(values) == 0:
        return "all values are missing"
    if (values == values[0]).all():
        return "all values are equal"
    if (clusters == clusters[0]).all():
        return "all values are in one cluster"
    return ""


def _permute(table, result, rng):
    """Share of random tables with the same margins that are at least as far from expectation."""
    random_table = stats.random_table(table.sum(axis=1), table.sum(axis=0))
    n_blocks, n_tables = _PERMUTATIONS
    as_far = 0
    for _ in range(n_blocks):
        tables = random_table.rvs(n_tables, random_state=rng)
        distance = (tables - result.expected_freq) ** 2 / result.expected_freq
        # Less a little, since sums of the same table differ in their last bits.
        as_far += (distance.sum(axis=(1, 2)) >= result.statistic * (1 - 1e-9)).sum()
    return float((1 + as_far) / (1 + n_blocks * n_tables))


def _cramers_v(statistic, table):
    n = table.sum()
    n_rows, n_columns = table.shape
    squared = max(0.0, statistic / n - (n_rows - 1) * (n_columns - 1) / (n - 1))
    smaller = min(side - (side - 1) ** 2 / (n - 1) for side in table.shape)
    return float(np.sqrt(squared / (smaller - 1))) if smaller > 1 else 0.0
