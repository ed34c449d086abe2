"""Checks of training samples, and the choice of their format.

X is not copied; it is cast and scaled batch by batch, by the formats of `formats`.
"""

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._utils.warnings import warn
from .axes import find_axes
from .formats import ImageFormat, VectorFormat, holds_integers, share_clipped
from .passes import are_equal_within, extremes_of_features, scan_values

_LARGE_SHARE = 0.9  # of intensities; windows of soft tissue clip air and bone, but less than this
_LARGEST = 1e30  # decoded values may be some standard deviations larger


def holds_images(X, image_shape, spatial_dims=2):
    """Return whether samples are images or volumes and not vectors."""
    return image_shape is not None or len(X.shape) > 2 or spatial_dims == 3


def infer_image_format(X, image_shape, intensity_range, spatial_dims=2):
    """Find the format of training images or volumes.

    Parameters
    ----------
    X : ndarray of shape (n, H, W), (n, C, H, W), (n, H, W, C) or (n, n_features)
    image_shape : tuple of int or None
        Shape of one image, with its axes in the order of X.
    intensity_range : tuple of float or None
    spatial_dims : {2, 3}, default=2
        2 for images, 3 for volumes, which have an axis D before H.

    Returns
    -------
    format : ImageFormat
    """
    channels_first, channels_last = find_axes(X, image_shape, spatial_dims)
    return ImageFormat(
        sample_shape=X.shape[1:],
        image_shape=channels_first,
        channels_last=channels_last,
        is_integer=holds_integers(X),
        intensity_range=_find_intensity_range(X, intensity_range),
    )


def infer_vector_format(X):
    """Find the format of training vectors (n, n_features): their mean and scale."""
    low, high = extremes = extremes_of_features(X)
    if (low == high).all():
        raise ValueError(
            f"X must hold samples that differ, but all {len(X)} are equal. Check how they were "
            "read."
        )
    largest = np.abs(extremes).max(axis=0)
    if (largest > _LARGEST).any():
        worst = int(largest.argmax())
        raise ValueError(
            f"X must hold values of at most {_LARGEST:.0e}, so that decoded values fit into "
            f"float32, got feature {worst} at {largest[worst]:.1e}. Change its unit."
        )
    scaler = StandardScaler().fit(X)
    return VectorFormat(scaler.mean_, scaler.scale_)


def _find_intensity_range(X, intensity_range):
    low, high = scan_values(X)
    if low == high:
        raise ValueError(
            f"X must hold images that differ, but all their intensities are {low:g}. Check how "
            "they were read."
        )
    if intensity_range is not None:
        intensity_range = _check_intensity_range(intensity_range)
        _check_window(X, (low, high), intensity_range)
        return intensity_range
    if X.dtype == np.uint8:
        return (0.0, 255.0)
    if X.dtype == np.bool_:
        return (0.0, 1.0)
    if not _fits_float32(low, high):
        raise ValueError(
            f"X must hold intensities that fit into float32, as their range must, got {low:g} to "
            f"{high:g}. Rescale or clip them."
        )
    return (low, high)


def _check_window(X, extremes, window):
    """Raise if all images are equal within a window; warn if intensities are clipped."""
    share = share_clipped(X, extremes, window)
    if share == 0:
        return
    (low, high), (window_low, window_high) = extremes, window
    is_beside = low >= window_high or high <= window_low
    if is_beside or (are_equal_within(X, *window) and not are_equal_within(X, low, high)):
        raise ValueError(
            "intensity_range must be a window within which images differ, got "
            f"{window}, but the intensities of X go from {low:g} to {high:g}, and all images are "
            "equal after clipping. Pass a window in the unit of X (Hounsfield units after "
            "pixel_array * RescaleSlope + RescaleIntercept), or None."
        )
    judged = "normal for a window"
    if share > _LARGE_SHARE:
        judged = "nearly all: check that the window is in the unit of X"
    warn(
        f"X has intensities from {low:g} to {high:g}, outside intensity_range={window}: "
        f"{100 * share:.3g} % of them are clipped, which is {judged}. Use intensity_range=None to "
        "keep all of them.",
        UserWarning,
    )


def _fits_float32(low, high):
    return max(abs(low), abs(high), high - low) <= float(np.finfo(np.float32).max)


def _check_intensity_range(intensity_range):
    try:
        low, high = (float(bound) for bound in intensity_range)
        valid = low < high and _fits_float32(low, high)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "intensity_range must be two finite float32 numbers, the lower one first, got "
            f"{intensity_range!r}. Use None to take it from the data."
        )
    return low, high
