import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import (
    adjusted_rand_score,
    balanced_accuracy_score,
    normalized_mutual_info_score,
)

from sklearn_cae import ClusterLabelMapper, clustering_report
from sklearn_cae.metrics import hungarian_accuracy, purity_score

labellings = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-1, 4)), min_size=1, max_size=25
).map(lambda pairs: tuple(np.array(column) for column in zip(*pairs, strict=True)))

# Class "a" lies in clusters 0 (three of it) and 1 (one), class "b" in 1 (one) and 2 (one).
Y_TRUE = ["a", "a", "a", "a", "b", "b"]
LABELS = [0, 0, 0, 1, 1, 2]


def test_report_of_a_small_example_counted_by_hand():
    report = clustering_report(Y_TRUE, LABELS)
    assert (report.n_samples, report.n_classes, report.n_clusters) == (6, 2, 3)
    assert report.largest_cluster_share == 3 / 6
    assert report.majority_baseline == 4 / 6
    assert report.purity == purity_score(Y_TRUE, LABELS) == 5 / 6
    assert report.balanced_accuracy == (4 / 4 + 1 / 2) / 2
    assert report.hungarian_accuracy == hungarian_accuracy(Y_TRUE, LABELS) == 4 / 6


def test_one_cluster_scores_no_better_than_the_majority_class():
    report = clustering_report([1, 1, 1, 0], [5, 5, 5, 5])
    assert report.purity == report.majority_baseline == report.hungarian_accuracy == 3 / 4
    assert report.balanced_accuracy == 1 / 2
    assert report.largest_cluster_share == 1
    assert report.nmi == report.ari == 0


def test_one_cluster_per_sample_is_pure_but_matches_little():
    report = clustering_report([0, 0, 0, 1, 1, 1], range(6))
    assert report.purity == report.balanced_accuracy == 1
    assert report.hungarian_accuracy == 2 / 6
    assert report.ari == 0


def test_noise_is_a_cluster_of_its_own():
    assert clustering_report([0, 0, 1, 1], [0, 0, -1, -1]).n_clusters == 2
    assert hungarian_accuracy([0, 0, 1, 1], [0, 0, -1, -1]) == 1


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(labellings)
def test_scores_equal_those_of_scikit_learn(data):
    y_true, labels = data
    report = clustering_report(y_true, labels)
    clusters = labels.reshape(-1, 1) + 1
    mapped = ClusterLabelMapper("labels").fit(clusters, y_true).predict(clusters)
    assert report.nmi == pytest.approx(normalized_mutual_info_score(y_true, labels))
    assert report.ari == pytest.approx(adjusted_rand_score(y_true, labels))
    assert report.purity == pytest.approx(np.mean(mapped == y_true))
    assert report.balanced_accuracy == pytest.approx(balanced_accuracy_score(y_true, mapped))


@given(labellings)
def test_hungarian_accuracy_is_the_best_of_all_matchings(data):
    y_true, labels = data
    classes, clusters = np.unique(y_true), np.unique(labels)
    # Padded with classes that nobody has, so that a cluster may stay unmatched.
    padded = [*classes, *range(100, 100 + len(clusters))]
    best = max(
        np.mean(y_true == np.array(match)[np.searchsorted(clusters, labels)])
        for match in set(permutations(padded[: max(len(classes), len(clusters))], len(clusters)))
    )
    assert hungarian_accuracy(y_true, labels) == pytest.approx(best)


@given(labellings, st.permutations(range(6)), st.randoms(use_true_random=False))
def test_names_of_clusters_and_order_of_rows_do_not_matter(data, names, random):
    y_true, labels = data
    rows = random.sample(range(len(labels)), len(labels))
    renamed = np.array([f"cluster {name}" for name in names])[labels]
    expected = clustering_report(y_true, labels).to_dict()
    assert clustering_report(y_true[rows], renamed[rows]).to_dict() == pytest.approx(expected)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.permutations(range(4)))
def test_a_renamed_truth_scores_one(y_true, names):
    report = clustering_report(y_true, np.array(names)[y_true])
    scores = [report.purity, report.balanced_accuracy, report.hungarian_accuracy, report.ari]
    assert_allclose(scores, 1)
    assert report.nmi == pytest.approx(1 if len(set(y_true)) > 1 else report.nmi)


@given(labellings, st.integers(0, 24))
def test_splitting_a_cluster_never_lowers_purity(data, n_split):
    y_true, labels = data
    split = labels.copy()
    split[:n_split] += 10
    assert purity_score(y_true, split) >= purity_score(y_true, labels)


@given(labellings)
def test_purity_lies_above_its_bounds(data):
    report = clustering_report(*data)
    assert report.purity >= report.majority_baseline
    assert report.purity >= report.hungarian_accuracy


def test_report_turns_into_json():
    report = clustering_report(np.array(Y_TRUE), np.array(LABELS))
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert {type(value) for value in report.to_dict().values()} == {int, float}
    assert set(report.to_dict()) == {
        *("n_samples", "n_classes", "n_clusters", "largest_cluster_share", "majority_baseline"),
        *("purity", "balanced_accuracy", "hungarian_accuracy", "nmi", "ari"),
    }


def test_report_prints_each_number_on_its_line():
    report = clustering_report(Y_TRUE, LABELS)
    title, *lines = repr(report).splitlines()
    assert title == "Clustering report"
    printed = {" ".join(line.split()[:-1]): float(line.split()[-1]) for line in lines}
    numbers = {name.replace("_", " "): value for name, value in report.to_dict().items()}
    assert printed == pytest.approx(numbers, abs=5e-4)


@pytest.mark.parametrize("score", [clustering_report, hungarian_accuracy, purity_score])
@pytest.mark.parametrize(
    ("y_true", "labels", "message"),
    [
        ([0, 1], [0, 1, 1], "labels must have 2 entries.* got 3"),
        ([], [], "y_true must hold at least one sample"),
        (
            [0, 1],
            [[0.9, 0.1], [0.2, 0.8]],
            r"labels must hold one label per sample.*\(2, 2\).*argmax",
        ),
        ([0, np.nan], [0, 1], "y_true contains NaN"),
        ([0, 1], [0, 0.25], "labels must be discrete.*0.25"),
    ],
)
def test_bad_input_is_refused(score, y_true, labels, message):
    with pytest.raises(ValueError, match=message):
        score(y_true, labels)


@pytest.mark.parametrize("missing", [None, pd.NA, np.nan])
def test_missing_labels_are_named(missing):
    y_true = np.array(["a", missing, "b"], dtype=object)
    with pytest.raises(ValueError, match="1 of 3 are None or NaN"):
        purity_score(y_true.tolist(), [0, 1, 1])
    with pytest.raises(ValueError, match="y_true must hold a label in every row, but 1 of 3"):
        clustering_report(y_true, [0, 1, 0])
