"""Random views of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .._utils.devices import send
from ._draws import check_not_negative, check_shares, uniform
from ._pixels import blur, change_tint, change_tone, warp

FILLS = ("zeros", "reflection")


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
    noise : Tensor of shape (n_noisy, C, h, w)
        Noise of these images, one value per grain. h and w are H and W for images with a shorter
        side below 56 pixels, and about 28 for larger ones.
    upside_down : Tensor of shape (n_samples,), bool
        Whether the image is mirrored top to bottom.
    tone : Tensor of shape (n_samples, 3)
        Exponent (gamma), and factors of brightness and contrast; 1 is no change.
    tint : Tensor of shape (n_samples, 2)
        Angle of the hue in radians, and factor of the saturation; (0, 1) is no change.
    """

    angle: Tensor
    side: Tensor
    center: Tensor
    mirrored: Tensor
    sigma: Tensor
    noisy: Tensor
    noise: Tensor
    upside_down: Tensor
    tone: Tensor
    tint: Tensor


@dataclass(frozen=True)
class ImageViews:
    """The paper's views (rotation, rescaled crop, flip, blur, noise) and more, drawn per image.

    The default values are the paper's, and switch off the others.

    Parameters
    ----------
    degrees : float, default=30
        Largest rotation. Rotations are uniform in [-degrees, degrees]; 180 is any rotation.
    min_crop : float, default=0.5
        Smallest share of the area that a crop keeps. Shares are uniform in [min_crop, 1].
    flip : bool, default=True
        Whether images may be mirrored left to right.
    blur : float, default=1.0
        Largest standard deviation of the Gaussian blur, in pixels for images of 28 x 28. It is
        scaled with the shorter side of other images.
    noise : float, default=0.1
        Largest standard deviation of the Gaussian noise, for intensities in [0, 1]. From 56 pixels
        on, its grains grow with the shorter side, and stay about as wide as a pixel of 28 x 28.
    probability : float, default=0.5
        Probability of each transform per image. Brightness, contrast and gamma are one transform,
        and hue and saturation are one.
    vertical_flip : bool, default=False
        Whether images may be mirrored top to bottom.
    intensity : float, default=0.0
        Largest change of the intensities, from 0 to 1. Brightness is multiplied by 1 - intensity to
        1 + intensity, the contrast around the mean of the image, too, and intensities are raised to
        a power from exp(-intensity) to exp(intensity) [2]_.
    color : float, default=0.0
        Largest change of colours, from 0 to 1. The saturation is multiplied by 1 - color to
        1 + color, and the hue is turned by at most color / 4 of the circle of colours [1]_. Three
        channels count as red, green and blue. Other images have no colours, and do not change.
    fill : {"zeros", "reflection"}, default="zeros"
        What fills the corners of a rotated image: the darkest intensity, or the image mirrored at
        its border.

    Notes
    -----
    Rotation, flip and crop are one affine map, so that an image is interpolated only once.

    White noise averages out in larger images: at 224 pixels, a network that looks at 28 x 28 means
    would see an eighth of it. With grains it sees about as much at all sizes.

    References
    ----------
    .. [1] Chen, T., Kornblith, S., Norouzi, M., & Hinton, G. (2020). A simple framework for
       contrastive learning of visual representations. ICML. Saturation changes four times as much
       as hue.
    .. [2] Isensee, F., Jaeger, P. F., Kohl, S. A. A., Petersen, J., & Maier-Hein, K. H. (2021).
       nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation.
       Nature Methods, 18, 203-211. Brightness and contrast from .75 to 1.25, and gamma.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.augmentations import ImageViews
    >>> images = torch.rand(8, 3, 28, 28)
    >>> views = ImageViews(degrees=180, vertical_flip=True, color=0.2, fill="reflection")
    >>> views(images, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 3, 28, 28])
    """

    degrees: float = 30.0
    min_crop: float = 0.5
    flip: bool = True
    blur: float = 1.0
    noise: float = 0.1
    probability: float = 0.5
    vertical_flip: bool = False
    intensity: float = 0.0
    color: float = 0.0
    fill: str = "zeros"

    def __post_init__(self) -> None:
        check_shares(
            min_crop=self.min_crop,
            probability=self.probability,
            intensity=self.intensity,
            color=self.color,
        )
        check_not_negative(degrees=self.degrees, blur=self.blur, noise=self.noise)
        if self.fill not in FILLS:
            raise ValueError(f"fill must be one of {list(FILLS)}, got {self.fill!r}.")

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
        sigma = uniform(n, 0.1, max(0.1, self._widest_blur(height, width)), generator)
        blurred = self._chosen(n, generator) & (self.blur > 0)
        noisy, noise = self._draw_noise(shape, generator)
        # These draw nothing if they are off, so that the numbers above lead to the same views.
        upside_down = torch.zeros(n, dtype=torch.bool)
        if self.vertical_flip:
            upside_down = self._chosen(n, generator)
        tone, tint = self._draw_tone(n, generator), self._draw_tint(n, generator)
        sigma = sigma * blurred
        return DrawnViews(
            angle, side, center, mirrored, sigma, noisy, noise, upside_down, tone, tint
        )

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
        size = images.shape[2:]
        views = warp(images, _affine_map(drawn, *size), fill=self.fill)
        views = change_tint(change_tone(views, drawn.tone), drawn.tint)
        views = blur(views, drawn.sigma, self._widest_blur(*size))
        noisy, noise = send(drawn.noisy, images.device), send(drawn.noise, images.device)
        return views.index_add_(0, noisy, _enlarge(noise, size)).clamp_(0, 1)

    def _chosen(self, n: int, generator: Generator) -> Tensor:
        return torch.rand(n, generator=generator) < self.probability

    def _widest_blur(self, height: int, width: int) -> float:
        return self.blur * min(height, width) / 28

    def _draw_noise(self, shape: Sequence[int], generator: Generator) -> tuple[Tensor, Tensor]:
        n, n_channels, height, width = shape
        level = uniform(n, 0.0, self.noise, generator)
        (noisy,) = torch.nonzero(self._chosen(n, generator), as_tuple=True)
        grain = max(1, min(height, width) // 28)  # side of a grain in pixels
        n_grains = [-(-side // grain) for side in (height, width)]
        noise = torch.randn(len(noisy), n_channels, *n_grains, generator=generator)
        noise *= level[noisy, None, None, None]
        return noisy, noise

    def _draw_tone(self, n: int, generator: Generator) -> Tensor:
        if not self.intensity:
            return torch.ones(n, 3)
        gamma = uniform(n, -self.intensity, self.intensity, generator).exp()
        factors = uniform(2 * n, 1 - self.intensity, 1 + self.intensity, generator).view(n, 2)
        tone = torch.cat([gamma[:, None], factors], dim=1)
        return torch.where(self._chosen(n, generator)[:, None], tone, torch.ones(3))

    def _draw_tint(self, n: int, generator: Generator) -> Tensor:
        no_change = torch.tensor([0.0, 1.0])
        if not self.color:
            return no_change.expand(n, 2)
        hue = uniform(n, -self.color / 4, self.color / 4, generator) * (2 * torch.pi)
        saturation = uniform(n, 1 - self.color, 1 + self.color, generator)
        tint = torch.stack([hue, saturation], dim=1)
        return torch.where(self._chosen(n, generator)[:, None], tint, no_change)


def _enlarge(noise: Tensor, size: Sequence[int]) -> Tensor:
    """Enlarge the grains of noise to the size of an image."""
    if noise.shape[2:] == size:
        return noise
    # Values between two grains are means of both. 1.5 makes up for their smaller deviation.
    return 1.5 * F.interpolate(noise, size, mode="bilinear")


def _affine_map(drawn: DrawnViews, height: int, width: int) -> Tensor:
    """Return rotation, crop and flips as one affine map per image, (n_samples, 2, 3)."""
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
    )
    theta[:, :, 0] *= 1 - 2 * drawn.mirrored[:, None].float()
    theta[:, :, 1] *= 1 - 2 * drawn.upside_down[:, None].float()
    return theta
