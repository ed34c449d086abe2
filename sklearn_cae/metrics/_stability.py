"""Agreement of fits with other seeds and on halves of the data."""

from dataclasses import dataclass
from numbers import Integral
from warnings import catch_warnings

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn import get_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_scalar
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted, has_fit_parameter
from tqdm.auto import tqdm

from .._input.arrays import check_kind
from .._input.labels import check_labels
from .._input.nuisances import FEWEST, encode_nuisances
from .._utils.random import draw_seed, local_random_state, random_state_names


@dataclass(frozen=True, eq=False)
class StabilityReport:
    """Result of :func:`stability_report`: agreement between fits, with a table as `repr`.

    Attributes
    ----------
    fitted : bool
        Whether the reference is the estimator that was passed, which was fitted already. If not,
        the reference is a new fit.
    n_clusters : list of int
        Number of clusters of each fit: the reference, the other seeds, the halves.
    ari_seeds : list of float
        Adjusted Rand index between the reference and each fit with another seed.
    ari_halves : list of float
        Adjusted Rand index between the two models of each split into halves, on all samples.
    ids : list of int
        Id of each cluster of the reference, as its ``predict`` returns it, in ascending order. The
        entries of `sizes`, `jaccard` and `jaccard_range` are in this order. Clusters without
        samples in `X` are left out; noise (-1) is one of the clusters.
    sizes : list of int
        Number of samples in each cluster of the reference.
    jaccard : list of float
        For each cluster of the reference, its overlap (intersection over union) with the most
        similar cluster of a model fitted on half of the data, averaged over these models. Below
        about 0.6 a cluster does not come back, above about 0.75 it does [1]_. The overlap must
        also be well above the cluster's share of all samples, which is its overlap if the other
        model has a single cluster.
    jaccard_range : list of [float, float]
        Lowest and highest of these overlaps, for each cluster of the reference.
    labels : ndarray of shape (n_samples,)
        Cluster of each sample in the reference: its place in `ids`, from 0.
    sample_stability : ndarray of shape (n_samples,)
        Share of the other fits in which each sample is in its own cluster. Clusters of a fit are
        paired with those of the reference so that they share the most samples. Two of three fits
        are on half of the data, and have not seen the other half.

    References
    ----------
    .. [1] Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics and
       Data Analysis 52, 2007.
    """

    fitted: bool
    n_clusters: list
    ari_seeds: list
    ari_halves: list
    ids: list
    sizes: list
    jaccard: list
    jaccard_range: list
    labels: np.ndarray
    sample_stability: np.ndarray

    def to_dict(self) -> dict[str, bool | list]:
        """Return the report as a dict of plain values and lists, which JSON can represent.

        Returns
        -------
        report : dict
            Value per attribute name.
        """
        arrays = {name: getattr(self, name).tolist() for name in ("labels", "sample_stability")}
        return {**vars(self), **arrays}

    def __repr__(self) -> str:
        whose = "the fitted estimator" if self.fitted else "a new fit, numbered by this fit"
        lines = ["Stability report", f"  clusters of {whose}"]
        for title, aris in (("other seeds", self.ari_seeds), ("halves", self.ari_halves)):
            deviation = f" ± {np.std(aris):.3f}" if len(aris) > 1 else ""
            lines.append(f"  ARI, {title:<17}{np.mean(aris):>8.3f}{deviation}")
        lines.append(f"  clusters found        {min(self.n_clusters)} to {max(self.n_clusters)}")
        lines.append("  cluster    size   comes back (Jaccard, lowest to highest)")
        rows = zip(self.ids, self.sizes, self.jaccard, self.jaccard_range, strict=True)
        for name, size, jaccard, (low, high) in rows:
            lines.append(f"  {name:>7}{size:>8}{jaccard:>9.3f}   {low:.2f} to {high:.2f}")
        return "\n".join(lines)


