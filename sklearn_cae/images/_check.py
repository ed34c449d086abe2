"""A look at images before training: what could make groups of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from .._input.arrays import as_samples, check_image_array, is_table
from .._input.axes import find_axes
from .._input.labels import check_length
from .._input.looks import digests
from .._utils.extras import import_extra
from ._copies import equal_sets, join, near_pairs
from ._facts import measure
from ._findings import (
    find_copies,
    find_in_pixels,
    find_mixed,
    find_polarities,
    find_repeated_patients,
    has_contrast,
)
from ._mixes import find_mixes

_SEVERITIES = ("problem", "doubt", "note")
_NAMES = (
    *("constant", "nearly_constant", "saturated", "truncated", "letterbox", "round_border"),
    *("burnt_in_corners", "two_polarities", "duplicates", "near_duplicates"),
    *("duplicates_across_splits", "duplicates_across_patients", "several_per_patient"),
    "mix_without_effect",
)


@dataclass(frozen=True)
class ImageCheck:
    """Result of :func:`check_images`, with its findings as text and as a table.

    :class:`~sklearn_cae.plotting.ImageCheckDisplay` shows examples of each finding.

    Attributes
    ----------
    n_images : int
        Number of images.
    findings : list of Finding
        Findings: problems first, then doubts, then notes.
    """

    n_images: int
    findings: list

    def rows_of(self, name) -> np.ndarray:
        """Return the rows of a finding.

        Parameters
        ----------
        name : str
            Name of the finding, such as "duplicates".

        Returns
        -------
        rows : ndarray of int of shape (n_rows,)
            Rows of X, none if nothing was found.

        Raises
        ------
        ValueError
            If there is no finding of this name.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding.rows
        if name not in _NAMES and not str(name).startswith("mix_of_"):
            raise ValueError(
                f"name must be one of {', '.join(_NAMES)}, or mix_of_ and a column, got {name!r}."
            )
        return np.empty(0, dtype=int)

    def to_frame(self) -> Any:
        """Return a table with one row per finding.

        Returns
        -------
        table : DataFrame
            Name, severity, number of rows, text, advice and rows of each finding.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = import_extra("pandas", "Tables are made with", "files")
        columns = ("name", "severity", "n_rows", "text", "advice", "rows")
        rows = [
            (each.name, each.severity, len(each.rows), each.text, each.advice, each.rows)
            for each in self.findings
        ]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        lines = [
            f"  {each.severity:<8}{each.name}\n          {each.text}\n          {each.advice}"
            for each in self.findings
        ]
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{each.severity}</td><td>{escape(each.name)}</td>"
            f'<td style="text-align:left">{escape(each.text)} {escape(each.advice)}</td></tr>'
            for each in self.findings
        )
        return f"<p>{self._title()}</p><table>{rows}</table>"

    def _title(self):
        counts = {name: sum(f.severity == name for f in self.findings) for name in _SEVERITIES}
        found = [f"{n} {name}{'s' * (n > 1)}" for name, n in counts.items() if n]
        return f"Check of {self.n_images} images: {', '.join(found) or 'nothing found'}"


def check_images(
    X, metadata=None, *, image_shape=None, spatial_dims=2, groups=None, split=None
) -> ImageCheck:
    """Look at images before training, for what would make groups of its own.

    The findings are constant, nearly constant, saturated and truncated images, straight and round
    borders, objects in corners, images that are inverted, exact and near copies, also across
    splits and patients, several images of a patient, and a mix of files in the metadata, with the
    share of brightness, contrast or content that it explains. Labels are not used.

    Parameters
    ----------
    X : array-like, tensor or DataFrame
        Images in any form that the clusterer accepts, also memory-mapped.
    metadata : DataFrame or dict of array-like, default=None
        Facts about the images, in the order of X, such as the `metadata` of `read_images`.
    image_shape : tuple of int, default=None
        Shape of one image in flat rows: (H, W), (C, H, W) or (H, W, C). For volumes there is an
        axis D before H.
    spatial_dims : {2, 3}, default=2
        2 for images, 3 for volumes. Edges and corners of volumes are not looked at.
    groups : str, default=None
        Column of `metadata` that names the patient. None is "patient", if there is one.
    split : str, default=None
        Column of `metadata` that names the split. None is "split", if there is one.

    Returns
    -------
    check : ImageCheck
        Findings, each with its rows, numbers and advice.

    Raises
    ------
    ValueError, TypeError
        If X contains no images, NaN or infinity, or `metadata` does not fit X.

    Notes
    -----
    10 000 images of 64 x 64 pixels take some seconds. Images are nearly equal if thumbnails of 16
    and of 32 pixels have a correlation of at least .99; from those of 16 pixels, the mean of all
    thumbnails is subtracted. Images may be inverted if all but 5 % of them point clearly to one
    side, or to the opposite one, of the direction that the thumbnails share. A mix is a doubt if
    it explains at least 6 % of the variance of ranks, and p is below .01 after the correction for
    all tests. A single letter in a corner is too small to be seen in images of 28 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cae.datasets import load_digit_images
    >>> from sklearn_cae.images import check_images
    >>> X = load_digit_images().data[:100].copy()
    >>> X[[4, 9]] = 255 - X[[4, 9]]
    >>> X[20] = X[30]
    >>> check = check_images(X)
    >>> check
    Check of 100 images: 2 problems
      problem two_polarities
              2 of 100 images (2 %) are inverted in comparison with the others: ...
      problem duplicates
              2 of 100 images (2 %) are exact copies of another, in 1 set.
              Keep the first row of each set, or keep each set in one split.
    >>> check.rows_of("duplicates").tolist()
    [20, 30]
    """
    if spatial_dims not in (2, 3):
        raise ValueError(
            f"spatial_dims must be 2 for images or 3 for volumes, got {spatial_dims!r}."
        )
    X = check_image_array(as_samples(X), None, minimum=1)
    if X.ndim == 2 and image_shape is None:
        raise ValueError(
            "Only images can be checked, but rows of X without image_shape are vectors. If they "
            "are images, pass image_shape=(channels, height, width)."
        )
    axes = find_axes(X, image_shape, spatial_dims)
    columns = _columns_of(metadata, len(X))
    patients, splits = (
        _choose(columns, name, default, parameter)
        for name, default, parameter in ((groups, "patient", "groups"), (split, "split", "split"))
    )
    facts = measure(X, *axes)
    equal, near = _copies(X, axes, facts)
    findings = [
        *find_in_pixels(facts),
        find_polarities(facts, columns),
        *find_copies(equal, near, len(X), splits, patients),
        *find_mixed(find_mixes(columns, facts), len(X)),
        find_repeated_patients(patients),
    ]
    findings = [finding for finding in findings if finding is not None]
    return ImageCheck(len(X), sorted(findings, key=lambda f: _SEVERITIES.index(f.severity)))


def _copies(X, axes, facts):
    """Return the sets of equal images, and of nearly equal ones, without constant ones."""
    usable = np.flatnonzero(~facts.constant)
    equal = equal_sets(digests(X), usable)
    single = has_contrast(facts)
    for rows in equal:
        single[rows[1:]] = False
    return equal, join(list(near_pairs(X, *axes, facts.thumbnails, np.flatnonzero(single))), len(X))


def _columns_of(metadata, n):
    """Return the columns of the metadata as arrays of objects."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping) and not (is_table(metadata) and metadata.ndim == 2):
        raise TypeError(
            "metadata must be a DataFrame or a dict of columns, got a "
            f"{type(metadata).__name__}. Pass the metadata of read_images."
        )
    names = metadata.keys() if isinstance(metadata, Mapping) else metadata.columns
    columns = {}
    for name in names:
        check_length(f"metadata[{name!r}]", metadata[name], n, "image")
        columns[name] = np.empty(n, dtype=object)
        columns[name][:] = list(metadata[name])
    return columns


def _choose(columns, name, default, parameter):
    """Return a column; None if it was not asked for and there is none."""
    if name is None:
        return columns.get(default)
    if name not in columns:
        has = ", ".join(map(str, columns)) or "no columns"
        raise ValueError(
            f"{parameter} must be the name of a column of metadata, got {name!r}. metadata has: "
            f"{has}."
        )
    return columns[name]
