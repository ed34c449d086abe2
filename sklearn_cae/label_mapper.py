"""Name clusters after the labels of their members."""

from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._input.arrays import as_samples
from ._input.labels import check_column, check_known, encode_labels, is_missing
from ._input.tensors import to_numpy
from ._utils.warnings import warn

_MAX_IDS = 2**20


class ClusterLabelMapper(ClassifierMixin, BaseEstimator):
    """Classifier that predicts the most frequent label of each cluster.

    This is the evaluation called *stat* in [1]_: "each cluster is mapped to the most frequent
    label of the (sub)set of training samples closest to its prototype". It can follow any clusterer
    in a pipeline. A small labelled subset is enough.

    If classes tie, the first one in ``classes_`` is used. The most frequent label of all labelled
    samples is predicted for clusters with fewer than `min_samples` labelled members, for cluster
    ids that were not in `fit`, and for noise (negative ids).

    The training accuracy of the mapping (`purity_`) never falls if clusters are split. Compare it
    with the scores of :func:`sklearn_cae.metrics.clustering_report`.

    Parameters
    ----------
    input : {"soft_assignment", "distance", "labels"}, default="soft_assignment"
        Content of `X`. The cluster of a sample is the column with its largest soft assignment, the
        column with its smallest distance (as from ``KMeans.transform``), or the value in the single
        column of labels.
    missing_label : int, float, str or None, default=None
        Value in `y` that means "no label", for example ``-1``, ``""`` or ``np.nan``. `fit` and
        `score` ignore its rows. If None, every row is labelled.
    min_samples : int, default=1
        Minimum number of labelled members for a cluster to have its own label. Members with weight
        0 do not count; other weights have no effect on this number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels, without `missing_label`.
    mapping_ : ndarray of shape (n_clusters,)
        Label of each cluster.
    contingency_ : ndarray of shape (n_clusters, n_classes)
        Number of labelled training samples per cluster and class, without noise. With
        `sample_weight` it is the sum of their weights.
    purity_ : float
        Weighted share of the labelled training samples with the label of their cluster.
    n_features_in_ : int
        Number of columns seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen during `fit`, if all are strings.

    References
    ----------
    .. [1] Ferrante et al., "Contrastive learning for unsupervised medical image clustering and
       reconstruction", arXiv 2209.12005, evaluation (a).

    Examples
    --------
    >>> from sklearn_cae import ClusterLabelMapper
    >>> soft_assignment = [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]]
    >>> y = ["healthy", "healthy", "", "pneumonia"]
    >>> mapper = ClusterLabelMapper(missing_label="").fit(soft_assignment, y)
    >>> print(mapper.mapping_)
    ['healthy' 'pneumonia']
    >>> print(mapper.predict([[0.2, 0.8]]))
    ['pneumonia']

    With weights, a rare class counts more:

    >>> y = ["healthy", "healthy", "pneumonia", "healthy"]
    >>> mapper = ClusterLabelMapper().fit(soft_assignment, y, sample_weight=[1, 1, 3, 1])
    >>> print(mapper.mapping_)
    ['pneumonia' 'healthy']
    """

    _parameter_constraints: dict = {
        "input": [StrOptions({"soft_assignment", "distance", "labels"})],
        "missing_label": [Real, str, None],
        "min_samples": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, input="soft_assignment", *, missing_label=None, min_samples=1):
        self.input = input
        self.missing_label = missing_label
        self.min_samples = min_samples

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Features that are not cluster assignments cannot be classified well.
        tags.classifier_tags.poor_score = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None) -> Self:
        """Count labels per cluster and map each cluster to its most frequent one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, according to `input`.
        y : array-like of shape (n_samples,)
            Labels, integers or strings; `missing_label` if unknown.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, at least 0. A sample with weight 2 counts as two equal samples.
            With ``sklearn.utils.class_weight.compute_sample_weight("balanced", y)``, a rare class
            counts as much as a frequent one. None means that all weights are 1.

        Returns
        -------
        self : ClusterLabelMapper
            Fitted mapper.

        Raises
        ------
        ValueError
            If `X` does not match `input`, no row of `y` is labelled, a weight is negative or not
            finite, or all labelled samples have weight 0.
        TypeError
            If `missing_label` and `y` cannot be compared.

        Warns
        -----
        UserWarning
            If rows of a soft assignment do not sum to 1.
        """
        cluster = self._closest_cluster(X, reset=True)
        n_clusters = self.n_features_in_ if self.input != "labels" else max(cluster.max() + 1, 0)
        labels, labelled = self._check_labels(cluster, y)
        weight = _check_weight(sample_weight, cluster, labelled)
        cluster = cluster[labelled]
        self.classes_, class_index = encode_labels(labels)
        self.contingency_ = np.zeros((n_clusters, len(self.classes_)), dtype=weight.dtype)
        is_member = cluster >= 0
        np.add.at(
            self.contingency_, (cluster[is_member], class_index[is_member]), weight[is_member]
        )
        n_members = np.bincount(cluster[is_member & (weight > 0)], minlength=n_clusters)
        class_weights = np.bincount(class_index, weights=weight)
        self._class_frequencies = self._count_frequencies(n_members, class_weights)
        self.mapping_ = self.classes_[self._class_frequencies[:-1].argmax(axis=1)]
        is_right = self._frequencies_of(cluster).argmax(axis=1) == class_index
        self.purity_ = float(np.average(is_right, weights=weight))
        return self

    def predict(self, X) -> np.ndarray:
        """Return the label of the cluster of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, according to `input`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Mapped labels.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X) -> np.ndarray:
        """Return the class frequencies of the cluster of each sample.

        A cluster without its own label has the class frequencies of all labelled training samples.
        `predict` always returns the most frequent class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, according to `input`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Frequencies of the classes, in the order of ``classes_``. Rows sum to 1.
        """
        check_is_fitted(self)
        return self._frequencies_of(self._closest_cluster(X, reset=False))

    def score(self, X, y, sample_weight=None) -> float:
        """Return the accuracy on the rows that are labelled.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, according to `input`.
        y : array-like of shape (n_samples,)
            True labels. Rows with `missing_label` are ignored. A search with
            ``scoring="accuracy"`` calls `predict` instead, and counts these rows as wrong.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, at least 0.

        Returns
        -------
        accuracy : float
            Share of labelled rows that are predicted correctly, by weight.

        Raises
        ------
        ValueError
            If no row of `y` is labelled.
        """
        predicted = self.predict(X)
        labels, labelled = self._check_labels(predicted, y)
        weight = _check_weight(sample_weight, predicted, labelled)
        return accuracy_score(labels, predicted[labelled], sample_weight=weight)

    def _closest_cluster(self, X, *, reset):
        """Validate `X` (n_samples, n_columns) and return cluster ids (n_samples,)."""
        X = validate_data(self, as_samples(X), reset=reset)
        if self.input == "labels":
            return _check_cluster_ids(X, reset)
        if self.input == "distance":
            return X.argmin(axis=1)
        _warn_unless_rows_sum_to_one(X)
        return X.argmax(axis=1)

    def _check_labels(self, rows, y):
        """Return the labels (n_labelled,) and a mask of labelled rows of `y`, (n_samples,)."""
        y = check_column(y, len(rows))
        labelled = ~_equals(y, self.missing_label)
        if not labelled.any():
            raise ValueError(
                f"y must hold at least one label, but all {len(y)} values are "
                f"missing_label={self.missing_label!r}. Label some rows."
            )
        return check_known(y[labelled]), labelled

    def _count_frequencies(self, n_members, class_weights):
        """Return class frequencies (n_clusters + 1, n_classes); the last row is the fallback."""
        counts = np.vstack([self.contingency_, class_weights])
        counts[:-1][n_members < self.min_samples] = class_weights
        return counts / counts.sum(axis=1, keepdims=True)

    def _frequencies_of(self, cluster):
        """Return the class frequencies (n_samples, n_classes) of cluster ids (n_samples,)."""
        fallback = len(self._class_frequencies) - 1
        is_known = (cluster >= 0) & (cluster < fallback)
        return self._class_frequencies[np.where(is_known, cluster, fallback)]


def _check_weight(sample_weight, rows, labelled):
    """Return the weights of the labelled rows, (n_labelled,); integer ones if None."""
    if sample_weight is None:
        return np.ones(np.count_nonzero(labelled), dtype=np.int64)
    weight = _check_sample_weight(to_numpy(sample_weight), rows, dtype=np.float64)
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight must be at least 0, got {weight.min():g}. Leave out the samples that "
            "should not count, or set their weights to 0."
        )
    weight = weight[labelled]
    if not weight.any():
        raise ValueError(
            "sample_weight must be above 0 for at least one labelled sample, but all "
            f"{len(weight)} are 0. Pass None if all samples count equally."
        )
    return weight


def _equals(y, missing_label):
    """Return a mask (n_samples,) of the values of `y` equal to `missing_label`."""
    if missing_label is None:
        return np.zeros(len(y), dtype=bool)
    is_text = isinstance(missing_label, str)
    if y.dtype.kind in ("biuf" if is_text else "US"):
        raise TypeError(
            f"missing_label must have the type of the labels in y, got {missing_label!r} "
            f"for labels of dtype {y.dtype}. Pass a {'number' if is_text else 'string'}."
        )
    if y.dtype == object:
        if is_missing(missing_label):
            return np.array([is_missing(label) for label in y], dtype=bool)
        same = [not is_missing(label) and label == missing_label for label in y]
        return np.array(same, dtype=bool)
    if missing_label != missing_label:  # NaN is not equal to itself
        return np.asarray(y != y, dtype=bool)
    return np.asarray(y == missing_label, dtype=bool)


def _check_cluster_ids(X, reset):
    """Return the single column of `X` (n_samples, 1) as integer cluster ids (n_samples,)."""
    if X.shape[1] != 1:
        raise ValueError(
            f"X must be one column of cluster ids for input='labels', got {X.shape[1]} columns. "
            "Pass labels.reshape(-1, 1), or input='soft_assignment' or input='distance'."
        )
    is_whole = X[:, 0] == np.rint(X[:, 0])
    if not is_whole.all():
        raise ValueError(
            "X must hold whole numbers (cluster ids) for input='labels', got "
            f"{X[~is_whole, 0][0]!r}. Pass a clusterer's labels_.reshape(-1, 1)."
        )
    largest = X[:, 0].max()
    if reset and largest >= _MAX_IDS:  # the table of counts has a row per id up to the largest
        raise ValueError(
            f"X must hold cluster ids below {_MAX_IDS} for input='labels', got {largest:.0f}. "
            "Number them from 0 with np.unique(ids, return_inverse=True)[1]."
        )
    return X[:, 0].astype(np.float64).clip(-1, _MAX_IDS).astype(np.int64)


def _warn_unless_rows_sum_to_one(X):
    row_sums = X.sum(axis=1)
    is_off = ~np.isclose(row_sums, 1, rtol=0, atol=1e-3)
    if is_off.any():
        warn(
            f"Rows of a soft assignment must sum to 1, but {is_off.sum()} of {len(X)} do not (one "
            f"sums to {row_sums[is_off][0]:.4g}). Set output='soft_assignment' on the clusterer, "
            "or input='distance' or input='labels' here.",
            UserWarning,
        )
