import numpy as np
import pytest
import torch
from views import NOTHING, images, only, seeded

from sklearn_cae.augmentations import PRESETS, ImageViews, VectorViews


def one_dot(row, column, height=48, width=24, n=32):
    """Images with one bright dot, soft enough to survive interpolation."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    dot = torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4.0)
    return dot.expand(n, 1, height, width)


def centre_of_mass(views):
    """(n, 2): row and column, relative to the image's centre."""
    height, width = views.shape[2:]
    mass = views[:, 0] / views.sum(dim=(1, 2, 3))[:, None, None]
    row = (mass.sum(dim=2) * (torch.arange(height) - (height - 1) / 2)).sum(dim=1)
    column = (mass.sum(dim=1) * (torch.arange(width) - (width - 1) / 2)).sum(dim=1)
    return torch.stack([row, column], dim=1)


@pytest.mark.parametrize("views", [PRESETS["paper"], PRESETS["xray"], PRESETS["digits"]])
def test_equal_images_in_a_batch_get_different_views(views):
    batch = images(1).expand(64, -1, -1, -1)
    seen = {view.numpy().tobytes() for view in views(batch, seeded())}
    # With probability 0.5 for each of four or five transforms some stay as they were.
    assert len(seen) > 50


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_views_are_seeded_and_touch_no_global_generator(name):
    batch = images(8) if name != "vector" else torch.rand(8, 5, generator=seeded())
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, again = (PRESETS[name](batch, seeded(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, PRESETS[name](batch, seeded(4)))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_drawn_views_can_be_applied_again_and_to_other_images():
    views, generator = PRESETS["paper"], seeded(3)
    batch = images(32)
    drawn = views.draw(batch.shape, generator)
    assert torch.equal(views.apply(batch, drawn), views(batch, seeded(3)))
    assert torch.equal(views.apply(batch, drawn), views.apply(batch, drawn))
    assert not torch.equal(views.apply(1 - batch, drawn), views.apply(batch, drawn))


def test_drawn_views_tell_what_happens_to_each_image():
    batch = images(64)
    drawn = ImageViews().draw(batch.shape, seeded())
    view = ImageViews().apply(batch, drawn)
    is_noisy = torch.zeros(64, dtype=bool).index_fill(0, drawn.noisy, True)
    is_moved = (drawn.angle != 0) | (drawn.side < 1) | drawn.mirrored
    is_changed = is_noisy | is_moved | (drawn.sigma > 0)
    unchanged = (view - batch).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert torch.equal(unchanged, ~is_changed)
    only_mirrored = drawn.mirrored & (drawn.angle == 0) & (drawn.side == 1) & (drawn.sigma == 0)
    only_mirrored &= ~is_noisy
    assert only_mirrored.any()
    torch.testing.assert_close(view[only_mirrored], batch[only_mirrored].flip(3), atol=1e-5, rtol=0)


def test_drawn_views_of_vectors_tell_noise_and_mask():
    vectors = torch.rand(32, 5, generator=seeded(1))
    drawn = VectorViews().draw(vectors.shape, seeded())
    view = VectorViews().apply(vectors, drawn)
    assert torch.equal(view, VectorViews()(vectors, seeded()))
    assert torch.equal(view == 0, ~drawn.kept)
    assert torch.equal(view[drawn.kept], (vectors + drawn.noise)[drawn.kept])


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 30), (4, 17, 9), (2, 64, 64)])
def test_identity_at_probability_0(shape):
    batch = images(6, *shape)
    view = ImageViews(probability=0.0)(batch, seeded())
    torch.testing.assert_close(view, batch, atol=1e-5, rtol=0)
    vectors = torch.randn(6, 5, generator=seeded())
    assert torch.equal(VectorViews(probability=0.0)(vectors, seeded()), vectors)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 30), (4, 17, 9), (1, 256, 64)])
def test_views_keep_shape_and_range(shape):
    view = ImageViews(probability=1.0)(images(6, *shape), seeded())
    assert view.shape == (6, *shape)
    assert 0 <= view.min() <= view.max() <= 1


def test_flip_mirrors_left_and_right():
    batch = images()
    torch.testing.assert_close(only(flip=True)(batch, seeded()), batch.flip(3), atol=1e-5, rtol=0)


