"""Communities of random halves of the samples: which ones come back."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score


class Half(NamedTuple):
    """Communities of a random half of the samples.

    Attributes
    ----------
    rows : ndarray of shape (n_half,)
        Samples of the half, in ascending order.
    partitions : list of ndarray of shape (n_half,)
        Communities of these samples, at several resolutions.
    """

    rows: np.ndarray
    partitions: list


def draw_half(n_samples, rng):
    """Draw the indices of a half of the samples, ascending."""
    return np.sort(rng.choice(n_samples, max(2, n_samples // 2), replace=False))


def closest_partition(half, labels):
    """Return the partition of a half that agrees best with the labels of all samples.

    Returns
    -------
    partition : ndarray of shape (n_half,)
    rand : float
        Adjusted Rand index of both.
    """
    labels = labels[half.rows]
    rands = [adjusted_rand_score(labels, partition) for partition in half.partitions]
    best = int(np.argmax(rands))
    return half.partitions[best], rands[best]


def mean_agreement(halves, labels):
    """Compute the mean adjusted Rand index between labels and what each half finds."""
    return float(np.mean([closest_partition(half, labels)[1] for half in halves]))
