"""Labels that a user passes, in any type that can be sorted."""

from numbers import Number

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._utils.warnings import warn
from .tensors import to_numpy


def check_labels(y, n_samples=None, name="y"):
    """Check that there is one label per sample and none is missing.

    Parameters
    ----------
    y : array-like or tensor of shape (n_samples,) or (n_samples, 1)
        Labels of any type. A column is accepted with a DataConversionWarning.
    n_samples : int, default=None
        Number of samples in X. None accepts any number except 0.
    name : str, default="y"
        Name of the labels in messages.

    Returns
    -------
    labels : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there is not exactly one label per sample, a label is missing, or there are none.
    """
    return check_known(check_column(y, n_samples, name), name)


def check_column(y, n_samples=None, name="y"):
    """Check that there is one label per sample, which may be missing."""
    if y is None:
        raise ValueError(
            f"This requires {name} to be passed, but the target {name} is None. Pass one label "
            "per sample."
        )
    try:
        labels = np.asarray(keep_missing(to_numpy(y)))
        shape = f"shape {labels.shape}"
    except ValueError:
        labels, shape = None, "lists of different lengths"
    if labels is None or labels.shape[1:] not in ((), (1,)) or labels.ndim == 0:
        raise ValueError(
            f"{name} must hold one label per sample, got {shape}. If it is multilabel, pass one "
            "column; if it is a soft assignment, pass its .argmax(axis=1)."
        )
    if labels.ndim == 2:
        warn(
            f"A column-vector {name} was passed when a 1d array was expected: shape "
            f"{labels.shape}. Pass its .ravel().",
            DataConversionWarning,
        )
    if n_samples is not None:
        check_length(name, labels, n_samples, "sample")
    if len(labels) == 0:
        raise ValueError(f"{name} must hold at least one sample, got none.")
    return column_or_1d(labels)


def check_length(name, given, n, each="row"):
    """Raise if there is not one entry for each of `n` rows."""
    if given is None or len(given) != n:
        length = "None" if given is None else f"{len(given)} entries"
        raise ValueError(
            f"{name} must have {n} entries, one for each {each} and in the same order, got "
            f"{length}."
        )


def check_known(labels, name="y"):
    """Raise if a label is None, NaN or infinite; return the labels in their common type."""
    missing = sum(map(is_missing, labels)) if labels.dtype == object else 0
    if missing:
        raise ValueError(
            f"{name} must hold a label in every row, but {missing} of {labels.size} are None or "
            "NaN. Leave these rows out, or set missing_label if this is a ClusterLabelMapper."
        )
    labels = of_their_own_type(labels)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name=name)
    return labels


def encode_groups(groups, n_samples):
    """Return the sorted patients and the patient of each sample.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        Patient of each sample, of any type that can be sorted.
    n_samples : int
        Number of samples.

    Returns
    -------
    patients : ndarray of shape (n_patients,)
        Distinct patients.
    codes : ndarray of shape (n_samples,)
        Index of the patient of each sample in `patients`.

    Raises
    ------
    ValueError
        If there is not exactly one patient per sample, or one is missing.
    TypeError
        If patients of different types cannot be sorted.
    """
    groups = check_column(groups, n_samples, "groups")
    missing = np.array([is_missing(patient) for patient in groups])
    if missing.any():
        raise ValueError(
            f"groups must name the patient of every sample, got {missing.sum()} of {n_samples} "
            f"that are missing, such as that of row {np.flatnonzero(missing)[0]}. Leave these "
            "samples out, or give each the name of its file."
        )
    try:
        return np.unique(groups, return_inverse=True)
    except TypeError as error:
        types = sorted({type(patient).__name__ for patient in groups})
        raise TypeError(
            f"groups must hold patients of one type, got {', '.join(types)}. Convert them to str."
        ) from error


def keep_missing(y):
    """Convert a list of strings with missing ones to objects; as text, NaN would be "nan"."""
    if isinstance(y, (list, tuple)) and np.asarray(y).dtype.kind == "U":
        objects = np.asarray(y, dtype=object)
        if any(map(is_missing, objects.ravel())):
            return objects
    return y


def of_their_own_type(labels):
    """Convert objects that are all numbers to the type of these numbers."""
    if labels.dtype == object and all(isinstance(one, (Number, np.bool_)) for one in labels):
        return np.asarray(labels.tolist())
    return labels


def encode_labels(y):
    """Return the sorted classes and the class of each label.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels that `check_labels` returned.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Distinct labels.
    index : ndarray of shape (n_samples,)
        Index of each label in `classes`.

    Raises
    ------
    ValueError
        If labels are continuous numbers.
    TypeError
        If labels of different types cannot be sorted.
    """
    try:
        encoded = np.unique(y, return_inverse=True)
    except TypeError as error:
        types = sorted({type(label).__name__ for label in y})
        raise TypeError(
            f"y must hold labels of one type that can be sorted, got {', '.join(types)}: {error}. "
            "Convert them."
        ) from error
    check_classification_targets(y)
    return encoded


def is_missing(label):
    """Return whether a label is None, NaN or pandas.NA."""
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA is neither equal nor unequal to itself
        return True
