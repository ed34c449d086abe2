"""Axes of an image: the position of its channels, and the allowed length of its sides."""

from numbers import Integral

import numpy as np

CHANNELS = range(1, 5)
SIDES = range(8, 257)


def has_channels_last(shape, name="X"):
    """Return whether the last of three axes, and not the first, is the channels.

    Raises
    ------
    ValueError
        If both of these axes could be the channels, or neither.
    """
    first, last = shape[0] in CHANNELS, shape[2] in CHANNELS
    if first == last:
        problem = "Both the first and the last" if first else "Neither the first nor the last"
        raise ValueError(
            f"{name} must have {CHANNELS[0]} to {CHANNELS[-1]} channels first, (n, C, H, W), or "
            f"last, (n, H, W, C). {problem} axis of an image of shape {shape} could be the "
            f"channels. Pass {name} with one axis of channels and sides of at least 8 pixels. Pass "
            "slices or projections of volumes."
        )
    return last


def find_axes(X, image_shape):
    """Find the shape of the images in X, and the position of their channels.

    Parameters
    ----------
    X : ndarray of shape (n, H, W), (n, C, H, W), (n, H, W, C) or (n, n_features)
    image_shape : tuple of int or None
        Shape of one image, with its axes in the order of X.

    Returns
    -------
    channels_first : tuple of int
        Shape of one image, (C, H, W).
    channels_last : bool
        Whether an image in X has several channels and they are its last axis.

    Raises
    ------
    ValueError, TypeError
        If X has no such shape, or `image_shape` does not fit X.
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
    # One channel has the same memory layout first or last; its strides should be the same, too.
    channels_last = channels_last and channels_first[0] > 1
    if not all(side in SIDES for side in channels_first[1:]):
        raise ValueError(
            f"Images must have sides of {SIDES[0]} to {SIDES[-1]} pixels, got "
            f"{channels_first[1]} x {channels_first[2]}. {_way_from_sides(channels_first)}"
        )
    return channels_first, channels_last


def _way_from_sides(shape):
    if shape[0] == 1 and shape[2] in CHANNELS and shape[1] in SIDES:
        return "If X is a single image with channels last, pass several images, (n, H, W, C)."
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
            f"{image_shape}, got a single image. Pass all images, as rows."
        )
    if X.ndim == 2 and np.prod(image_shape) != given[0]:
        raise ValueError(
            f"image_shape must have as many elements as X has features: {image_shape} has "
            f"{np.prod(image_shape)}, X has {given[0]}."
        )
    if X.ndim > 2 and image_shape != given:
        raise ValueError(
            f"image_shape must be the shape of one image in X, {given}, got {image_shape}. "
            "Use None for images that are not flat."
        )
    return image_shape
