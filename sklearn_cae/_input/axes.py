"""Axes of an image or a volume: the position of its channels, and the length of its sides."""

from numbers import Integral

import numpy as np

CHANNELS = range(1, 5)
SIDES = range(8, 513)
#: Sides of volumes end earlier: the memory grows with the third power.
VOLUME_SIDES = range(8, 129)
#: Names of the axes without the channels, by their number.
_AXES = {2: "H, W", 3: "D, H, W"}
_WAY_OF_VOLUMES = " For volumes, (n, D, H, W), pass spatial_dims=3, or slices or projections."


def is_volume(image_shape):
    """Return whether the shape of a sample's tensor is that of a volume, (C, D, H, W)."""
    return image_shape is not None and len(image_shape) == 4


def has_channels_last(shape, name="X"):
    """Return whether the last axis of an image or a volume, and not the first, is the channels.

    Raises
    ------
    ValueError
        If both of these axes could be the channels, or neither.
    """
    first, last = shape[0] in CHANNELS, shape[-1] in CHANNELS
    if first == last:
        axes, kind = _AXES[len(shape) - 1], "a volume" if len(shape) == 4 else "an image"
        problem = "Both the first and the last" if first else "Neither the first nor the last"
        raise ValueError(
            f"{name} must have {CHANNELS[0]} to {CHANNELS[-1]} channels first, (n, C, {axes}), or "
            f"last, (n, {axes}, C). {problem} axis of {kind} of shape {tuple(shape)} could be the "
            f"channels. Pass {name} with one axis of channels and sides of at least 8 pixels."
            f"{'' if len(shape) == 4 else _WAY_OF_VOLUMES}"
        )
    return last


def find_axes(X, image_shape, spatial_dims=2):
    """Find the shape of the images or volumes in X, and the position of their channels.

    Parameters
    ----------
    X : ndarray of shape (n, H, W), (n, C, H, W), (n, H, W, C) or (n, n_features)
        Images, or volumes with an axis D before H.
    image_shape : tuple of int or None
        Shape of one image or volume, with its axes in the order of X.
    spatial_dims : {2, 3}, default=2
        Number of axes besides the channels: 2 for images, 3 for volumes.

    Returns
    -------
    channels_first : tuple of int
        Shape of one image, (C, H, W), or of one volume, (C, D, H, W).
    channels_last : bool
        Whether an image in X has several channels and they are its last axis.

    Raises
    ------
    ValueError, TypeError
        If X has no such shape, or `image_shape` or `spatial_dims` does not fit X.
    """
    sample = _sample_shape(X, image_shape, spatial_dims)
    if len(sample) not in (spatial_dims, spatial_dims + 1):
        raise ValueError(_other_number_of_axes(X, image_shape, spatial_dims))
    channels_last = len(sample) > spatial_dims and has_channels_last(sample)
    if len(sample) == spatial_dims:
        sample = (1, *sample)
    channels_first = (sample[-1], *sample[:-1]) if channels_last else sample
    # One channel has the same memory layout first or last; its strides should be the same, too.
    channels_last = channels_last and channels_first[0] > 1
    _check_sides(channels_first)
    return channels_first, channels_last


def _other_number_of_axes(X, image_shape, spatial_dims):
    """Return a message about samples that have too few or too many axes."""
    axes = _AXES[spatial_dims]
    if X.ndim == 2:
        if image_shape is None:
            return (
                f"spatial_dims=3 is for volumes, but rows of X, {X.shape}, are vectors without "
                f"image_shape. Pass image_shape=({axes}), or spatial_dims=2."
            )
        way = "Pass the shape of one row."
        if len(image_shape) in _AXES:
            way = f"If it is right, pass spatial_dims={len(image_shape)}."
        elif len(image_shape) == 4:
            way = "If rows are volumes with channels, pass spatial_dims=3."
        return (
            f"image_shape must have {spatial_dims} or {spatial_dims + 1} elements, ({axes}), (C, "
            f"{axes}) or ({axes}, C), with spatial_dims={spatial_dims}, got {tuple(image_shape)}. "
            f"{way}"
        )
    if spatial_dims == 2:
        return (
            f"X must have 2 to 4 dimensions, got {X.ndim}: shape {X.shape}. Pass slices or "
            "projections of volumes, or spatial_dims=3."
        )
    return (
        f"X must hold volumes with spatial_dims=3, (n, {axes}), (n, C, {axes}) or (n, {axes}, C), "
        f"got shape {X.shape}. If X is a single volume, pass X[np.newaxis]. If these are images, "
        "pass spatial_dims=2."
    )


def _check_sides(shape):
    allowed, kind, unit = SIDES, "Images", "pixels"
    if is_volume(shape):
        allowed, kind, unit = VOLUME_SIDES, "Volumes", "voxels"
    if not all(side in allowed for side in shape[1:]):
        raise ValueError(
            f"{kind} must have sides of {allowed[0]} to {allowed[-1]} {unit}, got "
            f"{' x '.join(map(str, shape[1:]))}. {_way_from_sides(shape)}"
        )


def _way_from_sides(shape):
    if is_volume(shape):
        if shape[0] == 1 and (shape[1] in CHANNELS or shape[3] in CHANNELS):
            return "If its short axis is the channels of images, pass spatial_dims=2."
        return "Resize or crop them."
    if shape[0] == 1 and shape[2] in CHANNELS and shape[1] in SIDES:
        return "If X is a single image with channels last, pass several images, (n, H, W, C)."
    return "Resize or crop them."


def _sample_shape(X, image_shape, spatial_dims):
    given, name = X.shape[1:], "volume" if spatial_dims == 3 else "image"
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
            f"image_shape must be the shape of one {name} in X, {given}, got {image_shape}. "
            f"Use None for {name}s that are not flat."
        )
    return image_shape
