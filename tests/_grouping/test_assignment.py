"""Memberships: soft, sharp, and of clusters that nobody belongs to."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sklearn_cae._grouping import assignment as assigning
from sklearn_cae.clusterers._silhouette import simplified_silhouette


def test_empty_clusters_are_dropped():
    with pytest.warns(ConvergenceWarning, match="1 of 3 clusters were empty"):
        centers = assigning.drop_empty(np.eye(3), np.array([2, 0, 2]))
    np.testing.assert_array_equal(centers, np.eye(3)[[0, 2]])


@pytest.mark.parametrize("n_clusters", [2, 300])
def test_nothing_is_said_where_no_cluster_is_empty(n_clusters):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        centers = assigning.drop_empty(np.eye(n_clusters), np.arange(n_clusters)[::-1])
    np.testing.assert_array_equal(centers, np.eye(n_clusters))


def test_collapse_is_named():
    with pytest.warns(ConvergenceWarning, match=r"One cluster contains 96.0% of the samples"):
        assigning.check_spread(np.repeat([0, 1], [96, 4]), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assigning.check_spread(np.repeat([0, 1], [95, 5]), 2)
        assigning.check_spread(np.zeros(10, dtype=int), 1)


@settings(max_examples=60, deadline=None)
@given(
    similarity=st.lists(
        st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=5
    ),
    temperature=st.floats(1e-30, 1e6),
)
def test_soft_assignments_are_distributions(similarity, temperature):
    similarity = torch.tensor(similarity)
    assignment = assigning.soft_assignment(similarity, temperature)
    torch.testing.assert_close(assignment.sum(dim=1), torch.ones(len(similarity)))
    top = assignment.gather(1, similarity.argmax(dim=1, keepdim=True))
    assert (assignment <= top).all()


def test_soft_assignment_is_the_softmax():
    similarity = torch.tensor([[0.9, 0.1, -0.5]])
    expected = torch.softmax(similarity / 0.1, dim=1)
    torch.testing.assert_close(assigning.soft_assignment(similarity, 0.1), expected)


def test_simplified_silhouette_by_hand():
    similarity = np.array([[0.9, 0.5, -1.0], [0.2, 0.2, 0.1], [1.0, 1.0, 0.0]])
    np.testing.assert_allclose(simplified_silhouette(similarity), [0.8, 0, 0])
    assert simplified_silhouette(np.ones((4, 1))).tolist() == [0] * 4
    # NumPy 1 keeps what is compared with a float32 in float32.
    assert simplified_silhouette(np.ones((4, 2), np.float32)).tolist() == [0] * 4


def test_the_posterior_leaves_out_what_is_nobodys_best():
    class Middle:
        def predict_proba(self, X):
            p = np.array([[0.5, 0.4, 0.1], [0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
            return p[np.argmax(X, axis=1)]

    posterior, labels = assigning.assign_by_clusterer(Middle(), np.eye(3)[:2])
    assert labels.tolist() == [0, 1]
    assigned = posterior(torch.eye(3))
    torch.testing.assert_close(assigned, torch.tensor([[5 / 6, 1 / 6], [2 / 7, 5 / 7], [0.5, 0.5]]))


def test_the_silhouette_is_of_the_two_closest_of_many():
    similarity = np.random.RandomState(0).uniform(-1, 1, size=(200, 12))
    ordered = np.sort(1 - similarity, axis=1)
    expected = (ordered[:, 1] - ordered[:, 0]) / ordered[:, 1]
    np.testing.assert_allclose(simplified_silhouette(similarity), expected)


@pytest.mark.parametrize(
    ("before", "labels", "n_clusters", "expected"),
    [
        ([0, 0, 1, 1, 2, 2], [2, 2, 0, 0, 1, 1], 3, [0, 0, 1, 1, 2, 2]),
        ([0, 0, 1, 1, 2, 2], [1, 1, 3, 3, 0, 2], 4, [0, 0, 1, 1, 2, 3]),  # one that is new
        ([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1], 2, [0, 0, 0, 0, 1, 1]),  # 2 is beyond the last
        ([0, 0, 1, 1, 2, 2], [1, 1, 1, 1, 0, 0], 2, [0, 0, 0, 0, 1, 1]),
        ([1, 1, 1, 2, 2], [0, 0, 0, 1, 1], 4, [1, 1, 1, 2, 2]),  # some without samples here
    ],
)
def test_clusters_are_numbered_as_before(before, labels, n_clusters, expected):
    order = assigning.order_as_before(np.array(before), np.array(labels), n_clusters)
    assert sorted(order) == list(range(n_clusters))
    assert np.argsort(order)[labels].tolist() == expected
