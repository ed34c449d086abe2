"""Scores of a clustering, against known labels and against other fits.

The accuracy of a majority mapping (purity) never falls if clusters are split, and any accuracy is
high if most samples have the same class. :func:`clustering_report` therefore adds the number of
clusters, the majority baseline, and scores such as ARI, which do not rise by chance.
:func:`stability_report` needs no labels: it fits the model again and reports which clusters come
back.
"""

from dataclasses import asdict, dataclass
from numbers import Integral

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils.validation import _num_samples

from ._input.arrays import check_kind
from ._input.labels import check_labels, check_length
from ._utils.random import draw_seed, local_random_state, random_state_names

__all__ = [
    "ClusteringReport",
    "StabilityReport",
    "clustering_report",
    "hungarian_accuracy",
    "purity_score",
    "stability_report",
]


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


@dataclass(frozen=True, eq=False)
class StabilityReport:
    """Result of :func:`stability_report`: agreement between fits, with a table as `repr`.

    Attributes
    ----------
    n_clusters : list of int
        Number of clusters of each fit: the reference, the other seeds, the halves.
    ari_seeds : list of float
        Adjusted Rand index between the reference and each fit with another seed.
    ari_halves : list of float
        Adjusted Rand index between the two models of each split into halves, on all samples.
    sizes : list of int
        Number of samples in each cluster of the reference.
    jaccard : list of float
        For each cluster of the reference, its overlap (intersection over union) with the most
        similar cluster of a model fitted on half of the data, averaged over these models. Below
        about 0.6 a cluster does not come back, above about 0.75 it does [1]_. The overlap must
        also be well above the cluster's share of all samples, which is its overlap if the other
        model has a single cluster.
    labels : ndarray of shape (n_samples,)
        Clusters of the reference, in the numbering of `sizes` and `jaccard`. They are numbered
        from 0 in the order of the estimator's ids; noise (-1) is one of them.

    References
    ----------
    .. [1] Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics and
       Data Analysis 52, 2007.
    """

    n_clusters: list
    ari_seeds: list
    ari_halves: list
    sizes: list
    jaccard: list
    labels: np.ndarray

    def to_dict(self) -> dict[str, list]:
        """Return the report as a dict of lists of plain numbers, which JSON can represent.

        Returns
        -------
        report : dict
            List per attribute name.
        """
        return {**vars(self), "labels": self.labels.tolist()}

    def __repr__(self) -> str:
        lines = ["Stability report"]
        for title, aris in (("other seeds", self.ari_seeds), ("halves", self.ari_halves)):
            mean, std = np.mean(aris), np.std(aris)
            lines.append(f"  ARI, {title:<17}{mean:>8.3f} ± {std:.3f}")
        lines.append(f"  clusters found        {min(self.n_clusters)} to {max(self.n_clusters)}")
        lines.append("  cluster    size   comes back (Jaccard)")
        for label, (size, jaccard) in enumerate(zip(self.sizes, self.jaccard, strict=True)):
            lines.append(f"  {label:>7}{size:>8}{jaccard:>9.3f}")
        return "\n".join(lines)


def stability_report(
    estimator, X, *, n_repeats=3, groups=None, random_state=None
) -> StabilityReport:
    """Fit with other seeds and on halves of the data, and report which clusters come back.

    If a clustering changes with the seed, or with the half of the patients, it describes the fit
    and not the patients. The estimator is fitted 1 + 3 * n_repeats times.

    Parameters
    ----------
    estimator : estimator
        Clusterer with ``fit`` and ``predict``, or a pipeline that ends with one. It is cloned.
    X : array-like of shape (n_samples, ...)
        Training samples.
    n_repeats : int, default=3
        Number of other seeds, and of splits into halves, at least 1.
    groups : array-like of shape (n_samples,), default=None
        Group of each sample, such as its patient. Samples of a group stay in the same half.
    random_state : int, RandomState instance or None, default=None
        Seed for the fits and the splits. None gives different results on each call.

    Returns
    -------
    report : StabilityReport
        Agreement between the fits.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, because an interrupted fit cannot be compared.
    TypeError
        If the estimator cannot predict.
    ValueError
        If `groups` differs from `X` in length, or contains fewer than two groups.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_cae.metrics import stability_report
    >>> X, _ = make_blobs(200, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> report = stability_report(KMeans(3, n_init=5), X, random_state=0)
    >>> report.ari_halves
    [1.0, 1.0, 1.0]
    >>> report.jaccard
    [1.0, 1.0, 1.0]
    """
    check_scalar(n_repeats, "n_repeats", Integral, min_val=1)
    if not hasattr(estimator, "predict"):
        raise TypeError(
            "estimator must have predict, to assign samples that it was not fitted on, got "
            f"{type(estimator).__name__} without it. Pass another clusterer."
        )
    check_kind(X)  # the estimator checks the rest of X
    n_samples = _num_samples(X)
    groups = np.arange(n_samples) if groups is None else check_labels(groups, n_samples, "groups")
    if len(np.unique(groups)) < 2:
        raise ValueError("groups must hold at least two groups, to be split into halves, got one.")
    rng = local_random_state(random_state)

    def refit(members):
        model = _with_seeds(clone(estimator), rng)
        earlier = _interrupted_parts(model)  # of a frozen step, which is not fitted here
        model.fit(_safe_indexing(X, members))
        if len(_interrupted_parts(model)) > len(earlier):
            raise KeyboardInterrupt  # the fit ended normally after it
        return np.asarray(model.predict(X))

    everyone = np.arange(n_samples)
    reference = np.unique(refit(everyone), return_inverse=True)[1]
    seeds = [refit(everyone) for _ in range(n_repeats)]
    splits = GroupShuffleSplit(n_repeats, test_size=0.5, random_state=draw_seed(rng))
    halves = [(refit(one), refit(other)) for one, other in splits.split(everyone, groups=groups)]
    fits = [reference, *seeds, *(labels for pair in halves for labels in pair)]
    overlaps = [_jaccard(reference, labels) for pair in halves for labels in pair]
    return StabilityReport(
        n_clusters=[len(np.unique(labels)) for labels in fits],
        ari_seeds=[float(adjusted_rand_score(reference, labels)) for labels in seeds],
        ari_halves=[float(adjusted_rand_score(*pair)) for pair in halves],
        sizes=np.unique(reference, return_counts=True)[1].tolist(),
        jaccard=np.mean(overlaps, axis=0).tolist(),
        labels=reference,
    )


def _interrupted_parts(model):
    """List estimators whose fit was interrupted by Ctrl-C: the model, steps of a pipeline."""
    parts = (model, *model.get_params().values())
    return [each for each in parts if getattr(each, "interrupted_", False)]


def _with_seeds(estimator, rng):
    """Set each `random_state` of an estimator to a different seed."""
    names = random_state_names(sorted(estimator.get_params()))
    return estimator.set_params(**{name: draw_seed(rng) for name in names})


def _jaccard(reference, labels):
    """Return the overlap of each cluster of `reference` with the most similar of `labels`."""
    both = contingency_matrix(reference, labels)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    return (both / either).max(axis=1)


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