def test_rotation_keeps_the_distance_to_the_centre_also_where_sides_differ():
    batch = one_dot(row=16, column=11.5)  # 7.5 above the centre of 48 x 24
    dots = centre_of_mass(only(degrees=180.0)(batch, seeded()))
    torch.testing.assert_close(dots.norm(dim=1), torch.full((32,), 7.5), atol=0.15, rtol=0)
    assert dots[:, 1].abs().max() > 6  # and it did turn


def test_rotation_stays_within_its_degrees():
    dots = centre_of_mass(only(degrees=30.0)(one_dot(row=16, column=11.5, n=200), seeded()))
    angle = torch.atan2(dots[:, 1], -dots[:, 0]).rad2deg()
    assert angle.abs().max() <= 31
    assert angle.min() < -20
    assert angle.max() > 20


def test_crop_enlarges_and_never_leaves_the_image():
    crop = only(min_crop=0.25)
    assert crop(torch.ones(64, 1, 28, 28), seeded()).min() > 1 - 1e-5
    edge = torch.linspace(0, 1, 28).expand(64, 1, 28, 28)
    spread = crop(edge, seeded()).amax(dim=(1, 2, 3)) - crop(edge, seeded()).amin(dim=(1, 2, 3))
    # What remains of a ramp is the side of the crop: between a half and all.
    assert 0.45 < spread.min() < 0.6
    assert 0.9 < spread.max() <= 1


def test_blur_smooths_each_channel_and_keeps_its_mean():
    batch = images(8, channels=2)
    blurred = only(blur=1.5)(batch, seeded())
    assert (blurred.std(dim=(2, 3)) < batch.std(dim=(2, 3))).all()
    torch.testing.assert_close(blurred.mean(dim=(2, 3)), batch.mean(dim=(2, 3)), atol=0.02, rtol=0)
    constant = torch.full((4, 1, 28, 28), 0.3)
    torch.testing.assert_close(only(blur=1.5)(constant, seeded()), constant)


def test_noise_has_its_level_and_is_drawn_per_pixel():
    batch = torch.full((200, 1, 28, 28), 0.5)
    noise = only(noise=0.1)(batch, seeded()) - batch
    level = noise.std(dim=(1, 2, 3))
    assert 0.04 < level.mean() < 0.06  # uniform in [0, 0.1]
    assert level.max() < 0.11
    assert noise.mean().abs() < 1e-3


def test_probability_is_the_share_of_images_that_change():
    batch = images(2000, height=8, width=8)
    changed = ImageViews(**{**NOTHING, "flip": True})(batch, seeded()) - batch
    share = (changed.abs().amax(dim=(1, 2, 3)) > 1e-4).float().mean()
    assert share.item() == pytest.approx(0.5, abs=0.04)


def test_vectors_lose_features_to_their_mean():
    vectors = torch.ones(500, 20)
    view = VectorViews(noise=0.0, mask=0.2, probability=1.0)(vectors, seeded())
    assert set(view.unique().tolist()) == {0.0, 1.0}
    assert (view == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_xray_and_digits_do_not_flip():
    for name in ("xray", "digits"):
        assert not PRESETS[name].flip


@pytest.mark.parametrize(
    ("views", "options", "message"),
    [
        (ImageViews, {"min_crop": 50}, "min_crop is a share and must be from 0 to 1, got 50"),
        (ImageViews, {"probability": -0.1}, "probability is a share"),
        (ImageViews, {"degrees": -1}, "degrees must be finite and at least 0, got -1"),
        (ImageViews, {"blur": float("nan")}, "blur must be finite"),
        (VectorViews, {"mask": 2}, "mask is a share"),
        (VectorViews, {"noise": float("inf")}, "noise must be finite"),
    ],
)
def test_options_out_of_range_are_named(views, options, message):
    with pytest.raises(ValueError, match=message):
        views(**options)


def test_a_blur_may_be_wider_than_the_image():
    view = only(blur=50.0)(images(height=12, width=8), seeded())
    assert view.shape == (16, 1, 12, 8)
    assert view.isfinite().all()
