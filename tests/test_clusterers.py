import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_cae.clusterers import (
    CommunityClusterer,
    ElbowClusterer,
    MixtureClusterer,
    _communities,
)
from sklearn_cae.clusterers._communities import shared_neighbors


@pytest.mark.filterwarnings("ignore:No elbow was found")  # in what the checks feed in
@parametrize_with_checks(
    [
        CommunityClusterer(random_state=0),
        ElbowClusterer(max_clusters=3, random_state=0),
        MixtureClusterer(2, random_state=0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("clusterer", [None, GaussianMixture(covariance_type="diag", n_init=2)])
def test_an_elbow_is_found_by_any_clusterer_with_a_number(clusterer):
    X, y = make_blobs(400, 16, centers=5, cluster_std=0.5, random_state=0)
    elbow = ElbowClusterer(clusterer, max_clusters=9, random_state=0).fit(X)
    assert elbow.search_["found"]
    assert elbow.search_["n_clusters"].tolist() == list(range(2, 10))
    assert elbow.search_["knee"] == elbow.n_clusters_ == 5
    assert adjusted_rand_score(y, elbow.labels_) > 0.99
    np.testing.assert_array_equal(elbow.predict(X), elbow.labels_)
    assert hasattr(elbow, "predict_proba") == (clusterer is not None)
    again = ElbowClusterer(clusterer, max_clusters=9, random_state=0).fit(10 * X)  # same directions
    np.testing.assert_array_equal(again.labels_, elbow.labels_)


def test_links_are_the_shares_of_neighbours_in_common():
    X = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]])
    near = [{0, 1, 2}, {1, 0, 2}, {2, 1, 0}, {3, 2, 4}, {4, 3, 2}]
    near[2] = {2, 1, 0}
    links = shared_neighbors(X, 3).toarray()
    for i in range(5):
        for j in range(5):
            is_linked = i != j and (i in near[j] or j in near[i])
            expected = len(near[i] & near[j]) / len(near[i] | near[j]) if is_linked else 0
            assert links[i, j] == pytest.approx(expected), (i, j)


