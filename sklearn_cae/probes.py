"""Supervised probes, which measure how well an embedding predicts labels."""

from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from torch.nn.functional import cross_entropy, linear

from ._input.arrays import as_samples
from ._input.labels import check_labels, encode_groups, encode_labels
from ._utils.random import draw_seed, local_random_state, plain_torch


class KNNProbe(ClassifierMixin, BaseEstimator):
    """Majority vote of the nearest training embeddings in a memory bank.

    This is the evaluation called *kNN* in [1]_: "a memory bank of embeddings of training
    samples, k = 5, majority".

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours that vote, all with the same weight.
    memory_fraction : float, default=1.0
        Share of the training samples in the memory bank, in (0, 1]. For each class with n_c
        samples, ``max(1, round(memory_fraction * n_c))`` are drawn. If `groups` are passed to
        `fit`, it is the share of the patients, who are drawn with all their samples.
    metric : {"cosine", "euclidean"}, default="cosine"
        Distance between embeddings. The contrastive loss trains cosine similarities.
    random_state : int, RandomState instance or None, default=None
        Seed for the memory bank, without effect if ``memory_fraction=1.0``. None gives different
        results on each call. NumPy's global generator is not used.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    memory_indices_ : ndarray of shape (n_memory,)
        Rows of the training data in the memory bank, ascending.
    neighbors_ : KNeighborsClassifier
        Memory bank.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen during `fit`, if all are strings.

    References
    ----------
    .. [1] Ferrante et al., "Contrastive learning for unsupervised medical image clustering and
       reconstruction", arXiv 2209.12005, evaluation (b).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_cae import KNNProbe
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = KNNProbe(memory_fraction=0.5, random_state=0).fit(X[:1000], y[:1000])
    >>> probe.score(X[1000:], y[1000:]) > 0.9
    True
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "memory_fraction": [Interval(Real, 0, 1, closed="right")],
        "metric": [StrOptions({"cosine", "euclidean"})],
        "random_state": ["random_state"],
    }

    def __init__(self, n_neighbors=5, *, memory_fraction=1.0, metric="cosine", random_state=None):
        self.n_neighbors = n_neighbors
        self.memory_fraction = memory_fraction
        self.metric = metric
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, groups=None) -> Self:
        """Fill the memory bank.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,), default=None
            Patient of each sample. If passed, whole patients are drawn: the share
            `memory_fraction` of those with the same most frequent class, at least one. If a class
            is then in no drawn sample, one of its patients is drawn as well. None draws samples.

        Returns
        -------
        self : KNNProbe
            Fitted probe.

        Raises
        ------
        ValueError
            If the memory bank contains fewer than `n_neighbors` samples, or `groups` differs from
            `X` in length or lacks a patient.
        """
        X = validate_data(self, as_samples(X))
        y = check_labels(y, len(X))
        self.classes_, class_index = encode_labels(y)
        rng = local_random_state(self.random_state)
        memory = _draw(class_index, groups, self.memory_fraction, rng)
        if self.n_neighbors > len(memory):
            raise ValueError(
                f"n_neighbors={self.n_neighbors} must be at most the size of the memory bank, "
                f"which holds n_samples={len(memory)} of {len(y)} with "
                f"memory_fraction={self.memory_fraction}. Lower n_neighbors or raise "
                "memory_fraction."
            )
        self.memory_indices_ = memory
        self.neighbors_ = KNeighborsClassifier(self.n_neighbors, metric=self.metric)
        self.neighbors_.fit(X[memory], y[memory])
        return self

    def predict(self, X) -> np.ndarray:
        """Return the most frequent label among each sample's neighbours.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels. If classes tie, the first one in ``classes_`` is returned.
        """
        check_is_fitted(self)
        return self.neighbors_.predict(validate_data(self, as_samples(X), reset=False))

    def predict_proba(self, X) -> np.ndarray:
        """Return the share of each class among each sample's neighbours.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Shares of the classes, in the order of ``classes_``. Rows sum to 1.
        """
        check_is_fitted(self)
        return self.neighbors_.predict_proba(validate_data(self, as_samples(X), reset=False))


class LinearProbe(ClassifierMixin, BaseEstimator):
    """Linear layer trained on a share of the labels.

    This is the evaluation called *linear* in [1]_: "one linear layer, softmax cross-entropy, 200
    epochs of Adam at 3e-4, on 20 % of the training labels". The weights start at zero
    and are trained on the CPU by torch; the fitted probe contains only NumPy arrays.

    Parameters
    ----------
    label_fraction : float, default=0.2
        Share of the training labels used, in (0, 1]. For each class with n_c samples,
        ``max(1, round(label_fraction * n_c))`` are drawn. If `groups` are passed to `fit`, it is
        the share of the patients, who are drawn with all their samples.
    epochs : int, default=200
        Number of passes over the drawn samples.
    learning_rate : float, default=3e-4
        Learning rate of Adam.
    batch_size : int, default=256
        Number of samples per training step.
    standardize : bool, default=True
        Whether to standardise features by the mean and the standard deviation of the drawn samples.
        False trains on the features as passed, as the paper does.
    random_state : int, RandomState instance or None, default=None
        Seed for the choice of samples and the order of batches. None gives different results on
        each call. The global generators of NumPy and torch are not used.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Weights for the features as passed. With two classes there is one row, the difference of
        the two trained rows.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Biases. With two classes there is one, as for `coef_`.
    training_indices_ : ndarray of shape (n_drawn,)
        Rows of the training data that were drawn, ascending.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen during `fit`, if all are strings.

    References
    ----------
    .. [1] Ferrante et al., "Contrastive learning for unsupervised medical image clustering and
       reconstruction", arXiv 2209.12005, evaluation (c).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_cae import LinearProbe
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = LinearProbe(random_state=0).fit(X[:1000], y[:1000])
    >>> probe.score(X[1000:], y[1000:]) > 0.8
    True
    >>> probe.coef_.shape, len(probe.training_indices_)
    ((10, 64), 201)
    """

    _parameter_constraints: dict = {
        "label_fraction": [Interval(Real, 0, 1, closed="right")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "standardize": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        label_fraction=0.2,
        *,
        epochs=200,
        learning_rate=3e-4,
        batch_size=256,
        standardize=True,
        random_state=None,
    ):
        self.label_fraction = label_fraction
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.standardize = standardize
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, groups=None) -> Self:
        """Draw labelled samples and train the layer on them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,), default=None
            Patient of each sample. If passed, whole patients are drawn: the share
            `label_fraction` of those with the same most frequent class, at least one. If a class
            is then in no drawn sample, one of its patients is drawn as well. None draws samples.

        Returns
        -------
        self : LinearProbe
            Fitted probe.

        Raises
        ------
        ValueError
            If `y` contains fewer than two classes, or `groups` differs from `X` in length or lacks
            a patient.
        """
        X = validate_data(self, as_samples(X), dtype=(np.float64, np.float32))
        y = check_labels(y, len(X))
        self.classes_, class_index = encode_labels(y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y must hold at least 2 classes, got 1 class: {self.classes_[0]!r}. Pass labels "
                "of several classes, or use KNNProbe."
            )
        rng = local_random_state(self.random_state)
        drawn = self.training_indices_ = _draw(class_index, groups, self.label_fraction, rng)
        X, class_index = X[drawn].astype(np.float64), class_index[drawn]
        mean, scale = _mean_and_scale(X) if self.standardize else (0.0, 1.0)
        weight, bias = self._train_layer((X - mean) / scale, class_index, rng)
        self._set_coefficients(weight / scale, bias - (weight / scale * mean).sum(axis=1))
        return self

    def decision_function(self, X) -> np.ndarray:
        """Return ``X @ coef_.T + intercept_``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            One score per class. With two classes, the score of ``classes_[1]``, which is positive
            if this class is predicted.
        """
        check_is_fitted(self)
        X = validate_data(self, as_samples(X), reset=False, dtype=(np.float64, np.float32))
        scores = X @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X) -> np.ndarray:
        """Return the softmax of the layer's outputs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities of the classes, in the order of ``classes_``. Rows sum to 1.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict(self, X) -> np.ndarray:
        """Return the most probable label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embeddings.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        scores = self.decision_function(X)
        is_binary = scores.ndim == 1
        return self.classes_[(scores > 0).astype(int) if is_binary else scores.argmax(axis=1)]

    @plain_torch()
    def _train_layer(self, X, class_index, rng):
        """Train on `X` (n_drawn, n_features); return weight (n_classes, n_features) and bias."""
        generator = torch.Generator().manual_seed(draw_seed(rng))
        X, y = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(class_index)
        # The layer starts at zero, so that no random numbers are drawn.
        weight, bias = (
            torch.zeros(shape, dtype=torch.float32, requires_grad=True)
            for shape in [(len(self.classes_), X.shape[1]), len(self.classes_)]
        )
        optimizer = torch.optim.Adam([weight, bias], lr=self.learning_rate)
        for _ in range(self.epochs):
            for batch in torch.randperm(len(X), generator=generator).split(self.batch_size):
                optimizer.zero_grad()
                cross_entropy(linear(X[batch], weight, bias), y[batch]).backward()
                optimizer.step()
        return weight.detach().double().numpy(), bias.detach().double().numpy()

    def _set_coefficients(self, weight, bias):
        """Set `coef_` and `intercept_` from `weight` and `bias`; one row for two classes."""
        is_binary = len(self.classes_) == 2
        self.coef_ = weight[1:] - weight[:1] if is_binary else weight
        self.intercept_ = bias[1:] - bias[:1] if is_binary else bias


def _mean_and_scale(X):
    """Return the mean and the standard deviation (1 where it is 0), each (n_features,)."""
    scaler = StandardScaler().fit(X)
    return scaler.mean_, scaler.scale_


def _draw(class_index, groups, fraction, rng):
    """Draw samples of each class, or whole patients; return the drawn samples, ascending."""
    if groups is None:
        return _stratified_subset(class_index, fraction, rng)
    _, patients = encode_groups(groups, len(class_index))
    counts = np.zeros((patients.max() + 1, class_index.max() + 1), dtype=int)
    np.add.at(counts, (patients, class_index), 1)
    drawn = _stratified_subset(counts.argmax(axis=1), fraction, rng)
    for one in range(counts.shape[1]):
        if not counts[drawn, one].any():  # no patient has it most often, or none that was drawn
            drawn = np.append(drawn, rng.choice(np.flatnonzero(counts[:, one])))
    return np.flatnonzero(np.isin(patients, drawn))


def _stratified_subset(class_index, fraction, rng):
    """Draw max(1, round(fraction x n_c)) samples of each class.

    Parameters
    ----------
    class_index : ndarray of shape (n_samples,)
        Classes as integers.
    fraction : float
        Share of each class to draw, in (0, 1].
    rng : RandomState
        Generator of the draw.

    Returns
    -------
    indices : ndarray of shape (n_drawn,)
        Drawn samples, ascending.
    """
    members_of_classes = (np.flatnonzero(class_index == c) for c in np.unique(class_index))
    drawn = [
        rng.permutation(members)[: max(1, round(fraction * len(members)))]
        for members in members_of_classes
    ]
    return np.sort(np.concatenate(drawn))
