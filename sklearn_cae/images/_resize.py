"""Bring frames to one scale of intensity and one size."""

import numpy as np

from .._utils.extras import import_extra


def scale(frame, limits):
    """Return the pixels of a frame as float32, with `limits` at 0 and 1, clipped; padding is 0."""
    low, high = limits
    pixels = np.subtract(frame.pixels, low, dtype=np.result_type(frame.pixels, np.float32))
    pixels /= high - low
    pixels = np.clip(pixels, 0, 1, out=pixels).astype(np.float32, copy=False)
    if frame.pixels.dtype.kind == "f":
        pixels[np.isnan(pixels)] = 0
    if frame.valid is not None:
        pixels[~frame.valid] = 0
    return pixels


def share_of_border(image):
    """Return the share of the pixels in rows and columns at the edges that are of one intensity."""
    grey = image.mean(axis=-1) if image.ndim == 3 else image
    inner = 1.0
    for axis in (0, 1):
        flat = grey.max(axis=1 - axis) - grey.min(axis=1 - axis) < 1 / 50
        varied = np.flatnonzero(~flat)
        inner *= (varied[-1] - varied[0] + 1) / len(flat) if varied.size else 0.0
    return 1 - inner


def to_size(image, size, fit, spacing=None, to_spacing=None):
    """Bring an image to a size, with an antialiased reduction.

    Parameters
    ----------
    image : ndarray of float32 of shape (H, W), (H, W, 3) or (D, H, W)
        Image; a third axis is one of volumes if `size` has three sides.
    size : tuple of int
        Sides of the result.
    fit : {"stretch", "pad", "crop"}
        Way to the proportions of the result.
    spacing, to_spacing : tuple of float or None
        Millimetres per pixel of the image and of the result. If `to_spacing` is given, the image is
        brought to this spacing and cropped or padded about its middle; `fit` has no effect.

    Returns
    -------
    image : ndarray of float32
    """
    sides = np.array(image.shape[: len(size)])
    if to_spacing is not None:
        scaled = np.maximum(1, np.round(sides * np.divide(spacing, to_spacing))).astype(int)
    elif fit == "stretch":
        scaled = np.array(size)
    else:
        factor = (min if fit == "pad" else max)(np.divide(size, sides))
        scaled = np.maximum(1, np.round(sides * factor)).astype(int)
    return _about_the_middle(resize(image, scaled), size)


def resize(image, sides):
    """Resize the first axes of an image."""
    if len(sides) == 3:  # planes first, then across them
        planes = np.stack([resize(plane, sides[1:]) for plane in image])
        rows = planes.reshape(len(planes), -1)
        return resize(rows, (sides[0], rows.shape[1])).reshape(tuple(sides))
    if image.ndim == 3:
        return np.stack([resize(channel, sides) for channel in np.moveaxis(image, -1, 0)], -1)
    if tuple(sides) == image.shape:
        return image
    pillow = import_extra("PIL.Image", "Images are resized with", "files")
    # In floats: Pillow resizes 16 bits wrongly. Its filter grows with the reduction.
    picture = pillow.fromarray(np.ascontiguousarray(image))
    height, width = (int(side) for side in sides)
    return np.asarray(picture.resize((width, height), pillow.Resampling.BILINEAR))


def _about_the_middle(image, size):
    """Crop or pad with 0 each axis about its middle."""
    for axis, side in enumerate(size):
        more = side - image.shape[axis]
        if more > 0:
            widths = [(0, 0)] * image.ndim
            widths[axis] = (more // 2, more - more // 2)
            image = np.pad(image, widths)
        elif more < 0:
            image = np.take(image, range(-more // 2, -more // 2 + side), axis=axis)
    return image
