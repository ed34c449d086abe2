"""Volumes go the way of images: their groups, their pictures, what is refused."""


import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import make_toy_volumes

SIDES = (8, 16, 12)


@pytest.fixture(scope="module")
def fitted(toy_volumes):
    from quick import quick_clusterer

    model = quick_clusterer(spatial_dims=3, whiten=True, refinement_epochs=1)
    return model.fit(toy_volumes[0])


def test_groups_that_differ_in_three_dimensions_are_found():
    X, y = make_toy_volumes(90, random_state=0, return_X_y=True)
    setting = recommended(90, warm_up_epochs=5, refinement_epochs=2, conditioning_epochs=1)
    model = ContrastiveAutoencoderClusterer(**setting, spatial_dims=3, random_state=0).fit(X)
    assert model.n_clusters_ == 3
    assert adjusted_rand_score(y, model.labels_) > 0.9


def test_what_comes_back_has_the_shape_of_the_volumes(fitted, toy_volumes):
    X, _ = toy_volumes
    k = fitted.n_clusters_
    assert fitted.image_shape_ == (1, *SIDES)
    assert fitted.n_features_in_ == np.prod(SIDES)
    assert fitted.decode_prototypes().shape == (k, *SIDES)
    assert fitted.reconstruct(X[:5]).shape == (5, *SIDES)
    assert fitted.sample(4, random_state=0)[0].shape == (4, *SIDES)
    assert fitted.transform(X[:5]).shape == (5, k)
    assert len(fitted.get_feature_names_out()) == k
    maps = fitted.saliency(X[:5])
    assert maps.shape == (5, *SIDES)
    np.testing.assert_array_equal(maps.max(axis=(1, 2, 3)), 1)
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
