"""Labels of a user's own, in any type that sorts."""

from numbers import Number

import numpy as np
from sklearn.utils.multiclass import check_classification_targets


def check_not_missing(y, name="y"):
    """Raise where a label is None or NaN, in words that name where."""
    labels = np.asarray(keep_missing(y))
    missing = sum(map(is_missing, labels.ravel())) if labels.dtype == object else 0
    if labels.ndim > 0 and missing:
        raise ValueError(
            f"{name} must hold a label in every row, but {missing} of {labels.size} are None or "
            "NaN. Leave these rows out; a ClusterLabelMapper also takes the missing_label that "
            "they have."
        )


def keep_missing(y):
    """Give a list of strings in which one is missing as objects: as text NaN would be "nan"."""
    if isinstance(y, (list, tuple)) and np.asarray(y).dtype.kind == "U":
        objects = np.asarray(y, dtype=object)
        if any(map(is_missing, objects.ravel())):
            return objects
    return y


def of_their_own_type(labels):
    """Give numbers that are objects, since others were missing beside them, as what they are."""
    if labels.dtype == object and all(isinstance(one, (Number, np.bool_)) for one in labels):
        return np.asarray(labels.tolist())
    return labels


def encode_labels(y):
    """Give the classes of labels, sorted, and the class of each label.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    index : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If some are missing, or they are numbers of a continuous kind.
    TypeError
        If labels of different types cannot be sorted.
    """
    check_not_missing(y)
    try:
        encoded = np.unique(y, return_inverse=True)
    except TypeError as error:
        types = sorted({type(label).__name__ for label in y})
        raise TypeError(
            f"y must hold labels of one type that sorts, got {', '.join(types)}: {error}. Convert "
            "them."
        ) from error
    check_classification_targets(y)
    return encoded


def is_missing(label):
    """Whether a label is None, NaN or pandas' NA."""
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA is neither equal nor unequal to itself
        return True
