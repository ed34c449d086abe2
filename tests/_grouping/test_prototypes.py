import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.covariance import ledoit_wolf
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from sklearn_cae._grouping import gaussians, neighbors, search
from sklearn_cae.clusterers import CommunityClusterer, ElbowClusterer, MixtureClusterer, _elbow


def rng(seed=0):
    return np.random.RandomState(seed)


def separated(n_clusters, n_features=16, n_samples=400):
    """Directions that are far apart, with a little scatter."""
    centers = 10 * np.linalg.qr(rng().normal(size=(n_features, n_features)))[0][:n_clusters]
    return make_blobs(n_samples, centers=centers, cluster_std=1.0, random_state=0)


@pytest.mark.parametrize("n_clusters", [3, 5, 8, 12])
def test_separate_groups_have_an_elbow(n_clusters):
    embedding, y = separated(n_clusters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = search.find_prototypes(embedding, None, "elbow", rng())
    centers, elbow = found.cluster_centers, found.search
    assert elbow["found"]
    assert elbow["knee"] == elbow["best"] == len(centers) == n_clusters
    labels = (normalize(embedding) @ centers.T).argmax(axis=1)
    assert adjusted_rand_score(y, labels) == 1.0


@pytest.mark.parametrize(("n_features", "seed"), [(3, 2), (8, 0), (32, 0)])
@pytest.mark.parametrize("on_sphere", [False, True], ids=["one Gaussian", "uniform sphere"])
def test_one_group_has_no_elbow(on_sphere, n_features, seed):
    embedding = rng(seed).normal(size=(1000, n_features))
    if on_sphere:
        embedding = normalize(embedding)
    else:
        embedding += 3  # away from the origin, as embeddings are
    with pytest.warns(UserWarning, match="No elbow was found over 2 to 20 clusters"):
        found = search.find_prototypes(embedding, None, "elbow", rng())
    centers, elbow = found.cluster_centers, found.search
    assert not elbow["found"]
    assert len(centers) == elbow["best"] == elbow["n_clusters"][elbow["silhouette"].argmax()]


def test_a_knee_has_to_be_found_twice():
    numbers = np.arange(2, 31)
    doubt = _elbow._doubt(9, numbers, numbers**-0.5, None, None, None, None)
    assert doubt == "the knee at 9 moves to 7 if only 19 numbers are tried"


@pytest.mark.parametrize(("silhouette", "is_doubted"), [(0.0, True), (1.0, False)])
def test_a_knee_has_to_be_sharper_than_that_of_one_gaussian(silhouette, is_doubted):
    numbers, unit = np.arange(2, 21), normalize(rng().normal(size=(200, 8)))
    inertia = np.where(numbers <= 5, 100 - 18 * numbers, 11 - 0.1 * numbers)
    silhouettes = np.full(len(numbers), silhouette)
    doubt = _elbow._doubt(5, numbers, inertia, silhouettes, unit, KMeans(n_init=1), rng())
    assert ("5 clusters are hardly tighter" in doubt) if is_doubted else doubt is None


def test_the_sweep_reports_what_kmeans_says():
    embedding, _ = separated(4)
    unit = normalize(embedding)
    elbow = _elbow.find_elbow(unit, KMeans(n_init=5), 7, rng())
    assert elbow["n_clusters"].tolist() == [2, 3, 4, 5, 6, 7]
    expected = [KMeans(k, n_init=20, random_state=0).fit(unit).inertia_ for k in (2, 3, 4)]
    np.testing.assert_allclose(elbow["inertia"][:3], expected, rtol=1e-2)
    assert elbow["inertia"][2] == pytest.approx(expected[2], rel=1e-6)
    assert elbow["silhouette"].argmax() == 2


def test_the_sweep_takes_a_part_of_many_samples(monkeypatch):
    sizes = []

    class Recorder(KMeans):
        def fit_predict(self, X, y=None):
            sizes.append(len(X))
            return super().fit_predict(X)

    monkeypatch.setattr(_elbow, "SWEEP_SAMPLES", 100)
    embedding, _ = separated(3)
    search.find_prototypes(
        embedding, ElbowClusterer(Recorder(n_init=1), max_clusters=6), "elbow", rng()
    )
    assert sizes[:-1] == [100] * len(sizes[:-1])
    assert sizes[-1] == 400


def test_a_part_of_very_many_samples_is_clustered(monkeypatch):
    assert search.draw_clustered(30, rng()).tolist() == list(range(30))
    monkeypatch.setattr(search, "CLUSTERED_SAMPLES", 10)
    drawn = search.draw_clustered(30, rng()).tolist()
    assert len(set(drawn)) == 10
    assert drawn == sorted(drawn)
    with pytest.raises(ValueError, match="at most 10, the number of samples that are clustered"):
        search.check_clusterer(None, 11, 30)


@pytest.mark.parametrize("n_samples", [2, 3, 4])
def test_few_samples_are_searched_as_far_as_they_go(n_samples):
    with pytest.warns(UserWarning, match="No elbow"):
        found = search.find_prototypes(np.eye(4)[:n_samples], None, "elbow", rng())
    assert 2 <= len(found.cluster_centers) <= max(2, n_samples - 1)


@pytest.mark.parametrize(
    ("clusterer", "n_clusters"),
    [
        (GaussianMixture(covariance_type="diag"), 3),
        (AgglomerativeClustering(), 3),
        (AgglomerativeClustering(n_clusters=None, distance_threshold=3.0), "elbow"),
        (HDBSCAN(min_cluster_size=20, copy=True), "elbow"),
        (HDBSCAN(min_cluster_size=20, copy=True), "auto"),
        (KMeans(3), "auto"),
        (make_pipeline(PCA(5), GaussianMixture(reg_covar=1e-3)), 3),
        (CommunityClusterer(), "auto"),
        (CommunityClusterer(), 3),
        (MixtureClusterer(n_dims=3), "auto"),
        (None, "auto"),
    ],
)
def test_any_clusterer_gives_prototypes(clusterer, n_clusters):
    embedding, y = separated(3)
    before = repr(clusterer)
    found = search.find_prototypes(embedding, clusterer, n_clusters, rng())
    centers = found.cluster_centers
    assert found.search is None or "knee" not in found.search
    assert adjusted_rand_score(y, found.labels) == 1.0
    assert centers.shape == (3, 16)
    assert repr(clusterer) == before
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1, rtol=1e-6)
    assert adjusted_rand_score(y, (normalize(embedding) @ centers.T).argmax(axis=1)) == 1.0


