"""Random views of a batch, drawn per sample and computed on the device of the batch.

All random numbers come from one CPU generator. A seed therefore leads to the same views on every
device, and a training step never waits for the device.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ._utils.devices import send

__all__ = ["PRESETS", "DrawnVectorViews", "DrawnViews", "ImageViews", "VectorViews"]


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
        _check_shares(min_crop=self.min_crop, probability=self.probability)
        _check_not_negative(degrees=self.degrees, blur=self.blur, noise=self.noise)

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
        angle = _uniform(n, -self.degrees, self.degrees, generator).deg2rad()
        angle = angle * self._chosen(n, generator)
        area = _uniform(n, self.min_crop, 1.0, generator)
        side = torch.where(self._chosen(n, generator), area.sqrt(), torch.ones(n))
        mirrored = self._chosen(n, generator) & self.flip
        # A crop of relative side s is inside the image if its centre is in [s - 1, 1 - s].
        center = _uniform(2 * n, -1.0, 1.0, generator).view(n, 2) * (1 - side[:, None])
        largest = self.blur * min(height, width) / 28
        sigma = _uniform(n, 0.1, max(0.1, largest), generator)
        blurred = self._chosen(n, generator) & (self.blur > 0)
        level = _uniform(n, 0.0, self.noise, generator)
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


class DrawnVectorViews(NamedTuple):
    """Parameters of one view per vector, on the CPU.

    Attributes
    ----------
    noise : Tensor of shape (n_samples, n_features)
        Noise that is added.
    kept : Tensor of shape (n_samples, n_features), bool
        Whether a feature is kept, not masked.
    """

    noise: Tensor
    kept: Tensor


@dataclass(frozen=True)
class VectorViews:
    """Views of vectors: Gaussian noise and masked features, each drawn per sample.

    Parameters
    ----------
    noise : float, default=0.1
        Standard deviation of the noise, for standardised features.
    mask : float, default=0.2
        Share of the features that are set to 0, their mean.
    probability : float, default=0.5
        Probability of each transform per sample.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.augmentations import VectorViews
    >>> VectorViews()(torch.ones(8, 5), torch.Generator().manual_seed(0)).shape
    torch.Size([8, 5])
    """

    noise: float = 0.1
    mask: float = 0.2
    probability: float = 0.5

    def __post_init__(self) -> None:
        _check_shares(mask=self.mask, probability=self.probability)
        _check_not_negative(noise=self.noise)

    def __call__(self, vectors: Tensor, generator: Generator) -> Tensor:
        """Draw and apply one view per vector.

        Parameters
        ----------
        vectors : Tensor of shape (n_samples, n_features)
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        views : Tensor of shape (n_samples, n_features)
        """
        return self.apply(vectors, self.draw(vectors.shape, generator))

    def draw(self, shape: Sequence[int], generator: Generator) -> DrawnVectorViews:
        """Draw the parameters of one view per vector, without looking at the vectors.

        Parameters
        ----------
        shape : tuple of int
            Shape of the batch, (n_samples, n_features).
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        drawn : DrawnVectorViews
        """
        noisy = torch.rand(shape[0], 1, generator=generator) < self.probability
        masked = torch.rand(shape[0], 1, generator=generator) < self.probability
        noise = torch.randn(shape, generator=generator) * self.noise * noisy
        kept = ~((torch.rand(shape, generator=generator) < self.mask) & masked)
        return DrawnVectorViews(noise, kept)

    def apply(self, vectors: Tensor, drawn: DrawnVectorViews) -> Tensor:
        """Apply the parameters of drawn views, with the same result each time.

        Parameters
        ----------
        vectors : Tensor of shape (n_samples, n_features)
        drawn : DrawnVectorViews
            Parameters for a batch of this shape.

        Returns
        -------
        views : Tensor of shape (n_samples, n_features)
        """
        device = vectors.device
        return (vectors + send(drawn.noise, device)) * send(drawn.kept, device)


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is a share and must be from 0 to 1, got {share!r}.")


def _check_not_negative(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {value!r}.")


def _uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)


#: Presets of `augmentation=`, by name.
PRESETS: dict[str, Callable] = {
    "paper": ImageViews(),
    "xray": ImageViews(degrees=10.0, min_crop=0.8, flip=False, noise=0.05),
    "digits": ImageViews(flip=False),
    "vector": VectorViews(),
}


def choose_views(augmentation: str | Callable, *, is_image: bool) -> Callable:
    """Return the preset of a name, or wrap a user's own callable with the signature of a preset.

    A user's own callable is called once for the first views and once for the second ones. If it
    has a method `set_random_state`, a copy of it is seeded for each batch.
    """
    name = augmentation
    if isinstance(name, type):
        raise TypeError(
            f"augmentation must be a preset or a callable on a batch, got the class "
            f"{name.__name__}. Pass {name.__name__}()."
        )
    if name == "paper" and not is_image:
        name = "vector"  # the default for vectors
    if not callable(name) and name not in list(PRESETS):  # a list, because name may be unhashable
        raise ValueError(
            f"augmentation must be one of {sorted(PRESETS)}, or a callable, got {name!r}."
        )
    views = PRESETS[name] if isinstance(name, str) else name
    if isinstance(views, VectorViews if is_image else ImageViews):
        kind = "images" if is_image else "vectors"
        way_out = "'paper', 'xray' or 'digits'" if is_image else "'vector', or set image_shape"
        raise ValueError(f"augmentation must fit {kind}, got {name!r}. Pass {way_out}.")
    if not are_own_views(views):
        return views
    if hasattr(views, "set_random_state"):
        return partial(_seed_and_apply_own, copy.deepcopy(views))
    return partial(_apply_own, views)


def are_own_views(augmentation: str | Callable) -> bool:
    """Return whether views are a user's own callable, which may draw from global generators."""
    return not isinstance(augmentation, (str, ImageViews, VectorViews))


def _seed_and_apply_own(augmentation: Any, samples: Tensor, generator: Generator) -> Tensor:
    # Seed each batch, so that a fit that resumes from a checkpoint draws the same views.
    seed = int(torch.randint(2**31, (), generator=generator))
    augmentation.set_random_state(seed=seed)
    return _apply_own(augmentation, samples, generator)


def _apply_own(augmentation: Callable, samples: Tensor, generator: Generator) -> Tensor:
    views = [augmentation(half) for half in samples.chunk(2)]
    wanted = (len(samples) // 2, *samples.shape[1:])
    for view in views:
        got = tuple(view.shape) if isinstance(view, torch.Tensor) else type(view).__name__
        if got != wanted:
            raise ValueError(
                f"augmentation must return a tensor of the shape of its batch, {wanted}, got "
                f"{got}. Change the callable."
            )
        if not view.is_floating_point():
            raise ValueError(
                f"augmentation must return floats, like its batch, got {view.dtype}. Change the "
                "callable."
            )
    return torch.cat(views).to(samples.device, samples.dtype)
