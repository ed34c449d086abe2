"""Scores of a clustering against known labels that cannot flatter.

An accuracy by majority mapping (purity) never falls as the number of clusters grows, and a
majority class makes any accuracy look good. So :func:`clustering_report` puts the number of
clusters, the majority baseline and chance-corrected scores beside it.
"""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import assert_all_finite

__all__ = ["ClusteringReport", "clustering_report", "hungarian_accuracy", "purity_score"]


@dataclass(frozen=True)
class ClusteringReport:
    """What :func:`clustering_report` returns: one number per attribute, a table as `repr`.

    Attributes
    ----------
    n_samples, n_classes, n_clusters : int
        How many samples, true classes and clusters there are.
    largest_cluster_share : float
        Share of the samples in the largest cluster.
    majority_baseline : float
        Accuracy of always answering the most frequent class.
    purity : float
        Accuracy where each cluster carries its most frequent class; never falls as clusters split.
    balanced_accuracy : float
        Mean recall over classes of that same mapping; 1 / n_classes for a constant answer.
    hungarian_accuracy : float
        Accuracy where each class gets at most one cluster, matched to be the best.
    nmi : float
        Normalised mutual information, arithmetic mean.
    ari : float
        Adjusted Rand index; 0 on average for random clusters.
    """

    n_samples: int
    n_classes: int
    n_clusters: int
    largest_cluster_share: float
    majority_baseline: float
    purity: float
    balanced_accuracy: float
    hungarian_accuracy: float
    nmi: float
    ari: float

    def to_dict(self):
        """Return the numbers as a dict of plain ints and floats, ready for JSON.

        Returns
        -------
        report : dict
            Attribute name to number.
        """
        return asdict(self)

    def __repr__(self):
        rows = (
            f"  {name.replace('_', ' '):<22}{value:>8.3f}"
            if isinstance(value, float)
            else f"  {name.replace('_', ' '):<22}{value:>8d}"
            for name, value in self.to_dict().items()
        )
        return "\n".join(["Clustering report", *rows])


def clustering_report(y_true, labels):
    """Score cluster labels against true labels, with what an accuracy must be read against.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes, integers or strings.
    labels : array-like of shape (n_samples,)
        Cluster ids, integers or strings. Noise (-1) counts as a cluster of its own.

    Returns
    -------
    report : ClusteringReport
        The scores as attributes; prints as a table.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, not 1-D, contain NaN or are not discrete.

    Examples
    --------
    >>> from sklearn_cae import clustering_report
    >>> clustering_report([0, 0, 0, 0, 1, 1], [2, 2, 2, 0, 0, 1])
    Clustering report
      n samples                    6
      n classes                    2
      n clusters                   3
      largest cluster share    0.500
      majority baseline        0.667
      purity                   0.833
      balanced accuracy        0.750
      hungarian accuracy       0.667
      nmi                      0.492
      ari                      0.312
    """
    y_true, labels = _check_labellings(y_true, labels)
    counts = contingency_matrix(y_true, labels)
    n_classes, n_clusters = counts.shape
    return ClusteringReport(
        n_samples=len(y_true),
        n_classes=n_classes,
        n_clusters=n_clusters,
        largest_cluster_share=float(counts.sum(axis=0).max() / len(y_true)),
        majority_baseline=float(counts.sum(axis=1).max() / len(y_true)),
        purity=_purity(counts),
        balanced_accuracy=_balanced_accuracy(counts),
        hungarian_accuracy=_hungarian(counts),
        nmi=float(normalized_mutual_info_score(y_true, labels)),
        ari=float(adjusted_rand_score(y_true, labels)),
    )


def hungarian_accuracy(y_true, labels):
    """Return the accuracy under the best one-to-one matching of clusters to classes.

    With more clusters than classes the samples of unmatched clusters count as wrong, with fewer
    those of unmatched classes: splitting clusters is not rewarded.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    labels : array-like of shape (n_samples,)
        Cluster ids. Noise (-1) counts as a cluster of its own.

    Returns
    -------
    accuracy : float
        Between 0 (not reached) and 1.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, not 1-D, contain NaN or are not discrete.

    Examples
    --------
    >>> from sklearn_cae.metrics import hungarian_accuracy
    >>> hungarian_accuracy(["a", "a", "b", "b"], [1, 1, 0, 2])
    0.75
    """
    return _hungarian(contingency_matrix(*_check_labellings(y_true, labels)))


def purity_score(y_true, labels):
    """Return the accuracy where each cluster carries its most frequent class.

    It never falls as clusters are split, and is 1 for one cluster per sample: report the number
    of clusters and the majority baseline with it.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    labels : array-like of shape (n_samples,)
        Cluster ids. Noise (-1) counts as a cluster of its own.

    Returns
    -------
    purity : float
        Between the majority baseline and 1.

    Raises
    ------
    ValueError
        If the two differ in length, are empty, not 1-D, contain NaN or are not discrete.

    Examples
    --------
    >>> from sklearn_cae.metrics import purity_score
    >>> purity_score(["a", "a", "b", "b"], [1, 1, 0, 2])
    1.0
    """
    return _purity(contingency_matrix(*_check_labellings(y_true, labels)))


# In what follows `counts` is the contingency matrix, (n_classes, n_clusters).


def _hungarian(counts):
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / counts.sum())


def _purity(counts):
    return float(counts.max(axis=0).sum() / counts.sum())


def _balanced_accuracy(counts):
    hits = np.bincount(counts.argmax(axis=0), weights=counts.max(axis=0), minlength=counts.shape[0])
    return float(np.mean(hits / counts.sum(axis=1)))


def _check_labellings(y_true, labels):
    """Return both as arrays (n_samples,)."""
    y_true, labels = _check_labelling(y_true, "y_true"), _check_labelling(labels, "labels")
    if len(y_true) != len(labels):
        raise ValueError(
            "y_true and labels must have one value for each of the same samples, got "
            f"{len(y_true)} and {len(labels)} values."
        )
    return y_true, labels


def _check_labelling(values, name):
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(
            f"{name} must be 1-D with one value per sample, got shape {values.shape}. Pass a "
            "column's .ravel(), or .argmax(axis=1) of a soft assignment."
        )
    if len(values) == 0:
        raise ValueError(f"{name} must hold at least one sample, got none.")
    assert_all_finite(values, input_name=name)
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise ValueError(
            f"{name} must be discrete, got {values[values != np.rint(values)][0]!r}. Pass "
            "integers or strings."
        )
    return values
