"""Nearest samples among those that were clustered."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize


class NearestClustered:
    """The nearest of the clustered samples, by cosine.

    Parameters
    ----------
    embedding : ndarray of shape (n_clustered, embedding_dim)
    n_neighbors : int
        At most; one less than there are.
    """

    def __init__(self, embedding, n_neighbors):
        # One more, since a clustered sample is its own nearest one.
        self.n_neighbors = min(n_neighbors + 1, len(embedding))
        self.neighbors = NearestNeighbors(algorithm="brute").fit(normalize(embedding))

    def __call__(self, embedding):
        """Find positions in the clustered embeddings, (n, n_neighbors + 1), the nearest first."""
        unit = normalize(embedding.numpy())
        return torch.from_numpy(
            self.neighbors.kneighbors(unit, self.n_neighbors, return_distance=False)
        )


def without_itself(neighbors):
    """Leave each sample out of its own neighbours, or else the farthest one."""
    is_itself = neighbors == np.arange(len(neighbors))[:, None]
    last = np.argsort(is_itself, axis=1, kind="stable")
    return np.take_along_axis(neighbors, last, axis=1)[:, :-1]