def stability_report(
    estimator,
    X,
    *,
    nuisance=None,
    n_repeats=3,
    groups=None,
    n_jobs=None,
    verbose=0,
    random_state=None,
) -> StabilityReport:
    """Fit with other seeds and on halves of the data, and report which clusters come back.

    If a clustering changes with the seed, or with the half of the patients, it describes the fit
    and not the patients.

    Pass a fitted estimator to learn about its clusters. It is not fitted again; copies of it are
    fitted 3 * n_repeats times. If the estimator is not fitted, one more copy is fitted, and the
    report is about the clusters of this copy.

    Parameters
    ----------
    estimator : estimator
        Clusterer with ``fit`` and ``predict``, or a pipeline that ends with one. It does not
        change: its copies are fitted, with other seeds and without their own progress bars.
    X : array-like of shape (n_samples, ...)
        Training samples. If the estimator is fitted, pass those that it was fitted on.
    nuisance : array-like or DataFrame of shape (n_samples,) or (n_samples, n_columns), \
            default=None
        What the groups should not follow, such as the hospital of each sample, passed to each fit.
        If the estimator is fitted, pass the nuisance that it was fitted with. Halves have nearly
        equal shares of each value. `predict` needs no nuisance.
    n_repeats : int, default=3
        Number of other seeds, and of splits into halves, at least 1.
    groups : array-like of shape (n_samples,), default=None
        Group of each sample, such as its patient. Samples of a group stay in the same half.
    n_jobs : int, default=None
        Number of processes that fit at the same time. None means 1, unless
        ``joblib.parallel_config`` sets another number; -1 is one per core. Each process gets its
        share of the cores, so more processes than cores are slower. The report does not depend on
        `n_jobs`, except for rounding by another number of threads.
    verbose : int, default=0
        Whether to show a progress bar over the fits.
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
        If the estimator cannot predict, is frozen, so that no copy of it can be fitted, or takes no
        nuisance.
    ValueError
        If `groups` differs from `X` in length, or contains fewer than two groups, or `X` does not
        have the form of the samples that the estimator was fitted on. If `nuisance` breaks a rule,
        or a half has fewer than five samples of one of its values.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn_cae.metrics import stability_report
    >>> X, _ = make_blobs(200, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> clusterer = KMeans(3, n_init=5, random_state=0).fit(X)
    >>> report = stability_report(clusterer, X, random_state=0)
    >>> report.fitted
    True
    >>> report.ari_halves
    [1.0, 1.0, 1.0]
    >>> report.jaccard
    [1.0, 1.0, 1.0]
    >>> float(report.sample_stability.min())
    1.0
    """
    check_scalar(n_repeats, "n_repeats", Integral, min_val=1)
    _check_estimator(estimator)
    check_kind(X)  # the estimator checks the rest of X
    n_samples = _num_samples(X)
    groups = np.arange(n_samples) if groups is None else check_labels(groups, n_samples, "groups")
    if len(np.unique(groups)) < 2:
        raise ValueError("groups must hold at least two groups, to be split into halves, got one.")
    given = {} if nuisance is None else _check_nuisance(estimator, nuisance, n_samples)
    rng = local_random_state(random_state)
    fitted = _is_fitted(estimator)
    everyone = np.arange(n_samples)
    first = [] if fitted else [(_with_seeds(estimator, rng), everyone)]
    others = [(_with_seeds(estimator, rng), everyone) for _ in range(n_repeats)]
    splits = _split(groups, n_repeats, draw_seed(rng), *given.values())
    halves = [(_with_seeds(estimator, rng), half) for pair in splits for half in pair]
    known = [np.asarray(estimator.predict(X))] if fitted else []
    fits = [*known, *_refit([*first, *others, *halves], X, given, n_jobs, verbose)]
    return _compare(fits, n_repeats, fitted)