class Fixed(ClusterMixin, BaseEstimator):
    """A clusterer that finds what it is told."""

    def __init__(self, labels):
        self.labels = labels

    def fit(self, X, y=None):
        self.labels_ = np.array(self.labels)
        return self


def test_noise_shapes_no_prototype():
    embedding = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0], [-5.0, -5.0]])
    embedding[-1] = [-5.0, -4.0]
    found = search.find_prototypes(embedding, Fixed([4, 4, 7, 7, -1]), "elbow", rng())
    np.testing.assert_allclose(found.cluster_centers, np.eye(2))
    assert found.labels.tolist() == [0, 0, 1, 1, 1]
    assert found.clusterer_labels.tolist() == [0, 0, 1, 1, -1]


def test_all_noise_becomes_one_prototype():
    with pytest.warns(ConvergenceWarning, match="called every sample noise"):
        found = search.find_prototypes(
            np.array([[1.0, 0.0], [0.0, 1.0]]), Fixed([-1, -1]), "elbow", rng()
        )
    np.testing.assert_allclose(found.cluster_centers, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_unseeded_clusterers_follow_the_given_generator():
    embedding = rng().normal(size=(200, 8))
    for clusterer in (None, KMeans(n_init=1), GaussianMixture()):
        first, again = (
            search.find_prototypes(embedding, clusterer, 6, rng(3))[0] for _ in range(2)
        )
        assert np.array_equal(first, again)


def test_gaussians_of_clusters():
    generator = rng()
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    embedding = np.concatenate(
        [generator.multivariate_normal([1, 2], covariance, 20_000), [[7.0, 7.0]]]
    )
    labels = np.repeat([0, 1], [20_000, 1])
    means, found = gaussians.cluster_gaussians(embedding, labels)
    covariances = found.covariances()
    np.testing.assert_allclose(means, [[1, 2], [7, 7]], atol=0.05)
    np.testing.assert_allclose(covariances[0], covariance, atol=0.05)
    assert not covariances[1].any()
    variance = np.full_like(embedding, 3.0)
    _, aggregated = gaussians.cluster_gaussians(embedding, labels, variance)
    np.testing.assert_allclose(
        aggregated.covariances() - covariances, [3 * np.eye(2)] * 2, atol=1e-6
    )


def test_two_members_have_a_ball():
    embedding = np.random.RandomState(0).normal(size=(2, 16)).astype(np.float32)
    _, found = gaussians.cluster_gaussians(embedding, np.zeros(2, dtype=int))
    (covariance,) = found.covariances()
    np.testing.assert_allclose(covariance, np.eye(16) * embedding.var(axis=0).mean(), rtol=1e-6)


@pytest.mark.parametrize("n_members", [3, 10, 200])
@pytest.mark.parametrize("has_variance", [False, True])
def test_covariances_are_those_of_ledoit_and_wolf(n_members, has_variance):
    """To the rounding of float32, though they are kept in another form."""
    generator = np.random.RandomState(0)
    scales = np.logspace(0, -6, 32)  # the last ones are lost in rounding
    embedding = (generator.normal(size=(n_members, 32)) * scales + 5).astype(np.float32)
    variance = generator.rand(n_members, 32) if has_variance else None
    _, found = gaussians.cluster_gaussians(embedding, np.zeros(n_members, dtype=int), variance)
    expected, _ = ledoit_wolf(embedding.astype(np.float64))
    if has_variance:
        expected += np.diag(variance.mean(axis=0))
    rounding = 4 * np.finfo(np.float32).eps * expected.max()
    np.testing.assert_allclose(found.covariances()[0], expected, rtol=0, atol=rounding)
    again = gaussians.ClusterGaussians.from_covariances(found.covariances())
    np.testing.assert_allclose(again.covariances()[0], expected, rtol=0, atol=2 * rounding)
    drawn = found.draw(0, 20_000, generator)
    np.testing.assert_allclose(np.cov(drawn.T), expected, rtol=0, atol=0.05 * expected.max())


def test_covariances_of_many_clusters_in_many_dimensions_take_little():
    generator = np.random.RandomState(0)
    embedding = generator.normal(size=(2000, 512)).astype(np.float32)
    _, found = gaussians.cluster_gaussians(embedding, np.arange(2000) % 200)
    kept = sum(array.nbytes for array in vars(found).values())
    assert kept < 5e6 < 40 * 5e6 < found.covariances().nbytes


def test_neighbours_are_looked_up_among_the_clustered_samples():
    embedding = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.3], [0.0, 1.0]], dtype=np.float32)
    nearest = neighbors.NearestClustered(embedding[:3], n_neighbors=1)(torch.tensor(embedding))
    assert nearest.tolist() == [[0, 1], [1, 0], [2, 1], [2, 1]]
    assert neighbors.without_itself(nearest.numpy()).tolist() == [[1], [0], [1], [2]]


