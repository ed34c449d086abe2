"""What X may be, and its way to a batch of tensors and back.

X stays in memory as it is; a batch at a time is cast and scaled. All conversion of samples between
NumPy and torch happens here.
"""

from numbers import Integral

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

from .._utils.warnings import warn
from .arrays import check_numbers
from .axes import CHANNELS, SIDES, has_channels_last
from .formats import ImageFormat, VectorFormat, holds_integers, share_clipped
from .passes import are_equal_within, extremes_of_features, scan_values

_LARGE_SHARE = 0.9  # of intensities: windows of soft tissue clip air and bone, up to this
_LARGEST = 1e30  # what is decoded may be some standard deviations larger


def holds_images(X, image_shape):
    """Whether samples with a shape are to be read as images rather than as vectors."""
    return image_shape is not None or len(X.shape) > 2


def check_image_array(X, estimator, *, minimum):
    """Check what holds for images at any time: numeric, enough of them, two to four dimensions."""
    X = check_array(
        X,
        dtype=None,
        allow_nd=True,
        ensure_all_finite=False,  # scan_values looks, without copies
        ensure_min_samples=minimum,
        estimator=estimator,
        input_name="X",
    )
    check_numbers(X)
    if X.ndim > 4:
        raise ValueError(
            f"X must have 2 to 4 dimensions, got {X.ndim}: shape {X.shape}. Of volumes pass slices "
            "or projections."
        )
    return X


def infer_image_format(X, image_shape, intensity_range):
    """Find the format of training images.

    Parameters
    ----------
    X : ndarray of shape (n, H, W), (n, C, H, W), (n, H, W, C) or (n, n_features)
    image_shape : tuple of int or None
        Of one image, in the order of axes of X.
    intensity_range : tuple of float or None

    Returns
    -------
    format : ImageFormat
    """
    as_image = _sample_shape(X, image_shape)
    if len(as_image) not in (2, 3):
        raise ValueError(
            "image_shape must have 2 or 3 elements, (H, W), (C, H, W) or (H, W, C), got "
            f"{as_image}."
        )
    channels_last = len(as_image) == 3 and has_channels_last(as_image)
    if len(as_image) == 2:
        as_image = (1, *as_image)
    channels_first = (as_image[2], *as_image[:2]) if channels_last else as_image
    # One channel lies in memory alike, first or last; its strides are not to differ either.
    channels_last = channels_last and channels_first[0] > 1
    if not all(side in SIDES for side in channels_first[1:]):
        raise ValueError(
            f"Images must have sides of {SIDES[0]} to {SIDES[-1]} pixels, got "
            f"{channels_first[1]} x {channels_first[2]}. {_way_from_sides(channels_first)}"
        )
    return ImageFormat(
        sample_shape=X.shape[1:],
        image_shape=channels_first,
        channels_last=channels_last,
        is_integer=holds_integers(X),
        intensity_range=_find_intensity_range(X, intensity_range),
    )


def infer_vector_format(X):
    """Find the format of training vectors, (n, n_features): their mean and scale."""
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
            f"X must hold values of up to {_LARGEST:.0e}, so that float32 holds what is decoded, "
            f"got feature {worst} at {largest[worst]:.1e}. Change its unit."
        )
    scaler = StandardScaler().fit(X)
    return VectorFormat(scaler.mean_, scaler.scale_)


def _way_from_sides(shape):
    if shape[0] == 1 and shape[2] in CHANNELS and shape[1] in SIDES:
        return "If X is one image alone, its channels last, pass several images, (n, H, W, C)."
    return "Resize or crop them."


def _sample_shape(X, image_shape):
    given = X.shape[1:]
    if image_shape is None:
        return given
    if not all(isinstance(side, Integral) for side in image_shape):
        raise TypeError(
            f"image_shape must be integers, got {image_shape}. Pass the sides in pixels."
        )
    image_shape = tuple(image_shape)
    if X.ndim == 2 and image_shape == X.shape:
        raise ValueError(
            f"X must hold several images, (n, {np.prod(image_shape)}) for image_shape="
            f"{image_shape}, got one image alone. Pass all of them, as rows."
        )
    if X.ndim == 2 and np.prod(image_shape) != given[0]:
        raise ValueError(
            f"image_shape must have as many elements as X has features: {image_shape} has "
            f"{np.prod(image_shape)}, X has {given[0]}."
        )
    if X.ndim > 2 and image_shape != given:
        raise ValueError(
            f"image_shape must be the shape of one image in X, {given}, got {image_shape}. "
            "Leave it at None for images that are not flat."
        )
    return image_shape


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
            f"X must hold intensities that, as their range, fit into float32, got {low:g} to "
            f"{high:g}. Rescale or clip them."
        )
    return (low, high)


def _check_window(X, extremes, window):
    """Raise where images do not differ within a window; warn of what is clipped."""
    share = share_clipped(X, extremes, window)
    if share == 0:
        return
    (low, high), (window_low, window_high) = extremes, window
    is_beside = low >= window_high or high <= window_low
    if is_beside or (are_equal_within(X, *window) and not are_equal_within(X, low, high)):
        raise ValueError(
            "intensity_range must be a window within which images differ, got "
            f"{window}, but the intensities of X go from {low:g} to {high:g}, and all images are "
            "equal once they are clipped. Pass a window in the unit of X (it is in Hounsfield "
            "units after pixel_array * RescaleSlope + RescaleIntercept), or leave it at None."
        )
    judged = "right for a window"
    if share > _LARGE_SHARE:
        judged = "nearly all: check that the window is in the unit of X"
    warn(
        f"X has intensities from {low:g} to {high:g}, outside intensity_range={window}: "
        f"{100 * share:.3g} % of them are clipped, which is {judged}. Leave intensity_range at "
        "None to keep all of them.",
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
            "intensity_range must be two finite numbers, the lower one first, of float32, got "
            f"{intensity_range!r}. Leave it at None to take it from the data."
        )
    return low, high
