"""Names under which a report shows samples, and the table that tells which sample is which."""

import base64
import csv
import io
from collections import Counter

import numpy as np

from .._input.labels import check_length, encode_groups
from ._table import is_doubtful

#: First characters of texts that spreadsheets compute.
_FORMULA = ("=", "+", "-", "@", "\t")


class Patients:
    """Patients of samples, under numbers in random order: their real names are not kept.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        Patient of each sample.
    n_samples : int
        Number of samples.

    Attributes
    ----------
    n : int
        Number of patients.
    numbers : ndarray of shape (n_samples,), int
        Number of the patient of each sample, from 1 on.
    sizes : ndarray of shape (n,), int
        Number of samples of each patient, in ascending order.
    """

    def __init__(self, groups, n_samples):
        found, codes = encode_groups(groups, n_samples)
        self.n = len(found)
        if self.n < 2:
            raise ValueError(
                "groups must hold at least two patients, got one. Pass the patient of each sample, "
                "or leave groups out if patients are not known."
            )
        # Not by the seed of the report, by which a reader could find the order of the names.
        self.numbers = 1 + np.random.default_rng().permutation(self.n)[codes]
        self.sizes = np.sort(np.bincount(codes))

    def count_in(self, rows):
        """Return the number of patients of some samples."""
        return len(np.unique(self.numbers[rows]))


def name_samples(names, patients, n_samples, noun):
    """Return the name of each sample: the given one, its patient and number, or its row.

    Parameters
    ----------
    names : array-like of str of shape (n_samples,), or None
        Given names.
    patients : Patients or None
        Patients of the samples.
    n_samples : int
        Number of samples.
    noun : str
        What a sample is, such as "image".

    Returns
    -------
    names : list of str
    """
    if names is not None:
        check_length("names", names, n_samples, "sample of X")
        # Names of files may hold bytes that are no text.
        return [str(name).encode(errors="replace").decode() for name in names]
    if patients is None:
        return [f"{noun} {row}" for row in range(n_samples)]
    seen, found = Counter(), []
    for number in patients.numbers:
        seen[number] += 1
        found.append(f"patient {number}, {noun} {seen[number]}")
    return found


def to_csv_uri(names, assigned, patients):
    """Write the group of each sample as CSV in a data URI.

    Parameters
    ----------
    names : list of str
        Names of the samples.
    assigned : Bunch
        Result of the estimator's `assign`.
    patients : Patients or None
        Patients of the samples.

    Returns
    -------
    uri : str
        Data URI.
    """
    probability = assigned.soft_assignment.max(axis=1)
    columns = {
        "row": range(len(names)),
        "name": [f"'{name}" if name[:1] in _FORMULA else name for name in names],
        "group": assigned.labels,
        "probability": [f"{share:.4f}" for share in probability],
        "margin": [f"{margin:.4f}" for margin in assigned.margin],
        "doubtful": is_doubtful(probability),
    }
    if patients is not None:
        columns["patient"] = patients.numbers
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    # With a byte order mark, by which spreadsheets know UTF-8.
    content = base64.b64encode(file.getvalue().encode("utf-8-sig")).decode()
    return f"data:text/csv;charset=utf-8;base64,{content}"
