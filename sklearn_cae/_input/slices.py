"""Pictures of volumes: their middle slices across the three axes, one below the other."""

import numpy as np

from .axes import VOLUME_SIDES

#: Slices in the picture of a volume.
N_SLICES = 3


def are_volumes(images):
    """Return whether images are volumes, (n, D, H, W), also with an axis of channels.

    A side of a volume has at least 8 voxels, and an axis of channels at most 4, so that volumes
    and images with channels cannot be confused.
    """
    shape = np.shape(images)[1:]
    return len(shape) == 4 or (len(shape) == 3 and min(shape) >= VOLUME_SIDES[0])


def middle_slices(volumes):
    """Return the middle slices of volumes across D, H and W.

    If D goes from the feet to the head, and H from front to back, they are axial, coronal and
    sagittal ones, with the head at the top.

    Parameters
    ----------
    volumes : ndarray of shape (n, D, H, W, C)

    Returns
    -------
    slices : list of ndarray of shape (n, H, W, C), (n, D, W, C) and (n, D, H, C)
    """
    depth, height, width = (side // 2 for side in volumes.shape[1:4])
    upwards = volumes[:, ::-1]
    return [volumes[:, depth], upwards[:, :, height], upwards[:, :, :, width]]


def stack(slices):
    """Put slices one below the other, with a thin gap.

    Parameters
    ----------
    slices : list of ndarray of shape (n, height, width, C)
        Slices of any height and width.

    Returns
    -------
    pictures : ndarray of shape (n, sum of heights and gaps, largest width, C), float64
        NaN between slices and beside narrow ones.
    """
    widest = max(each.shape[2] for each in slices)
    n_volumes, _, _, n_channels = slices[0].shape
    gap = np.full((n_volumes, max(1, widest // 16), widest, n_channels), np.nan)
    first, *others = (_center(each, widest) for each in slices)
    return np.concatenate([first, *(part for each in others for part in (gap, each))], axis=1)


def _center(images, width):
    """Add columns of NaN to the left and right of images (n, H, W, C)."""
    left = (width - images.shape[2]) // 2
    right = width - images.shape[2] - left
    columns = [(0, 0), (0, 0), (left, right), (0, 0)]
    return np.pad(images.astype(float), columns, constant_values=np.nan)
