"""Tests of columns against clusters: by hand, by SciPy, and what cannot be tested."""

import numpy as np
import pytest
from scipy import stats

from sklearn_cae._statistics.associations import (
    adjust,
    compare_categories,
    compare_numbers,
    count_categories,
    quartiles,
)


def rng():
    return np.random.RandomState(0)


def spread(table):
    """Codes and clusters with the counts of a table (n_clusters, n_categories)."""
    clusters, codes = (np.repeat(axis, np.ravel(table)) for axis in np.indices(np.shape(table)))
    return codes.ravel(), clusters.ravel()


def test_numbers_by_hand():
    # Ranks 1 2 3 and 4 5 6: H = 12 / (6 * 7) * (6**2 / 3 + 15**2 / 3) - 3 * 7.
    found = compare_numbers(np.array([1.0, 2, 3, 10, 20, 30]), np.array([0, 0, 0, 1, 1, 1]))
    h = 12 / 42 * (36 / 3 + 225 / 3) - 21
    assert found.test == "Kruskal-Wallis"
    assert found.statistic == pytest.approx(h)
    assert found.effect == pytest.approx((h - 1) / 4)
    assert found.p_value == pytest.approx(stats.chi2.sf(h, 1))
    assert found.n_missing == 0
    assert not found.reason


def test_eta_squared_is_the_adjusted_share_of_the_ranks_variance():
    clusters = rng().randint(4, size=200)
    values = rng().normal(size=200) + clusters
    ranks = stats.rankdata(values)
    means = np.array([ranks[clusters == c].mean() for c in clusters])
    left = (1 - means.var() / ranks.var()) * 199 / 196
    assert compare_numbers(values, clusters).effect == pytest.approx(1 - left)


def test_eta_squared_does_not_rise_by_chance():
    generator = rng()
    effects = [
        compare_numbers(generator.normal(size=100), generator.randint(20, size=100)).effect
        for _ in range(50)
    ]
    assert np.mean(effects) < 0.06
    assert compare_numbers(np.arange(3.0), np.arange(3)).effect == 0


def test_missing_numbers_are_left_out_and_counted():
    values, clusters = rng().normal(size=60), rng().randint(3, size=60)
    gaps = np.concatenate([values, [np.nan, np.inf, -np.inf]])
    found = compare_numbers(gaps, np.concatenate([clusters, [0, 1, 2]]))
    assert found.n_missing == 3
    assert found.p_value == compare_numbers(values, clusters).p_value


def test_categories_by_hand():
    table = np.array([[30, 10], [20, 40]])
    found = compare_categories(*spread(table), rng())
    # Expected are 20, 20, 30, 30, each 10 off.
    statistic = 100 / 20 * 2 + 100 / 30 * 2
    assert found.test == "chi-squared"
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, 1))
    phi2 = statistic / 100 - 1 / 99
    assert found.effect == pytest.approx(np.sqrt(phi2 / (2 - 1 / 99 - 1)))


def test_cramers_v_of_equal_groupings_is_one_and_of_independent_ones_zero():
    same = compare_categories(*spread(np.diag([50, 60, 70])), rng())
    assert same.effect == pytest.approx(1)
    independent = compare_categories(*spread(np.full((3, 4), 20)), rng())
    assert independent.effect == 0
    assert independent.p_value == pytest.approx(1)


def test_cramers_v_does_not_rise_by_chance():
    """The bias correction: uncorrected, ten categories of noise give about 0.3 here."""
    draws = np.random.RandomState(1)
    effects = [
        compare_categories(draws.randint(10, size=100), draws.randint(3, size=100), rng()).effect
        for _ in range(20)
    ]
    assert np.mean(effects) < 0.1


def test_small_counts_are_permuted():
    table = np.array([[5, 2], [2, 5]])
    found = compare_categories(*spread(table), rng())
    assert found.test == "chi-squared, permuted"
    # With two rows and columns, Fisher's test sums the same tables' probabilities.
    assert found.p_value == pytest.approx(stats.fisher_exact(table).pvalue, abs=0.02)
    assert found.p_value != pytest.approx(stats.chi2_contingency(table, False).pvalue, abs=0.1)


def test_permutations_repeat_and_never_give_zero():
    codes, clusters = spread(np.diag([40, 4, 3]))
    found = compare_categories(codes, clusters, rng())
    assert found == compare_categories(codes, clusters, rng())
    assert found.p_value == pytest.approx(1 / 10_000)


def test_missing_categories_are_left_out_and_counted():
    codes, clusters = spread(np.array([[30, 10], [20, 40]]))
    gaps = np.append(codes, [-1, -1])
    found = compare_categories(gaps, np.append(clusters, [0, 1]), rng())
    assert found.n_missing == 2
    assert found.p_value == compare_categories(codes, clusters, rng()).p_value


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([-1, -1, -1, -1], "all values are missing"),
        ([2, 2, -1, 2], "all values are equal"),
        ([0, 1, -1, -1], "all values are in one cluster"),
    ],
)
def test_what_cannot_be_tested_says_why(values, reason):
    values, clusters = np.array(values), np.array([0, 0, 1, 1])
    numbers = np.where(values < 0, np.nan, values)
    for found in (compare_numbers(numbers, clusters), compare_categories(values, clusters, rng())):
        assert found.reason == reason
        assert np.isnan(found.p_value)
        assert found.n_missing == (values < 0).sum()


def test_identifiers_are_not_tested():
    found = compare_categories(np.arange(60), np.arange(60) % 2, rng())
    assert found.reason == "60 different values, more than 50"


def test_p_values_are_corrected_by_hand():
    # In order 0.01 * 4 / 1, 0.02 * 4 / 2, 0.03 * 4 / 3, 0.5: none above a later one.
    assert adjust([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.04, 0.04])
    assert adjust([]) == []


def test_summaries():
    values = np.array([1.0, 2, 3, 4, 5, np.nan, np.nan])
    counts, rows = quartiles(values, np.array([0, 0, 0, 0, 0, 0, 2]), 3)
    assert counts == [5, 0, 0]
    assert rows[0] == [2, 3, 4]
    assert np.isnan(rows[1:]).all()
    table = count_categories(np.array([0, 1, 1, -1, 0]), np.array([0, 0, 0, 0, 2]), 3, 2)
    assert table.tolist() == [[1, 2], [0, 0], [1, 0]]
