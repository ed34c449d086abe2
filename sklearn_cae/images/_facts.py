"""Facts about each image: brightness, contrast, borders, corners, in one pass over all images."""

from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage

from .._input.looks import gray_blocks, shrink
from .._input.passes import scan_values

#: Difference of two values that are as good as equal, as a share of the range of intensities.
_EQUAL = 0.02
_EXACT = 1 / 512  # half a step of 8 bits
_SAMPLED = 500  # images whose values give the range
#: Share of the line inside a border that must differ from it. The line beside the background of a
#: head or of a digit differs in a part only.
_STRAIGHT = 0.75
_SHORTEST = 12  # pixels of the line that must differ: lines of few pixels are straight by chance
_ROUND = 0.98  # share of the pixels that must be equal outside a circle, and differ inside
_CORNER = 0.2  # of the sides
_JUMP = 0.3  # between a marker in a corner and what is around it
_CROWDED = 0.1  # share of a corner that bright things at its edges may fill: parts of the picture
_LINKED = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))])  # within one image


@dataclass
class Facts:
    """Facts about each image. Intensities are shares of the range of most values.

    Attributes
    ----------
    mean, contrast : ndarray of shape (n,)
        Mean and standard deviation.
    sharpness : ndarray of shape (n,)
        Mean difference of neighbouring pixels, as a share of the contrast.
    constant : ndarray of bool of shape (n,)
        Whether all pixels are equal.
    dark, bright : ndarray of shape (n,)
        Share of the pixels that have the lowest or the highest value of the image. Equal lines at
        the edges do not count.
    lines : ndarray of int of shape (n, 4)
        Number of lines of equal pixels at the top, bottom, left and right edge. For volumes, this
        and all facts about edges and corners are 0 or False.
    borders : ndarray of int of shape (n, 4)
        The same, but 0 if no straight edge ends the lines.
    gray_end : ndarray of int of shape (n,)
        Number of lowest rows that are exactly equal, in a gray that is no end of the range.
    round : ndarray of bool of shape (n,)
        Whether all is equal outside a circle, which differs from it.
    marked : ndarray of bool of shape (n,)
        Whether a corner has a small bright object that touches nothing.
    thumbnails : ndarray of shape (n, n_pixels)
    shape : (int, int)
        Height and width.
    """

    mean: np.ndarray
    contrast: np.ndarray
    sharpness: np.ndarray
    constant: np.ndarray
    dark: np.ndarray
    bright: np.ndarray
    lines: np.ndarray
    borders: np.ndarray
    gray_end: np.ndarray
    round: np.ndarray
    marked: np.ndarray
    thumbnails: np.ndarray
    shape: tuple


def measure(X, image_shape, channels_last) -> Facts:
    """Measure all images, without a copy of X.

    Parameters
    ----------
    X : ndarray of shape (n, ...)
        Images, also memory-mapped ones.
    image_shape, channels_last : see `gray_blocks`

    Returns
    -------
    facts : Facts

    Raises
    ------
    ValueError
        If an intensity is NaN or infinite.
    """
    low, high = _range_of_most(X)
    parts = []
    for images in gray_blocks(X, image_shape, channels_last):
        scaled = ((images - low) / (high - low)).astype(np.float32)
        rows = images.reshape(len(images), -1)
        parts.append(_measure_block(scaled, rows.min(axis=1) == rows.max(axis=1)))
    names = [field.name for field in fields(Facts) if field.name != "shape"]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Facts(**joined, shape=image_shape[-2:])


