import tracemalloc
import warnings
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import csr_array
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
    _number,
)
from sklearn_cae.clusterers._halves import Half, link_by_agreement, renumber
from sklearn_cae.clusterers._joining import join_to
from sklearn_cae.clusterers._links import communities, shared_neighbors
from sklearn_cae.clusterers._number import most_stable


@pytest.mark.filterwarnings("ignore:No elbow was found")  # in what the checks feed in
@parametrize_with_checks(
    [
        CommunityClusterer(random_state=0),
        CommunityClusterer(2, n_init=2, random_state=0),
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
    assert adjusted_rand_score(again.labels_, elbow.labels_) == 1


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


def test_groups_of_noise_that_halves_do_not_show_are_not_called_stable():
    X = np.random.RandomState(0).normal(size=(60, 2))
    with pytest.warns(ConvergenceWarning, match="may be a single group"):
        search = CommunityClusterer(random_state=0).fit(X).search_
    best = max(search["stability"], key=search["stability"].get)
    assert search["stability"][best] / search["halves"] > 1 / 3  # the links alone look stable
    assert search["halves"] < 0.8
    assert not search["found"]


def test_groups_that_are_stable_come_back_in_halves():
    X, _ = make_blobs(300, 8, centers=3, random_state=0)
    assert CommunityClusterer(random_state=0).fit(X).search_["halves"] > 0.95


@pytest.mark.filterwarnings("ignore:No number of communities is stable")
@pytest.mark.parametrize("n_groups", [2, 3])
def test_of_numbers_that_many_resolutions_have_the_one_that_halves_show_is_chosen(n_groups):
    rng = np.random.RandomState(0)
    y = np.repeat([0, 1, 2], 100)
    X = rng.normal(size=(300, 8)) + np.outer([0, 2.2, 12], np.eye(8)[0])[y]  # two of them overlap
    groups = y if n_groups == 3 else y // 2
    half = Half(np.arange(0, 300, 2), [groups[::2]])
    labels, search = most_stable(X, shared_neighbors(X, 15), 20, 15, rng, [half])
    assert labels.max() + 1 == n_groups
    assert search["halves"] == adjusted_rand_score(groups[::2], labels[::2])
    other = 5 - n_groups
    assert 0 < search["stability"][other] < search["stability"][n_groups]


@pytest.mark.filterwarnings("ignore:No number of communities is stable")
def test_a_number_that_two_runs_have_is_chosen_even_if_halves_contradict_it():
    X, y = make_blobs(300, 8, centers=3, random_state=0)
    order = np.argsort(y)
    half = Half(order, [np.tile(np.arange(100), 3)])  # no two samples of a group are together
    labels, search = most_stable(
        X, shared_neighbors(X, 15), 20, 15, np.random.RandomState(0), [half]
    )
    assert search["halves"] < 0
    assert search["stability"] == {3: 0, 4: 0}  # one run has 4, at one resolution alone
    assert labels.max() + 1 == 3


def test_another_seed_finds_the_same_groups():
    X = PCA(20, whiten=True, random_state=0).fit_transform(load_digits().data[:600])
    first, *others = (CommunityClusterer(random_state=seed).fit(X) for seed in range(5))
    for other in others:
        assert other.n_clusters_ == first.n_clusters_
        assert adjusted_rand_score(first.labels_, other.labels_) > 0.95


def bridged(random_state):
    """Two groups of a hundred samples, and twenty samples between them."""
    X, y = make_blobs(
        [100, 100, 20],
        2,
        centers=[[0, 0], [8, 0], [4, 0]],
        cluster_std=1.2,
        shuffle=False,
        random_state=random_state,
    )
    return X, y


def test_links_are_weighted_by_the_share_of_clusterings_that_agree():
    links = csr_array(np.ones((4, 4)) - np.eye(4))
    halves = [
        Half(np.array([0, 1, 2]), [np.array([0, 0, 1]), np.array([0, 0, 0])]),
        Half(np.array([0, 2]), [np.array([0, 1]), np.array([0, 1])]),
    ]
    expected = {(0, 1): 1, (0, 2): 1 / 4, (1, 2): 1 / 2}  # sample 3 is in no half
    weights = link_by_agreement(links, halves).toarray()
    np.testing.assert_array_equal(weights, weights.T)
    for i, j in combinations(range(4), 2):
        assert weights[i, j] == expected.get((i, j), 1 / 2), (i, j)


def test_clusters_of_a_run_have_the_numbers_of_those_that_share_most():
    labels = np.array([0, 0, 0, 1, 1, 2])
    run = np.array([3, 3, 0, 0, 0, -1])
    assert renumber(run, labels).tolist() == [0, 0, 1, 1, 1, -1]


def test_samples_between_groups_are_less_stable():
    X, y = bridged(0)
    clusterer = CommunityClusterer(2, n_init=20, random_state=0).fit(X)
    assert clusterer.runs_.shape == (220, 20)
    share = (clusterer.runs_ == clusterer.labels_[:, None]).mean(axis=1)
    np.testing.assert_array_equal(clusterer.stability_, share)
    for stability in (clusterer.stability_, clusterer.predict_stability(bridged(1)[0])):
        assert stability[y < 2].mean() > stability[y == 2].mean() + 0.01
        assert stability[y < 2].mean() > 0.99
    assert (clusterer.cluster_stability_ > 0.8).all()


def test_samples_outside_of_the_graph_have_a_stability():
    X, y = make_blobs(200, 2, centers=[[0, 0], [20, 0]], random_state=0)
    clusterer = CommunityClusterer(2, n_init=3, max_samples=80, random_state=0).fit(X)
    assert adjusted_rand_score(y, clusterer.labels_) == 1
    assert (clusterer.stability_ == 1).all()
    assert (clusterer.cluster_stability_ == 1).all()


def test_without_halves_no_stability_is_known():
    X, _ = make_blobs(60, 2, centers=2, random_state=0)
    clusterer = CommunityClusterer(2, random_state=0).fit(X)
    assert clusterer.runs_ is clusterer.stability_ is clusterer.cluster_stability_ is None
    with pytest.raises(ValueError, match=r"n_init > 1\. Pass n_init=10"):
        clusterer.predict_stability(X)


@pytest.mark.parametrize("X", [[[0.0], [1.0]], np.zeros((9, 2)), np.eye(5)])
def test_few_or_equal_samples_have_a_consensus(X):
    clusterer = CommunityClusterer(1, n_init=3, random_state=0).fit(X)
    assert (clusterer.labels_ == 0).all()
    assert clusterer.stability_.shape == (len(X),)
    assert CommunityClusterer(2, n_init=3, random_state=0).fit(X).n_clusters_ == 2


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
    assert (search["n_clusters"][:-1] == 3).all()
    share = (15 + (search["n_clusters"][-1] == 3).mean()) / 16  # of the 16 pairs of resolutions
    assert search["stability"][3] == pytest.approx(share * search["halves"])
    assert search["found"]


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
    sizes = []

    def note(n_clusters, X, links, labels):
        sizes.append(labels.max() + 1)
        return join_to(n_clusters, X, links, labels)

    monkeypatch.setattr(_number, "join_to", note)
    X = load_digits().data[:1500]
    assert CommunityClusterer(700, n_neighbors=4, random_state=0).fit(X).n_clusters_ == 700
    assert sizes[0] < 1000


def join_naively(n_clusters, X, links, labels):
    """Join two clusters after the other, each time by the links and means between all."""
    links = links.toarray()
    while labels.max() + 1 > n_clusters:
        member = np.eye(labels.max() + 1)[labels]
        sizes = member.sum(axis=0)
        between = (member.T @ links @ member) / np.outer(sizes, sizes)
        np.fill_diagonal(between, 0)
        if not between.any():
            means = (member.T @ X) / sizes[:, None]
            between = -np.square(means[:, None] - means).sum(axis=2)
        np.fill_diagonal(between, -np.inf)
        kept, gone = sorted(np.unravel_index(between.argmax(), between.shape))
        labels = np.where(labels == gone, kept, labels)
        labels = labels - (labels > gone)
    by_size = np.argsort(-np.bincount(labels), kind="stable")
    return np.argsort(by_size)[labels]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("is_single", [True, False])
@pytest.mark.parametrize("is_linked", [True, False])
def test_joining_is_that_of_all_links(seed, is_single, is_linked):
    generator = np.random.RandomState(seed)
    n_samples = generator.randint(20, 80)
    X = generator.normal(size=(n_samples, generator.randint(1, 6)))
    X[: generator.randint(n_samples)] += 100  # so that not all are linked in the end
    links = shared_neighbors(X, generator.randint(2, 10)) * is_linked
    links.data = np.round(links.data * 64) / 64  # sums are exact, and many of them equal
    labels = np.arange(n_samples)
    if not is_single:
        drawn = generator.randint(generator.randint(2, n_samples), size=n_samples)
        labels = np.unique(drawn, return_inverse=True)[1]
    for n_clusters in {1, 2, generator.randint(1, labels.max() + 2)}:
        np.testing.assert_array_equal(
            join_to(n_clusters, X, links, labels), join_naively(n_clusters, X, links, labels)
        )


@pytest.mark.parametrize("is_linked", [True, False])
def test_joining_thousands_needs_no_matrix_of_all_pairs(is_linked):
    X = np.random.RandomState(0).normal(size=(3000, 8))
    links = shared_neighbors(X, 5) * is_linked
    tracemalloc.start()
    labels = join_to(2900, X, links, np.arange(len(X)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert labels.max() + 1 == 2900
    assert peak < 70 * 2**20  # such a matrix takes 69 MiB, and was there several times


def test_resolutions_that_are_far_too_low_are_tried_once(monkeypatch):
    runs = []

    def note(links, resolution, order):
        runs.append(resolution)
        return communities(links, resolution, order)

    monkeypatch.setattr(_number, "communities", note)
    X = np.random.RandomState(0).normal(size=(800, 8))
    assert CommunityClusterer(500, random_state=0).fit(X).n_clusters_ == 500
    n_runs = {resolution: runs.count(resolution) for resolution in runs}
    assert min(n_runs) == 1.0  # of the resolutions from 0.2 to 1, the last one alone
    assert list(n_runs.values())[:-4] == [1] * (len(n_runs) - 4)
    assert max(n_runs.values()) == 5


def test_samples_without_links_are_communities_of_their_own():
    links = np.zeros((7, 7))
    links[:3, :3] = links[4:6, 4:6] = 1
    np.fill_diagonal(links, 0)
    labels = communities(csr_array(links), 1.0, np.array([3, 0, 6, 4, 1, 5, 2]))
    assert (labels[:3] == 0).all()
    assert (labels[4:6] == 1).all()
    assert sorted(labels[[3, 6]]) == [2, 3]


def test_communities_that_are_not_linked_are_joined_by_distance():
    generator = np.random.RandomState(0)
    sizes, centers = [60, 50, 40], np.array([[0, 0], [100, 100], [3, 0]])
    X = np.repeat(centers, sizes, axis=0) + 0.1 * generator.normal(size=(150, 2))
    labels = CommunityClusterer(2, n_neighbors=8, random_state=0).fit(X).labels_
    assert labels.tolist() == [0] * 60 + [1] * 50 + [0] * 40


def test_more_communities_than_allowed_are_joined():
    X, _ = make_blobs(400, 16, centers=8, random_state=0)
    with pytest.warns(ConvergenceWarning, match="at least 8 communities, more than max_clusters=5"):
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
