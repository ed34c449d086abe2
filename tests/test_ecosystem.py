"""What scikit-learn users rely on: pipelines, searches, frozen models, columns."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_cae import ClusterLabelMapper, KNNProbe, LinearProbe


@pytest.fixture(autouse=True)
def quiet_elbow():
    """Whether a few toy images have an elbow is none of these tests' claims."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No elbow")
        yield


def test_the_pipeline_of_the_readme(toy_images, make_quick):
    X, y = toy_images
    names = np.array(["disc", "cross", "stripes"])[y]
    pipeline = make_pipeline(
        make_quick(n_clusters="elbow", max_clusters=6, warm_up_epochs=8, augmentation="xray"),
        ClusterLabelMapper(),
    )
    pipeline.fit(X, names)
    assert set(pipeline.predict(X)) <= set(names)
    assert pipeline.score(X, names) > 0.6
    np.testing.assert_allclose(pipeline.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("probe", [KNNProbe(), LinearProbe(epochs=50, learning_rate=0.01)])
def test_probes_in_a_pipeline(toy_images, make_quick, probe):
    X, y = toy_images
    clusterer = make_quick(output="embedding", warm_up_epochs=8, augmentation="xray")
    assert make_pipeline(clusterer, probe).fit(X, y).score(X, y) > 0.8


def test_grid_search_is_the_same_with_one_and_two_jobs(toy_images, make_quick):
    X, y = toy_images
    pipeline = make_pipeline(
        make_quick(n_clusters="elbow", max_clusters=4, conditioning_epochs=0), ClusterLabelMapper()
    )
    grid = {"contrastiveautoencoderclusterer__temperature": [0.1, 0.5]}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what a worker has, so that equal means equal bits
    try:
        scores = [
            GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
            .fit(X, y)
            .cv_results_["mean_test_score"]
            for n_jobs in (1, 2)
        ]
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(*scores)
    assert np.isfinite(scores).all()


def test_nested_parameters_of_the_clusterer(toy_images, make_quick):
    X, y = toy_images
    search = GridSearchCV(
        make_pipeline(make_quick(clusterer=KMeans(random_state=0)), ClusterLabelMapper()),
        {"contrastiveautoencoderclusterer__clusterer__n_init": [1, 2]},
        cv=2,
        error_score="raise",
    ).fit(X, y)
    best = search.best_estimator_[0].clusterer
    assert best.n_init == search.best_params_["contrastiveautoencoderclusterer__clusterer__n_init"]


def test_cross_validation_without_labels(toy_images, make_quick):
    scores = cross_val_score(make_quick(), toy_images[0], cv=2, error_score="raise")
    assert ((scores > 0) & (scores <= 1)).all()


def test_a_frozen_model_in_a_searched_pipeline_is_not_fitted_again(toy_images, fitted):
    X, y = toy_images
    centers = fitted.cluster_centers_.copy()
    pipeline = make_pipeline(FrozenEstimator(fitted), ClusterLabelMapper())
    search = GridSearchCV(
        pipeline, {"clusterlabelmapper__min_samples": [1, 10]}, cv=2, error_score="raise"
    ).fit(X, y)
    inner = search.best_estimator_.named_steps["frozenestimator"].estimator
    assert inner is fitted
    np.testing.assert_array_equal(inner.cluster_centers_, centers)
    assert search.best_score_ > 0


def test_columns_of_a_table(make_quick):
    rng = np.random.RandomState(0)
    group = rng.randint(3, size=90)
    frame = pd.DataFrame(rng.normal(size=(90, 5)) + 6 * np.eye(5)[group], columns=list("abcde"))
    frame["site"] = group
    columns = ColumnTransformer(
        [("groups", make_quick(warm_up_epochs=5), list("abcde"))], remainder="passthrough"
    )
    columns.set_output(transform="pandas")
    out = columns.fit_transform(frame)
    assert list(out.columns) == [
        *[f"groups__contrastiveautoencoderclusterer{i}" for i in range(3)],
        "remainder__site",
    ]