def _range_of_most(X):
    """Return the percentiles .1 and 99.9 of a part of X, or the extremes if these are equal."""
    extremes = scan_values(X)
    if max(map(abs, extremes)) > float(np.finfo(np.float32).max) / 4:
        raise ValueError(
            f"X must hold intensities that fit into float32, got {extremes[0]:g} to "
            f"{extremes[1]:g}. Rescale or clip them."
        )
    sample = np.asarray(X[:: -(-len(X) // _SAMPLED)])
    low, high = (float(value) for value in np.percentile(sample, [0.1, 99.9]))
    low, high = (low, high) if low < high else extremes
    return (low, high) if low < high else (low, low + 1)


def _measure_block(images, constant):
    thumbnails, axes = shrink(images), tuple(range(1, images.ndim))
    contrast = images.std(axis=axes)
    steps = [np.abs(np.diff(images, axis=axis)).mean(axis=axes) for axis in axes]
    if images.ndim == 3:
        edges = _measure_edges(images, np.quantile(thumbnails, 0.9, axis=1))
    else:
        edges = _no_edges(len(images))
    dark, bright = _share_at_ends(images, edges["lines"])
    return Facts(
        mean=images.mean(axis=axes),
        contrast=contrast,
        sharpness=sum(steps) / np.maximum(contrast, np.finfo(np.float32).tiny),
        constant=constant,
        dark=dark,
        bright=bright,
        thumbnails=thumbnails,
        shape=images.shape[-2:],
        **{**edges, "marked": edges["marked"] & ~constant},
    )


def _measure_edges(images, bright):
    """Return the facts about edges and corners of images, by name."""
    lines, is_straight = _find_borders(images)
    return {
        "lines": lines,
        "borders": np.where(is_straight, lines, 0),
        "gray_end": _find_gray_end(images),
        "round": _is_round(images),
        "marked": _has_marker(images, bright),
    }


def _no_edges(n):
    """Return the same facts for volumes, in which edges and corners are not looked at."""
    lines, none = np.zeros((n, 4), dtype=int), np.zeros(n, dtype=bool)
    return {
        "lines": lines,
        "borders": lines,
        "gray_end": lines[:, 0],
        "round": none,
        "marked": none,
    }


def _share_at_ends(images, lines):
    """Return the share of pixels that are inside equal lines and have the lowest, highest value."""
    *_, height, width = images.shape
    rows = _is_inside(height, *lines[:, :2].T)[:, :, None]
    inside = rows & _is_inside(width, *lines[:, 2:].T)[:, None]
    inside = inside if images.ndim == 3 else inside[:, None]
    axes = tuple(range(1, images.ndim))
    lowest = np.min(images, axis=axes, keepdims=True)
    highest = np.max(images, axis=axes, keepdims=True)
    return tuple(
        (at_end & inside).mean(axis=axes)
        for at_end in (images <= lowest + _EXACT, images >= highest - _EXACT)
    )


def _is_inside(length, before, after):
    """Return (n, length): whether a place on a line is inside the borders of each image."""
    places = np.arange(length)
    return (places >= before[:, None]) & (places < length - after[:, None])


def _find_borders(images):
    """Return the number of equal lines at the top, bottom, left and right, (n, 4).

    The second result is whether a straight edge ends them.
    """
    turned = images.transpose(0, 2, 1)
    views = (images, images[:, ::-1], turned, turned[:, ::-1])
    widths, is_straight = zip(*map(_find_border, views), strict=True)
    return np.stack(widths, axis=1), np.stack(is_straight, axis=1)


def _find_border(images):
    """Return the number of equal rows at the top, and whether a straight edge ends them."""
    n, height, _ = images.shape
    fill = images[:, 0].mean(axis=1)
    equal = (np.abs(images - fill[:, None, None]) <= _EQUAL).all(axis=2)
    width = np.where(equal.all(axis=1), height, equal.argmin(axis=1))
    # The first row inside may be blended with the border, if the image was resized.
    inner = images[np.arange(n), np.minimum(width + 1, height - 1)]
    n_different = (np.abs(inner - fill[:, None]) > 2 * _EQUAL).sum(axis=1)
    return width, n_different >= max(_SHORTEST, _STRAIGHT * inner.shape[1])


def _find_gray_end(images):
    """Return the number of lowest rows that are exactly equal and neither black nor white."""
    fill = images[:, -1, 0]
    equal = (np.abs(images[:, ::-1] - fill[:, None, None]) <= _EXACT).all(axis=2)
    lowest, highest = images.min(axis=(1, 2)), images.max(axis=(1, 2))
    is_gray = (fill > lowest + _EQUAL) & (fill < highest - _EQUAL)
    return np.where(is_gray, equal.argmin(axis=1), 0)


def _is_round(images):
    """Return whether images are equal outside the inscribed circle and differ from that inside."""
    y, x = (np.linspace(-1, 1, 2 * side + 1)[1::2] for side in images.shape[1:])
    radius = np.hypot(y[:, None], x)
    outside, ring = images[:, radius > 1.03], images[:, (radius > 0.85) & (radius < 0.95)]
    fill = np.median(outside, axis=1, keepdims=True)
    is_equal = (np.abs(outside - fill) <= _EQUAL).mean(axis=1) >= _ROUND
    return is_equal & ((np.abs(ring - fill) > 2 * _EQUAL).mean(axis=1) >= _ROUND)


def _has_marker(images, bright):
    """Return whether a corner has a small object as bright as the brightest tenth of the image."""
    height, width = (round(_CORNER * side) for side in images.shape[1:])
    found = np.zeros(len(images), dtype=bool)
    for turned in (images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1]):
        found |= _has_object(turned[:, :height, :width], bright)
    return found


def _has_object(corners, bright):
    """Return whether the upper left corner of images, (n, h, w), has an object that is separate."""
    around = np.median(corners, axis=(1, 2))
    objects, n_objects = ndimage.label(corners >= (around + _JUMP / 2)[:, None, None], _LINKED)
    found = np.zeros(len(corners), dtype=bool)
    if n_objects == 0:
        return found
    area = np.bincount(objects.ravel())
    peak = ndimage.maximum(corners, objects, np.arange(n_objects + 1))
    owner = np.zeros(n_objects + 1, dtype=int)
    owner[objects] = np.arange(len(corners))[:, None, None]
    edges = [objects[:, 0], objects[:, -1], objects[:, :, 0], objects[:, :, -1]]
    touches = np.zeros(n_objects + 1, dtype=bool)
    touches[np.concatenate([edge.ravel() for edge in edges])] = True
    touches[0] = False  # the rest of all corners
    size = corners[0].size
    filled = np.bincount(owner[touches], area[touches], len(corners)) / size
    is_marker = ~touches & (area >= 2) & (area <= size / 4) & (filled <= _CROWDED)[owner]
    is_marker &= (peak >= around[owner] + _JUMP) & (peak >= bright[owner])
    is_marker[0] = False
    found[owner[is_marker]] = True
    return found
