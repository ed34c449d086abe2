"""Random views of images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .._utils.devices import send
from ._draws import check_not_negative, check_shares, uniform


class DrawnViews(NamedTuple):
    """Parameters of one view per image, on the CPU.

    Attributes
    ----------
    angle : Tensor of shape (n_samples,)
        Rotation in radians; 0 is no rotation.
    side : Tensor of shape (n_samples,)
        Side of the crop, relative to the image; 1 is no crop.
    center : Tensor of shape (n_samples, 2)
        Centre of the crop, (x, y) in [-1, 1].
    mirrored : Tensor of shape (n_samples,), bool
        Whether the image is mirrored left to right.
    sigma : Tensor of shape (n_samples,)
        Standard deviation of the blur in pixels; 0 is no blur.
    noisy : Tensor of shape (n_noisy,)
        Indices of the images that get noise.
    noise : Tensor of shape (n_noisy, C, H, W)
        Noise of these images.
    """

    angle: Tensor
    side: Tensor
    center: Tensor
    mirrored: Tensor
    sigma: Tensor
    noisy: Tensor
    noise: Tensor


@dataclass(frozen=True)
class ImageViews:
    """The paper's views: rotation, rescaled crop, flip, blur and noise, each drawn per image.

    Parameters
    ----------
    degrees : float, default=30
        Largest rotation. Rotations are uniform in [-degrees, degrees].
    min_crop : float, default=0.5
        Smallest share of the area that a crop keeps. Shares are uniform in [min_crop, 1].
    flip : bool, default=True
        Whether images may be mirrored left to right.
    blur : float, default=1.0
        Largest standard deviation of the Gaussian blur, in pixels for images of 28 x 28. It is
        scaled with the shorter side of other images.
    noise : float, default=0.1
        Largest standard deviation of the Gaussian noise, for intensities in [0, 1].
    probability : float, default=0.5
        Probability of each transform per image.

    Notes
    -----
    Rotation, flip and crop are one affine map, so that an image is interpolated only once.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.augmentations import ImageViews
    >>> images = torch.rand(8, 1, 28, 28)
    >>> view = ImageViews()(images, torch.Generator().manual_seed(0))
    >>> view.shape
    torch.Size([8, 1, 28, 28])
    """

    degrees: float = 30.0
    min_crop: float = 0.5
    flip: bool = True
    blur: float = 1.0
    noise: float = 0.1
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_shares(min_crop=self.min_crop, probability=self.probability)
        check_not_negative(degrees=self.degrees, blur=self.blur, noise=self.noise)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Draw and apply one view per image.

        Parameters
        ----------
        images : Tensor of shape (n_samples, C, H, W)
            Intensities in [0, 1].
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        views : Tensor of shape (n_samples, C, H, W)
            Intensities in [0, 1].
        """
        return self.apply(images, self.draw(images.shape, generator))

    def draw(self, shape: Sequence[int], generator: Generator) -> DrawnViews:
        """Draw the parameters of one view per image, without looking at the images.

        Parameters
        ----------
        shape : tuple of int
            Shape of the batch, (n_samples, C, H, W).
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        drawn : DrawnViews
        """
        n, _, height, width = shape
        angle = uniform(n, -self.degrees, self.degrees, generator).deg2rad()
        angle = angle * self._chosen(n, generator)
        area = uniform(n, self.min_crop, 1.0, generator)
        side = torch.where(self._chosen(n, generator), area.sqrt(), torch.ones(n))
        mirrored = self._chosen(n, generator) & self.flip
        # A crop of relative side s is inside the image if its centre is in [s - 1, 1 - s].
        center = uniform(2 * n, -1.0, 1.0, generator).view(n, 2) * (1 - side[:, None])
        largest = self.blur * min(height, width) / 28
        sigma = uniform(n, 0.1, max(0.1, largest), generator)
        blurred = self._chosen(n, generator) & (self.blur > 0)
        level = uniform(n, 0.0, self.noise, generator)
        (noisy,) = torch.nonzero(self._chosen(n, generator), as_tuple=True)
        noise = torch.randn(len(noisy), *shape[1:], generator=generator)
        noise *= level[noisy, None, None, None]
        return DrawnViews(angle, side, center, mirrored, sigma * blurred, noisy, noise)

    def apply(self, images: Tensor, drawn: DrawnViews) -> Tensor:
        """Apply the parameters of drawn views, with the same result each time.

        Parameters
        ----------
        images : Tensor of shape (n_samples, C, H, W)
            Intensities in [0, 1].
        drawn : DrawnViews
            Parameters for a batch of this shape.

        Returns
        -------
        views : Tensor of shape (n_samples, C, H, W)
            Intensities in [0, 1].
        """
        views = _warp(images, drawn)
        views = self._blur(views, drawn.sigma)
        noisy, noise = send(drawn.noisy, images.device), send(drawn.noise, images.device)
        return views.index_add(0, noisy, noise).clamp(0, 1)

    def _chosen(self, n: int, generator: Generator) -> Tensor:
        return torch.rand(n, generator=generator) < self.probability

    def _blur(self, images: Tensor, sigma: Tensor) -> Tensor:
        (drawn,) = torch.nonzero(sigma, as_tuple=True)
        if len(drawn) == 0:
            return images
        _, n_channels, height, width = images.shape
        # All images of a batch have the radius of the widest possible blur. It must be smaller
        # than the image, because pixels are reflected at the border.
        largest = self.blur * min(height, width) / 28
        radius = min(max(1, math.ceil(2 * largest)), min(height, width) - 1)
        distance = torch.arange(-radius, radius + 1)
        kernel = torch.exp(-((distance / sigma[drawn, None]) ** 2) / 2)
        kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(n_channels, dim=0)
        kernel = send(kernel, images.device)  # (n_drawn * C, 2 * radius + 1)
        drawn = send(drawn, images.device)
        # Images and channels become the groups of one depthwise convolution per direction.
        maps = images[drawn].reshape(1, -1, height, width)
        maps = F.pad(maps, (radius,) * 4, mode="reflect")
        maps = F.conv2d(maps, kernel[:, None, :, None], groups=len(kernel))
        maps = F.conv2d(maps, kernel[:, None, None, :], groups=len(kernel))
        views = images.clone()
        views[drawn] = maps.view(-1, n_channels, height, width)
        return views


def _warp(images: Tensor, drawn: DrawnViews) -> Tensor:
    """Rotate, crop and mirror images in one interpolation."""
    _, _, height, width = images.shape
    cos, sin = drawn.angle.cos() * drawn.side, drawn.angle.sin() * drawn.side
    # The normalised coordinates end at the centres of the outermost pixels, so that a crop uses no
    # values from outside the image. A rotation needs the aspect ratio of these coordinates.
    aspect = (height - 1) / (width - 1)
    theta = torch.stack(
        [
            torch.stack([cos, -sin * aspect, drawn.center[:, 0]], dim=1),
            torch.stack([sin / aspect, cos, drawn.center[:, 1]], dim=1),
        ],
        dim=1,
    )  # (n, 2, 3)
    theta[:, :, 0] *= 1 - 2 * drawn.mirrored[:, None].float()
    grid = F.affine_grid(send(theta, images.device), list(images.shape), align_corners=True)
    return F.grid_sample(images, grid, align_corners=True)