@pytest.mark.parametrize(("n_samples", "n_clusters"), [(60, 3), (300, 3), (1000, 6), (1000, 15)])
def test_separate_groups_are_found_and_counted(n_samples, n_clusters):
    X, y = make_blobs(n_samples, 64, centers=n_clusters, cluster_std=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clusterer = CommunityClusterer(random_state=0).fit(X)
    assert clusterer.n_clusters_ == n_clusters
    assert clusterer.search_["found"]
    assert adjusted_rand_score(y, clusterer.labels_) == 1.0
    assert (np.diff(np.bincount(clusterer.labels_)) <= 0).all()


@pytest.mark.parametrize("n_features", [10, 50])
@pytest.mark.parametrize("seed", range(2))
def test_one_gaussian_has_no_stable_communities(n_features, seed):
    X = np.random.RandomState(seed).normal(size=(800, n_features))
    with pytest.warns(ConvergenceWarning, match="No number of communities is stable") as warned:
        clusterer = CommunityClusterer(random_state=0).fit(X)
    assert warned[0].filename == __file__  # where fit is called
    assert not clusterer.search_["found"]


def test_what_looks_stable_in_few_samples_of_noise_is_not_called_so():
    X = np.random.RandomState(0).uniform(size=(400, 3))
    for seed in range(6):
        with pytest.warns(ConvergenceWarning, match="No number of communities is stable"):
            CommunityClusterer(random_state=seed).fit(X)


def test_another_seed_finds_the_same_groups():
    X = PCA(20, whiten=True, random_state=0).fit_transform(load_digits().data[:600])
    first, *others = (CommunityClusterer(random_state=seed).fit(X) for seed in range(5))
    for other in others:
        assert other.n_clusters_ == first.n_clusters_
        assert adjusted_rand_score(first.labels_, other.labels_) > 0.95


def test_the_same_seed_finds_the_same_groups_in_noise():
    X = np.random.RandomState(0).normal(size=(400, 10))
    first, second = (CommunityClusterer(8, random_state=0).fit_predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("n_samples", [4, 8, 14, 26])
def test_as_many_neighbours_as_samples_hide_no_groups(n_samples):
    X, y = make_blobs(n_samples, centers=[[0, 0], [50, 50]], random_state=0)
    clusterer = CommunityClusterer(2, random_state=0).fit(X)
    assert adjusted_rand_score(y, clusterer.labels_) == 1
    np.testing.assert_array_equal(clusterer.predict(X + 1), clusterer.labels_)


def test_the_search_tells_what_it_saw():
    X, _ = make_blobs(300, 8, centers=3, random_state=0)
    search = CommunityClusterer(random_state=0).fit(X).search_
    assert search["n_clusters"].shape == (len(search["resolution"]), 5)
    assert (search["n_clusters"] == 3).all()
    assert search["stability"] == {3: pytest.approx(1.0)}


def test_groups_of_any_shape_and_new_samples():
    X, y = make_moons(600, noise=0.05, random_state=0)
    clusterer = CommunityClusterer(2, random_state=0).fit(X[:400])
    assert adjusted_rand_score(y[:400], clusterer.labels_) == 1.0
    assert adjusted_rand_score(y[400:], clusterer.predict(X[400:])) == 1.0
    probability = clusterer.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (probability.argmax(axis=1) == clusterer.predict(X)).all()


@pytest.mark.parametrize("n_clusters", [1, 2, 7, 10, 30, 200])
def test_any_number_of_clusters_can_be_asked_for(n_clusters):
    X = load_digits().data[:200]
    clusterer = CommunityClusterer(n_clusters, random_state=0).fit(X)
    assert clusterer.n_clusters_ == n_clusters
    assert np.unique(clusterer.labels_).tolist() == list(range(n_clusters))


def test_many_clusters_are_not_joined_from_single_samples(monkeypatch):
    sizes, join_two = [], _communities._join_two

    def note(X, links, labels):
        sizes.append(labels.max() + 1)
        return join_two(X, links, labels)

    monkeypatch.setattr(_communities, "_join_two", note)
    X = load_digits().data[:1500]
    assert CommunityClusterer(700, n_neighbors=4, random_state=0).fit(X).n_clusters_ == 700
    assert sizes[0] < 1000


def test_communities_that_are_not_linked_are_joined_by_distance():
    generator = np.random.RandomState(0)
    sizes, centers = [60, 50, 40], np.array([[0, 0], [100, 100], [3, 0]])
    X = np.repeat(centers, sizes, axis=0) + 0.1 * generator.normal(size=(150, 2))
    labels = CommunityClusterer(2, n_neighbors=8, random_state=0).fit(X).labels_
    assert labels.tolist() == [0] * 60 + [1] * 50 + [0] * 40


def test_more_communities_than_allowed_are_joined():
    X, _ = make_blobs(400, 16, centers=8, random_state=0)
    with pytest.warns(ConvergenceWarning, match="8 communities at the coarsest, more than max_cl"):
        clusterer = CommunityClusterer(max_clusters=5, random_state=0).fit(X)
    assert clusterer.n_clusters_ == 5
    assert not clusterer.search_["found"]
    assert (np.diff(np.bincount(clusterer.labels_)) <= 0).all()


def test_a_number_that_no_resolution_reaches():
    X = np.random.RandomState(0).normal(size=(100, 8)).repeat(2, axis=0)
    X += 1e-3 * np.random.RandomState(1).normal(size=X.shape)  # a hundred tight pairs
    assert CommunityClusterer(150, n_neighbors=2, random_state=0).fit(X).n_clusters_ == 150


@pytest.mark.parametrize("n_samples", [60, 150])
def test_the_criterion_finds_one_gaussian_in_few_samples(n_samples):
    X = np.random.RandomState(0).normal(size=(n_samples, 64))
    assert MixtureClusterer(random_state=0).fit(X).mixture_.n_components == 1


def test_more_clusters_than_samples_are_refused():
    with pytest.raises(ValueError, match="n_clusters must be at most the number of samples, 20"):
        CommunityClusterer(21).fit(np.eye(20))


def test_a_part_of_many_samples_makes_the_graph():
    X, y = make_blobs(600, 16, centers=4, random_state=0)
    clusterer = CommunityClusterer(max_samples=200, random_state=0).fit(X)
    assert adjusted_rand_score(y, clusterer.labels_) == 1.0
    assert len(clusterer._neighbors._fit_X) == 200


def elongated(n_samples):
    """Two thin parallel groups, which KMeans cuts across."""
    generator = np.random.RandomState(0)
    y = generator.randint(2, size=n_samples)
    return generator.normal(size=(n_samples, 2)) * [1.5, 0.2] + 2 * y[:, None] * [0.0, 1.0], y


@pytest.mark.parametrize("n_components", [2, "bic"])
def test_mixtures_find_elongated_groups(n_components):
    X, y = elongated(500)
    clusterer = MixtureClusterer(n_components, max_components=5, random_state=0).fit(X)
    assert adjusted_rand_score(y, clusterer.labels_) == 1.0
    assert (clusterer.predict(X) == clusterer.labels_).all()
    np.testing.assert_allclose(clusterer.predict_proba(X).sum(axis=1), 1)


def test_mixtures_do_not_depend_on_the_scale():
    X, y = elongated(300)
    labels = MixtureClusterer(2, random_state=0).fit(1e-6 * X).labels_
    assert adjusted_rand_score(y, labels) == 1.0


def test_mixtures_keep_within_their_bounds():
    X, _ = make_blobs(400, n_features=6, centers=4, cluster_std=0.3, random_state=0)
    clusterer = MixtureClusterer(n_dims=2, max_components=3, random_state=0).fit(X)
    assert clusterer.pca_.n_components_ == 2
    assert clusterer.mixture_.n_components == 3  # the criterion would go on to four
    assert MixtureClusterer(n_dims=2, random_state=0).fit(X).mixture_.n_components == 4
