"""Cheap looks at images: in gray, as thumbnails, copies and inverted ones, without torch.

`fit` hints at what they find, and `sklearn_cae.images.check_images` tells all of it.
"""

import hashlib

import numpy as np
from scipy.linalg import eigh

from .axes import is_volume

_BLOCK = 2**18  # values that are read at a time: a megabyte of float32
_SIDE = 16
_FEWEST = 20  # images in which polarities are looked for: in fewer, any two halves look opposite
_ALIKE = 0.5  # median cosine to the direction that images share, so that it has a sign
_BETWEEN = 0.05  # share of images that may be on neither side
_NOTABLE = 0.01  # share of images that `fit` hints at
_MOST = 1000  # images of which `fit` compares the polarities


def gray_blocks(X, image_shape, channels_last):
    """Convert images to gray, block by block.

    Parameters
    ----------
    X : ndarray of shape (n, ...)
        Images, also memory-mapped ones.
    image_shape : tuple of int
        Shape of one image, (C, H, W), or of one volume, (C, D, H, W).
    channels_last : bool
        Whether the channels are the last axis of an image in X.

    Yields
    ------
    images : ndarray of shape (n_rows, H, W) or (n_rows, D, H, W), float32 or float64
        Mean of the channels.
    """
    for images in channel_blocks(X, image_shape, channels_last):
        yield images.mean(axis=1, dtype=np.result_type(images.dtype, np.float32))


def channel_blocks(X, image_shape, channels_last):
    """Read images block by block, as `gray_blocks` does, as arrays (n_rows, C, H, W)."""
    channels, *sides = image_shape
    shape = (*sides, channels) if channels_last else image_shape
    for rows in blocks(len(X), int(np.prod(image_shape))):
        images = np.asarray(X[rows]).reshape(-1, *shape)
        yield np.moveaxis(images, -1, 1) if channels_last else images


def blocks(n_samples, n_values):
    """Return slices of so many rows that one block has a limited number of values."""
    step = max(1, _BLOCK // n_values)
    return [slice(start, min(start + step, n_samples)) for start in range(0, n_samples, step)]


def shrink(images, side=_SIDE):
    """Reduce gray images to at most `side` x `side` means of equal areas.

    Parameters
    ----------
    images : ndarray of shape (n, H, W) or (n, D, H, W)
        Images, or volumes, which are reduced to at most half of `side` along each axis.
    side : int, default=16

    Returns
    -------
    thumbnails : ndarray of shape (n, n_pixels), float32
    """
    images = images.astype(np.float32, copy=False)
    largest = side if images.ndim == 3 else side // 2
    *through, down, across = (_areas(length, min(largest, length)) for length in images.shape[1:])
    for areas in through:  # of volumes
        images = np.einsum("sd,ndhw->nshw", areas, images)
    return (down @ images @ across.T).reshape(len(images), -1)


def _areas(length, side):
    """Return the weights (side, length) of pixels in `side` equal parts of a line."""
    edges = np.linspace(0, length, side + 1)[:, None]
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return (overlap.clip(0) * (side / length)).astype(np.float32)


def center(rows):
    """Return rows with mean 0 and length 1; rows of equal values become 0."""
    rows = rows.astype(np.float64)  # squares of float32 may overflow
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0).astype(np.float32)


def digests(X):
    """Return one digest per row of X, equal for equal rows."""
    found = np.empty(len(X), dtype="S16")
    for rows in blocks(len(X), max(1, X[:1].size)):
        block = np.ascontiguousarray(X[rows])
        # A digest may end in zeros, which NumPy would cut off from bytes: hexadecimal has none.
        found[rows] = [hashlib.blake2b(row, digest_size=8).hexdigest().encode() for row in block]
    return found


def find_inverted(thumbnails):
    """Find images whose dark and bright parts are exchanged in comparison with the others.

    Images of one kind share a direction: the leading singular vector of their centred thumbnails.
    If part of them is inverted, they point the other way, and hardly any are between.

    Parameters
    ----------
    thumbnails : ndarray of shape (n, n_pixels)
        Thumbnails that `shrink` returned.

    Returns
    -------
    inverted : ndarray of bool of shape (n,)
        True for the smaller side. All are False if there is one polarity, if images are fewer than
        20, or if they have no direction in common.
    """
    none = np.zeros(len(thumbnails), dtype=bool)
    if len(thumbnails) < _FEWEST:
        return none
    images = center(thumbnails)
    last = [images.shape[1] - 1] * 2  # of the eigenvalues, which ascend
    _, vectors = eigh(images.T @ images, subset_by_index=last)
    cosines = images @ vectors[:, 0]
    clear = np.median(np.abs(cosines))
    if (cosines > 0).sum() < (cosines < 0).sum():
        cosines = -cosines
    between = np.mean(np.abs(cosines) <= clear / 2)
    if clear < _ALIKE or between > _BETWEEN or not (cosines < -clear / 2).any():
        return none
    return cosines < 0


def _find_constant(X, image_shape, channels_last):
    """Return whether all values of each image are equal."""
    axes = tuple(range(1, len(image_shape) + 1))
    part = channel_blocks(X, image_shape, channels_last)
    return np.concatenate([images.min(axis=axes) == images.max(axis=axes) for images in part])


def _count_inverted(X, image_shape, channels_last, rows):
    """Return the number of inverted images among some rows; of many, it is estimated."""
    # Drawn: in a regular part, images that take turns would be all or none.
    drawn = np.sort(np.random.RandomState(0).permutation(rows)[:_MOST])
    thumbnails = [
        shrink(images)
        for part in blocks(len(drawn), int(np.prod(image_shape)))
        for images in gray_blocks(X[drawn[part]], image_shape, channels_last)
    ]
    if not thumbnails:
        return 0
    share = find_inverted(np.concatenate(thumbnails)).mean()
    return round(share * len(rows))


def hint(X, image_shape, channels_last):
    """Return a sentence about constant, copied or inverted images, or an empty text.

    It names what at least one image in a hundred has, so that it is silent on usual data.
    """
    constant = _find_constant(X, image_shape, channels_last)
    n_constant = int(constant.sum())
    n_different = len(np.unique(digests(X)[~constant]))
    counts = {
        "are constant": n_constant,
        "are copies of others": len(X) - n_constant - n_different,
        "are inverted in comparison with the others": _count_inverted(
            X, image_shape, channels_last, np.flatnonzero(~constant)
        ),
    }
    found = [f"{n} {what}" for what, n in counts.items() if n > 0 and n >= _NOTABLE * len(X)]
    if not found:
        return ""
    return (
        f"Of {len(X)} images, {', '.join(found)}. Groups may be made by this. Look at "
        f"sklearn_cae.images.check_images(X{', spatial_dims=3' * is_volume(image_shape)})."
    )
