"""Views mean the same at all sizes, and are those of before for images of 28 x 28."""

import math

import pytest
import torch
import torch.nn.functional as F
from views import NOTHING, only, seeded

from sklearn_cae.augmentations import PRESETS, ImageViews


def views_of_before(views, images, generator):
    """The first version of these views, with which the figures of small images were measured."""
    n, n_channels, height, width = images.shape

    def uniform(n, low, high):
        return low + (high - low) * torch.rand(n, generator=generator)

    def chosen():
        return torch.rand(n, generator=generator) < views.probability

    angle = uniform(n, -views.degrees, views.degrees).deg2rad() * chosen()
    area = uniform(n, views.min_crop, 1.0)
    side = torch.where(chosen(), area.sqrt(), torch.ones(n))
    mirrored = chosen() & views.flip
    center = uniform(2 * n, -1.0, 1.0).view(n, 2) * (1 - side[:, None])
    largest = views.blur * min(height, width) / 28
    sigma = uniform(n, 0.1, max(0.1, largest)) * chosen()
    level = uniform(n, 0.0, views.noise)
    noisy = chosen().nonzero()[:, 0]
    noise = torch.randn(len(noisy), *images.shape[1:], generator=generator)
    noise *= level[noisy, None, None, None]

    cos, sin = angle.cos() * side, angle.sin() * side
    aspect = (height - 1) / (width - 1)
    rows = [[cos, -sin * aspect, center[:, 0]], [sin / aspect, cos, center[:, 1]]]
    theta = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    theta[:, :, 0] *= 1 - 2 * mirrored[:, None].float()
    grid = F.affine_grid(theta, list(images.shape), align_corners=True)
    result = F.grid_sample(images, grid, align_corners=True)

    blurred = sigma.nonzero()[:, 0]
    radius = max(1, math.ceil(2 * largest))
    kernel = torch.exp(-((torch.arange(-radius, radius + 1) / sigma[blurred, None]) ** 2) / 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(n_channels, dim=0)
    maps = result[blurred].reshape(1, -1, height, width)
    maps = F.pad(maps, (radius,) * 4, mode="reflect")
    maps = F.conv2d(maps, kernel[:, None, :, None], groups=len(kernel))
    maps = F.conv2d(maps, kernel[:, None, None, :], groups=len(kernel))
    result[blurred] = maps.view(-1, n_channels, height, width)
    return result.index_add(0, noisy, noise).clamp(0, 1)


@pytest.mark.parametrize("name", ["paper", "xray", "digits"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 28), (1, 32, 32), (1, 28, 40)])
def test_views_of_small_images_stay_the_same(name, shape):
    """Up to rounding: on some processors, a convolution sums in another order."""
    images = torch.rand(64, *shape, generator=seeded(1))
    views = PRESETS[name](images, seeded())
    before = views_of_before(PRESETS[name], images, seeded())
    torch.testing.assert_close(views, before, rtol=0, atol=1e-5)


def at_28(images):
    return F.interpolate(images, (28, 28), mode="area")


@pytest.mark.parametrize("side", [56, 112, 224])
def test_noise_of_larger_images_does_not_average_out(side):
    """White noise of 224 pixels would keep an eighth of its deviation in means of 8 x 8."""
    gray = torch.full((100, 1, side, side), 0.5)
    noise = only(noise=0.1)(gray, seeded()) - gray
    small = only(noise=0.1)(at_28(gray), seeded()) - 0.5
    assert noise.std().item() == pytest.approx(small.std().item(), rel=0.1)
    assert at_28(noise).std().item() == pytest.approx(small.std().item(), rel=0.25)
    assert noise.mean().abs() < 1e-3


def test_noise_of_a_long_image_has_round_grains():
    drawn = only(noise=0.1).draw((4, 3, 56, 225), seeded())
    assert drawn.noise.shape == (4, 3, 28, 113)


def gaussian(images, sigma):
    """Blur as the definition has it, with a kernel that ends far out."""
    radius = math.ceil(4 * sigma)
    kernel = torch.exp(-((torch.arange(-radius, radius + 1) / sigma) ** 2) / 2)
    kernel /= kernel.sum()
    padded = F.pad(images, (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None])


@pytest.mark.parametrize("shape", [(112, 112), (224, 224), (225, 301), (512, 512)])
def test_a_wide_blur_in_half_the_resolution_is_that_of_the_definition(shape):
    """Errors are compared with the contrast that is left; the kernel of before had 2 % as well."""
    images = torch.rand(6, 1, *shape, generator=seeded(1))
    images[:, :, : shape[0] // 2] += 1  # an edge, and texture
    images /= 2
    views = only(blur=1.0)
    drawn = views.draw(images.shape, seeded())
    blurred = views.apply(images, drawn)
    assert drawn.sigma.max() > min(shape) / 40
    for one, image, sigma in zip(blurred, images, drawn.sigma, strict=True):
        exact = gaussian(image[None], sigma.item())[0]
        assert (one - exact).square().mean().sqrt() < 0.01 * exact.std() + 1e-6
        assert (one - exact).abs().max() < 0.1 * exact.std()


def test_a_blur_leaves_the_other_images_of_its_batch_alone():
    images = torch.rand(8, 1, 128, 128, generator=seeded(1))
    views = ImageViews(**{**NOTHING, "blur": 1.0})
    drawn = views.draw(images.shape, seeded())
    blurred = views.apply(images, drawn)
    changed = (blurred - images).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert torch.equal(changed, drawn.sigma > 0.3)
    before = images.clone()
    views.apply(images, drawn)
    assert torch.equal(images, before)
