"""Images that come after the fit: their groups, and whether they still are like those of the fit.

Imports `_grouping`, `_input`, `_statistics`, `_utils`, `images`, `persistence` and `report`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from sklearn.utils import Bunch

from ._grouping.novelty import measure_intensities
from ._input.arrays import as_samples
from ._input.columns import read_columns
from ._input.labels import encode_groups
from ._statistics.associations import adjust, associate, compare_categories
from ._utils.estimators import check_fitted
from ._utils.extras import import_extra
from ._utils.plain import plain
from ._utils.random import local_random_state
from .images import load_reading
from .persistence import load
from .report import cluster_table
from .report._table import UNUSUAL

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["DriftReport", "assign_files", "drift_report"]

#: Columns that tell which image a row is.
_KEYS = ["file", "frame", "patient"]
#: Columns of a comparison, and the heading of its table in print.
_RESULTS = ["fit", "new", "effect", "p_value"]
_HEADING = "comparison        in fit     now   change   p (corrected)"
_LEVEL = 0.05


def assign_files(model, paths, *, metadata=None, patient=None, n_jobs=None, verbose=0) -> Bunch:
    """Read files as the images of a saved model were read, and find their groups.

    Parameters
    ----------
    model : str or path-like
        File that ``save(clusterer, path, reading=...)`` or ``sklearn-cae fit`` wrote.
    paths : str, path-like, or list of these
        Folder, which is searched with all its subfolders, or files and folders.
    metadata, patient, n_jobs, verbose
        As in :func:`sklearn_cae.images.read_images`.

    Returns
    -------
    bunch : Bunch
        table : DataFrame of n_images rows
            File, frame and patient of each image, and the columns of
            :func:`sklearn_cae.report.cluster_table`.
        clusterer : ContrastiveAutoencoderClusterer
            The model.
        data, metadata, failures, unmatched, groups, reading
            As in :func:`sklearn_cae.images.read_images`.

    Raises
    ------
    LoadError
        If the file is damaged, or of another kind. It is a ValueError.
    ValueError
        If the file has no reading, or no image can be read.
    TypeError
        If the file contains another estimator.
    FileNotFoundError
        If a path does not exist.

    See Also
    --------
    drift_report : Compare new images with those of the fit.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer, save
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.images import read_images
    >>> from sklearn_cae.new_images import assign_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for index, image in enumerate(make_toy_images(40, random_state=0).data):
    ...         Image.fromarray(image).save(Path(folder) / f"{index:02}.png")
    ...     found = read_images(folder, size=16)
    ...     clusterer = ContrastiveAutoencoderClusterer(
    ...         n_clusters=3, warm_up_epochs=2, conditioning_epochs=0, random_state=0
    ...     ).fit(found.data)
    ...     save(clusterer, Path(folder) / "model.safetensors", reading=found.reading)
    ...     new = assign_files(Path(folder) / "model.safetensors", Path(folder) / "07.png")
    >>> bool(new.table.group[0] == clusterer.labels_[7])
    True
    """
    reading, clusterer = load_reading(model), load(model)
    if not hasattr(clusterer, "assign"):
        raise TypeError(
            f"model must hold a ContrastiveAutoencoderClusterer, but {Path(model)} holds a "
            f"{type(clusterer).__name__}. Read the files with load_reading(model).read(paths), and "
            "pass the images to load(model)."
        )
    found = reading.read(paths, metadata=metadata, patient=patient, n_jobs=n_jobs, verbose=verbose)
    table = cluster_table(clusterer, found.data, found.metadata[_KEYS])
    return Bunch(table=table, clusterer=clusterer, **found)


@dataclass(frozen=True, eq=False)
class DriftReport:
    """Result of :func:`drift_report`, with tables as attributes and a table as `repr`.

    Attributes
    ----------
    n_new, n_tested : int
        Number of new images, and of those in the tests: all, or one per patient.
    tests : DataFrame
        One row per comparison with the training images, indexed by "shares of groups", "unusual
        images", "brightness" and "contrast", with the columns

        fit, new : float
            Value in the fit and now: share of unusual images, mean brightness and mean contrast as
            shares of the intensity range. NaN for the shares of groups, which `shares` lists.
        effect : float
            Size of the change in [0, 1]: half the sum of the absolute differences of shares; how
            much the share of unusual images has risen; the largest difference of the two
            distribution functions.
        p_value, p_adjusted : float
            P-value, and the same corrected for the number of comparisons (Benjamini-Hochberg).
    shares : DataFrame
        One row per group: share of the images in the fit and now.
    columns : DataFrame or None
        One row per column of `metadata`: how strongly unusual images depend on it. None without
        metadata.
    """

    n_new: int
    n_tested: int
    tests: "DataFrame"
    shares: "DataFrame"
    columns: "DataFrame | None"

    @property
    def drifted(self) -> bool:
        """Whether a corrected p-value is below 0.05."""
        return bool((self.tests["p_adjusted"] < _LEVEL).any())

    def to_dict(self) -> dict:
        """Return the numbers as dicts and lists, which JSON can represent.

        Returns
        -------
        report : dict
            Content per attribute name, and "drifted". Tables are lists of rows; NaN is None.
        """
        return plain({**vars(self), "drifted": self.drifted})

    def __repr__(self) -> str:
        per_patient = "" if self.n_tested == self.n_new else f", {self.n_tested} of them tested"
        lines = [f"Drift report: {self.n_new} new images{per_patient}", f"  {_HEADING}"]
        for row in self.tests.itertuples():
            values = "".join(f"{'' if np.isnan(v) else f'{v:.3f}':>8}" for v in (row.fit, row.new))
            lines.append(f"  {row.Index:<17}{values}{row.effect:>9.3f}{row.p_adjusted:>14.2g}")
        lines.append("  group         in the fit     now")
        for row in self.shares.itertuples():
            lines.append(f"  {row.Index:<18}{row.fit:>6.1%}{row.new:>8.1%}")
        if self.columns is not None and len(self.columns):
            lines.append("  unusual images against   strength   p (corrected)")
            for row in self.columns.itertuples():
                lines.append(f"  {row.Index[:24]:<24}{row.effect:>9.3f}{row.p_adjusted:>16.2g}")
        return "\n".join(lines)


def drift_report(estimator, X, metadata=None, *, groups=None, random_state=None) -> DriftReport:
    """Compare new images with the training images of a clusterer.

    Four things are compared: the shares of the groups (chi-squared test; by random tables if fewer
    than 5 are expected in a group), the share of unusual images, of which 5 % are expected
    (one-sided exact test), and for images also their brightness and contrast (Kolmogorov-Smirnov
    tests). A scanner that was changed, or patients of another
    kind, show here.

    Parameters
    ----------
    estimator : fitted ContrastiveAutoencoderClusterer
    X : array-like, tensor or DataFrame
        New samples in the form that was fitted.
    metadata : pandas DataFrame of n_samples rows, default=None
        Columns about the new samples, such as the scanner. Each is compared with whether a sample
        is unusual.
    groups : array-like of shape (n_samples,), default=None
        Patient of each sample. One sample per patient, drawn at random, is tested, because samples
        of one patient are not independent. None tests all samples.
    random_state : int, RandomState instance or None, default=None
        Seed for this choice, and for tests by permutation. None gives different results on each
        call.

    Returns
    -------
    report : DriftReport
        Comparisons as tables.

    Raises
    ------
    ValueError
        If the estimator cannot measure novelty, `metadata` or `groups` does not match `X`, or
        `groups` has a single patient.
    NotFittedError
        If the estimator is not fitted.
    ImportError
        If pandas is not installed.

    Notes
    -----
    All tests assume that the training samples are independent. If patients had several samples in
    the fit, p-values are too small. After a fit on fewer than 100 samples, the limit of unusual
    images is uncertain, so that more or fewer than 5 % of new images may be above it.

    Examples
    --------
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.new_images import drift_report
    >>> X, _ = make_toy_images(120, random_state=0, return_X_y=True)
    >>> clusterer = ContrastiveAutoencoderClusterer(
    ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=0, random_state=0
    ... ).fit(X[:90])
    >>> drift_report(clusterer, X[90:], random_state=0).drifted
    False
    >>> drift_report(clusterer, 255 - X[90:], random_state=0).drifted
    True
    """
    pandas = import_extra("pandas", "A drift report needs", "report")
    check_fitted(estimator, "assign", "_novelty_measure")
    reference = estimator._novelty_measure()
    X = as_samples(X)
    columns = [] if metadata is None else read_columns(metadata, len(X))
    rng = local_random_state(random_state)
    rows = np.arange(len(X)) if groups is None else _one_each(groups, len(X), rng)
    samples = estimator._check_input(X)
    assigned = estimator.assign(X)
    before, now = estimator.labels_, assigned.labels[rows]
    fit, new = (np.bincount(each, minlength=estimator.n_clusters_) for each in (before, now))
    shares = pandas.DataFrame({"fit": fit / len(before), "new": new / len(now)})
    tests = {
        "shares of groups": _compare_groups(before, now, shares, rng),
        "unusual images": _compare_unusual(reference.held_back(), assigned.novelty[rows]),
    }
    if estimator.image_shape_ is not None:
        found = estimator._in_batches(measure_intensities, samples).numpy()[rows]
        for column, name in enumerate(("brightness", "contrast")):
            tests[name] = _compare_values(reference.intensities[:, column], found[:, column])
    return DriftReport(
        n_new=len(X),
        n_tested=len(rows),
        tests=_with_adjusted(pandas.DataFrame(tests, index=_RESULTS).T),
        shares=shares,
        columns=None if metadata is None else _compare_columns(columns, rows, assigned, rng),
    )


def _one_each(groups, n_samples, rng):
    """Return one row of each patient, drawn at random."""
    patients, codes = encode_groups(groups, n_samples)
    if len(patients) < 2:
        raise ValueError(
            f"groups must hold at least 2 patients, got one: {patients.tolist()[0]!r}. Pass the "
            "patient of each sample, or leave groups out if patients are not known."
        )
    order = rng.permutation(n_samples)
    return np.sort(order[np.unique(codes[order], return_index=True)[1]])


def _compare_groups(before, now, shares, rng):
    when = np.repeat([0, 1], [len(before), len(now)])
    found = compare_categories(when, np.concatenate([before, now]), rng)
    p_value = 1.0 if found.reason else found.p_value  # all are in one group
    return np.nan, np.nan, (shares.fit - shares.new).abs().sum() / 2, p_value


def _compare_unusual(before, now):
    counts = [[(each >= UNUSUAL).sum(), (each < UNUSUAL).sum()] for each in (now, before)]
    new, fit = (unusual / (unusual + usual) for unusual, usual in counts)
    p_value = stats.fisher_exact(counts, alternative="greater").pvalue
    return fit, new, max(0.0, new - fit), p_value


def _compare_values(before, now):
    # Rounded, because images that were standardised differ in their last digits alone.
    result = stats.ks_2samp(before.round(4), now.round(4))
    return before.mean(), now.mean(), result.statistic, result.pvalue


def _compare_columns(columns, rows, assigned, rng):
    """Return a table of the columns: how unusual images depend on each."""
    import pandas as pd

    columns = [(name, values[rows], categories) for name, values, categories in columns]
    unusual = (assigned.novelty[rows] >= UNUSUAL).astype(int)
    found = associate(columns, unusual, 2, rng)
    return pd.DataFrame(
        [
            [each["tested"].effect, each["tested"].p_value, each["p_adjusted"]]
            for each in found["tested"]
        ],
        index=[each["name"] for each in found["tested"]],
        columns=["effect", "p_value", "p_adjusted"],
    ).sort_values("p_value")


def _with_adjusted(tests):
    return tests.assign(p_adjusted=adjust(tests["p_value"].tolist()))
