"""Name clusters after the labels of their members."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._input.arrays import as_samples
from ._input.labels import check_column, check_known, encode_labels, is_missing
from ._utils.warnings import warn

_MAX_IDS = 2**20


class ClusterLabelMapper(ClassifierMixin, BaseEstimator):
    """Classify by cluster: each cluster carries its members' most frequent label.

    This is the evaluation called *stat* in [1]_: "each cluster is mapped to the most frequent
    label of the (sub)set of training samples closest to its prototype". It follows any clusterer
    in a pipeline; a small labelled subset suffices.

    Ties go to the class that comes first in ``classes_``. A cluster with fewer than
    `min_samples` labelled members, a cluster id never seen in `fit` and noise (a negative id)
    get the most frequent label over all labelled samples.

    The training accuracy of such a mapping (`purity_`) never falls as clusters are split: read it
    beside :func:`sklearn_cae.metrics.clustering_report`.

    Parameters
    ----------
    input : {"soft_assignment", "distance", "labels"}, default="soft_assignment"
        What the columns of `X` are. A sample's cluster is the largest column of a soft
        assignment, the smallest column of distances (what ``KMeans.transform`` returns), or the
        one integer column of labels.
    missing_label : int, float, str or None, default=None
        The value in `y` that means "no label", for instance ``-1``, ``""`` or ``np.nan``. Its
        rows take no part in `fit` and in `score`. None: every row is labelled.
    min_samples : int, default=1
        Labelled members that a cluster needs for a mapping of its own. Members of weight 0 do not
        count; other weights make no difference.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted, without `missing_label`.
    mapping_ : ndarray of shape (n_clusters,)
        The label of each cluster.
    contingency_ : ndarray of shape (n_clusters, n_classes)
        Number of labelled training samples of each class in each cluster, without noise. With
        `sample_weight` it is the sum of their weights.
    purity_ : float
        Share of the labelled training samples that carry their cluster's mapped label, by weight.
    n_features_in_ : int
        Number of columns seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen during `fit`, where all are strings.

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

    A rare class counts more by its weight:

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
        # Features that are no cluster assignment cannot be classified well.
        tags.classifier_tags.poor_score = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Count labels per cluster and map each cluster to its most frequent one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, as `input` says.
        y : array-like of shape (n_samples,)
            Labels: integers or strings, `missing_label` where unknown.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, at least 0. A sample of weight 2 counts as two equal samples.
            With ``sklearn.utils.class_weight.compute_sample_weight("balanced", y)`` a rare class
            counts as much as a frequent one. None gives each sample the weight 1.

        Returns
        -------
        self : ClusterLabelMapper
            The fitted mapper.

        Raises
        ------
        ValueError
            If `X` is not what `input` says, no row of `y` is labelled, a weight is negative or
            not finite, or all labelled samples have the weight 0.
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

    def predict(self, X):
        """Return the label that each sample's cluster carries.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, as `input` says.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Mapped labels.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X):
        """Return the class frequencies of each sample's own cluster.

        A cluster without a mapping of its own has the class frequencies of all labelled training
        samples, so that the most frequent class is always what `predict` answers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, as `input` says.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Rows sum to 1, columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        return self._frequencies_of(self._closest_cluster(X, reset=False))

    def score(self, X, y, sample_weight=None):
        """Return the accuracy on the rows that are labelled.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters) or (n_samples, 1)
            Soft assignments, distances or cluster labels, as `input` says.
        y : array-like of shape (n_samples,)
            True labels; rows with `missing_label` are left out. (A scorer given as
            ``scoring="accuracy"`` to a search calls `predict` instead and counts them as wrong.)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, at least 0.

        Returns
        -------
        accuracy : float
            Share of labelled rows whose label is predicted.

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
        """Return the labels, (n_labelled,), and which values of `y` they are, (n_samples,) bool."""
        y = check_column(y, len(rows))
        labelled = ~_equals(y, self.missing_label)
        if not labelled.any():
            raise ValueError(
                f"y must hold at least one label, but all {len(y)} values are "
                f"missing_label={self.missing_label!r}. Label some rows."
            )
        return check_known(y[labelled]), labelled

    def _count_frequencies(self, n_members, class_weights):
        """Return class frequencies (n_clusters + 1, n_classes): the last row is the fallback."""
        counts = np.vstack([self.contingency_, class_weights])
        counts[:-1][n_members < self.min_samples] = class_weights
        return counts / counts.sum(axis=1, keepdims=True)

    def _frequencies_of(self, cluster):
        """Return the class frequencies (n_samples, n_classes) of cluster ids (n_samples,)."""
        fallback = len(self._class_frequencies) - 1
        is_known = (cluster >= 0) & (cluster < fallback)
        return self._class_frequencies[np.where(is_known, cluster, fallback)]


def _check_weight(sample_weight, rows, labelled):
    """Return the weights of the labelled rows, (n_labelled,): ones of int if there are none."""
    if sample_weight is None:
        return np.ones(np.count_nonzero(labelled), dtype=np.int64)
    weight = _check_sample_weight(sample_weight, rows, dtype=np.float64)
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight must be at least 0, got {weight.min():g}. Leave out the samples that "
            "are not to count, or pass 0 for them."
        )
    weight = weight[labelled]
    if not weight.any():
        raise ValueError(
            "sample_weight must be above 0 for at least one labelled sample, but all "
            f"{len(weight)} are 0. Pass None if all samples count alike."
        )
    return weight


def _equals(y, missing_label):
    """Return where `y` (n_samples,) is `missing_label`, (n_samples,) bool."""
    if missing_label is None:
        return np.zeros(len(y), dtype=bool)
    is_text = isinstance(missing_label, str)
    if y.dtype.kind in ("biuf" if is_text else "US"):
        raise TypeError(
            f"missing_label must be of the kind of the labels in y, got {missing_label!r} "
            f"for labels of dtype {y.dtype}. Pass a {'number' if is_text else 'string'}."
        )
    if y.dtype == object:
        if is_missing(missing_label):
            return np.array([is_missing(label) for label in y], dtype=bool)
        same = [not is_missing(label) and label == missing_label for label in y]
        return np.array(same, dtype=bool)
    if missing_label != missing_label:  # NaN equals nothing, itself included
        return np.asarray(y != y, dtype=bool)
    return np.asarray(y == missing_label, dtype=bool)


def _check_cluster_ids(X, reset):
    """Return the one column of `X` (n_samples, 1) as integer cluster ids (n_samples,)."""
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
    if reset and largest >= _MAX_IDS:  # what is counted is as long as the largest is large
        raise ValueError(
            f"X must hold cluster ids below {_MAX_IDS} for input='labels', got {largest:.0f}. "
            "Number them from 0 on, as np.unique(ids, return_inverse=True)[1] does."
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
