"""Nuisances that a user passes to a fit: what the groups should not follow."""

import numpy as np

from .labels import check_column, is_missing, of_their_own_type
from .tensors import to_numpy

#: Fewest samples of each value of a nuisance.
FEWEST = 5
#: Numbers with more distinct values than this are cut into groups.
_MANY = 20
_QUARTILES = (0.25, 0.5, 0.75)


def encode_nuisance(nuisance, n_samples):
    """Return the codes of each column of a nuisance.

    Parameters
    ----------
    nuisance : array-like or DataFrame of shape (n_samples,) or (n_samples, n_columns)
        Categories or numbers.
    n_samples : int

    Returns
    -------
    columns : list of ndarray of shape (n_samples,)
        Codes of the values. Numbers with more than 20 distinct values are cut at their quartiles.

    Raises
    ------
    ValueError
        If there is not exactly one value per sample, a value is missing, all values of a column are
        equal, or a value belongs to fewer than five samples.
    TypeError
        If the values of a column have different types.
    """
    return [_encode(name, column, n_samples) for name, column in _columns(nuisance)]


def _columns(nuisance):
    """Return the name, as in messages, and the values of each column."""
    if hasattr(nuisance, "columns"):  # a DataFrame of pandas or polars
        named = [(f"nuisance[{name!r}]", nuisance[name]) for name in nuisance.columns]
    else:
        nuisance = to_numpy(nuisance)
        values = nuisance if hasattr(nuisance, "ndim") else np.asarray(nuisance, dtype=object)
        if values.ndim == 2:
            named = [(f"nuisance[:, {i}]", values[:, i]) for i in range(values.shape[1])]
        else:
            named = [("nuisance", nuisance)]
    if not named:
        raise ValueError("nuisance must have at least one column, got none. Pass None for none.")
    return named


def _encode(name, column, n_samples):
    values = check_column(column, n_samples, name)
    missing = np.array([is_missing(value) for value in values])
    if missing.any():
        raise ValueError(
            f"{name} must be known for each sample, but it is missing for {missing.sum()} of "
            f"{n_samples} samples, such as that of row {np.flatnonzero(missing)[0]}. Leave these "
            "samples out, or give them a value of their own, such as 'unknown'."
        )
    values = of_their_own_type(values)
    try:
        distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    except TypeError as error:
        types = sorted({type(value).__name__ for value in values})
        raise TypeError(
            f"{name} must hold values of one type, got {', '.join(types)}. Convert them to str."
        ) from error
    if len(distinct) == 1:
        raise ValueError(
            f"{name} must have at least two values, got only {distinct[0]!s}. Leave it out, or "
            "pass images of other values, too."
        )
    if values.dtype.kind in "iuf" and len(distinct) > _MANY:
        return np.searchsorted(np.unique(np.quantile(values, _QUARTILES)), values, side="right")
    if len(distinct) == n_samples:
        raise ValueError(
            f"{name} must have values that samples share, got another one for each sample, such as "
            f"{distinct[0]!s}. Pass the scanner or the hospital, not a name of the image."
        )
    if counts.min() < FEWEST:
        rare = distinct[counts.argmin()]
        raise ValueError(
            f"{name} must have at least {FEWEST} samples of each value, got {counts.min()} of "
            f"{rare!s}. Join rare values, or leave these samples out."
        )
    return codes