def test_the_search_of_a_pipelines_last_step_ends_where_it_is_told():
    embedding, _ = separated(8)
    clusterer = make_pipeline(PCA(10), CommunityClusterer(max_clusters=5))
    with pytest.warns(ConvergenceWarning, match="more than max_clusters=5"):
        found = search.find_prototypes(embedding, clusterer, "auto", rng())
    assert len(found.cluster_centers) == 5


def test_a_class_is_no_clusterer():
    with pytest.raises(TypeError, match=r"got the class KMeans\. Pass KMeans\(\)"):
        search.check_clusterer(KMeans, 3, 30)


def test_a_truth_is_no_number_of_clusters():
    with pytest.raises(TypeError, match="n_clusters must be an int, 'elbow' or 'auto', got True"):
        search.check_clusterer(None, True, 30)


def test_a_clusterers_own_number_counts_only_where_it_is_to_find_it():
    search.check_clusterer(KMeans(40), 3, 30)  # which is set to 3
    for clusterer, n_clusters in ((KMeans(3), 40), (KMeans(40), "auto")):
        with pytest.raises(ValueError, match="n_clusters must be at most n_samples=30, got 40"):
            search.check_clusterer(clusterer, n_clusters, 30)


def test_a_posterior_is_no_matter_of_refinement_alone():
    search.check_assignment("clusterer", MixtureClusterer(), 3, refinement_epochs=0)
    with pytest.raises(ValueError, match="refinement_epochs > 0"):
        search.check_assignment("clusterer", MixtureClusterer(), 3, refinement_epochs=1)


