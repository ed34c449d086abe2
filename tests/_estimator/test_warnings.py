"""Warnings point to the line of the user's code."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from quick import quick_clusterer
from sklearn.cluster import DBSCAN
from sklearn.datasets import make_blobs
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import sklearn_cae
from sklearn_cae import ClusterLabelMapper
from sklearn_cae.clusterers import CommunityClusterer, ElbowClusterer

briefly = partial(quick_clusterer, warm_up_epochs=1, conditioning_epochs=0)


def _no_elbow(X, tmp_path):
    briefly(n_clusters="elbow", clusterer=ElbowClusterer(max_clusters=4)).fit(X)


def _noise_alone(X, tmp_path):
    briefly(n_clusters="auto", clusterer=DBSCAN(eps=1e-6)).fit(X)


def _few_negatives(X, tmp_path):
    briefly(batch_size=4).fit(X[:8])


def _clipped(X, tmp_path):
    briefly(intensity_range=(0, 100)).fit(X)


def _clipped_later(X, tmp_path):
    fitted = briefly().fit(X / 255)
    make_pipeline(fitted).predict(X / 200)


def _kept(X, tmp_path):
    for _ in range(2):
        briefly(checkpoint_dir=tmp_path).fit(X)


def _no_soft_assignment(X, tmp_path):
    ClusterLabelMapper().fit(np.full((4, 2), 0.3), [0, 1, 0, 1])


def _unstable(X, tmp_path):
    CommunityClusterer(random_state=0).fit(make_blobs(200, centers=1, random_state=0)[0])


def _in_a_search(X, tmp_path):
    cross_val_score(briefly(intensity_range=(0, 100)), X, cv=2)


@pytest.mark.parametrize(
    "use",
    [
        _no_elbow,
        _noise_alone,
        _few_negatives,
        _clipped,
        _clipped_later,
        _kept,
        _no_soft_assignment,
        _unstable,
        _in_a_search,
    ],
)
def test_a_warning_points_to_the_line_that_called(use, toy_images, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use(toy_images[0], tmp_path)
    assert caught
    assert {warning.filename for warning in caught} == {__file__}


def test_levels_of_the_stack_are_counted_in_one_place():
    package = Path(sklearn_cae.__file__).parent
    counting = [path.name for path in package.rglob("*.py") if "stacklevel" in path.read_text()]
    assert counting == ["warnings.py"]
