"""Nuisances that a user passes: what images may show besides the patients, such as the scanner."""

import numpy as np

from .._utils.extras import import_extra
from .columns import MOST_CODES, read_columns
from .labels import check_column

#: Share of the categories that belong to one patient, if they are names.
_OWN = 0.9


def read_nuisances(nuisance, patients):
    """Return per nuisance: name, numbers or category codes, and names of categories or None.

    Whole numbers of at most 12 different values are categories, such as sites 1, 2 and 3.

    Parameters
    ----------
    nuisance : array-like or Series of shape (n_samples,), or DataFrame of n_samples rows
        One nuisance, or one per column. An index is ignored.
    patients : ndarray of shape (n_samples,), int
        Patient of each sample.

    Returns
    -------
    nuisances : list of (str, ndarray of shape (n_samples,), list of str or None)
        Numbers are floats, codes are integers from 0 on.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If there are several columns, but no DataFrame.
    ValueError
        If there is not one value per sample, a value is missing, all are equal, or they name
        patients.
    """
    table = _as_table(nuisance, len(patients))
    found = []
    for name, values, categories in read_columns(table, len(patients), "nuisance"):
        _check_known(name, np.isfinite(values) if categories is None else values >= 0)
        if categories is None:
            values, categories = _as_codes(values)
        _check_varied(name, values, categories)
        found.append((name, values, categories))
    for (name, values, categories), dtype in zip(found, table.dtypes, strict=True):
        if _names_patients(values, categories, patients, dtype):
            raise ValueError(
                f"nuisance {name!r} must not name patients or samples, but nearly each of its "
                f"{len(np.unique(values))} values belongs to one of them. Leave it out, pass what "
                "the patients have in common, such as the site, or convert whole numbers that "
                "measure something to float."
            )
    return found


def _as_table(nuisance, n_samples):
    pandas = import_extra("pandas", "A nuisance needs", "report")
    if isinstance(nuisance, pandas.Series):
        name = "nuisance" if nuisance.name is None else nuisance.name
        return nuisance.to_frame(name)
    several = getattr(nuisance, "shape", ())[1:] > (1,)
    if not (several or hasattr(nuisance, "columns") or hasattr(nuisance, "keys")):
        column = check_column(nuisance, n_samples, "nuisance")
        return pandas.DataFrame({"nuisance": column})
    if isinstance(nuisance, pandas.DataFrame):
        names = [str(name) for name in nuisance.columns]
        twice = next((repr(name) + " twice" for name in names if names.count(name) > 1), "")
        if twice or not names:
            raise ValueError(
                f"nuisance must have columns of different names, got {twice or 'no column'}."
            )
    return nuisance  # read_columns refuses tables that are no DataFrame


def _check_known(name, known):
    if not known.all():
        raise ValueError(
            f"nuisance {name!r} must be known for every sample, got {(~known).sum()} of "
            f"{len(known)} values that are missing or infinite, such as that of row "
            f"{np.flatnonzero(~known)[0]}. Leave these samples out, or give missing categories a "
            "name, such as 'unknown'."
        )


def _as_codes(numbers):
    """Return few whole numbers as codes and names of categories, and others as they are."""
    if len(distinct := np.unique(numbers)) > MOST_CODES or (distinct % 1).any():
        return numbers, None
    return np.searchsorted(distinct, numbers), [str(int(number)) for number in distinct]


def _check_varied(name, values, categories):
    if (values == values[0]).all():
        only = f"{values[0]:g}" if categories is None else repr(categories[values[0]])
        raise ValueError(
            f"nuisance {name!r} must have at least two different values, got only {only}. With "
            "one value there is nothing to compare: leave it out."
        )


def _names_patients(values, categories, patients, dtype):
    """Return whether values are names of patients, or numbers of them."""
    n_patients = len(np.unique(patients))
    pairs = np.unique(np.column_stack([values, patients]), axis=0)
    found, n_owners = np.unique(pairs[:, 0], return_counts=True)
    if categories is not None:  # a few patients may have the same name
        return (n_owners == 1).mean() >= _OWN and len(found) > n_patients / 2
    return getattr(dtype, "kind", "O") in "iu" and len(found) == len(pairs) == n_patients
