"""Gaussians of the clusters, from which new embeddings are drawn."""

import numpy as np
from sklearn.covariance import ledoit_wolf


def cluster_gaussians(embedding, labels, variance=None):
    """Fit a Gaussian with shrunk covariance (Ledoit and Wolf) to each cluster's embeddings.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, embedding_dim)
    labels : ndarray of shape (n_samples,)
        Contiguous from 0.
    variance : ndarray of shape (n_samples, embedding_dim), default=None
        Of each sample's posterior, whose mean the covariance adds: the aggregated posterior.

    Returns
    -------
    means : ndarray of shape (n_clusters, embedding_dim)
    covariances : ndarray of shape (n_clusters, embedding_dim, embedding_dim)
    """
    means, covariances = [], []
    for label in range(labels.max() + 1):
        members = labels == label
        means.append(embedding[members].mean(axis=0))
        if members.sum() > 2:
            covariance, _ = ledoit_wolf(embedding[members])
        else:  # what two show of a covariance is a line, which Ledoit and Wolf would not shrink
            covariance = np.eye(embedding.shape[1]) * embedding[members].var(axis=0).mean()
        if variance is not None:
            covariance = covariance + np.diag(variance[members].mean(axis=0))
        covariances.append(covariance)
    return np.array(means, dtype=np.float32), np.array(covariances, dtype=np.float32)
