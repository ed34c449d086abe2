"""Volumes go the way of images: their groups, what comes back, files, and what is refused."""

import pickle

import numpy as np
import pytest
from quick import quick_clusterer
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from sklearn_cae import ContrastiveAutoencoderClusterer, load, recommended, save
from sklearn_cae.augmentations import ImageViews, VectorViews, VolumeViews
from sklearn_cae.datasets import make_toy_volumes
from sklearn_cae.images import check_images
from sklearn_cae.modules import Encoder

SIDES = (8, 16, 12)


def quick_volumes(**params):
    return quick_clusterer(spatial_dims=3, **{"conditioning_epochs": 0, **params})


@pytest.fixture(scope="module")
def fitted(toy_volumes):
    model = quick_volumes(whiten=True, refinement_epochs=1, conditioning_epochs=1)
    return model.fit(toy_volumes[0])


def test_groups_that_differ_in_three_dimensions_are_found():
    X, y = make_toy_volumes(90, volume_size=12, random_state=0, return_X_y=True)
    few = {"warm_up_epochs": 6, "refinement_epochs": 2, "conditioning_epochs": 4, "batch_size": 32}
    setting = recommended(90, spatial_dims=3, **few)
    model = ContrastiveAutoencoderClusterer(**setting, random_state=0).fit(X)
    assert model.n_clusters_ == 3
    assert adjusted_rand_score(y, model.labels_) > 0.9
    new, labels = make_toy_volumes(90, volume_size=12, random_state=1, return_X_y=True)
    assert adjusted_rand_score(labels, model.predict(new)) > 0.9
    # The typical volume of a cluster looks most like the mean of its own members.
    means = np.stack([X[model.labels_ == label].mean(axis=0) for label in range(3)])
    distance = np.square(model.decode_prototypes()[:, None] - means).mean(axis=(2, 3, 4))
    np.testing.assert_array_equal(distance.argmin(axis=1), [0, 1, 2])


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
    assert ((fitted.novelty(X) >= 0) & (fitted.novelty(X) < 1)).all()
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    maps = fitted.saliency(X[:5])
    assert maps.shape == (5, *SIDES)
    np.testing.assert_array_equal((maps == maps.max()).sum(axis=(1, 2, 3)), 1)  # one voxel of each


@pytest.mark.parametrize(
    ("change", "image_shape"),
    [
        (lambda X: X[:, None], None),
        (lambda X: X[..., None], None),
        (lambda X: X.reshape(len(X), -1), SIDES),
        (lambda X: X.reshape(len(X), -1), (1, *SIDES)),
    ],
)
def test_all_forms_of_the_same_volumes_are_the_same(toy_volumes, change, image_shape):
    X = toy_volumes[0][:30]
    expected = quick_volumes().fit(X)
    model = quick_volumes(image_shape=image_shape).fit(change(X))
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    decoded = model.decode_prototypes()
    assert decoded.shape == (3, *change(X).shape[1:])
    np.testing.assert_array_equal(decoded.ravel(), expected.decode_prototypes().ravel())


def test_channels_may_be_first_or_last():
    X = make_toy_volumes(30, volume_size=SIDES, n_channels=2, random_state=0).data
    first, last = quick_volumes().fit(X), quick_volumes().fit(np.moveaxis(X, 1, -1))
    assert first.image_shape_ == last.image_shape_ == (2, *SIDES)
    np.testing.assert_array_equal(first.cluster_centers_, last.cluster_centers_)
    np.testing.assert_array_equal(
        np.moveaxis(first.decode_prototypes(), 1, -1), last.decode_prototypes()
    )


@pytest.mark.parametrize("sides", [(8, 9, 10), (17, 8, 31), (16, 64, 64)])
@pytest.mark.parametrize("encoder", [None, recommended(2, spatial_dims=3)["encoder"]])
def test_any_sides(sides, encoder):
    X = np.random.RandomState(0).rand(6, *sides).astype(np.float32)
    params = {"n_clusters": 2, "warm_up_epochs": 1, "encoder": encoder, "batch_size": 6}
    model = quick_volumes(**params).fit(X)
    assert model.decode_prototypes().shape == (model.n_clusters_, *sides)


