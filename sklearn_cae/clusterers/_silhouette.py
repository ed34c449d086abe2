"""Silhouettes from the two closest prototypes of each sample."""

import numpy as np


def closest_two(similarity):
    """Return the cosines of each sample to its closest and its next prototype.

    If there is only one prototype, it is both.
    """
    if similarity.shape[1] == 1:
        return similarity[:, 0], similarity[:, 0]
    next_, own = np.partition(similarity, -2, axis=1)[:, -2:].T
    return own, next_


def simplified_silhouette(similarity):
    """Compute the silhouette of each sample from its two closest prototypes.

    It is (b - a) / max(a, b), where a and b are the cosine distances to the closest prototype and
    to the next one.

    Parameters
    ----------
    similarity : ndarray of shape (n_samples, n_clusters)
        Cosine similarities to the prototypes.

    Returns
    -------
    silhouette : ndarray of shape (n_samples,)
        Silhouettes in [0, 1]. They are 0 if there is only one prototype.
    """
    own, next_ = closest_two(similarity)
    # Rounded cosines can exceed 1. If both distances are 0, the silhouette is 0.
    distance, next_distance = np.maximum(1 - own, 0), np.maximum(1 - next_, 0)
    return (next_distance - distance) / np.maximum(next_distance, np.finfo(similarity.dtype).tiny)
