"""Volumes in displays: their middle slices, one below the other, in every picture."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sklearn_cae.augmentations import ImageViews
from sklearn_cae.images import check_images
from sklearn_cae.plotting import (
    AugmentationDisplay,
    EmbeddingDisplay,
    ImageCheckDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    _pictures,
)

HEIGHT, WIDTH = 16 + 8 + 8 + 2, 16  # of the picture of a volume of 8 x 16 x 12, with two gaps


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def clusterer(toy_volumes):
    from quick import quick_clusterer

    return quick_clusterer(spatial_dims=3).fit(toy_volumes[0])


def numbered(shape=(8, 16, 12)):
    """Two volumes in which every voxel has its own value."""
    return np.arange(2 * np.prod(shape)).reshape(2, *shape)


def test_a_picture_is_the_three_middle_slices():
    X = numbered()
    pictures = _pictures.lay_out(X)
    assert pictures.shape == (2, HEIGHT, WIDTH, 1)
    across_d, across_h, across_w = pictures[:, :16], pictures[:, 17:25], pictures[:, 26:]
    np.testing.assert_array_equal(across_d[:, :, 2:14, 0], X[:, 4])
    np.testing.assert_array_equal(across_h[:, :, 2:14, 0], X[:, ::-1, 8])  # D goes upwards
    np.testing.assert_array_equal(across_w[..., 0], X[:, ::-1, :, 6])
    beside = np.isnan(pictures[0, ..., 0])
    assert beside[[16, 25]].all()
    assert beside[:16, [0, 1, 14, 15]].all()
    assert beside.sum() == 2 * 16 + (16 + 8) * 4


@pytest.mark.parametrize("sides", [(28, 28, 28), (16, 64, 64), (64, 8, 16)])
def test_any_proportions(sides):
    depth, height, width = sides
    widest = max(height, width)
    gaps = 2 * max(1, widest // 16)
    pictures = _pictures.to_pictures(numbered(sides), (0, 1))
    assert pictures.shape == (2, height + 2 * depth + gaps, widest, 3)


def test_channels_may_be_first_or_last():
    colored = np.random.RandomState(0).rand(2, 3, 8, 16, 12)
    first = _pictures.to_pictures(colored, (0, 1))
    last = _pictures.to_pictures(np.moveaxis(colored, 1, -1), (0, 1))
    np.testing.assert_array_equal(first, last)
    np.testing.assert_array_equal(first[:, :16, 2:14], np.moveaxis(colored[:, :, 4], 1, -1))
    one = _pictures.to_pictures(colored[:, :1], (0, 1))
    np.testing.assert_array_equal(one, _pictures.to_pictures(colored[:, 0], (0, 1)))


def test_slices_have_one_range_and_gaps_are_white():
    X = np.zeros((2, 8, 8, 8))
    X[:, 4] = 1  # the middle slice across D is bright, and so is a line of the others
    pictures = _pictures.to_pictures(X, (0, 2))[..., 0]
    assert (pictures[:, :8] == 0.5).all()
    assert (pictures[:, 8] == 1).all()
    np.testing.assert_array_equal(np.unique(pictures[:, 9:17]), [0, 0.5])


def test_an_image_with_channels_is_no_volume():
    X = np.random.RandomState(0).rand(2, 4, 8, 8)
    assert _pictures.to_pictures(X, (0, 1)).shape == (2, 8, 8, 3)
    with pytest.raises(ValueError, match="images must have 1 to 4 channels"):
        _pictures.to_pictures(np.zeros((2, 5, 8, 8)), (0, 1))


def test_the_contrast_of_prototypes_is_that_of_what_is_drawn():
    X = numbered((8, 8, 8)) % 512.0
    X[:, :3, :3, :3] = 9000  # a corner that no middle slice cuts
    drawn = np.concatenate([X[0, 4].ravel(), X[0, :, 4].ravel(), X[0, :, :, 4].ravel()])
    low, high = _pictures.find_contrast(X[:1])
    np.testing.assert_allclose([low, high], np.percentile(drawn, [1, 99]))


# ---- Displays ----


def canvas_of(display):
    return display.ax_.images[0].get_array()


def test_prototypes_members_and_samples(clusterer, toy_volumes):
    X, y = toy_volumes
    display = PrototypeDisplay.from_estimator(clusterer, X, y, n_members=2, n_samples=1)
    canvas = canvas_of(display)
    k = clusterer.n_clusters_
    assert canvas.shape[0] == k * (HEIGHT + 2)
    rows = clusterer.representatives(X, 2)
    picture = _pictures.to_pictures(X[rows[0][:1]], (0, 255))[0]
    left = 2 * (WIDTH + 2 + WIDTH // 2) + 1  # after the prototype and the difference
    np.testing.assert_array_equal(canvas[1 : 1 + HEIGHT, left : left + WIDTH], picture)


def test_differences_of_prototypes_are_white_beside_slices(clusterer, toy_volumes):
    display = PrototypeDisplay.from_estimator(clusterer, toy_volumes[0])
    canvas = canvas_of(display)
    difference = canvas[1 : 1 + HEIGHT, WIDTH + 2 + WIDTH // 2 + 1 :][:, :WIDTH]
    assert (difference[[16, 25]] == 1).all()
    assert (difference[:16, 2:14] < 1).any()


def test_reconstructions(clusterer, toy_volumes):
    X = toy_volumes[0]
    display = ReconstructionDisplay.from_estimator(clusterer, X, n_images=4)
    canvas = canvas_of(display)
    assert canvas.shape[:2] == (3 * (HEIGHT + 2), 4 * (WIDTH + 2))
    assert np.isfinite(canvas).all()
    same = ReconstructionDisplay(X[:2], X[:2]).plot()
    assert canvas_of(same)[-HEIGHT:].min() > 0.95  # no difference


def test_flat_rows_of_volumes(make_quick, toy_volumes):
    X = toy_volumes[0].reshape(60, -1)
    model = make_quick(
        spatial_dims=3, image_shape=(8, 16, 12), warm_up_epochs=1, conditioning_epochs=0
    ).fit(X)
    display = ReconstructionDisplay.from_estimator(model, X, n_images=2)
    assert display.originals.shape == (2, 8, 16, 12)


def test_prototypes_in_the_embedding(clusterer, toy_volumes):
    display = EmbeddingDisplay.from_estimator(clusterer, toy_volumes[0])
    (panel,) = display.axes_
    pictures = [each.offsetbox.get_data() for each in panel.artists if hasattr(each, "offsetbox")]
    assert [picture.shape for picture in pictures] == [(HEIGHT, WIDTH, 3)] * clusterer.n_clusters_


def test_views_of_volumes(clusterer, toy_volumes):
    X = toy_volumes[0]
    display = AugmentationDisplay.from_estimator(clusterer, X, n_images=2, n_views=3)
    assert [views.shape for views in display.views] == [(3, 1, 8, 16, 12)] * 2
    assert canvas_of(display).shape[0] == 2 * (HEIGHT + 2)
    same = AugmentationDisplay.from_images(X, spatial_dims=3, n_images=2, n_views=3)
    np.testing.assert_array_equal(display.views, same.views)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "spatial_dims=3"),
        ({"spatial_dims": 4}, "spatial_dims == 4, must be <= 3"),
        ({"spatial_dims": 3, "augmentation": ImageViews()}, "augmentation must fit volumes"),
    ],
)
def test_views_that_do_not_fit_volumes(given, message, toy_volumes):
    with pytest.raises(ValueError, match=message):
        AugmentationDisplay.from_images(toy_volumes[0], **given)


def test_findings_in_volumes(toy_volumes):
    X = toy_volumes[0].copy()
    X[3], X[7] = X[5], 9
    display = ImageCheckDisplay.from_check(check_images(X, spatial_dims=3), X)
    assert [text.get_text() for text in display.ax_.get_yticklabels()][:2] == [
        "constant (1)",
        "duplicates (2)",
    ]
    assert canvas_of(display).shape[0] % (HEIGHT + 2) == 0
