"""Scores of a clustering against known labels, together with baselines."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from .._input.labels import check_labels, check_length


@dataclass(frozen=True)
class ClusteringReport:
    """Result of :func:`clustering_report`, with one number per attribute and a table as `repr`.

    Attributes
    ----------
    n_samples, n_classes, n_clusters : int
        Number of samples, true classes and clusters.
    largest_cluster_share : float
        Share of the samples in the largest cluster.
    majority_baseline : float
        Accuracy of predicting the most frequent class for all samples.
    purity : float
        Accuracy if each cluster predicts its most frequent class. It never falls if clusters are
        split.
    balanced_accuracy : float
        Mean recall over classes of the same mapping; 1 / n_classes for a constant prediction.
    hungarian_accuracy : float
        Accuracy of the best matching with at most one cluster per class.
    nmi : float
        Normalised mutual information (arithmetic mean).
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

    def to_dict(self) -> dict[str, int | float]:
        """Return the numbers as a dict of plain ints and floats, which JSON can represent.

        Returns
        -------
        report : dict
            Number per attribute name.
        """
        return asdict(self)

    def __repr__(self) -> str:
        rows = (
            f"  {name.replace('_', ' '):<22}{value:>8.3f}"
            if isinstance(value, float)
            else f"  {name.replace('_', ' '):<22}{value:>8d}"
            for name, value in self.to_dict().items()
        )
        return "\n".join(["Clustering report", *rows])


def clustering_report(y_true, labels) -> ClusteringReport:
    """Score cluster labels against true labels, together with baselines.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes, integers or strings.
    labels : array-like of shape (n_samples,)
        Cluster ids, integers or strings. Noise (-1) counts as a cluster.

    Returns
    -------
    report : ClusteringReport
        Scores as attributes; its `repr` is a table.

    Raises
    ------
    ValueError
        If the labels differ in length, are empty, contain several labels per sample or NaN, or are
        not discrete.

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


def hungarian_accuracy(y_true, labels) -> float:
    """Return the accuracy under the best one-to-one matching of clusters to classes.

    If there are more clusters than classes, samples of unmatched clusters count as wrong; if there
    are fewer, samples of unmatched classes do. Splitting clusters therefore does not help.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    labels : array-like of shape (n_samples,)
        Cluster ids. Noise (-1) counts as a cluster.

    Returns
    -------
    accuracy : float
        Accuracy above 0 and at most 1.

    Raises
    ------
    ValueError
        If the labels differ in length, are empty, contain several labels per sample or NaN, or are
        not discrete.

    Examples
    --------
    >>> from sklearn_cae.metrics import hungarian_accuracy
    >>> hungarian_accuracy(["a", "a", "b", "b"], [1, 1, 0, 2])
    0.75
    """
    return _hungarian(contingency_matrix(*_check_labellings(y_true, labels)))


def purity_score(y_true, labels) -> float:
    """Return the accuracy if each cluster predicts its most frequent class.

    It never falls if clusters are split, and is 1 for one cluster per sample. Report it together
    with the number of clusters and the majority baseline.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    labels : array-like of shape (n_samples,)
        Cluster ids. Noise (-1) counts as a cluster.

    Returns
    -------
    purity : float
        Accuracy between the majority baseline and 1.

    Raises
    ------
    ValueError
        If the labels differ in length, are empty, contain several labels per sample or NaN, or are
        not discrete.

    Examples
    --------
    >>> from sklearn_cae.metrics import purity_score
    >>> purity_score(["a", "a", "b", "b"], [1, 1, 0, 2])
    1.0
    """
    return _purity(contingency_matrix(*_check_labellings(y_true, labels)))


# In the following functions, `counts` is the contingency matrix (n_classes, n_clusters).


def _hungarian(counts):
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / counts.sum())


def _purity(counts):
    return float(counts.max(axis=0).sum() / counts.sum())


def _balanced_accuracy(counts):
    hits = np.bincount(counts.argmax(axis=0), weights=counts.max(axis=0), minlength=counts.shape[0])
    return float(np.mean(hits / counts.sum(axis=1)))


def _check_labellings(y_true, labels):
    """Check both labellings, and return them as arrays (n_samples,)."""
    y_true, labels = _check_labelling(y_true, "y_true"), _check_labelling(labels, "labels")
    check_length("labels", labels, len(y_true), "label in y_true")
    return y_true, labels


def _check_labelling(values, name):
    values = check_labels(values, name=name)
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise ValueError(
            f"{name} must be discrete, got {values[values != np.rint(values)][0]!r}. Pass "
            "integers or strings."
        )
    return values
