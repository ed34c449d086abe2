"""Views beyond the paper's: upside down, intensity, colours, and the corners of rotated images."""

import colorsys

import pytest
import torch
from views import NOTHING, images, only, seeded

from sklearn_cae.augmentations import ImageViews


def test_a_vertical_flip_mirrors_top_and_bottom():
    batch = images(height=20)
    flipped = only(vertical_flip=True)(batch, seeded())
    torch.testing.assert_close(flipped, batch.flip(2), atol=1e-5, rtol=0)
    both = only(vertical_flip=True, flip=True)(batch, seeded())
    torch.testing.assert_close(both, batch.flip(2, 3), atol=1e-5, rtol=0)


def test_more_transforms_leave_the_random_numbers_of_the_others():
    more = ImageViews(vertical_flip=True, intensity=0.2, color=0.2, fill="reflection")
    few, many = (views.draw((8, 3, 28, 28), seeded()) for views in (ImageViews(), more))
    for name in ("angle", "side", "center", "mirrored", "sigma", "noisy", "noise"):
        assert torch.equal(getattr(few, name), getattr(many, name))
    assert (few.tone == 1).all()
    assert not few.upside_down.any()


def test_drawn_intensities_are_gamma_brightness_and_contrast():
    batch = images(64, channels=2) * 0.6 + 0.2
    views = ImageViews(**NOTHING, intensity=0.2)
    drawn = views.draw(batch.shape, seeded())
    assert 0.8 <= drawn.tone.min() < 0.9
    assert 1.1 < drawn.tone.max() <= 1.23
    gamma, brightness, contrast = drawn.tone.T[..., None, None, None]
    expected = batch**gamma * brightness
    mean = expected.mean(dim=(1, 2, 3), keepdim=True)
    expected = (mean + contrast * (expected - mean)).clamp(0, 1)
    torch.testing.assert_close(views.apply(batch, drawn), expected)
    is_same = (drawn.tone == 1).all(dim=1)
    assert is_same.float().mean().item() == pytest.approx(0.5, abs=0.2)


def test_black_stays_black_in_all_intensities_but_for_the_contrast():
    batch = images()
    batch[:, :, :10] = 0
    views = only(intensity=0.5)
    drawn = views.draw(batch.shape, seeded())
    drawn.tone[:, 2] = 1
    assert (views.apply(batch, drawn)[:, :, :10] < 1e-6).all()


def test_colours_keep_their_brightness_and_turn_by_the_drawn_angle():
    batch = 0.4 + 0.2 * images(64, channels=3)
    views = only(color=0.2)
    drawn = views.draw(batch.shape, seeded())
    tinted = views.apply(batch, drawn)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    torch.testing.assert_close(
        (weights * tinted).sum(dim=1), (weights * batch).sum(dim=1), atol=1e-3, rtol=0
    )
    degrees = drawn.tint[:, 0].rad2deg()
    assert -18 <= degrees.min() < -12
    assert 12 < degrees.max() <= 18
    gray = torch.rand(64, 1, 28, 28, generator=seeded(2)).expand(-1, 3, -1, -1)
    torch.testing.assert_close(views.apply(gray, drawn), gray, atol=1e-3, rtol=0)


def test_hue_and_saturation_follow_the_drawn_values():
    """The standard library, which has another space of colours, orders them in the same way."""
    red = torch.tensor([0.7, 0.4, 0.4])[:, None, None].expand(64, 3, 8, 8)
    views = only(color=0.4)
    drawn = views.draw(red.shape, seeded())
    tinted = views.apply(red, drawn)[:, :, 4, 4]
    spread = (tinted - 0.299 * 0.7 - 0.701 * 0.4).square().sum(dim=1)
    order = torch.corrcoef(torch.stack([spread.sqrt(), drawn.tint[:, 1]]))[0, 1]
    assert order > 0.9
    hues = torch.tensor([colorsys.rgb_to_hsv(*rgb.tolist())[0] for rgb in tinted])
    hues = (hues + 0.5) % 1 - 0.5  # red is 0
    agreement = torch.corrcoef(torch.stack([hues, drawn.tint[:, 0]]))[0, 1]
    assert abs(agreement) > 0.9


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_images_without_red_green_and_blue_keep_their_channels(channels):
    batch = images(channels=channels)
    assert (only(color=0.5)(batch, seeded()) - batch).abs().max() < 1e-5


@pytest.mark.parametrize(("fill", "darkest"), [("zeros", 0.0), ("reflection", 0.5)])
@pytest.mark.parametrize("shape", [(28, 28), (40, 20)])
def test_corners_are_dark_or_continue_the_image(fill, darkest, shape):
    batch = images(64, channels=3, height=shape[0], width=shape[1]) / 2 + 0.5
    rotated = only(degrees=180.0, fill=fill)(batch, seeded())
    assert rotated.min().item() == pytest.approx(darkest, abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"intensity": 1.5}, "intensity is a share and must be from 0 to 1, got 1.5"),
        ({"color": -0.1}, "color is a share"),
        ({"fill": "white"}, r"fill must be one of \['zeros', 'reflection'\], got 'white'"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ImageViews(**options)
