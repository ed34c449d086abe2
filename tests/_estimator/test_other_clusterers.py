"""Clusterers of other packages, and numbers that are set on a clusterer itself."""

import warnings

import numpy as np
import pytest
from hdbscan import HDBSCAN
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN as SklearnHDBSCAN
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize
from sklearn.random_projection import GaussianRandomProjection

from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer, load, save
from sklearn_cae._grouping import search
from sklearn_cae.clusterers import CommunityClusterer, MixtureClusterer


class Halves(ClusterMixin, BaseEstimator):
    """A user's clusterer, without anything that only scikit-learn's own have."""

    def __init__(self, column=0, n_noise=0):
        self.column = column
        self.n_noise = n_noise

    def fit(self, X, y=None):
        self.labels_ = (X[:, self.column] > np.median(X[:, self.column])).astype(int)
        self.labels_[: self.n_noise] = -3  # as scikit-learn's HDBSCAN marks rows with NaN
        return self


@pytest.mark.parametrize(
    ("clusterer", "n_clusters"),
    [
        (Halves(), "elbow"),
        (Halves(), "auto"),
        (make_pipeline(PCA(2), Halves(1)), "elbow"),
        (HDBSCAN(min_cluster_size=5), "auto"),
        (make_pipeline(GaussianRandomProjection(4), HDBSCAN(min_cluster_size=5)), "elbow"),
    ],
    ids=["own, elbow", "own, auto", "own in pipeline", "hdbscan", "projection and hdbscan"],
)
def test_clusterers_of_others_are_taken(clusterer, n_clusters, toy_images, make_quick):
    check_clusterer_of_others(clusterer, n_clusters, toy_images[0], make_quick)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:n_jobs value 1 overridden")  # of UMAP, which is seeded
def test_umap_is_taken_before_hdbscan(toy_images, make_quick):
    """Its quick twin projects at random: a process compiles UMAP for ten seconds."""
    umap = pytest.importorskip("umap", reason="an extra").UMAP(n_neighbors=5, n_epochs=20)
    clusterer = make_pipeline(umap, HDBSCAN(min_cluster_size=5))
    check_clusterer_of_others(clusterer, "elbow", toy_images[0], make_quick)


def check_clusterer_of_others(clusterer, n_clusters, X, make_quick):
    model = make_quick(clusterer=clusterer, n_clusters=n_clusters).fit(X)
    assert type(model.clusterer_) is type(clusterer)
    assert len(model.cluster_centers_) == model.n_clusters_ >= 1
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_every_negative_label_is_noise(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(clusterer=Halves(n_noise=10), n_clusters="auto").fit(X)
    assert model.n_clusters_ == 2
    assert model.labels_.min() == 0


@pytest.mark.parametrize("n_noise", [0, 10, 96])
def test_noise_can_be_asked_for(toy_images, make_quick, n_noise):
    X, _ = toy_images
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of nothing but noise
        model = make_quick(clusterer=Halves(n_noise=n_noise), n_clusters="auto").fit(X)
    noise = model.clustered_indices_[model.clustered_labels_ < 0]
    np.testing.assert_array_equal(noise, np.arange(n_noise))
    own = model.clusterer_.labels_
    np.testing.assert_array_equal(model.clustered_labels_, np.maximum(own, -1))


def test_noise_is_told_of_the_samples_that_were_clustered(toy_images, make_quick, monkeypatch):
    monkeypatch.setattr(search, "CLUSTERED_SAMPLES", 50)
    X, _ = toy_images
    model = make_quick(clusterer=HDBSCAN(min_cluster_size=5), n_clusters="auto").fit(X)
    assert len(np.unique(model.clustered_indices_)) == 50
    unit = normalize(model.set_params(output="embedding").transform(X)[model.clustered_indices_])
    again = HDBSCAN(min_cluster_size=5).fit_predict(unit)
    np.testing.assert_array_equal(model.clustered_labels_ < 0, again < 0)


def test_noise_comes_back_from_a_file(toy_images, make_quick, tmp_path):
    X, _ = toy_images
    model = make_quick(
        clusterer=SklearnHDBSCAN(min_cluster_size=5, copy=True), n_clusters="auto"
    ).fit(X)
    model.clustered_labels_[:3] = -1  # whatever noise there is in the embedding of toys
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.clustered_labels_, model.clustered_labels_)
    np.testing.assert_array_equal(again.clustered_indices_, model.clustered_indices_)


def test_an_own_clusterer_cannot_be_told_a_number(toy_images, make_quick):
    with pytest.raises(ValueError, match=r"'elbow' or 'auto' .* got 3 with Halves\(\)"):
        make_quick(clusterer=Halves(), n_clusters=3).fit(toy_images[0])


def number_of(clusterer):
    """Read the number that a clusterer, or the last step of a pipeline, was fitted with."""
    params = getattr(clusterer, "steps", [("", clusterer)])[-1][1].get_params()
    return params.get("n_clusters", params.get("n_components"))


@pytest.mark.parametrize(
    "clusterer",
    [
        KMeans(7, n_init=1),
        AgglomerativeClustering(7),
        GaussianMixture(7, reg_covar=1e-3),
        MixtureClusterer(7),
        CommunityClusterer(7, n_neighbors=5),
        make_pipeline(PCA(4), KMeans(7, n_init=1)),
    ],
)
def test_a_number_set_on_the_clusterer_counts(clusterer, toy_images, make_quick):
    params = make_quick().get_params()
    params["n_clusters"] = ContrastiveAutoencoderClusterer().n_clusters  # left at its default
    model = ContrastiveAutoencoderClusterer(**{**params, "clusterer": clusterer})
    assert number_of(model.fit(toy_images[0]).clusterer_) == 7
    assert model.search_ is None
    assert number_of(model.set_params(n_clusters=4).fit(toy_images[0]).clusterer_) == 4


def test_a_grid_over_the_clusterers_number_is_one(toy_images, make_quick):
    X, y = toy_images
    pipeline = make_pipeline(
        make_quick(n_clusters="elbow", clusterer=KMeans(n_init=1)), ClusterLabelMapper()
    )
    grid = {"contrastiveautoencoderclusterer__clusterer__n_clusters": [2, 5]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    numbers = [
        clone_of.fit(X, y)[0].n_clusters_
        for clone_of in (pipeline.set_params(**params) for params in search.cv_results_["params"])
    ]
    assert numbers == [2, 5]
    assert search.cv_results_["mean_test_score"][0] < search.cv_results_["mean_test_score"][1]


def test_the_clusterers_own_upper_end_counts():
    X, _ = make_blobs(900, centers=30, n_features=16, cluster_std=0.3, random_state=0)
    model = ContrastiveAutoencoderClusterer(
        clusterer=CommunityClusterer(max_clusters=50, random_state=0),
        n_clusters="auto",
        warm_up_epochs=2,
        conditioning_epochs=0,
        optimizer="adamw",
        device="cpu",
        random_state=0,
    )
    assert model.fit(X).n_clusters_ > 20
    assert model.set_params(clusterer__max_clusters=21).fit(X).n_clusters_ <= 21
