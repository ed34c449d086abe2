"""Links between samples that share neighbours, and the communities of their graph."""

import numpy as np
from scipy.sparse import coo_array, csr_array, csr_matrix
from sklearn.neighbors import NearestNeighbors
from sknetwork.clustering import Louvain

#: At lower resolutions, the modularity merges groups that are small compared with the whole.
RESOLUTIONS = np.geomspace(0.2, 1.0, 17)


def shared_neighbors(X, n_neighbors):
    """Link samples with their nearest neighbours, weighted by the share of common neighbours.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    n_neighbors : int
        Number of neighbours, with the sample itself.

    Returns
    -------
    links : sparse array of shape (n_samples, n_samples)
        Weights of the links: symmetric, in [0, 1], zero on the diagonal.
    """
    n_samples = len(X)
    others = NearestNeighbors(n_neighbors=n_neighbors - 1).fit(X).kneighbors(return_distance=False)
    nearest = np.column_stack([np.arange(n_samples), others])
    is_near = csr_array(
        (np.ones(nearest.size), nearest.ravel(), np.arange(0, nearest.size + 1, n_neighbors)),
        shape=(n_samples, n_samples),
    )
    n_shared = coo_array((is_near @ is_near.T) * ((is_near + is_near.T) > 0))
    between = n_shared.row != n_shared.col
    row, col, n_shared = (each[between] for each in (n_shared.row, n_shared.col, n_shared.data))
    return csr_array(
        (n_shared / (2 * n_neighbors - n_shared), (row, col)), shape=(n_samples, n_samples)
    )


def communities(links, resolution, order):
    """Find Louvain communities, the largest first, with the samples in a given order."""
    # Leiden is not used, because scikit-network's draws from C's generator, which cannot be
    # seeded. Probabilities are not returned, because the largest one is not always the label.
    louvain = Louvain(resolution, "newman", return_probs=False, return_aggregate=False)
    links = csr_matrix(links)[order][:, order]  # Louvain accepts only this type
    return louvain.fit_predict(links)[np.argsort(order)]
