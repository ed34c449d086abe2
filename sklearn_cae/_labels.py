"""Labels of a user's own, in any type that sorts."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets


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
    missing = sum(map(_is_missing, y)) if y.dtype == object else 0
    if missing:
        raise ValueError(
            f"y must hold a label in every row, but {missing} of {len(y)} are None or NaN. Leave "
            "these rows out; a ClusterLabelMapper also takes the missing_label that they have."
        )
    try:
        encoded = np.unique(y, return_inverse=True)
    except TypeError as error:
        types = sorted({type(label).__name__ for label in y})
        raise TypeError(
            f"y must hold labels of one type that sorts, got {', '.join(types)}: {error}. Convert "
            "them, and leave out rows without a label or give those a missing_label."
        ) from error
    check_classification_targets(y)
    return encoded


def _is_missing(label):
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA is neither equal nor unequal to itself
        return True
