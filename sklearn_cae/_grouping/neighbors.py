"""Nearest samples among those that were clustered."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize


class NearestClustered:
    """Search for the nearest clustered samples, by cosine.

    Parameters
    ----------
    embedding : ndarray of shape (n_clustered, embedding_dim)
    n_neighbors : int
        Number of neighbours, reduced to n_clustered - 1 if it is larger.
    """

    def __init__(self, embedding, n_neighbors):
        # Add one, because a clustered sample is its own nearest neighbour.
        self.n_neighbors = min(n_neighbors + 1, len(embedding))
        self.neighbors = NearestNeighbors(algorithm="brute").fit(normalize(embedding))

    def __call__(self, embedding):
        """Find indices of clustered samples, (n, n_neighbors + 1), the nearest first."""
        unit = normalize(embedding.numpy())
        return torch.from_numpy(
            self.neighbors.kneighbors(unit, self.n_neighbors, return_distance=False)
        )


def without_itself(neighbors):
    """Remove each sample from its own neighbours, or otherwise its farthest neighbour."""
    is_itself = neighbors == np.arange(len(neighbors))[:, None]
    last = np.argsort(is_itself, axis=1, kind="stable")
    return np.take_along_axis(neighbors, last, axis=1)[:, :-1]
