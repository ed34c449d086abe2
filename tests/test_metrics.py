import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import (
    adjusted_rand_score,
    balanced_accuracy_score,
    normalized_mutual_info_score,
)
from sklearn.pipeline import make_pipeline

from sklearn_cae import ClusterLabelMapper, clustering_report
from sklearn_cae.metrics import hungarian_accuracy, purity_score, stability_report

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


# ---- Stability ----


class Recorder(ClusterMixin, BaseEstimator):
    """Clusters by the sign of the first feature; notes what it is fitted to."""

    fitted = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.fitted.append((self.random_state, X[:, 1]))
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return (X[:, 0] > 0).astype(int)


def test_separate_groups_come_back():
    X, y = make_blobs(300, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    report = stability_report(KMeans(3, n_init=3), X, random_state=0)
    assert {report: "a report"}[report] == "a report"  # equal to itself, and hashed
    assert report.ari_seeds == report.ari_halves == [1.0] * 3
    assert report.jaccard == [1.0] * 3
    assert sorted(report.sizes) == [100] * 3
    assert adjusted_rand_score(y, report.labels) == 1
    assert report.n_clusters == [3] * 10
    json.dumps(report.to_dict())


def test_clusters_with_any_ids_are_reported_by_number():
    class Gaps(KMeans):
        def predict(self, X):
            return np.array([-1, 2, 5])[super().predict(X)]

    X, _ = make_blobs([50, 60, 70], centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    report = stability_report(Gaps(3, n_init=3), X, random_state=0)
    np.testing.assert_array_equal(np.bincount(report.labels), report.sizes)
    assert len(report.jaccard) == 3


def test_slices_of_one_gaussian_do_not():
    X = np.random.default_rng(0).normal(size=(300, 10))
    report = stability_report(KMeans(5, n_init=1), X, n_repeats=4, random_state=0)
    assert np.mean(report.ari_halves) < 0.5
    assert max(report.jaccard) < 0.75


def test_one_group_that_is_there_comes_back_among_slices():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(200, 10)), rng.normal(size=(100, 10)) + 8])
    report = stability_report(KMeans(3, n_init=10), X, random_state=0)
    true_group = np.bincount(report.labels[200:]).argmax()
    assert report.jaccard[true_group] == max(report.jaccard) > 0.9
    assert min(report.jaccard) < 0.75


def test_halves_keep_groups_together_and_seeds_differ():
    Recorder.fitted.clear()
    X = np.column_stack([np.linspace(-1, 1, 30), np.arange(30) // 3])
    stability_report(make_pipeline(Recorder()), X, n_repeats=2, groups=X[:, 1], random_state=0)
    seeds = [seed for seed, _ in Recorder.fitted]
    assert len(set(seeds)) == len(seeds) == 1 + 2 + 4
    for (_, one), (_, other) in (Recorder.fitted[3:5], Recorder.fitted[5:7]):
        assert set(one) | set(other) == set(range(10))
        assert not set(one) & set(other)
    assert Recorder.fitted[3][1].tolist() != Recorder.fitted[5][1].tolist()


def test_stability_repeats_and_draws_nothing_global():
    X = np.random.default_rng(0).normal(size=(60, 3))
    before = np.random.get_state()[1].copy()
    reports = [stability_report(KMeans(4, n_init=1), X, random_state=3) for _ in range(2)]
    assert reports[0].to_dict() == reports[1].to_dict()
    assert np.array_equal(np.random.get_state()[1], before)


def test_stability_of_what_cannot_be_told():
    X = np.zeros((6, 2))
    with pytest.raises(TypeError, match=r"must have predict.*got DBSCAN without"):
        stability_report(DBSCAN(), X)
    with pytest.raises(ValueError, match="at least two groups"):
        stability_report(Recorder(), X, groups=[1] * 6)
    with pytest.raises(ValueError, match="groups must have 6 entries, one for each sample"):
        stability_report(Recorder(), X, groups=[1, 2])
    with pytest.raises(ValueError, match="n_repeats"):
        stability_report(Recorder(), X, n_repeats=0)


def test_any_integer_is_a_number_of_repeats():
    X = np.random.RandomState(0).normal(size=(20, 2))
    assert len(stability_report(KMeans(2), X, n_repeats=np.int64(1)).ari_seeds) == 1


@pytest.mark.parametrize("missing", [None, pd.NA, np.nan])
def test_missing_labels_are_named(missing):
    y_true = np.array(["a", missing, "b"], dtype=object)
    with pytest.raises(ValueError, match="1 of 3 are None or NaN"):
        purity_score(y_true.tolist(), [0, 1, 1])
    with pytest.raises(ValueError, match="y_true must hold a label in every row, but 1 of 3"):
        clustering_report(y_true, [0, 1, 0])


def test_the_stability_of_a_fit(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(n_clusters=2, warm_up_epochs=1, conditioning_epochs=0)
    report = stability_report(model, X, n_repeats=1, groups=np.arange(96) // 2, random_state=0)
    assert len(report.labels) == sum(report.sizes) == 96
    assert "comes back" in repr(report)


class Interrupted(KMeans):
    """An estimator whose second fit takes a Ctrl-C for its end, as this package's does."""

    fits = 0

    def fit(self, X, y=None, sample_weight=None):
        type(self).fits += 1
        self.interrupted_ = type(self).fits == 2
        return super().fit(X, y)


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(PCA(2), model)])
def test_an_interrupted_fit_ends_the_report(wrap):
    Interrupted.fits = 0
    X, _ = make_blobs(60, centers=3, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        stability_report(wrap(Interrupted(3, n_init=1)), X, random_state=0)
    assert Interrupted.fits == 2


def test_a_frozen_step_may_have_been_interrupted_before():
    X, _ = make_blobs(60, centers=3, random_state=0)
    frozen = FrozenEstimator(PCA(2).fit(X))
    frozen.estimator.interrupted_ = True
    report = stability_report(make_pipeline(frozen, KMeans(3, n_init=1)), X, random_state=0)
    assert len(report.ari_seeds) == 3
