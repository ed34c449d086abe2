"""Nuisances that a user passes: what images may show besides the patients, such as the scanner."""

import numpy as np

from .columns import MOST_CODES
from .labels import check_column, is_missing, of_their_own_type
from .tensors import to_numpy

#: Fewest samples of each value of a nuisance that a fit can tell from the others.
FEWEST = 5
#: More categories are names, or too rare to be compared.
MOST_CATEGORIES = 50
_QUARTILES = (0.25, 0.5, 0.75)
#: Share of the categories that belong to one patient, if they are names.
_OWN = 0.9


def read_nuisances(nuisance, patients, y=None):
    """Return per nuisance: name, numbers or category codes, and names of categories or None.

    Whole numbers of at most 12 different values are categories, such as sites 1, 2 and 3.

    Parameters
    ----------
    nuisance : array-like or Series of shape (n_samples,), matrix or DataFrame of n_samples rows
        One nuisance, or one per column. An index is ignored.
    patients : ndarray of shape (n_samples,), int
        Patient of each sample.
    y : ndarray of shape (n_samples,), default=None
        Label of each sample.

    Returns
    -------
    nuisances : list of (str, ndarray of shape (n_samples,), list of str or None)
        Numbers are floats, codes are integers from 0 on.

    Raises
    ------
    TypeError
        If it is a dict of columns.
    ValueError
        If there is not one value per sample, a value is missing, all are equal, they name patients,
        they have more than 50 categories, or they are equal to `y`.
    """
    found = []
    for name, column in _columns(nuisance):
        said = say(name)
        known = of_their_own_type(check_column(column, len(patients), said))
        _check_known(said, known)
        values, categories = _read(known)
        _check_varied(said, values, categories)
        _check_no_names(said, values, categories, patients, known.dtype.kind in "iu")
        if y is not None:
            _check_not_label(said, values, categories, y)
        found.append((name, values, categories))
    return found


def encode_nuisances(nuisance, n_samples, y=None):
    """Return the codes of each nuisance, for a fit that removes it.

    Parameters
    ----------
    nuisance : array-like or Series of shape (n_samples,), matrix or DataFrame of n_samples rows
        Nuisances, as in `read_nuisances`.
    n_samples : int
    y : array-like of shape (n_samples,), default=None
        Label of each sample.

    Returns
    -------
    columns : list of ndarray of shape (n_samples,), int
        Codes. Numbers of more than 12 different values are cut at their quartiles.

    Raises
    ------
    TypeError, ValueError
        As `read_nuisances`, and if a value belongs to fewer than five samples, or goes with one
        label, and that with the value, for all of them.
    """
    y = None if y is None else check_column(y, n_samples)
    columns = []
    for name, values, categories in read_nuisances(nuisance, np.arange(n_samples), y):
        codes = _cut(values) if categories is None else values
        _check_frequent(say(name), values, categories, codes)
        if y is not None:
            _check_apart(say(name), codes, y)
        columns.append(codes)
    return columns


def say(name):
    """Return how a nuisance is called in messages."""
    return name if name == "nuisance" else f"nuisance {name!r}"


def _columns(nuisance):
    """Return the name and the values of each column."""
    if hasattr(nuisance, "columns"):  # a DataFrame of pandas or polars
        names = [str(name) for name in nuisance.columns]
        twice = next((f"{name!r} twice" for name in names if names.count(name) > 1), "")
        if twice or not names:
            raise ValueError(
                f"nuisance must have columns of different names, got {twice or 'no column'}."
            )
        return [(str(name), nuisance[name]) for name in nuisance.columns]
    if isinstance(nuisance, dict):
        raise TypeError(
            "nuisance must be one column, a matrix or a DataFrame, got dict. Pass "
            "pandas.DataFrame(nuisance)."
        )
    if hasattr(nuisance, "name"):  # a Series
        return [("nuisance" if nuisance.name in (None, "") else str(nuisance.name), nuisance)]
    nuisance = to_numpy(nuisance)
    values = nuisance if hasattr(nuisance, "ndim") else np.asarray(nuisance, dtype=object)
    if values.ndim != 2:
        return [("nuisance", nuisance)]
    if values.shape[1] == 1:
        return [("nuisance", values[:, 0])]
    return [(f"column {i}", values[:, i]) for i in range(values.shape[1])]


