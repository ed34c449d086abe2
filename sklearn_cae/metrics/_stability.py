"""Agreement of fits with other seeds and on halves of the data."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils.validation import _num_samples

from .._input.arrays import check_kind
from .._input.labels import check_labels
from .._utils.random import draw_seed, local_random_state, random_state_names


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