def _check_estimator(estimator):
    """Raise if an estimator cannot predict, or if its copies cannot be fitted."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if isinstance(last, FrozenEstimator):
        raise TypeError(
            "estimator must be one that can be fitted again, to be compared with other fits, got "
            "a FrozenEstimator. Pass its .estimator."
        )
    if not hasattr(estimator, "predict"):
        raise TypeError(
            "estimator must have predict, to assign samples that it was not fitted on, got "
            f"{type(estimator).__name__} without it. Pass another clusterer."
        )


def _check_nuisance(estimator, nuisance, n_samples):
    """Return the nuisance as a keyword of `fit`: codes as text, (n_samples, n_columns)."""
    is_pipeline = isinstance(estimator, Pipeline)
    name, last = estimator.steps[-1] if is_pipeline else ("", estimator)
    if not has_fit_parameter(last, "nuisance"):
        raise TypeError(
            "nuisance needs an estimator whose fit takes a nuisance, such as "
            f"ContrastiveAutoencoderClusterer, got {type(last).__name__}. Leave nuisance out."
        )
    is_routed = get_config()["enable_metadata_routing"] or not is_pipeline
    codes = np.column_stack(encode_nuisances(nuisance, n_samples)).astype(str)
    return {"nuisance" if is_routed else f"{name}__nuisance": codes}


def _split(groups, n_repeats, seed, nuisance=None):
    """Return pairs of halves, as rows, which do not share a group."""
    if nuisance is None:
        splits = GroupShuffleSplit(n_repeats, test_size=0.5, random_state=seed)
        return list(splits.split(groups, groups=groups))
    strata = np.unique(nuisance, axis=0, return_inverse=True)[1]
    rng = np.random.RandomState(seed)
    pairs = []
    for _ in range(n_repeats):
        halves = StratifiedGroupKFold(2, shuffle=True, random_state=draw_seed(rng))
        with catch_warnings(action="ignore", category=UserWarning):  # of a sample like no other
            pairs.append(next(halves.split(groups, strata, groups)))
    halves = [half for pair in pairs for half in pair]
    fewest = min(
        np.count_nonzero(column[half] == value)
        for column in nuisance.T
        for value in np.unique(column)
        for half in halves
    )
    if fewest < FEWEST:
        raise ValueError(
            f"nuisance must leave at least {FEWEST} samples of each value in each half, got "
            f"{fewest}. Join rare values, or leave their samples out."
        )
    return pairs


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _refit(models, X, given, n_jobs, verbose):
    """Fit each model to its rows of X, and return the labels that it gives to all of X."""
    labels = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_and_predict)(model, X, given, rows) for model, rows in models
    )
    return tqdm(labels, total=len(models), desc="stability", unit="fit", disable=not verbose)


def _fit_and_predict(model, X, given, rows):
    earlier = _interrupted_parts(model)  # of a frozen step, which is not fitted here
    model.fit(_safe_indexing(X, rows), **{name: codes[rows] for name, codes in given.items()})
    if len(_interrupted_parts(model)) > len(earlier):
        raise KeyboardInterrupt  # the fit ended normally after it
    return np.asarray(model.predict(X))


def _compare(fits, n_repeats, fitted):
    """Compare the labels of the reference, of the other seeds, and of the halves in pairs."""
    seeds, halves = fits[1 : n_repeats + 1], fits[n_repeats + 1 :]
    ids, reference, sizes = np.unique(fits[0], return_inverse=True, return_counts=True)
    overlaps = np.array([_jaccard(reference, labels) for labels in halves])
    pairs = zip(halves[::2], halves[1::2], strict=True)
    return StabilityReport(
        fitted=fitted,
        n_clusters=[len(np.unique(labels)) for labels in fits],
        ari_seeds=[float(adjusted_rand_score(reference, labels)) for labels in seeds],
        ari_halves=[float(adjusted_rand_score(*pair)) for pair in pairs],
        ids=ids.tolist(),
        sizes=sizes.tolist(),
        jaccard=overlaps.mean(axis=0).tolist(),
        jaccard_range=np.transpose([overlaps.min(axis=0), overlaps.max(axis=0)]).tolist(),
        labels=reference,
        sample_stability=np.mean([_keeps(reference, labels) for labels in fits[1:]], axis=0),
    )


def _interrupted_parts(model):
    """List estimators whose fit was interrupted by Ctrl-C: the model, steps of a pipeline."""
    parts = (model, *model.get_params().values())
    return [each for each in parts if getattr(each, "interrupted_", False)]


def _with_seeds(estimator, rng):
    """Copy an estimator, with a different seed for each `random_state`, and silent."""
    names = sorted(estimator.get_params())
    silent = {name: False for name in names if name.rpartition("__")[2] == "verbose"}
    seeds = {name: draw_seed(rng) for name in random_state_names(names)}
    return clone(estimator).set_params(**silent, **seeds)


def _jaccard(reference, labels):
    """Return the overlap of each cluster of `reference` with the most similar of `labels`."""
    both = contingency_matrix(reference, labels)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    return (both / either).max(axis=1)


def _keeps(reference, labels):
    """Return whether each sample is in the cluster that is paired with its own."""
    both = contingency_matrix(reference, labels)
    partner = np.full(len(both), -1)
    own, other = linear_sum_assignment(both, maximize=True)
    partner[own] = other
    return partner[reference] == np.unique(labels, return_inverse=True)[1]
