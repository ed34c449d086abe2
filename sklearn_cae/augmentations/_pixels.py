"""Transforms of a batch of images, each with one set of parameters per image.

All but `warp` work in place, because new memory takes as long as the transforms of large images.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .._utils.devices import send

_WIDEST = 4.0  # standard deviation in pixels of the widest blur of images in full resolution
_HALVED_FROM = 56  # pixels; smaller images are always blurred in full resolution


def warp(images: Tensor, theta: Tensor) -> Tensor:
    """Interpolate each image (n, C, H, W) once, at the points of an affine map (n, 2, 3)."""
    _, _, height, width = images.shape
    device = images.device
    x, y = (torch.linspace(-1, 1, side, device=device) for side in (width, height))
    of_x, of_y, shift = send(theta, device)[..., None, None].unbind(2)  # (n, 2, 1, 1)
    # The bits of F.affine_grid in a tenth of its time, most of which is a product of matrices.
    grid = (of_x * x + of_y * y[:, None]).add_(shift)  # (n, 2, H, W)
    grid = grid.permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, align_corners=True)


def blur(images: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Blur each image by a Gaussian of `sigma` (n,) pixels, of which none is above `largest`."""
    height, width = images.shape[2:]
    is_wide = sigma > _WIDEST if min(height, width) >= _HALVED_FROM else sigma < 0
    (wide,) = torch.nonzero(is_wide, as_tuple=True)
    (narrow,) = torch.nonzero((sigma > 0) & ~is_wide, as_tuple=True)
    if len(narrow):
        # All images of a batch have the radius of the widest possible blur. It must be smaller
        # than the image, because pixels are reflected at the border.
        widest = min(largest, _WIDEST) if min(height, width) >= _HALVED_FROM else largest
        radius = min(max(1, math.ceil(2 * widest)), min(height, width) - 1)
        there = send(narrow, images.device)
        images.index_copy_(0, there, _convolve(images[there], sigma[narrow], radius))
    if len(wide):
        there = send(wide, images.device)
        images.index_copy_(0, there, _blur_wide(images[there], sigma[wide], largest))
    return images


def _blur_wide(images: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Blur images in half of their resolution, where kernels are half as long."""
    height, width = images.shape[2:]
    coarse = F.avg_pool2d(images, 2, ceil_mode=True)
    # Halving and enlarging widen a blur by about what a kernel that ends at two deviations lacks.
    coarse = blur(coarse, sigma / 2, largest / 2)
    return F.interpolate(coarse, scale_factor=2, mode="bilinear")[..., :height, :width]


def _convolve(images: Tensor, sigma: Tensor, radius: int) -> Tensor:
    n, n_channels, height, width = images.shape
    distance = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-((distance / sigma[:, None]) ** 2) / 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(n_channels, dim=0)
    kernel = send(kernel, images.device)  # (n * C, 2 * radius + 1)
    # Images and channels become the groups of one depthwise convolution per direction.
    maps = images.reshape(1, n * n_channels, height, width)
    maps = F.pad(maps, (radius,) * 4, mode="reflect")
    maps = F.conv2d(maps, kernel[:, None, :, None], groups=len(kernel))
    maps = F.conv2d(maps, kernel[:, None, None, :], groups=len(kernel))
    return maps.view(n, n_channels, height, width)