def test_one_cluster_is_no_noise(recwarn):
    unit = normalize(np.random.RandomState(0).rand(20, 3))
    found = search.find_prototypes(unit, KMeans(n_init=1), 1, np.random.RandomState(0))
    assert found.labels.tolist() == [0] * 20
    assert not [one for one in recwarn if "noise" in str(one.message)]


def test_bad_parameters_of_a_clusterer_are_found_before_training():
    with pytest.raises(ValueError, match="'n_init' parameter of KMeans"):
        search.check_clusterer(KMeans(n_init=-1), 3, 30)
    with pytest.raises(ValueError, match="'n_init' parameter of KMeans"):
        search.check_clusterer(make_pipeline(PCA(2), KMeans(n_init=-1)), 3, 30)
    few = CommunityClusterer(max_samples=10)
    with pytest.raises(ValueError, match=r"n_clusters must be at most 10, .* got 11"):
        search.check_clusterer(make_pipeline(PCA(2), few), 11, 30)


def test_a_clusterer_may_scale_in_place():
    X, _ = separated(3)
    scaled = [
        search.find_prototypes(
            X, make_pipeline(StandardScaler(copy=copy), KMeans(n_init=1)), "elbow", rng()
        )
        for copy in (True, False)
    ]
    np.testing.assert_array_equal(*(found.cluster_centers for found in scaled))
    np.testing.assert_array_equal(*(found.search["inertia"] for found in scaled))


@pytest.mark.filterwarnings("ignore")
def test_the_sweep_ends_one_below_the_samples():
    unit = normalize(rng().rand(6, 3))
    elbow = _elbow.find_elbow(unit, KMeans(n_init=1), 20, rng())
    assert elbow["n_clusters"].tolist() == [2, 3, 4, 5]


def test_what_a_clusterer_cannot_do_is_refused():
    with pytest.raises(ValueError, match="'elbow' or 'auto' with a clusterer that finds"):
        search.check_clusterer(HDBSCAN(copy=True), 3, 30)
    search.check_clusterer(None, 3, 30)
    search.check_assignment("cosine", KMeans(), 3, refinement_epochs=1)
    with pytest.raises(ValueError, match="needs a clusterer with predict_proba"):
        search.check_assignment("clusterer", KMeans(), 3, refinement_epochs=0)


@pytest.mark.parametrize("seed", range(20))
def test_members_that_are_copies_of_two_are_drawn_from(seed):
    """Rounding makes the shrinkage of some of these negative."""
    embedding = np.repeat(np.random.RandomState(seed).normal(size=(2, 3)), 4, axis=0)
    _, drawn_from = gaussians.cluster_gaussians(embedding, np.zeros(8, dtype=int))
    assert (drawn_from.diagonals >= 0).all()
    assert np.isfinite(drawn_from.draw(0, 5, np.random.RandomState(0))).all()
