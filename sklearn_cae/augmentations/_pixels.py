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
# Red, green and blue to brightness and two axes of colour (YIQ, of NTSC).
_TO_YIQ = torch.tensor(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
)


def warp(images: Tensor, theta: Tensor, *, fill: str) -> Tensor:
    """Interpolate each image (n, C, H, W) once, at the points of an affine map (n, 2, 3)."""
    _, _, height, width = images.shape
    device = images.device
    x, y = (torch.linspace(-1, 1, side, device=device) for side in (width, height))
    of_x, of_y, shift = send(theta, device)[..., None, None].unbind(2)  # (n, 2, 1, 1)
    # The bits of F.affine_grid in a tenth of its time, most of which is a product of matrices.
    grid = (of_x * x + of_y * y[:, None]).add_(shift)  # (n, 2, H, W)
    grid = grid.permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, align_corners=True, padding_mode=fill)


def change_tone(images: Tensor, tone: Tensor) -> Tensor:
    """Apply gamma, brightness and contrast, the columns of `tone` (n, 3), to each image."""
    (changed,) = torch.nonzero((tone != 1).any(dim=1), as_tuple=True)
    if len(changed) == 0:
        return images
    gamma, brightness, contrast = send(tone[changed].T, images.device)[..., None, None, None]
    changed = send(changed, images.device)
    toned = images[changed].clamp(min=0) ** gamma * brightness
    mean = toned.mean(dim=(1, 2, 3), keepdim=True)
    return images.index_copy_(0, changed, (toned - mean) * contrast + mean)


def change_tint(images: Tensor, tint: Tensor) -> Tensor:
    """Turn the hue and scale the saturation, the columns of `tint` (n, 2), of each RGB image."""
    (changed,) = torch.nonzero((tint != tint.new_tensor([0.0, 1.0])).any(dim=1), as_tuple=True)
    if len(changed) == 0 or images.shape[1] != 3:
        return images
    hue, saturation = tint[changed].T
    cos, sin = hue.cos() * saturation, hue.sin() * saturation
    turn = torch.zeros(len(changed), 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = cos
    turn[:, 1, 2], turn[:, 2, 1] = -sin, sin
    matrix = send(_TO_YIQ.inverse() @ turn @ _TO_YIQ, images.device)
    changed = send(changed, images.device)
    tinted = matrix @ images[changed].flatten(2)  # (n_changed, 3, H * W)
    return images.index_copy_(0, changed, tinted.view(-1, *images.shape[1:]))


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
