"""Random views of volumes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .._utils.devices import send
from ._draws import check_not_negative, check_shares, uniform


class DrawnVolumeViews(NamedTuple):
    """Parameters of one view per volume, on the CPU.

    Attributes
    ----------
    turn : Tensor of shape (n_samples, 3, 3)
        Rotation of the axes (D, H, W); the identity is no rotation.
    side : Tensor of shape (n_samples,)
        Side of the crop, relative to the volume; 1 is no crop.
    center : Tensor of shape (n_samples, 3)
        Centre of the crop along D, H and W, in [-1, 1].
    mirrored : Tensor of shape (n_samples, 3), bool
        Whether the volume is mirrored along D, H and W.
    sigma : Tensor of shape (n_samples,)
        Standard deviation of the blur in voxels; 0 is no blur.
    noisy : Tensor of shape (n_noisy,)
        Indices of the volumes that get noise.
    noise : Tensor of shape (n_noisy, C, D, H, W)
        Noise of these volumes.
    """

    turn: Tensor
    side: Tensor
    center: Tensor
    mirrored: Tensor
    sigma: Tensor
    noisy: Tensor
    noise: Tensor


@dataclass(frozen=True)
class VolumeViews:
    """Views of volumes: rotation, rescaled crop, flips, blur and noise, each drawn per volume.

    Parameters
    ----------
    degrees : float, default=30
        Largest rotation. Its axis is any direction, and its angle is uniform in [0, degrees].
    min_crop : float, default=0.5
        Smallest share of the volume that a crop keeps. Shares are uniform in [min_crop, 1].
    flip_axes : tuple of int, default=(2,)
        Axes along which volumes may be mirrored, each on its own: 0 is D, 1 is H, and 2 is W. In
        slices as radiologists look at them, W is left to right.
    blur : float, default=1.0
        Largest standard deviation of the Gaussian blur, in voxels for volumes of 28 x 28 x 28. It
        is scaled with the shortest side of other volumes.
    noise : float, default=0.1
        Largest standard deviation of the Gaussian noise, for intensities in [0, 1].
    voxel_size : tuple of float, default=(1, 1, 1)
        Lengths of a voxel along D, H and W, in any unit. Rotations need their proportions, such as
        (3, 1, 1) for slices that are three times as thick as a pixel.
    probability : float, default=0.5
        Probability of each transform per volume.

    Notes
    -----
    Rotation, flips and crop are one affine map, so that a volume is interpolated only once.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.augmentations import VolumeViews
    >>> volumes = torch.rand(4, 1, 16, 28, 28)
    >>> view = VolumeViews(flip_axes=())(volumes, torch.Generator().manual_seed(0))
    >>> view.shape
    torch.Size([4, 1, 16, 28, 28])
    """

    degrees: float = 30.0
    min_crop: float = 0.5
    flip_axes: tuple[int, ...] = (2,)
    blur: float = 1.0
    noise: float = 0.1
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0)
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_shares(min_crop=self.min_crop, probability=self.probability)
        check_not_negative(degrees=self.degrees, blur=self.blur, noise=self.noise)
        if not set(self.flip_axes) <= {0, 1, 2}:
            raise ValueError(
                f"flip_axes must be some of 0 (D), 1 (H) and 2 (W), got {self.flip_axes!r}. Pass "
                "() for no flips."
            )
        if len(self.voxel_size) != 3 or not all(0 < size < torch.inf for size in self.voxel_size):
            raise ValueError(
                "voxel_size must be three positive lengths, along D, H and W, got "
                f"{self.voxel_size!r}. Pass (1, 1, 1) for voxels that are cubes."
            )

    def __call__(self, volumes: Tensor, generator: Generator) -> Tensor:
        """Draw and apply one view per volume.

        Parameters
        ----------
        volumes : Tensor of shape (n_samples, C, D, H, W)
            Intensities in [0, 1].
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        views : Tensor of shape (n_samples, C, D, H, W)
            Intensities in [0, 1].
        """
        return self.apply(volumes, self.draw(volumes.shape, generator))

    def draw(self, shape: Sequence[int], generator: Generator) -> DrawnVolumeViews:
        """Draw the parameters of one view per volume, without looking at the volumes.

        Parameters
        ----------
        shape : tuple of int
            Shape of the batch, (n_samples, C, D, H, W).
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        drawn : DrawnVolumeViews
        """
        n, _, *sides = shape
        angle = uniform(n, 0.0, self.degrees, generator).deg2rad() * self._chosen(n, generator)
        # Normal numbers in each direction lead to axes of rotation in any direction alike.
        axis = F.normalize(torch.randn(n, 3, generator=generator), dim=1)
        share = uniform(n, self.min_crop, 1.0, generator)
        side = torch.where(self._chosen(n, generator), share ** (1 / 3), torch.ones(n))
        # A crop of relative side s is inside the volume if its centre is in [s - 1, 1 - s].
        center = uniform(3 * n, -1.0, 1.0, generator).view(n, 3) * (1 - side[:, None])
        allowed = torch.tensor([number in self.flip_axes for number in range(3)])
        mirrored = self._chosen(3 * n, generator).view(n, 3) & allowed
        largest = self.blur * min(sides) / 28
        sigma = uniform(n, 0.1, max(0.1, largest), generator)
        blurred = self._chosen(n, generator) & (self.blur > 0)
        level = uniform(n, 0.0, self.noise, generator)
        (noisy,) = torch.nonzero(self._chosen(n, generator), as_tuple=True)
        noise = torch.randn(len(noisy), *shape[1:], generator=generator)
        noise *= level[noisy, None, None, None, None]
        turn = _rotation(axis, angle)
        return DrawnVolumeViews(turn, side, center, mirrored, sigma * blurred, noisy, noise)

    def apply(self, volumes: Tensor, drawn: DrawnVolumeViews) -> Tensor:
        """Apply the parameters of drawn views, with the same result each time.

        Parameters
        ----------
        volumes : Tensor of shape (n_samples, C, D, H, W)
            Intensities in [0, 1].
        drawn : DrawnVolumeViews
            Parameters for a batch of this shape.

        Returns
        -------
        views : Tensor of shape (n_samples, C, D, H, W)
            Intensities in [0, 1].
        """
        views = _warp(volumes, drawn, self.voxel_size)
        views = _blur(views, drawn.sigma)
        noisy, noise = send(drawn.noisy, volumes.device), send(drawn.noise, volumes.device)
        return views.index_add(0, noisy, noise).clamp(0, 1)

    def _chosen(self, n: int, generator: Generator) -> Tensor:
        return torch.rand(n, generator=generator) < self.probability


def _rotation(axis: Tensor, angle: Tensor) -> Tensor:
    """Return the matrices (n, 3, 3) that turn by angles about axes of unit length."""
    x, y, z = axis.T
    none = torch.zeros_like(x)
    # The generator of the rotation: its exponential turns by its length.
    rows = [[none, -z, y], [z, none, -x], [-y, x, none]]
    generator = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    return torch.linalg.matrix_exp(generator * angle[:, None, None])


def _warp(
    volumes: Tensor, drawn: DrawnVolumeViews, voxel_size: tuple[float, float, float]
) -> Tensor:
    """Rotate, crop and mirror volumes in one interpolation."""
    # The normalised coordinates end at the centres of the outermost voxels, so that a crop uses no
    # values from outside the volume. A rotation needs the lengths of the sides between these.
    pairs = zip(volumes.shape[2:], voxel_size, strict=True)
    length = torch.tensor([(side - 1) * size for side, size in pairs])
    linear = drawn.turn * drawn.side[:, None, None] * length / length[:, None]
    linear = linear * (1 - 2 * drawn.mirrored.float())[:, None]
    theta = torch.cat([linear, drawn.center[:, :, None]], dim=2)  # (n, 3, 4) in the order D, H, W
    # Torch has the order W, H, D.
    theta = torch.cat([theta[:, :, :3].flip(1, 2), theta[:, :, 3:].flip(1)], dim=2)
    grid = F.affine_grid(send(theta, volumes.device), list(volumes.shape), align_corners=True)
    return F.grid_sample(volumes, grid, align_corners=True)


def _blur(volumes: Tensor, sigma: Tensor) -> Tensor:
    """Blur volumes along each axis; at the border, the weights inside are scaled to a sum of 1."""
    (drawn,) = torch.nonzero(sigma, as_tuple=True)
    if len(drawn) == 0:
        return volumes
    sigma, drawn = send(sigma[drawn], volumes.device), send(drawn, volumes.device)
    blurred = volumes[drawn]
    for axis in (2, 3, 4):
        place = torch.arange(volumes.shape[axis], device=volumes.device)
        distance = (place - place[:, None]) / sigma[:, None, None]
        weights = torch.softmax(-(distance**2) / 2, dim=2)  # (n_drawn, side, side)
        lines = blurred.movedim(axis, 2)
        blurred = torch.einsum("nij,ncjkl->ncikl", weights, lines).movedim(2, axis)
    views = volumes.clone()
    views[drawn] = blurred
    return views
