"""How clearly samples belong to their cluster, by the two prototypes that are closest."""

import numpy as np


def closest_two(similarity):
    """Cosines of each sample to its closest prototype and to the next; the same one if alone."""
    if similarity.shape[1] == 1:
        return similarity[:, 0], similarity[:, 0]
    next_, own = np.partition(similarity, -2, axis=1)[:, -2:].T
    return own, next_


def simplified_silhouette(similarity):
    """Silhouette of each sample by its two closest prototypes.

    With a and b the cosine distances to the closest and to the next one, (b - a) / max(a, b).

    Parameters
    ----------
    similarity : ndarray of shape (n_samples, n_clusters)
        Cosine similarities to the prototypes.

    Returns
    -------
    silhouette : ndarray of shape (n_samples,)
        In [0, 1]; 0 where there is one prototype only.
    """
    own, next_ = closest_two(similarity)
    # Rounding can take a cosine past 1, and two distances of 0 are a tie.
    distance, next_distance = np.maximum(1 - own, 0), np.maximum(1 - next_, 0)
    return (next_distance - distance) / np.maximum(next_distance, np.finfo(similarity.dtype).tiny)
