from collections import Counter

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_cae import ClusterLabelMapper

# Cluster 0 holds two "b" and one "a", cluster 1 one "c", cluster 2 nobody.
SOFT_ASSIGNMENT = np.array([[0.6, 0.3, 0.1], [0.5, 0.2, 0.3], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
Y = np.array(["b", "a", "b", "c"])

labelled_clusters = st.lists(
    st.tuples(st.integers(-1, 4), st.integers(0, 3)), min_size=1, max_size=25
).map(lambda pairs: tuple(np.array(column) for column in zip(*pairs, strict=True)))


def column(labels):
    return np.reshape(labels, (-1, 1))


def test_each_cluster_carries_its_most_frequent_label():
    mapper = ClusterLabelMapper().fit(SOFT_ASSIGNMENT, Y)
    assert_array_equal(mapper.classes_, ["a", "b", "c"])
    assert_array_equal(mapper.contingency_, [[1, 2, 0], [0, 0, 1], [0, 0, 0]])
    assert mapper.contingency_.dtype.kind == "i"
    assert_array_equal(mapper.mapping_, ["b", "c", "b"])
    assert mapper.purity_ == 3 / 4
    assert_array_equal(mapper.predict(SOFT_ASSIGNMENT), ["b", "b", "b", "c"])
    assert mapper.score(SOFT_ASSIGNMENT, Y) == 3 / 4


def test_probabilities_are_the_class_frequencies_of_the_cluster():
    mapper = ClusterLabelMapper().fit(SOFT_ASSIGNMENT, Y)
    # The empty cluster has the frequencies of all labelled samples.
    assert_allclose(
        mapper.predict_proba(np.eye(3)), [[1 / 3, 2 / 3, 0], [0, 0, 1], [1 / 4, 2 / 4, 1 / 4]]
    )


@pytest.mark.parametrize(
    ("input", "X"), [("distance", 1 - SOFT_ASSIGNMENT), ("labels", column([0, 0, 0, 1]))]
)
def test_every_input_gives_the_same_classifier(input, X):
    expected = ClusterLabelMapper().fit(SOFT_ASSIGNMENT, Y)
    mapper = ClusterLabelMapper(input).fit(X, Y)
    assert_array_equal(mapper.mapping_, expected.mapping_[: len(mapper.mapping_)])
    assert_array_equal(mapper.predict_proba(X), expected.predict_proba(SOFT_ASSIGNMENT))


@pytest.mark.parametrize("y", [["b", "a", "c", "d"], ["c", "d", "b", "a"]])
def test_ties_go_to_the_first_class_in_sorted_order(y):
    mapper = ClusterLabelMapper("labels").fit(column([0, 0, 1, 1]), y)
    assert_array_equal(mapper.mapping_, sorted([min(y[:2]), min(y[2:])], key=y.index))
    assert_array_equal(mapper.predict([[7]]), ["a"])


def test_cluster_with_too_few_labelled_members_carries_the_overall_mode():
    clusters, y = column([0, 0, 0, 1, 1, 2]), [0, 0, 0, 1, 1, 1]
    fitted = {m: ClusterLabelMapper("labels", min_samples=m).fit(clusters, y) for m in (1, 2, 3, 9)}
    assert_array_equal(fitted[1].mapping_, [0, 1, 1])
    assert_array_equal(fitted[2].mapping_, [0, 1, 0])
    assert_array_equal(fitted[3].mapping_, [0, 0, 0])
    assert_array_equal(fitted[9].mapping_, [0, 0, 0])
    assert_array_equal(fitted[2].predict_proba([[1], [2]]), [[0, 1], [0.5, 0.5]])
    assert [m.purity_ for m in fitted.values()] == [1, 5 / 6, 3 / 6, 3 / 6]


@pytest.mark.parametrize("cluster", [-1, -3, 1, 2, 99, 2_000_000_000])
def test_noise_and_unseen_cluster_ids_carry_the_overall_mode(cluster):
    mapper = ClusterLabelMapper("labels").fit(column([0, 3, 3, 3, -1]), [7, 5, 5, 5, 7])
    assert mapper.predict([[0]]) == 7
    assert mapper.predict([[cluster]]) == 5
    assert_allclose(mapper.predict_proba([[cluster]]), [[3 / 5, 2 / 5]])


def test_noise_is_in_no_cluster_but_counts_for_purity():
    mapper = ClusterLabelMapper("labels").fit(column([0, 0, 0, -1]), [1, 1, 1, 2])
    assert_array_equal(mapper.contingency_, [[3, 0]])
    assert mapper.purity_ == 3 / 4


def test_all_noise_predicts_the_overall_mode():
    mapper = ClusterLabelMapper("labels").fit(column([-2, -2, -3]), [1, 2, 2])
    assert mapper.mapping_.shape == (0,)
    assert_array_equal(mapper.predict([[-1], [0]]), [2, 2])


@pytest.mark.parametrize(
    ("y", "missing_label"),
    [
        ([3, -1, 4, -1, 4], -1),
        (["x", "", "y", "", "y"], ""),
        ([0.0, np.nan, 1.0, np.nan, 1.0], np.nan),
        (np.array(["x", np.nan, "y", np.nan, "y"], dtype=object), float("nan")),
    ],
    ids=["int", "str", "nan", "object"],
)
def test_unlabelled_rows_take_no_part(y, missing_label):
    clusters, y = column([0, 0, 1, 2, 1]), np.asarray(y)
    kept = [0, 2, 4]
    mapper = ClusterLabelMapper("labels", missing_label=missing_label).fit(clusters, y)
    alone = ClusterLabelMapper("labels").fit(clusters[kept], y[kept])
    assert_array_equal(mapper.classes_, alone.classes_)
    assert_array_equal(mapper.predict_proba(clusters), alone.predict_proba(clusters))
    # Cluster 2 is known from its unlabelled member.
    assert_array_equal(mapper.contingency_, [[1, 0], [0, 2], [0, 0]])
    assert mapper.purity_ == 1
    assert mapper.score(clusters, y) == 1


def test_missing_label_is_off_by_default():
    mapper = ClusterLabelMapper("labels").fit(column([0, 0, 1]), [-1, -1, 2])
    assert_array_equal(mapper.classes_, [-1, 2])


def test_score_weighs_the_labelled_rows():
    clusters, y = column([0, 0, 1, 1]), [0, 1, 1, -1]
    mapper = ClusterLabelMapper("labels", missing_label=-1).fit(clusters, y)
    assert mapper.score(clusters, y) == pytest.approx(2 / 3)
    assert mapper.score(clusters, y, sample_weight=[1, 6, 3, 100]) == pytest.approx(4 / 10)


@given(labelled_clusters, st.integers(1, 3))
def test_mapping_is_a_count_of_labels(data, min_samples):
    clusters, y = data
    mapper = ClusterLabelMapper("labels", min_samples=min_samples).fit(column(clusters), y)

    def most_frequent(labels):
        return min(Counter(labels).items(), key=lambda item: (-item[1], item[0]))[0]

    for cluster in range(6):
        own = y[clusters == cluster]
        label = most_frequent(own if len(own) >= min_samples else y)
        assert mapper.predict([[cluster]]) == label
        assert cluster >= len(mapper.mapping_) or mapper.mapping_[cluster] == label


@given(labelled_clusters, st.integers(1, 3))
def test_prediction_is_the_argmax_of_the_probabilities(data, min_samples):
    clusters, y = data
    mapper = ClusterLabelMapper("labels", min_samples=min_samples).fit(column(clusters), y)
    X = column(range(-2, 8))
    probabilities = mapper.predict_proba(X)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert_array_equal(mapper.predict(X), mapper.classes_[probabilities.argmax(axis=1)])
    assert mapper.purity_ == pytest.approx(mapper.score(column(clusters), y))


@settings(deadline=None)
@given(st.integers(0, 1000), st.permutations(range(4)))
def test_naming_clusters_and_ordering_rows_differently_changes_nothing(seed, permutation):
    rng = np.random.RandomState(seed)
    X, y = rng.dirichlet(np.ones(4), size=20), rng.randint(3, size=20)
    mapper = ClusterLabelMapper().fit(X, y)
    rows = rng.permutation(20)
    renamed = ClusterLabelMapper().fit(X[rows][:, permutation], y[rows])
    assert_array_equal(renamed.mapping_, mapper.mapping_[permutation])
    assert_array_equal(renamed.predict(X[:, permutation]), mapper.predict(X))


def test_follows_kmeans_in_a_pipeline():
    X, y = make_blobs(n_samples=60, centers=3, cluster_std=0.5, random_state=0)
    names = np.array(["one", "two", "three"])[y]
    kmeans = KMeans(6, random_state=0)
    pipeline = make_pipeline(kmeans, ClusterLabelMapper("distance")).fit(X, names)
    labels = ClusterLabelMapper("labels").fit(column(kmeans.labels_), names)
    assert_array_equal(pipeline.predict(X), labels.predict(column(kmeans.labels_)))
    assert pipeline.score(X, names) > 0.9


def test_rows_that_do_not_sum_to_one_warn_in_fit_and_predict():
    distances = 1 - SOFT_ASSIGNMENT
    with pytest.warns(UserWarning, match=r"4 of 4 do not .*sums to 2.*output='soft_assignment'"):
        ClusterLabelMapper().fit(distances, Y)
    mapper = ClusterLabelMapper().fit(SOFT_ASSIGNMENT, Y)
    with pytest.warns(UserWarning, match="output="):
        mapper.predict(distances)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_assignments_do_not_warn(dtype):
    X = np.random.RandomState(0).dirichlet(np.ones(20), size=50).astype(dtype)
    ClusterLabelMapper().fit(X, np.arange(50) % 2).predict(X)


@pytest.mark.parametrize(
    ("parameters", "X", "y", "error", "message"),
    [
        ({}, SOFT_ASSIGNMENT, None, ValueError, "requires y"),
        (
            {},
            SOFT_ASSIGNMENT,
            Y[:2],
            ValueError,
            "y must have . entries, one for each sample .* got 2",
        ),
        ({}, SOFT_ASSIGNMENT, [0.5, 1.5, 2.5, 3.25], ValueError, "continuous"),
        ({}, SOFT_ASSIGNMENT, [0, 1, np.nan, 1], ValueError, "y contains NaN"),
        (
            {},
            SOFT_ASSIGNMENT,
            np.array([*"aba", np.nan], dtype=object),
            ValueError,
            "label in every row, but 1 of 4 are None or NaN",
        ),
        ({}, SOFT_ASSIGNMENT * np.nan, Y, ValueError, "X contains NaN"),
        ({"input": "embedding"}, SOFT_ASSIGNMENT, Y, ValueError, "'input' parameter"),
        ({"min_samples": 0}, SOFT_ASSIGNMENT, Y, ValueError, "'min_samples' parameter"),
        ({"missing_label": [1]}, SOFT_ASSIGNMENT, Y, ValueError, "'missing_label' parameter"),
        ({"missing_label": ""}, SOFT_ASSIGNMENT, [1, 2, 3, 4], TypeError, "'' .* int64.* number"),
        ({"missing_label": -1}, SOFT_ASSIGNMENT, Y, TypeError, "-1 .* <U1. Pass a string"),
        ({"missing_label": np.nan}, SOFT_ASSIGNMENT, Y, TypeError, "nan .* <U1. Pass a string"),
        ({"missing_label": 0}, SOFT_ASSIGNMENT, [0] * 4, ValueError, "at least one label.*all 4"),
        ({"input": "labels"}, [0, 1, 2], [0, 1, 2], ValueError, r"reshape\(-1, 1\)"),
        ({"input": "labels"}, [[0, 1]], [0], ValueError, r"2 columns.*reshape\(-1, 1\)"),
        ({"input": "labels"}, [[1], [0.5]], [0, 1], ValueError, "whole numbers.*0.5.*reshape"),
        ({"input": "labels"}, [[2_000_000_000], [5]], [0, 1], ValueError, "below 1048576.*np.uni"),
    ],
)
def test_bad_input_is_refused_in_fit(parameters, X, y, error, message):
    with pytest.raises(error, match=message):
        ClusterLabelMapper(**parameters).fit(X, y)


def test_score_without_labels_is_refused():
    mapper = ClusterLabelMapper(missing_label="").fit(SOFT_ASSIGNMENT, Y)
    with pytest.raises(ValueError, match="at least one label"):
        mapper.score(SOFT_ASSIGNMENT, [""] * 4)


def test_tag_says_that_raw_features_score_poorly():
    assert get_tags(ClusterLabelMapper()).classifier_tags.poor_score


def test_missing_labels_of_any_kind_are_one():
    """None, NaN and pandas' NA, where NaN is named as the missing label."""
    labels = np.array(["a", None, "b", np.nan, pd.NA, "a"], dtype=object)
    clusters = np.array([0, 0, 1, 1, 1, 0]).reshape(-1, 1)
    mapper = ClusterLabelMapper(input="labels", missing_label=np.nan).fit(clusters, labels)
    assert mapper.classes_.tolist() == ["a", "b"]
    assert mapper.contingency_.tolist() == [[2, 0], [0, 1]]
    named = ClusterLabelMapper(input="labels", missing_label="b")
    with pytest.raises(ValueError, match="label in every row, but 3 of 5 are None or NaN"):
        named.fit(clusters, labels)


@pytest.mark.parametrize("labels", [[2, None, 5], [True, None, False], [2.0, None, 5.0]])
@pytest.mark.parametrize("missing", [None, np.nan])
def test_numbers_with_missing_ones_among_them(labels, missing):
    y = pd.Series([missing if label is None else label for label in labels], dtype=object)
    clusters = column([0, 0, 1])
    mapper = ClusterLabelMapper(input="labels", missing_label=np.nan).fit(clusters, y)
    assert mapper.predict(clusters).tolist() == [labels[0], labels[0], labels[2]]
    assert mapper.classes_.dtype == np.array([labels[0]]).dtype
    assert mapper.score(clusters, y) == mapper.score(clusters, y.tolist()) == 1


def test_missing_ones_in_a_list_of_strings_are_no_class():
    """NumPy would make "nan" of them."""
    y, clusters = ["a", np.nan, "b", "a"], column([0, 0, 1, 0])
    mapper = ClusterLabelMapper(input="labels", missing_label=np.nan).fit(clusters, y)
    assert mapper.classes_.tolist() == ["a", "b"]
    assert mapper.score(clusters, y) == 1
    with pytest.raises(ValueError, match="1 of 4 are None or NaN"):
        ClusterLabelMapper(input="labels").fit(clusters, y)


def test_labels_that_do_not_sort_are_named():
    with pytest.raises(TypeError, match="labels of one type that can be sorted, got int, str"):
        ClusterLabelMapper(input="labels").fit([[0], [1]], np.array(["a", 1], dtype=object))


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        ClusterLabelMapper().fit(SOFT_ASSIGNMENT, np.reshape(Y, (-1, 1)))


# ---- Weights ----


@settings(deadline=None)
@given(labelled_clusters, st.data())
def test_a_weight_counts_as_so_many_equal_samples(labelled, data):
    clusters, y = labelled
    weight = data.draw(st.lists(st.integers(1, 3), min_size=len(y), max_size=len(y)))
    weighted = ClusterLabelMapper(input="labels").fit(column(clusters), y, sample_weight=weight)
    repeated = ClusterLabelMapper(input="labels").fit(
        column(np.repeat(clusters, weight)), np.repeat(y, weight)
    )
    assert_array_equal(weighted.contingency_, repeated.contingency_)
    assert_array_equal(weighted.mapping_, repeated.mapping_)
    assert weighted.purity_ == pytest.approx(repeated.purity_)
    every_cluster = column(range(-1, 6))
    assert_array_equal(weighted.predict_proba(every_cluster), repeated.predict_proba(every_cluster))


def test_a_rare_class_names_a_cluster_by_its_weight():
    clusters, y = column([0] * 6 + [1] * 4), np.array(["well"] * 5 + ["ill"] * 2 + ["well"] * 3)
    mapper = ClusterLabelMapper(input="labels")
    assert_array_equal(mapper.fit(clusters, y).mapping_, ["well", "well"])
    weight = compute_sample_weight("balanced", y)  # 2.5 and 0.625
    mapper.fit(clusters, y, sample_weight=weight)
    assert_array_equal(mapper.mapping_, ["well", "ill"])
    assert_allclose(mapper.contingency_, [[2.5, 3.125], [2.5, 1.875]])
    assert_allclose(mapper.predict_proba([[0]]), [[4 / 9, 5 / 9]])
    assert mapper.purity_ == pytest.approx((3.125 + 2.5) / 10)


def test_weights_on_another_scale_map_alike():
    """Also where the members of a cluster weigh less than 1 in all: `min_samples` counts them."""
    clusters, y, weight = column([0, 0, 1, 1, 1]), ["a", "b", "b", "a", "a"], [2, 1, 7, 2, 2]
    mapper = ClusterLabelMapper(input="labels")
    expected = mapper.fit(clusters, y, weight).predict_proba([[0], [1], [2]])
    scaled = mapper.fit(clusters, y, np.divide(weight, 100)).predict_proba([[0], [1], [2]])
    assert_allclose(scaled, expected)


def test_members_of_weight_0_do_not_count():
    clusters, y = column([0, 0, 1, 1]), ["a", "a", "b", "b"]
    mapper = ClusterLabelMapper(input="labels", min_samples=2)
    mapper.fit(clusters, y, sample_weight=[1, 1, 5, 0])
    assert_array_equal(mapper.mapping_, ["a", "b"])  # "b" is the most frequent of all, by weight
    assert_allclose(mapper.predict_proba([[1]]), [[2 / 7, 5 / 7]])


def test_weights_of_samples_without_a_label_are_left_out():
    mapper = ClusterLabelMapper(input="labels", missing_label="")
    mapper.fit(column([0, 0, 0]), ["a", "", "b"], sample_weight=[1, 100, 2])
    assert_array_equal(mapper.contingency_, [[1, 2]])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, 1, -1], "sample_weight must be at least 0, got -1"),
        ([0, 0, 0, 1], "sample_weight must be above 0 for at least one labelled sample"),
        ([1, 1, 1], "sample_weight"),
        ([1, 1, 1, np.nan], "sample_weight contains NaN"),
    ],
)
def test_weights_that_cannot_be(weight, message):
    mapper, y = ClusterLabelMapper(missing_label="c"), Y
    with pytest.raises(ValueError, match=message):
        mapper.fit(SOFT_ASSIGNMENT, y, sample_weight=weight)
    mapper.fit(SOFT_ASSIGNMENT, y)
    with pytest.raises(ValueError, match=message):
        mapper.score(SOFT_ASSIGNMENT, y, sample_weight=weight)


@pytest.mark.skipif(
    sklearn.__version__.startswith("1.6."), reason="its Pipeline.score cannot request weights"
)
def test_weights_are_routed_through_a_search_over_a_pipeline():
    X, _ = make_blobs(60, centers=[[0, 0], [9, 0]], random_state=0)
    y = np.where(X[:, 0] > 5, np.where(np.arange(60) % 3, "well", "ill"), "well")
    weight = compute_sample_weight("balanced", y)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            KMeans(2, n_init=1, random_state=0).set_fit_request(sample_weight=False),
            ClusterLabelMapper(input="distance")
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True),
        )
        search = GridSearchCV(pipeline, {"clusterlabelmapper__min_samples": [1, 2]}, cv=2)
        search.fit(X, y, sample_weight=weight)
    assert sorted(search.predict([[0, 0], [9, 0]])) == ["ill", "well"]
    assert sorted(pipeline.fit(X, y).predict([[0, 0], [9, 0]])) == ["well", "well"]
