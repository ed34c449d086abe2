"""Profiles of patients: by hand, by all pairs, outcomes, and what is refused by name."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sklearn_cae import patient_profile
from sklearn_cae._statistics import patients as permutations
from sklearn_cae.metrics._patients import _agree_by_chance

LABELS = np.array([0, 0, 1, 1, 1, 0, 2, 2])
PATIENTS = np.array(["b", "b", "b", "a", "a", "c", "d", "d"])


def profile(labels=LABELS, groups=PATIENTS, outcome=None, **params):
    return patient_profile(
        labels, groups, outcome, **{"random_state": 0, "n_resamples": 100, **params}
    )


@pytest.fixture
def study():
    """(labels, groups, draw): 60 patients of 1 to 4 images, whose groups depend on the patient."""
    draw = np.random.RandomState(0)
    groups = np.repeat(np.arange(60), draw.randint(1, 5, 60))
    labels = np.where(draw.random_sample(len(groups)) < 0.7, groups % 3, draw.randint(3))
    return labels, groups, draw


# ---- Table and agreement ----


def test_table_by_hand():
    found = profile()
    table = found.table
    assert list(table.index) == ["a", "b", "c", "d"]
    assert table.index.name == "patient"
    assert table.n_samples.tolist() == [2, 3, 1, 2]
    assert table.group.tolist() == [1, 0, 0, 2]
    assert table.share_0.tolist() == pytest.approx([0, 2 / 3, 1, 0])
    assert table.share_1.tolist() == pytest.approx([1, 1 / 3, 0, 0])
    assert table.agreement.tolist() == pytest.approx([1, 1 / 3, np.nan, 1], nan_ok=True)
    assert found.agreement == pytest.approx((1 + 1 / 3 + 1) / 3)
    # Pairs of patients: a b 1/3, b c 2/3, all others 0.
    assert found.agreement_by_chance == pytest.approx(1 / 6)
    assert found.beyond_chance == pytest.approx((7 / 9 - 1 / 6) / (5 / 6))
    assert found.shares.n_patients.tolist() == [2, 2, 1]
    assert found.shares.share.tolist() == pytest.approx([5 / 12, 1 / 3, 1 / 4])
    assert (found.n_samples, found.n_patients, found.n_several) == (8, 4, 3)


@given(data=st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 4)), min_size=2, max_size=15))
def test_agreement_is_that_of_all_pairs(data):
    labels, groups = np.array(data).T
    if len(set(groups)) == 1:
        groups[0] = 9
    found = profile(labels, groups)
    within = {patient: [] for patient in groups}
    between = {}
    for (one, first), (other, second) in combinations(zip(groups, labels, strict=True), 2):
        if one == other:
            within[one].append(first == second)
        else:
            between.setdefault(frozenset((one, other)), []).append(first == second)
    several = [np.mean(pairs) for pairs in within.values() if pairs]
    expected = np.mean(several) if several else np.nan
    assert found.agreement == pytest.approx(expected, nan_ok=True)
    chance = np.mean([np.mean(pairs) for pairs in between.values()])
    assert found.agreement_by_chance == pytest.approx(chance)


def test_the_first_of_equal_groups_is_named():
    found = profile(["b", "a", "b"], [1, 1, 2])
    assert found.table.group.tolist() == ["a", "b"]
    assert list(found.table.columns[2:4]) == ["share_a", "share_b"]


def test_noise_is_a_group():
    found = profile([-1, -1, 0, 0], [1, 1, 2, 2])
    assert found.shares.index.tolist() == [-1, 0]
    assert found.agreement == 1


def test_labels_are_a_soft_assignment_without_doubt():
    hard, soft = profile(), profile(np.eye(3)[LABELS])
    pd.testing.assert_frame_equal(hard.table, soft.table)
    assert hard.beyond_chance_interval == soft.beyond_chance_interval


def test_soft_assignment_by_hand():
    found = profile([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5]], [1, 1, 2])
    assert found.table.share_0.tolist() == pytest.approx([0.7, 0.5])
    assert found.agreement == pytest.approx(0.8 * 0.6 + 0.2 * 0.4)
    assert found.agreement_by_chance == pytest.approx(0.5)


def test_agreement_is_that_of_chance_if_patients_do_not_matter():
    draw = np.random.RandomState(0)
    groups = np.repeat(np.arange(300), 3)
    found = profile(draw.randint(4, size=900), groups, n_resamples=300)
    assert found.agreement == pytest.approx(0.25, abs=0.03)
    low, high = found.beyond_chance_interval
    assert low < 0 < high
    assert found.agreement_interval[0] < found.agreement < found.agreement_interval[1]


def test_intervals_count_patients_and_not_images():
    """Ten times the same images say nothing new; images alone would give narrower intervals."""
    draw = np.random.RandomState(0)
    labels = draw.randint(2, size=80)
    once = profile(labels, np.arange(80), n_resamples=1000)
    ten = profile(np.repeat(labels, 10), np.arange(800) // 10, n_resamples=1000)
    pd.testing.assert_frame_equal(once.shares, ten.shares)
    width = (ten.shares.high - ten.shares.low)[0]
    assert width == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(80), rel=0.1)


def test_intervals_hold_the_truth_in_about_95_percent():
    draw = np.random.RandomState(0)
    hits = 0
    for seed in range(60):
        groups = np.repeat(np.arange(50), draw.randint(1, 5, 50))
        labels = (draw.random_sample(50) < 0.3)[groups] * 1
        row = profile(labels, groups, random_state=seed).shares.loc[1]
        hits += row.low <= 0.3 <= row.high
    assert 52 <= hits <= 60


def test_profiles_repeat(study):
    labels, groups, _ = study
    outcome = groups % 5
    one, other = profile(labels, groups, outcome), profile(labels, groups, outcome)
    assert one.to_dict() == other.to_dict()
    assert one.to_dict() != profile(labels, groups, outcome, random_state=1).to_dict()


def test_profiles_are_json(study):
    labels, groups, _ = study
    outcome = {patient: "ab"[patient % 2] for patient in range(60)}
    report = profile(labels, groups, outcome).to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["table"][0]["patient"] == 0
    assert report["shares"][2]["group"] == 2
    assert report["outcome"]["effects"][0]["outcome"] == "a"


def test_repr_shows_agreement_and_outcome(study):
    labels, groups, _ = study
    text = repr(profile(labels, groups, groups % 2 == 0))
    assert text.startswith("Patient profile\n  samples")
    assert "beyond chance" in text
    assert "Outcome (categories) of 60 patients" in text


def test_a_patient_drawn_twice_is_no_pair_with_itself():
    shares, times = np.eye(3)[[0, 0, 1, 2]], np.array([2, 1, 3, 0])
    drawn = np.repeat(np.arange(4), times)
    pairs = [(a, b) for a, b in combinations(drawn, 2) if a != b]
    expected = np.mean([shares[a] @ shares[b] for a, b in pairs])
    assert _agree_by_chance(shares, times) == pytest.approx(expected)


# ---- Outcomes ----


def test_outcome_by_hand():
    """The explained share is that of a regression on dummies, or on ranks."""
    draw = np.random.RandomState(0)
    labels, groups = draw.randint(2, size=90), np.repeat(np.arange(30), 3)
    numbers = draw.normal(size=30)
    kinds = np.array(["a", "b", "c"])[np.digitize(numbers, [-0.5, 0.5])]
    found = profile(labels, groups, dict(enumerate(kinds)))
    share = found.table.share_0
    means = share.groupby(kinds).transform("mean")
    assert found.outcome.groups.explained[0] == pytest.approx(means.var() / share.var())
    effects = found.outcome.effects.share[0]
    assert effects["b"] == pytest.approx(share[kinds == "b"].mean())
    found = profile(labels, groups, dict(enumerate(numbers)))
    r = np.corrcoef(stats.rankdata(numbers), share)[0, 1]
    assert found.outcome.kind == "numbers"
    assert found.outcome.groups.explained[0] == pytest.approx(r**2)
    rank_r = stats.spearmanr(numbers, share).statistic
    assert found.outcome.effects.correlation[0] == pytest.approx(rank_r)
    assert found.outcome.effects.low[0] < rank_r < found.outcome.effects.high[0]


def test_an_outcome_of_two_kinds_is_tested_as_by_anova():
    draw = np.random.RandomState(0)
    first = draw.random_sample(160)
    kinds = np.array(["a", "b"])[np.arange(80) % 2]
    found = profile(
        np.column_stack([first, 1 - first]), np.arange(160) // 2, dict(enumerate(kinds))
    )
    share = found.table.share_0
    expected = stats.f_oneway(share[kinds == "a"], share[kinds == "b"]).pvalue
    assert found.outcome.p_value == pytest.approx(expected, abs=0.04)
    assert found.outcome.groups.p_value[0] == found.outcome.p_value
    assert found.outcome.by_chance == pytest.approx(1 / 79, rel=0.1)


def test_an_outcome_that_matters_is_found(study):
    labels, groups, _ = study
    found = profile(labels, groups, np.array(["x", "y", "z"])[groups % 3]).outcome
    assert found.p_value == 1 / 2000
    assert found.explained > 0.3
    assert (found.groups.p_adjusted < 0.01).all()
    row = found.effects.loc[(1, "y")]
    assert row.low > found.effects.loc[(1, "x")].high
    assert row.n_patients == 20


def test_five_percent_of_outcomes_by_chance_are_found(study, monkeypatch):
    monkeypatch.setattr(permutations, "PERMUTATIONS", 99)
    labels, groups, draw = study
    p_values = [
        profile(labels, groups, draw.randint(3, size=60).astype(str)[groups]).outcome.p_value
        for _ in range(100)
    ]
    assert 1 <= sum(p <= 0.05 for p in p_values) <= 10


def test_ways_to_pass_an_outcome_agree(study):
    labels, groups, draw = study
    ages = draw.randint(20, 90, size=60)
    expected = profile(labels, groups, ages[groups]).to_dict()
    by_name = pd.Series(ages).sample(frac=1, random_state=0)
    shuffled = pd.Series(ages[groups], index=draw.permutation(len(groups)))
    for outcome in (dict(enumerate(ages)), by_name, list(ages[groups]), shuffled):
        assert profile(labels, groups, outcome).to_dict() == expected


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_outcomes_are_left_out_with_a_warning(study, missing):
    labels, groups, _ = study
    kinds = {patient: "ab"[patient % 2] for patient in range(60)}
    some = kinds | {7: missing, 8: missing}
    del some[9]
    with pytest.warns(UserWarning, match=r"3 of 60 patients is missing, such as that of 7\."):
        found = profile(labels, groups, some)
    assert found.outcome.n_patients == 57
    assert found.table.outcome.isna().sum() == 3
    assert found.shares.equals(profile(labels, groups, kinds).shares)


def test_a_series_by_patient_is_known_by_its_index():
    """There are as many patients as images."""
    labels, groups = [0, 0, 1, 1], ["d", "c", "b", "a"]
    found = profile(labels, groups, pd.Series(["x", "x", "y", "y"], index=list("abcd")))
    assert found.table.outcome.to_dict() == {"a": "x", "b": "x", "c": "y", "d": "y"}
    found = profile(labels, groups, pd.Series(["x", "x", "y", "y"]))
    assert found.table.outcome.to_dict() == {"d": "x", "c": "x", "b": "y", "a": "y"}


def test_p_values_of_groups_are_corrected_for_their_number(study):
    labels, groups, draw = study
    found = profile(labels, groups, draw.randint(3, size=60)[groups]).outcome.groups
    expected = stats.false_discovery_control(found.p_value)
    assert found.p_adjusted.tolist() == pytest.approx(expected.tolist())
    assert (found.p_adjusted != found.p_value).any()


def test_a_group_of_equal_shares_is_left_out_of_the_tests():
    u = np.random.RandomState(0).random_sample(20) * 0.5
    found = profile(
        np.column_stack([u, np.full(20, 0.5), 0.5 - u]), np.arange(20), np.arange(20) % 3
    ).outcome
    assert found.groups.p_adjusted.isna().tolist() == [False, True, False]
    assert np.isnan(found.groups.p_value[1])
    assert np.isfinite(found.p_value)


def test_missing_numbers_and_single_samples_of_a_patient():
    ages = [30, np.nan, 30, np.inf, np.nan, 50, 60, 60]
    with pytest.warns(UserWarning, match="1 of 4 patients is missing, such as that of 'a'"):
        found = profile(outcome=ages)
    assert found.table.outcome.tolist() == pytest.approx([np.nan, 30, 50, 60], nan_ok=True)
    assert found.outcome.kind == "numbers"


def test_a_category_of_one_patient_has_no_interval():
    found = profile(outcome={"a": "x", "b": "y", "c": "y", "d": "y"}).outcome
    assert found.effects.loc[(0, "x"), ["low", "high"]].isna().all()
    assert found.effects.loc[(0, "y"), ["low", "high"]].notna().all()


@pytest.mark.parametrize(
    ("labels", "outcome", "reason"),
    [
        (LABELS, ["x"] * 8, "all known outcomes are equal"),
        (np.zeros(8, int), PATIENTS, "all samples are in one group"),
        (np.full((8, 2), 0.5), PATIENTS, "all patients have the same shares of groups"),
    ],
)
def test_an_outcome_that_cannot_be_tested_says_why(labels, outcome, reason):
    found = profile(labels, outcome=outcome)
    assert found.outcome.reason == reason
    assert np.isnan(found.outcome.p_value)
    assert f"Outcome not tested: {reason}" in repr(found)
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_identifiers_are_no_outcome():
    groups = np.arange(60)
    found = profile(groups % 2, groups, groups.astype(str))
    assert found.outcome.reason == "60 different outcomes, more than 50"


# ---- What is undefined, and what is refused ----


def test_one_group_leaves_agreement_against_chance_undefined():
    found = profile(np.zeros(8, int))
    assert found.agreement == found.agreement_by_chance == 1
    assert np.isnan([found.beyond_chance, *found.beyond_chance_interval]).all()
    assert "undefined, because all samples are in one group" in repr(found)


def test_one_image_per_patient_has_no_agreement():
    found = profile(groups=np.arange(8))
    assert np.isnan([found.agreement, *found.agreement_interval, found.beyond_chance]).all()
    assert found.n_several == 0
    assert "undefined, because no patient has several samples" in repr(found)


def test_one_patient_with_several_images_has_no_interval():
    found = profile([0, 0, 1], [1, 1, 2])
    assert found.agreement == 1
    assert np.isnan(found.agreement_interval).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"groups": PATIENTS[:7]}, "groups must have 8 entries, one for each sample"),
        ({"groups": ["a"] * 8}, "groups must hold at least 2 patients, got one: 'a'"),
        (
            {"groups": ["a", None, *"bcdefg"]},
            "groups must name the patient of every sample, got 1 of 8.*row 1",
        ),
        ({"groups": [np.nan, *range(7)]}, "got 1 of 8 that are missing, such as that of row 0"),
        ({"labels": []}, "labels_or_proba must hold at least one sample"),
        ({"labels": LABELS + 0.5}, "labels_or_proba must be discrete"),
        ({"labels": np.full((8, 3), 0.5)}, r"sum to 1 in each row, got \[0.5, 0.5, 0.5\] in row 0"),
        ({"labels": np.tile([1.5, -0.5], (8, 1))}, "shares of at least 0"),
        ({"labels": np.full((8, 2), np.nan)}, "sum to 1 in each row"),
        ({"labels": np.full((8, 2), "a")}, "must be labels of shape"),
        ({"outcome": list("xyxzzxyy")}, "got 'x' and 'y' for patient 'b'"),
        ({"outcome": [None] * 8}, "outcome must be known for some patients"),
        ({"outcome": [1, 2]}, "outcome must have 8 entries"),
        ({"outcome": {"a": 1, "e": 2}}, "1 others, such as 'e'; a patient of groups is 'a'"),
        ({"outcome": pd.Series([1, 2], index=["a", "a"])}, "got several of 'a'"),
        ({"n_resamples": 1}, "n_resamples == 1"),
    ],
)
def test_what_is_refused_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        profile(**params)


def test_patients_of_several_types_are_refused():
    with pytest.raises(TypeError, match="groups must hold patients of one type, got int, str"):
        profile(groups=np.array([*range(7), "a"], dtype=object))


def test_a_series_is_by_patient_or_by_sample():
    groups, labels = list("aabb"), [0, 1, 0, 1]
    outcome = pd.Series(list("hihi"), index=list("abcd"))
    with pytest.raises(ValueError, match="2 others, such as 'c'"):
        patient_profile(labels, groups, outcome)
    with pytest.raises(ValueError, match="its index, 0 to 3, may mean either"):
        patient_profile(labels, [3, 1, 2, 0], outcome.reset_index(drop=True))
    outcome = pd.Series(list("hhii"), index=[7, 1, 0, 2])  # rows of a larger table
    profile = patient_profile(labels, [0, 0, 1, 1], outcome, random_state=0)
    assert profile.table["outcome"].tolist() == ["h", "i"]
