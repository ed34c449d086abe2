"""Tests over patients: exact permutations, false alarms under the null, agreement with SciPy."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sklearn_cae._statistics import patients
from sklearn_cae._statistics.associations import (
    associate,
    compare_categories,
    compare_numbers,
    compare_over_patients,
)
from sklearn_cae._statistics.patients import compare_permuted, permuted_samples


def rng():
    return np.random.RandomState(0)


@pytest.fixture
def few_permutations(monkeypatch):
    """Permute 99 times, in tests of many studies."""
    monkeypatch.setattr(patients, "PERMUTATIONS", 99)


def simulate(draw, n_patients=40, within=(0.5, 0.5)):
    """Draw a study without association, whose clusters and values depend on the patient."""
    groups = np.repeat(np.arange(n_patients), draw.randint(1, 7, n_patients))
    own = draw.normal(size=(2, n_patients))[:, groups]
    values, score = own + np.array(within)[:, None] * draw.normal(size=own.shape)
    return values, np.digitize(score, [-0.5, 0.5]), groups


def as_codes(values):
    return np.digitize(values, [-0.5, 0.5])


# ---- Permutations ----


@given(
    groups=st.lists(st.integers(-3, 3), min_size=1, max_size=20),
    seed=st.integers(0, 99),
    alike=st.booleans(),
)
def test_each_patient_gets_the_samples_of_one_patient(groups, seed, alike):
    groups = np.array(groups)
    draw = np.random.RandomState(seed)
    for sources in permuted_samples(groups, draw, alike=alike, n_permutations=3):
        givers = []
        for patient in np.unique(groups):
            taken = sources[groups == patient]
            assert len(set(groups[taken])) == 1
            giver = groups[taken[0]]
            givers.append(giver)
            # All different if there are enough, and otherwise all of them as often as possible.
            times = np.bincount(taken, minlength=len(groups))[groups == giver]
            assert np.ptp(times) <= 1
        assert sorted(givers) == sorted(set(groups))


def test_every_permutation_and_every_sample_comes_about_equally_often():
    groups = np.array([7, 3, 7, 5, 7])
    drawn = np.array(list(permuted_samples(groups, rng(), alike=False, n_permutations=6000)))
    orders, counts = np.unique(groups[drawn[:, [0, 1, 3]]], axis=0, return_counts=True)
    assert {tuple(order) for order in orders} == set(permutations([7, 3, 5]))
    assert stats.chisquare(counts).pvalue > 0.001
    of_seven = drawn[groups[drawn[:, 1]] == 7, 1]
    assert stats.chisquare(np.bincount(of_seven)[[0, 2, 4]]).pvalue > 0.001


def test_samples_of_a_patient_come_in_every_order():
    groups = np.array([0, 0, 0, 1, 1, 1])
    orders = {
        tuple(sources[groups == 0] % 3)
        for seed in range(20)
        for sources in permuted_samples(
            groups, np.random.RandomState(seed), alike=True, n_permutations=5
        )
    }
    assert orders == set(permutations(range(3)))


def test_patients_change_places_with_patients_of_as_many_samples():
    # Five patients of one sample, five of two, two of three, one of nine.
    sizes = np.array([1] * 5 + [2] * 5 + [3] * 2 + [9])
    groups = np.repeat(np.arange(13), sizes)
    firsts = np.cumsum(sizes) - sizes
    drawn = np.array(list(permuted_samples(groups, rng(), alike=True, n_permutations=2000)))
    givers = groups[drawn[:, firsts]]
    for place in range(13):
        # There are only three of more than two samples, so they are one stratum with those of two.
        assert set(givers[:, place]) == set(range(5) if place < 5 else range(5, 13))


def test_patients_change_places_with_all_others_if_values_are_constant_within():
    sizes = np.repeat([1, 2], 5)
    groups = np.repeat(np.arange(10), sizes)
    seen = []
    compare_permuted(lambda values: seen.append(values) or 0, sizes[groups], groups, rng())
    assert {values[0] for values in seen} == {1, 2}
    seen.clear()
    varied = sizes[groups] + np.arange(15) / 100
    compare_permuted(lambda values: seen.append(values) or 0, varied, groups, rng())
    assert (np.array(seen).round() == sizes[groups]).all()


def test_permutations_that_lose_a_value_count_as_usual():
    """The patient of three samples may give one of them, so that the others are not there."""
    values, groups = np.array([0, 0, 0, 1, 0]), np.array([0, 1, 2, 2, 2])
    clusters = np.array([0, 1, 0, 1, 1])
    with np.errstate(invalid="raise"):
        assert compare_categories(values, clusters, rng(), groups).p_value > 0.05
        assert compare_numbers(values * 1.0, clusters, rng(), groups).p_value > 0.05


def test_p_value_of_constant_columns_is_that_of_all_permutations_of_patients():
    groups = np.array([0, 0, 0, 1, 1, 2, 3, 4, 4, 5])
    clusters = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    ages = np.array([30.0, 31, 45, 44, 70, 71])
    found = compare_numbers(ages[groups], clusters, rng(), groups)
    observed = stats.kruskal(ages[groups][clusters == 0], ages[groups][clusters == 1]).statistic
    every = [np.array(order)[groups] for order in permutations(ages)]
    all_h = [stats.kruskal(each[clusters == 0], each[clusters == 1]).statistic for each in every]
    assert found.statistic == pytest.approx(observed)
    assert found.p_value == pytest.approx(np.mean(np.array(all_h) >= observed - 1e-9), abs=0.03)
    beyond = (observed - np.mean(all_h)) / (len(groups) - 1 - np.mean(all_h))
    assert found.effect == pytest.approx(beyond, abs=0.01)
    assert found.effect < (observed - 1) / (len(groups) - 2) - 0.05  # that of independent samples


def test_results_are_those_of_scipy_on_the_samples_as_they_are():
    values, clusters, groups = simulate(rng())
    values = np.round(values)  # with ties
    found = compare_numbers(values, clusters, rng(), groups)
    parts = [values[clusters == cluster] for cluster in range(3)]
    assert found.statistic == pytest.approx(stats.kruskal(*parts).statistic)
    codes = as_codes(values)
    table = stats.contingency.crosstab(clusters, codes).count
    expected = stats.chi2_contingency(table, correction=False).statistic
    found = compare_categories(codes, clusters, rng(), groups)
    assert found.statistic == pytest.approx(expected)
    assert found.test == "chi-squared, patients permuted"


# ---- False alarms, and agreement with the tests of independent samples ----


@pytest.mark.parametrize("within", [(0, 0), (1, 0), (0.4, 0.4)])
@pytest.mark.usefixtures("few_permutations")
def test_five_percent_false_alarms_where_images_give_many(within):
    draw = np.random.RandomState(1)
    studies = [simulate(draw, within=within) for _ in range(150)]

    def false_alarms(compare):
        return np.mean([compare(*study).p_value <= 0.05 for study in studies])

    def numbers(values, clusters, groups):
        return compare_numbers(values, clusters, draw, groups)

    def categories(values, clusters, groups):
        return compare_categories(as_codes(values), clusters, draw, groups)

    for compare in (numbers, categories):
        by_patients = false_alarms(compare)
        by_images = false_alarms(lambda *study, test=compare: test(*study[:2], None))
        assert 0.01 < by_patients < 0.1
        assert by_images > 0.12


def test_with_one_image_per_patient_the_result_is_that_of_independent_samples():
    draw = rng()
    clusters = draw.randint(4, size=300)
    values = draw.normal(size=300) + 0.15 * clusters
    plain = compare_numbers(values, clusters)
    permuted = compare_numbers(values, clusters, rng(), draw.permutation(300))
    assert permuted.p_value == pytest.approx(plain.p_value, abs=0.02)
    assert permuted.effect == pytest.approx(plain.effect, abs=0.005)
    codes = np.digitize(values, [-0.5, 0.5, 1])
    plain = compare_categories(codes, clusters, rng())
    permuted = compare_categories(codes, clusters, rng(), draw.permutation(300))
    assert 0.001 < plain.p_value < 0.9
    assert permuted.p_value == pytest.approx(plain.p_value, abs=0.02)
    assert permuted.effect == pytest.approx(plain.effect, abs=0.01)


def test_an_association_of_patients_is_found():
    groups = np.repeat(np.arange(60), 3)
    clusters = (np.arange(60) % 3)[groups]
    found = compare_categories(clusters, clusters, rng(), groups)
    assert found.p_value == 1 / 2000
    assert found.effect == pytest.approx(1)
    assert compare_numbers(clusters * 1.0, clusters, rng(), groups).effect == pytest.approx(1)


def test_patients_repeat():
    values, clusters, groups = simulate(rng())
    found = compare_numbers(values, clusters, rng(), groups)
    assert found == compare_numbers(values, clusters, rng(), groups)
    # The names of patients are arbitrary.
    assert compare_numbers(values, clusters, rng(), groups * 7 - 3) == found


# ---- What is missing, and what cannot be tested ----


def test_missing_values_are_left_out_with_their_patients():
    values, clusters, groups = simulate(rng())
    gaps = np.concatenate([values, [np.nan, np.nan]])
    more_clusters, more = np.append(clusters, [0, 1]), np.append(groups, [0, 99])
    found = compare_numbers(gaps, more_clusters, rng(), more)
    assert found.n_missing == 2
    assert found.p_value == compare_numbers(values, clusters, rng(), groups).p_value
    codes = as_codes(values)
    found = compare_categories(np.append(codes, [-1, -1]), more_clusters, rng(), more)
    assert found.p_value == compare_categories(codes, clusters, rng(), groups).p_value


def test_one_patient_cannot_be_tested():
    values = np.array([0, 1, 2, -1])
    groups, clusters = np.array([4, 4, 4, 5]), np.array([0, 1, 0, 1])
    numbers = np.where(values < 0, np.nan, values)
    for found in (
        compare_numbers(numbers, clusters, rng(), groups),
        compare_categories(values, clusters, rng(), groups),
    ):
        assert found.reason == "all known values are of one patient"
        assert np.isnan(found.p_value)


def test_columns_are_tested_over_patients():
    values, clusters, groups = simulate(rng())
    columns = [("age", values, None), ("site", as_codes(values), ["a", "b", "c"])]
    found = associate(columns, clusters, 3, rng(), groups)
    assert [each["tested"].test for each in found["tested"]] == [
        "Kruskal-Wallis, patients permuted",
        "chi-squared, patients permuted",
    ]
    plain = associate(columns, clusters, 3, rng())
    assert [each["tested"].test for each in plain["tested"]] == ["Kruskal-Wallis", "chi-squared"]
    assert [each["rows"] for each in plain["tested"]] == [each["rows"] for each in found["tested"]]


def test_columns_of_any_gaps_keep_their_places():
    values, clusters, groups = simulate(rng())
    gaps = np.where(np.arange(len(values)) % 7, values, np.nan)
    constant = values[np.unique(groups, return_index=True)[1]][groups]
    codes = as_codes(values)
    columns = [
        *((gaps, None), (values, None), (codes, "abc"), (codes * 0, "a")),
        *((constant, None), (np.where(np.isnan(gaps), -1, codes), "abc")),
    ]
    found = compare_over_patients(columns, clusters, groups, rng())
    alone = [
        compare_numbers(column, clusters, rng(), groups)
        if categories is None
        else compare_categories(column, clusters, rng(), groups)
        for column, categories in columns
    ]
    assert [each.n_missing for each in found] == [each.n_missing for each in alone]
    assert [each.reason for each in found] == ["", "", "", "all values are equal", "", ""]
    for one, other in zip(found, alone, strict=True):
        assert one.statistic == pytest.approx(other.statistic, nan_ok=True)
        assert one.p_value == pytest.approx(other.p_value, abs=0.05, nan_ok=True)


def test_the_mean_is_what_chance_gives():
    result = compare_permuted(lambda values: values[0], np.arange(5.0), np.arange(5), rng())
    assert result.statistic == 0
    assert result.p_value == 1  # none is smaller
    assert result.mean == pytest.approx(2, abs=0.1)
