"""Views of volumes: what each transform does, drawn per volume, the same each time."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from views import seeded

from sklearn_cae.augmentations import VolumeViews

NOTHING = {"degrees": 0.0, "min_crop": 1.0, "flip_axes": (), "blur": 0.0, "noise": 0.0}


def only(**options):
    """Views of one transform alone, always applied."""
    return VolumeViews(**{**NOTHING, **options}, probability=1.0)


def volumes(n=8, channels=1, sides=(12, 16, 20)):
    return torch.rand(n, channels, *sides, generator=seeded(1))


def dots(place, sides, n=64):
    """Volumes with one bright dot, soft enough to survive interpolation."""
    grid = torch.meshgrid(*(torch.arange(side) for side in sides), indexing="ij")
    squares = sum((axis - at) ** 2 for axis, at in zip(grid, place, strict=True))
    return torch.exp(-squares / 4.0).expand(n, 1, *sides)


def centres_of_mass(views):
    """(n, 3): place along D, H and W, relative to the centre of the volume."""
    mass = views[:, 0] / views.sum(dim=(1, 2, 3, 4))[:, None, None, None]
    places = []
    for axis in range(3):
        others = tuple(number for number in (1, 2, 3) if number != axis + 1)
        side = mass.shape[axis + 1]
        places.append((mass.sum(dim=others) * (torch.arange(side) - (side - 1) / 2)).sum(dim=1))
    return torch.stack(places, dim=1)


def test_equal_volumes_in_a_batch_get_different_views():
    views = VolumeViews()(volumes(1).expand(64, -1, -1, -1, -1), seeded())
    assert len({view.numpy().tobytes() for view in views}) > 50


def test_views_are_seeded_and_touch_no_global_generator():
    state = torch.get_rng_state()
    batch, views = volumes(channels=2), VolumeViews()
    drawn = views.draw(batch.shape, seeded(3))
    assert torch.equal(views.apply(batch, drawn), views(batch, seeded(3)))
    assert not torch.equal(views(batch, seeded(3)), views(batch, seeded(4)))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(1, 28, 28, 28), (3, 8, 16, 30), (2, 16, 64, 64)])
def test_views_keep_shape_and_range_and_nothing_happens_at_probability_0(shape):
    batch = volumes(3, shape[0], shape[1:])
    view = VolumeViews(probability=1.0)(batch, seeded())
    assert view.shape == batch.shape
    assert 0 <= view.min() <= view.max() <= 1
    same = VolumeViews(probability=0.0)(batch, seeded())
    torch.testing.assert_close(same, batch, atol=1e-5, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flips_mirror_their_own_axis_alone(axis):
    batch = volumes()
    flipped = only(flip_axes=(axis,))(batch, seeded())
    torch.testing.assert_close(flipped, batch.flip(axis + 2), atol=1e-5, rtol=0)
    drawn = VolumeViews(**{**NOTHING, "flip_axes": (axis,)}).draw((200, 1, 8, 8, 8), seeded())
    assert 0.4 < drawn.mirrored[:, axis].float().mean() < 0.6
    assert drawn.mirrored.sum() == drawn.mirrored[:, axis].sum()


def test_rotation_is_about_any_axis_and_keeps_the_distance_to_the_centre():
    batch = dots((11.5, 15.5, 27.5), (24, 32, 40), n=200)  # 8 from the centre along W
    places = centres_of_mass(only(degrees=180.0)(batch, seeded()))
    torch.testing.assert_close(places.norm(dim=1), torch.full((200,), 8.0), atol=0.2, rtol=0)
    for axis in range(2):  # it left W in both directions of both other axes
        assert places[:, axis].min() < -5
        assert places[:, axis].max() > 5


def test_rotation_stays_within_its_degrees():
    batch = dots((11.5, 11.5, 19.5), (24, 24, 24), n=200)
    places = centres_of_mass(only(degrees=30.0)(batch, seeded()))
    angle = torch.atan2(places[:, :2].norm(dim=1), places[:, 2]).rad2deg()
    assert 20 < angle.max() <= 31


def test_rotation_keeps_lengths_in_the_unit_of_the_voxels():
    batch = dots((11.5, 15.5, 22.5), (24, 32, 32), n=200)  # 7 pixels from the centre along W
    places = centres_of_mass(only(degrees=180.0, voxel_size=(2, 1, 1))(batch, seeded()))
    length = (places * torch.tensor([2.0, 1.0, 1.0])).norm(dim=1)
    torch.testing.assert_close(length, torch.full((200,), 7.0), atol=0.35, rtol=0)


def test_crop_enlarges_and_never_leaves_the_volume():
    crop = only(min_crop=0.125)
    assert crop(torch.ones(16, 1, 9, 12, 15), seeded()).min() > 1 - 1e-5
    ramp = torch.linspace(0, 1, 28)[:, None, None].expand(64, 1, 28, 28, 28)
    view = crop(ramp, seeded()).flatten(1)
    # What remains of a ramp is the side of the crop: between a half and all.
    spread = view.amax(dim=1) - view.amin(dim=1)
    assert 0.48 < spread.min() < 0.7
    assert 0.9 < spread.max() <= 1


def test_blur_is_that_of_a_gaussian_along_each_axis():
    batch, views = volumes(4, channels=2, sides=(28, 30, 32)), only(blur=1.5)
    drawn = views.draw(batch.shape, seeded())
    blurred = views.apply(batch, drawn)
    inside = (slice(None), slice(6, -6), slice(6, -6), slice(6, -6))
    for volume, sigma, view in zip(batch, drawn.sigma, blurred, strict=True):
        expected = gaussian_filter(volume.numpy(), [0, *[float(sigma)] * 3], truncate=6)
        np.testing.assert_allclose(view[inside], expected[inside], atol=1e-3)
    constant = torch.full((4, 1, 8, 9, 10), 0.3)
    torch.testing.assert_close(views(constant, seeded()), constant)


def test_noise_has_its_level_and_is_drawn_per_voxel():
    batch = torch.full((100, 1, 12, 12, 12), 0.5)
    level = (only(noise=0.1)(batch, seeded()) - batch).flatten(1).std(dim=1)
    assert 0.04 < level.mean() < 0.06  # uniform in [0, 0.1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_crop": 1.5}, "min_crop is a share"),
        ({"degrees": -1.0}, "degrees must be finite and at least 0"),
        ({"flip_axes": (3,)}, r"flip_axes must be some of 0 \(D\), 1 \(H\) and 2 \(W\), got \(3"),
        ({"voxel_size": (1, 1)}, "voxel_size must be three positive lengths"),
        ({"voxel_size": (1, 0, 1)}, "voxel_size must be three positive lengths"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        VolumeViews(**options)
