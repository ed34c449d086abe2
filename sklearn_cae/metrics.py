"""Scores of a clustering that cannot flatter: against known labels, and against itself.

An accuracy by majority mapping (purity) never falls as clusters are split, and a
majority class makes any accuracy look good. So :func:`clustering_report` puts the number of
clusters, the majority baseline and scores such as ARI, which chance does not help, beside it.
:func:`stability_report` needs no labels: it tells which clusters come back when the model is fitted
again.
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
        If the two differ in length, are empty, hold several labels per sample, contain NaN or
        are not discrete.

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
    """What :func:`stability_report` returns: agreement between fits, a table as `repr`.

    Attributes
    ----------
    n_clusters : list of int
        Clusters found by each fit: the reference, the other seeds, the halves.
    ari_seeds : list of float
        Adjusted Rand index between the reference and each fit with another seed.
    ari_halves : list of float
        Adjusted Rand index between the two models of each split into halves, on all samples.
    sizes : list of int
        Samples in each cluster of the reference.
    jaccard : list of float
        For each cluster of the reference, its overlap (intersection over union) with the most
        similar cluster of a model fitted to half of the data, a mean over those models. Below
        about 0.6 a cluster does not come back, above about 0.75 it does [1]_, if that is well
        above its share of the samples: with one cluster in the other model, that is its overlap.
    labels : ndarray of shape (n_samples,)
        Clusters of the reference, which `sizes` and `jaccard` are about: numbered from 0 on, in
        the order of the estimator's own ids, its noise (-1) among them.

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

    def to_dict(self):
        """Return the report as a dict of lists of plain numbers, ready for JSON.

        Returns
        -------
        report : dict
            Attribute name to list.
        """
        return {**vars(self), "labels": self.labels.tolist()}

    def __repr__(self):
        lines = ["Stability report"]
        for title, aris in (("other seeds", self.ari_seeds), ("halves", self.ari_halves)):
            mean, std = np.mean(aris), np.std(aris)
            lines.append(f"  ARI, {title:<17}{mean:>8.3f} ± {std:.3f}")
        lines.append(f"  clusters found        {min(self.n_clusters)} to {max(self.n_clusters)}")
        lines.append("  cluster    size   comes back (Jaccard)")
        for label, (size, jaccard) in enumerate(zip(self.sizes, self.jaccard, strict=True)):
            lines.append(f"  {label:>7}{size:>8}{jaccard:>9.3f}")
        return "\n".join(lines)


def stability_report(estimator, X, *, n_repeats=3, groups=None, random_state=None):
    """Fit again, with other seeds and on halves of the data, and tell which clusters come back.

    A clustering that changes with the seed, or with which half of the patients it saw, describes
    the fit and not the patients. This costs 1 + 3 * n_repeats fits.

    Parameters
    ----------
    estimator : estimator
        A clusterer with ``fit`` and ``predict``, or a pipeline that ends with one; cloned.
    X : array-like of shape (n_samples, ...)
        Training samples.
    n_repeats : int, default=3
        Other seeds, and splits into halves, at least 1.
    groups : array-like of shape (n_samples,), default=None
        Samples of one group, such as a patient's images, stay in the same half.
    random_state : int, RandomState instance or None, default=None
        Of the seeds and the splits.

    Returns
    -------
    report : StabilityReport

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C: a fit that was interrupted counts as none.
    TypeError
        If the estimator cannot predict.
    ValueError
        If `groups` differs from X in length, or names fewer than two groups.

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
            "estimator must have predict, to assign samples that it was not fitted to; "
            f"{type(estimator).__name__} has none."
        )
    check_kind(X)  # no more: X is in any form that the estimator takes
    n_samples = _num_samples(X)
    groups = np.arange(n_samples) if groups is None else check_labels(groups, n_samples, "groups")
    if len(np.unique(groups)) < 2:
        raise ValueError("groups must name at least two groups, to be split into halves, got one.")
    rng = local_random_state(random_state)

    def refit(members):
        model = _with_seeds(clone(estimator), rng)
        earlier = _interrupted_parts(model)  # of a frozen step, which is not fitted here
        model.fit(_safe_indexing(X, members))
        if len(_interrupted_parts(model)) > len(earlier):
            raise KeyboardInterrupt  # which the fit took for its own end
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
    """List what was interrupted by Ctrl-C in its fit: a model itself, steps of a pipeline."""
    parts = (model, *model.get_params().values())
    return [each for each in parts if getattr(each, "interrupted_", False)]


def _with_seeds(estimator, rng):
    """Give every `random_state` of an estimator a seed of its own."""
    names = random_state_names(sorted(estimator.get_params()))
    return estimator.set_params(**{name: draw_seed(rng) for name in names})


def _jaccard(reference, labels):
    """Overlap of each cluster of `reference` with the most similar one of `labels`."""
    both = contingency_matrix(reference, labels)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    return (both / either).max(axis=1)


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
        If the two differ in length, are empty, hold several labels per sample, contain NaN or
        are not discrete.

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
        If the two differ in length, are empty, hold several labels per sample, contain NaN or
        are not discrete.

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
