"""Assignment of samples to clusters, and the numbers of these clusters."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize

from .._utils.warnings import warn

_COLLAPSE_SHARE = 0.95


def cosine_similarity(embedding, cluster_centers):
    """Compute the cosines of embeddings (n_samples, embedding_dim) to unit prototypes."""
    return F.normalize(embedding) @ cluster_centers.T  # (n_samples, n_clusters)


def soft_assignment(similarity, assignment_temperature):
    """Compute the softmax of the similarities to the prototypes, divided by a temperature."""
    # Subtract the largest similarity, so that no temperature causes an overflow.
    margin = similarity - similarity.amax(dim=1, keepdim=True)
    return (margin / assignment_temperature).softmax(dim=1)


def assign_by_cosine(embedding, cluster_centers, assignment_temperature):
    """Assign embeddings (n, embedding_dim) softly to unit prototypes, as tensors."""
    similarity = cosine_similarity(embedding, cluster_centers)
    return soft_assignment(similarity, assignment_temperature)  # (n, n_clusters)


class Posterior:
    """Soft assignment by the ``predict_proba`` of a fitted clusterer.

    Parameters
    ----------
    clusterer : estimator
        Clusterer, fitted to normalised embeddings.
    kept : ndarray of shape (n_clusters,)
        Numbers, in the clusterer, of the clusters that have samples.
    """

    def __init__(self, clusterer, kept):
        self.clusterer = clusterer
        self.kept = kept

    def __call__(self, embedding):
        """Assign embeddings (n, embedding_dim) softly, (n, n_clusters), as tensors."""
        unit = normalize(embedding.cpu().numpy())
        probability = self.clusterer.predict_proba(unit)[:, self.kept]
        # A sample may belong only to clusters that were dropped.
        total = probability.sum(axis=1, keepdims=True)
        uniform = np.full_like(probability, 1 / len(self.kept))
        probability = np.divide(probability, total, out=uniform, where=total > 0)
        return torch.from_numpy(probability.astype(np.float32)).to(embedding.device)


def assign_by_clusterer(clusterer, embedding):
    """Assign the embeddings to which a clusterer was fitted, by its ``predict_proba``.

    A cluster is dropped if it is not the most probable one of any sample.

    Returns
    -------
    posterior : Posterior
    labels : ndarray of shape (n_samples,)
    """
    probability = clusterer.predict_proba(normalize(embedding))
    kept, labels = np.unique(probability.argmax(axis=1), return_inverse=True)
    _warn_of_empty(probability.shape[1], len(kept))
    return Posterior(clusterer, kept), labels


def drop_empty(cluster_centers, labels):
    """Drop prototypes that are not the closest one of any sample, such as duplicates.

    Parameters
    ----------
    cluster_centers : ndarray of shape (n_clusters, embedding_dim)
    labels : ndarray of shape (n_samples,)
        Closest prototype of each sample.

    Returns
    -------
    cluster_centers : ndarray of shape (n_used, embedding_dim)
    """
    used = np.unique(labels)
    _warn_of_empty(len(cluster_centers), len(used))
    return cluster_centers[used]


def order_as_before(before, labels, n_clusters):
    """Order clusters so that they keep the numbers of the previous clusters.

    New and previous clusters are paired so that the pairs share the most samples in total. A number
    above `n_clusters` - 1 cannot be kept. Clusters without a previous number get the free numbers.

    Parameters
    ----------
    before, labels : ndarray of shape (n_samples,)
        Previous and new clusters of the same samples.
    n_clusters : int
        Number of clusters in `labels`.

    Returns
    -------
    order : ndarray of shape (n_clusters,)
        Cluster in `labels` that gets each number.
    """
    shared = np.zeros((before.max() + 1, n_clusters), dtype=int)
    np.add.at(shared, (before, labels), 1)
    numbers = np.full(n_clusters, -1)
    for number, cluster in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
        if number < n_clusters and shared[number, cluster] > 0:
            numbers[cluster] = number
    numbers[numbers < 0] = np.setdiff1d(np.arange(n_clusters), numbers)
    return np.argsort(numbers)


def _warn_of_empty(n_clusters, n_used):
    if n_used < n_clusters:
        warn(
            f"{n_clusters - n_used} of {n_clusters} clusters were empty and were dropped: "
            f"n_clusters_={n_used}. No sample is closest to their prototypes. If you passed a "
            "number of clusters, pass a smaller one.",
            ConvergenceWarning,
        )


def check_spread(labels, n_clusters):
    """Warn if one of several clusters contains nearly all samples."""
    share = np.bincount(labels).max() / len(labels)
    if n_clusters > 1 and share > _COLLAPSE_SHARE:
        warn(
            f"One cluster contains {share:.1%} of the samples: the embedding may have collapsed. "
            "Try more warm_up_epochs, another learning_rate or a gentler augmentation, and compare "
            "accuracies with the majority class.",
            ConvergenceWarning,
        )