def _check_known(name, values):
    is_unknown = np.array([is_missing(value) for value in values])
    if values.dtype.kind == "f":
        is_unknown |= np.isinf(values)
    if is_unknown.any():
        raise ValueError(
            f"{name} must be known for every sample, got {is_unknown.sum()} of {len(values)} "
            "values that are missing or infinite, such as that of row "
            f"{np.flatnonzero(is_unknown)[0]}. Leave these samples out, or give missing categories "
            "a name, such as 'unknown'."
        )


def _read(values):
    """Return numbers and None, or codes and names of categories."""
    if values.dtype.kind in "iuf":
        distinct = np.unique(values)
        if len(distinct) > MOST_CODES or (distinct % 1).any():
            return values.astype(float), None
        return np.searchsorted(distinct, values), [str(int(number)) for number in distinct]
    names, codes = np.unique(np.array([str(value) for value in values]), return_inverse=True)
    return codes, names.tolist()


def _cut(numbers):
    """Return the codes of the quarters in which numbers are; of few numbers, their own."""
    distinct, codes = np.unique(numbers, return_inverse=True)
    if len(distinct) <= MOST_CODES:
        return codes
    edges = np.unique(np.quantile(numbers, _QUARTILES))
    # If most numbers are equal to the lowest, only what is above an edge differs from it.
    side = "right" if edges[0] > distinct[0] else "left"
    return np.unique(np.searchsorted(edges, numbers, side=side), return_inverse=True)[1]


def _check_varied(name, values, categories):
    if (values == values[0]).all():
        only = f"{values[0]:g}" if categories is None else repr(categories[values[0]])
        raise ValueError(
            f"{name} must have at least two different values, got only {only}. With one value "
            "there is nothing to compare: leave it out, or pass images of other values, too."
        )


def _check_no_names(name, values, categories, patients, are_whole):
    """Raise if values are names of patients, or numbers of them, or are too many."""
    n_patients = len(np.unique(patients))
    pairs = np.unique(np.column_stack([values, patients]), axis=0)
    found, n_owners = np.unique(pairs[:, 0], return_counts=True)
    if categories is not None:  # a few patients may have the same name
        are_names = (n_owners == 1).mean() >= _OWN and len(found) > n_patients / 2
    else:
        are_names = are_whole and len(found) == len(pairs) == n_patients
    if are_names:
        raise ValueError(
            f"{name} must not name patients or samples, but nearly each of its {len(found)} values "
            "belongs to one of them. Leave it out, pass what the patients have in common, such as "
            "the site, or convert whole numbers that measure something to float."
        )
    if categories is not None and len(categories) > MOST_CATEGORIES:
        raise ValueError(
            f"{name} must have at most {MOST_CATEGORIES} categories, got {len(categories)}. Join "
            "rare ones."
        )


def _check_not_label(name, values, categories, y):
    known = values if categories is None else np.array(categories)[values]
    if (known.astype(str) == y.astype(str)).all():
        raise ValueError(
            f"{name} must not be y itself, but is equal to it. Pass the site or the scanner. If "
            "each site has another label, name the sites: a confounding_report then tells that no "
            "method can part site and label."
        )


def _check_frequent(name, values, categories, codes):
    counts = np.bincount(codes)
    if counts.min() < FEWEST:
        rare = values[codes == counts.argmin()][0]
        rare = f"{rare:g}" if categories is None else categories[rare]
        raise ValueError(
            f"{name} must have at least {FEWEST} samples of each value, got {counts.min()} of "
            f"{rare}. Join rare values, or leave these samples out."
        )


def _check_apart(name, codes, y):
    """Raise if each value has one label, and each label one value."""
    of_y = np.unique(np.array([str(label) for label in y]), return_inverse=True)[1]
    n_pairs = len(np.unique(np.column_stack([codes, of_y]), axis=0))
    if n_pairs == codes.max() + 1 == of_y.max() + 1:
        raise ValueError(
            f"{name} must not tell the label, but each of its values has one label in y, and no "
            "two have the same. No method can remove the one and keep the other. Leave nuisance "
            "out, and fit each site alone."
        )