@pytest.mark.parametrize(
    "augmentation",
    ["paper", "slices", "xray", VolumeViews(flip_axes=(0, 1)), lambda batch: batch.flip(2)],
)
def test_views_of_volumes(toy_volumes, augmentation):
    model = quick_volumes(augmentation=augmentation).fit(toy_volumes[0])
    assert np.isfinite(model.cluster_centers_).all()


def test_the_range_of_intensities_is_that_of_the_volumes(toy_volumes):
    X = toy_volumes[0] * 8.0 - 1000
    model = quick_volumes(intensity_range=(-800, 800))
    with pytest.warns(UserWarning, match="are clipped"):
        model.fit(X)
    np.testing.assert_array_equal(model.embed(X), model.embed(X.clip(-800, 800)))
    decoded = model.decode_prototypes()
    assert -800 <= decoded.min() <= decoded.max() <= 800


def test_the_novelty_of_large_volumes_looks_at_small_ones():
    X = make_toy_volumes(40, volume_size=(8, 20, 40), noise=0.1, random_state=0).data
    model = quick_volumes(warm_up_epochs=1).fit(X)
    assert len(model._state.novelty.mean) == 8 * 16 * 16
    assert (model.novelty(255 - X) > 0.95).all()


def test_constant_and_copied_volumes_are_hinted_at_and_found():
    X = make_toy_volumes(30, volume_size=(9, 16, 12), random_state=0).data
    X[3], X[20] = 7, X[5]
    with pytest.warns(UserWarning, match=r"1 are constant, 1 are copies.*spatial_dims=3"):
        quick_volumes(warm_up_epochs=1).fit(X)
    for volumes in (X, np.stack([X, X // 2], axis=-1)):
        check = check_images(volumes, spatial_dims=3)
        assert check.rows_of("constant").tolist() == [3]
        assert check.rows_of("duplicates").tolist() == [5, 20]


def test_inverted_volumes_are_found():
    X = make_toy_volumes(60, n_classes=1, volume_size=(9, 16, 12), random_state=0).data
    X[[4, 9]] = 255 - X[[4, 9]]
    check = check_images(X.reshape(60, -1), image_shape=(9, 16, 12), spatial_dims=3)
    assert check.rows_of("two_polarities").tolist() == [4, 9]
    with pytest.raises(ValueError, match="spatial_dims must be 2 for images or 3"):
        check_images(X, spatial_dims=1)


# ---- Files ----


def test_a_model_of_volumes_comes_back(fitted, toy_volumes, tmp_path):
    X, _ = toy_volumes
    save(fitted, tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(fitted))):
        assert again.image_shape_ == fitted.image_shape_
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
        np.testing.assert_array_equal(again.novelty(X), fitted.novelty(X))
        np.testing.assert_array_equal(again.decode_prototypes(), fitted.decode_prototypes())


def test_views_of_volumes_come_back(toy_volumes, tmp_path):
    views = VolumeViews(flip_axes=(0,), voxel_size=(2, 1, 1))
    save(quick_volumes(augmentation=views).fit(toy_volumes[0]), tmp_path / "model")
    assert load(tmp_path / "model").augmentation == views


# ---- What may not be passed ----


@pytest.mark.parametrize(
    ("shape", "params", "message"),
    [
        ((9, 28, 28, 28), {}, "could be the channels.* pass spatial_dims=3"),
        ((9, 1, 16, 16, 16), {}, "2 to 4 dimensions, got 5.* or spatial_dims=3"),
        ((9, 4096), {"image_shape": (16, 16, 16)}, "could be the channels.* pass spatial_dims=3"),
        ((9, 4096), {"image_shape": (1, 16, 16, 16)}, "2 or 3 elements.* pass spatial_dims=3"),
        ((9, 16, 16), {"spatial_dims": 3}, r"must hold volumes.* got shape \(9, 16, 16\)"),
        ((9, 256), {"spatial_dims": 3}, r"vectors without image_shape. Pass image_shape=\(D, H, W"),
        (
            (9, 256),
            {"spatial_dims": 3, "image_shape": (16, 16)},
            "3 or 4 elements.* If it is right, pass spatial_dims=2",
        ),
        ((9, 3, 28, 28), {"spatial_dims": 3}, "8 to 128 voxels, got 3 x 28 x 28.* spatial_dims=2"),
        ((9, 28, 28, 3), {"spatial_dims": 3}, "8 to 128 voxels, got 28 x 28 x 3.* spatial_dims=2"),
        ((9, 8, 8, 129), {"spatial_dims": 3}, "8 to 128 voxels, got 8 x 8 x 129. Resize or crop"),
        ((9, 8, 8, 8, 8), {"spatial_dims": 3}, "Neither the first nor the last axis of a volume"),
        ((9, 3, 8, 8, 3), {"spatial_dims": 3}, "Both the first and the last axis of a volume"),
        ((9, 1, 1, 8, 8, 8), {"spatial_dims": 3}, "2 to 5 dimensions, got 6"),
        ((9, 8, 8, 8), {"spatial_dims": 4}, "The 'spatial_dims' parameter"),
        ((9, 8, 8, 8), {"spatial_dims": "3"}, "The 'spatial_dims' parameter"),
        (
            (9, 8, 8, 8),
            {"spatial_dims": 3, "augmentation": "digits"},
            "got 'digits'. Pass 'paper', 'slices', 'xray' or VolumeViews",
        ),
        (
            (9, 8, 8, 8),
            {"spatial_dims": 3, "augmentation": ImageViews()},
            "augmentation must fit volumes, got ImageViews",
        ),
        (
            (9, 8, 8, 8),
            {"spatial_dims": 3, "augmentation": VectorViews()},
            "augmentation must fit volumes, got VectorViews",
        ),
        (
            (9, 8, 8),
            {"augmentation": VolumeViews()},
            "must fit images, got VolumeViews",
        ),
        ((9, 8), {"augmentation": VolumeViews()}, "must fit vectors, got VolumeViews"),
    ],
)
def test_bad_volumes_are_told_before_training(shape, params, message):
    X = np.random.RandomState(0).rand(*shape)
    model = quick_clusterer(n_clusters=2, **params)
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    assert not hasattr(model, "encoder_") or "augmentation" in params


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 8, 16, 14), "X must hold volumes of shape .* features as input. Resize the volumes"),
        ((3, 2, *SIDES), "channels was 1 in fit, and is 2 here. Convert the volumes"),
        ((3, 16, 12), "X must hold volumes of shape .* Pass volumes, not images or slices"),
        (SIDES, r"several volumes, \(n, 8, 16, 12\), got a single volume. Pass volume\[np.newaxis"),
        ((3, 16, 8, 12), "Reorder the axes with np.moveaxis"),
        ((3, 1536), r"Pass X.reshape\(-1, 8, 16, 12\)"),
    ],
)
def test_other_volumes_than_those_of_fit(fitted, shape, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict(np.ones(shape, dtype=np.uint8))


@pytest.mark.parametrize("shape", [(3, 16, 16, 16), (3, 1, 16, 16, 16)])
def test_volumes_for_a_model_of_images(make_quick, toy_images, shape):
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(toy_images[0])
    with pytest.raises(ValueError, match=r"as in fit.* fit on volumes with spatial_dims=3"):
        model.predict(np.zeros(shape, dtype=np.uint8))


def test_an_encoder_of_images_is_told_before_training(toy_volumes):
    def encoder(embedding_dim):
        return Encoder((1, 16, 16), embedding_dim)

    with pytest.raises(ValueError, match=r"encoder must take samples of shape \(n, 1, 8, 16, 12\)"):
        quick_volumes(encoder=encoder).fit(toy_volumes[0])


def test_a_warm_start_from_images_is_told(make_quick, toy_images, toy_volumes):
    model = make_quick(warm_start=True, conditioning_epochs=0).fit(toy_images[0])
    with pytest.raises(ValueError, match="warm_start needs the shape of a sample"):
        model.set_params(spatial_dims=3).fit(toy_volumes[0])
    assert clone(model).spatial_dims == 3
