"""Gaussians of the clusters, from which new embeddings are drawn."""

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage

#: Variances below this share of a cluster's largest variance are lost by rounding in float32.
_ROUNDING = np.finfo(np.float32).eps / 2


class ClusterGaussians:
    """Covariances of clusters, each as factor.T @ factor + diag(diagonal).

    Before it is shrunk, a covariance of few members has a low rank. The factors of 200 clusters in
    512 dimensions take a tenth of the memory of their covariances.

    Parameters
    ----------
    factors : ndarray of shape (n_rows, embedding_dim), float32
        Factors of all clusters, one below the other.
    ranks : ndarray of shape (n_clusters,), int
        Number of rows of each factor.
    diagonals : ndarray of shape (n_clusters, embedding_dim), float32
        Diagonal of each cluster.
    """

    def __init__(self, factors, ranks, diagonals):
        self.factors = factors
        self.ranks = ranks
        self.diagonals = diagonals

    @classmethod
    def of(cls, parts):
        """Create Gaussians from pairs of a factor and a diagonal, one pair per cluster."""
        factors, diagonals = zip(*parts, strict=True)
        return cls(
            np.concatenate(factors).astype(np.float32),
            np.array([len(factor) for factor in factors]),
            np.array(diagonals, dtype=np.float32),
        )

    @classmethod
    def from_covariances(cls, covariances):
        """Create Gaussians from covariances (n_clusters, embedding_dim, embedding_dim)."""
        parts = []
        for covariance in covariances:
            variances, directions = np.linalg.eigh(covariance.astype(np.float64))
            factor = np.sqrt(np.maximum(variances, 0))[:, None] * directions.T
            parts.append((_without_rounding(factor), np.zeros(len(covariance))))
        return cls.of(parts)

    def factor(self, label):
        """Return the factor of a cluster, (rank, embedding_dim)."""
        end = self.ranks[: label + 1].sum()
        return self.factors[end - self.ranks[label] : end].astype(np.float64)

    def covariances(self):
        """Compute the covariances, float32 (n_clusters, embedding_dim, embedding_dim)."""
        n_clusters, embedding_dim = self.diagonals.shape
        covariances = np.empty((n_clusters, embedding_dim, embedding_dim), dtype=np.float32)
        for label, diagonal in enumerate(self.diagonals):
            factor = self.factor(label)
            covariances[label] = factor.T @ factor + np.diag(diagonal)
        return covariances

    def draw(self, label, count, rng):
        """Draw differences from the mean of a cluster, (count, embedding_dim)."""
        factor, diagonal = self.factor(label), self.diagonals[label].astype(np.float64)
        common = rng.standard_normal((count, len(factor))) @ factor
        return common + rng.standard_normal((count, len(diagonal))) * np.sqrt(diagonal)


def cluster_gaussians(embedding, labels, variance=None):
    """Fit a Gaussian with shrunk covariance (Ledoit and Wolf) to each cluster's embeddings.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, embedding_dim)
    labels : ndarray of shape (n_samples,)
        Clusters, contiguous from 0.
    variance : ndarray of shape (n_samples, embedding_dim), default=None
        Variance of each sample's posterior. Its mean per cluster is added to the covariance, which
        makes the Gaussian an aggregated posterior.

    Returns
    -------
    means : ndarray of shape (n_clusters, embedding_dim)
    gaussians : ClusterGaussians
    """
    means, parts = [], []
    for label in range(labels.max() + 1):
        members = labels == label
        means.append(embedding[members].mean(axis=0))
        factor, diagonal = _shrunk(embedding[members].astype(np.float64))
        if variance is not None:
            diagonal = diagonal + variance[members].mean(axis=0)
        parts.append((factor, diagonal))
    return np.array(means, dtype=np.float32), ClusterGaussians.of(parts)


def _shrunk(members):
    """Compute the factor and the diagonal of the shrunk covariance of members."""
    n_members, embedding_dim = members.shape
    everywhere = np.full(embedding_dim, members.var(axis=0).mean())
    if n_members <= 2:  # the covariance of two members is a line, and would not be shrunk
        return np.empty((0, embedding_dim)), everywhere
    # Of members that differ only by rounding, it may be negative.
    shrinkage = max(ledoit_wolf_shrinkage(members), 0.0)
    _, lengths, directions = np.linalg.svd(members - members.mean(axis=0), full_matrices=False)
    factor = np.sqrt((1 - shrinkage) / n_members) * lengths[:, None] * directions
    return _without_rounding(factor), shrinkage * everywhere


def _without_rounding(factor):
    """Drop rows of a factor, orthogonal to each other, whose variance is lost by rounding."""
    variances = np.square(factor).sum(axis=1)
    return factor[variances > _ROUNDING * variances.max(initial=0)]
