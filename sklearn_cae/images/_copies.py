"""Copies of images: equal ones, and nearly equal ones."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .._input.looks import blocks, center, channel_blocks, shrink

#: Correlation from which two images are nearly equal. Among 4708 X-rays of PneumoniaMNIST no two
#: different ones reach .96, and among 60 000 digits of MNIST two pairs do reach it.
_NEARLY = 0.99
_COMPONENTS = 12  # in which neighbours are looked for
_NEIGHBOURS = 8


def equal_sets(digests, rows):
    """Return the sets of at least two rows with equal digests.

    Parameters
    ----------
    digests : ndarray of shape (n,)
    rows : ndarray of int
        Rows to compare.

    Returns
    -------
    sets : list of ndarray of int
        Rows of each set, in ascending order.
    """
    _, index = np.unique(digests[rows], return_inverse=True)
    return _sets_of(index, rows)


def near_pairs(X, image_shape, channels_last, thumbnails, rows):
    """Return pairs of images that are nearly equal, also if brightness or contrast differ.

    Thumbnails are compared by their correlation after the mean of all thumbnails is subtracted, so
    that different images of the same organ are not alike. Pairs are compared again with thumbnails
    of 32 pixels in all channels.

    Parameters
    ----------
    X, image_shape, channels_last : see `gray_blocks`
    thumbnails : ndarray of shape (n, n_pixels)
        Thumbnails of all images.
    rows : ndarray of int
        Rows to compare, of which no two are equal.

    Returns
    -------
    pairs : ndarray of int of shape (n_pairs, 2)
    """
    if len(rows) < 3:  # without their mean, two images are always opposite
        return np.empty((0, 2), dtype=int)
    images = center(thumbnails[rows])
    images = center(images - images.mean(axis=0))
    pairs = _close_pairs(images)
    pairs = rows[pairs[_products(images, pairs) >= _NEARLY]]
    used = np.unique(pairs)
    larger = center(_shrink_rows(X, image_shape, channels_last, used)) if len(used) else images
    return pairs[_products(larger, np.searchsorted(used, pairs)) >= _NEARLY]


def join(sets, n):
    """Join sets and pairs of rows that share a row.

    Parameters
    ----------
    sets : list of ndarray of int
        Rows of each set, or of each pair.
    n : int
        Number of all rows.

    Returns
    -------
    joined : list of ndarray of int
        Sets of at least two rows, in ascending order.
    """
    if not sets:
        return []
    first = np.concatenate([np.full(len(each) - 1, each[0]) for each in sets])
    other = np.concatenate([each[1:] for each in sets])
    links = sparse.coo_matrix((np.ones(len(first)), (first, other)), shape=(n, n))
    return _sets_of(connected_components(links, directed=False)[1], np.arange(n))


def _sets_of(index, rows):
    """Return the rows of each number that `index` holds more than once."""
    order = np.argsort(index, kind="stable")
    parts = np.split(rows[order], np.flatnonzero(np.diff(index[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: part[0])


def _close_pairs(images):
    """Return pairs that are close in the leading components: all that may be nearly equal.

    Distances in a part of the components are never larger than those in all of them.
    """
    _, vectors = np.linalg.eigh(images.T @ images)
    places = images @ vectors[:, -_COMPONENTS:]
    farthest = np.sqrt(2 * (1 - _NEARLY)) * (1 + 1e-4)
    n_neighbours = min(_NEIGHBOURS + 1, len(images))
    _, found = cKDTree(places).query(places, n_neighbours, distance_upper_bound=farthest)
    first, second = np.repeat(np.arange(len(images)), n_neighbours), found.ravel()
    real = (second < len(images)) & (first != second)
    pairs = np.sort(np.stack([first[real], second[real]], axis=1), axis=1)
    return np.unique(pairs, axis=0)


def _products(images, pairs):
    return np.einsum("ij,ij->i", images[pairs[:, 0]], images[pairs[:, 1]])


def _shrink_rows(X, image_shape, channels_last, rows):
    """Return thumbnails of 32 pixels of the channels of some rows, side by side."""
    parts = []
    for part in blocks(len(rows), int(np.prod(image_shape))):
        for images in channel_blocks(X[rows[part]], image_shape, channels_last):
            parts.append(np.hstack([shrink(images[:, i], 32) for i in range(image_shape[0])]))
    return np.concatenate(parts)
