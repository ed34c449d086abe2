"""Outcomes of patients against the shares of groups among their images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from .._input.labels import check_column
from .._statistics.associations import MOST_CATEGORIES, adjust
from .._statistics.patients import bootstrap_interval, compare_permuted
from .._utils.extras import import_extra
from .._utils.plain import plain
from .._utils.warnings import warn

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class OutcomeTest:
    """Comparison of an outcome with the groups of patients, by :func:`patient_profile`.

    Attributes
    ----------
    kind : {"numbers", "categories"}
        Numbers are compared by ranks. All other outcomes are compared by categories.
    n_patients : int
        Number of patients whose outcome is known.
    reason : str
        Reason why the outcome was not tested; empty if it was.
    explained : float
        Share of the variance of the patients' shares of groups that the outcome explains, over all
        groups together, in [0, 1].
    by_chance : float
        The same share if outcomes are permuted among patients, on average.
    p_value : float
        Share of the permutations that explain at least as much.
    groups : DataFrame
        One row per group (index): `explained`, `by_chance`, `p_value`, and `p_adjusted`, which is
        corrected for the number of groups (Benjamini-Hochberg).
    effects : DataFrame
        For categories, one row per group and category (index): `n_patients`, and their mean `share`
        of the group. For numbers, one row per group (index): the rank `correlation` of outcome and
        share. `low` and `high` are its 95 % interval from resamples of patients.
    """

    kind: str
    n_patients: int
    reason: str
    explained: float
    by_chance: float
    p_value: float
    groups: "DataFrame"
    effects: "DataFrame"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dict of plain numbers and lists, which JSON can represent.

        Returns
        -------
        result : dict
            Value per attribute name. Tables are lists of one dict per row; NaN is None.
        """
        return plain(vars(self))

    def __repr__(self) -> str:
        if self.reason:
            return f"Outcome not tested: {self.reason}"
        lines = [
            f"Outcome ({self.kind}) of {self.n_patients} patients",
            f"  explained{self.explained:>13.3f}  by chance {self.by_chance:.3f}, "
            f"p {self.p_value:.4f}",
            "    group   explained   by chance  p corrected",
        ]
        for group, row in self.groups.iterrows():
            numbers = f"{row.explained:>12.3f}{row.by_chance:>12.3f}{row.p_adjusted:>13.4f}"
            lines.append(f"  {group!s:>7}{numbers}")
        return "\n".join(lines)


# ---- Reading ----


def read_outcome(outcome, patients, codes):
    """Return the outcome of each patient.

    Parameters
    ----------
    outcome : array-like of shape (n_samples,), mapping or Series
        Outcome of each sample, or of each patient by its name.
    patients : pandas Index of shape (n_patients,)
        Names of the patients.
    codes : ndarray of shape (n_samples,), int
        Patient of each sample.

    Returns
    -------
    outcome : pandas Series of shape (n_patients,)
        Outcome of each patient, in their order; NaN if it is missing.
    """
    pandas = import_extra("pandas", "Outcomes need", "report")
    if isinstance(outcome, Mapping):
        outcome = pandas.Series(dict(outcome))
        by_patient = _by_name(outcome, patients)
    elif isinstance(outcome, pandas.Series) and _is_by_name(outcome, patients, len(codes), pandas):
        by_patient = _by_name(outcome, patients)
    else:
        by_patient = _by_sample(outcome, patients, codes, pandas)
    if pandas.api.types.is_numeric_dtype(by_patient):
        by_patient = by_patient.replace([np.inf, -np.inf], np.nan)
    missing = by_patient.isna().to_numpy()
    if missing.all():
        raise ValueError(
            "outcome must be known for some patients, got missing values for all "
            f"{len(patients)}. Leave outcome out."
        )
    if missing.any():
        warn(
            f"The outcome of {missing.sum()} of {len(patients)} patients is missing, such as that "
            f"of {patients[missing].tolist()[0]!r}. These patients are left out of its test.",
            UserWarning,
        )
    return by_patient


def _is_by_name(outcome, patients, n_samples, pandas):
    """Return whether the index of a Series names patients, rather than samples."""
    if len(outcome) != n_samples:
        return True
    named = outcome.index.isin(patients)
    if outcome.index.equals(pandas.RangeIndex(n_samples)):
        if named.all() and len(patients) == n_samples:
            raise ValueError(
                "outcome must tell whether it is ordered by sample or by patient: its index, 0 to "
                f"{n_samples - 1}, may mean either. Pass outcome.tolist() for the samples, or "
                "outcome.to_dict() for the patients."
            )
        return False
    # Numbers of rows may be those of some patients by chance, names may not.
    is_text = not pandas.api.types.is_numeric_dtype(outcome.index)
    return outcome.index.is_unique and bool(named.any() if is_text else named.all())


def _by_name(outcome, patients):
    unknown = outcome.index[~outcome.index.isin(patients)].tolist()
    if unknown:
        raise ValueError(
            f"outcome must name patients of groups, got {len(unknown)} others, such as "
            f"{unknown[0]!r}; a patient of groups is {patients.tolist()[0]!r}. Leave the others "
            "out, and write names in the same type (1 is not '1'). If it has one value per sample, "
            "pass one for each."
        )
    if not outcome.index.is_unique:
        twice = outcome.index[outcome.index.duplicated()].tolist()[0]
        raise ValueError(
            f"outcome must hold one value per patient, got several of {twice!r}. Leave one."
        )
    return outcome.reindex(patients)


def _by_sample(outcome, patients, codes, pandas):
    if isinstance(outcome, pandas.Series):
        values = outcome.reset_index(drop=True)
    else:
        values = pandas.Series(check_column(outcome, len(codes), "outcome")).infer_objects()
    if isinstance(values.dtype, pandas.CategoricalDtype):
        values = values.astype(object)
    grouped = values.groupby(codes)
    several = np.flatnonzero(grouped.nunique().to_numpy() > 1)
    if len(several):
        found = values[codes == several[0]].dropna().unique().tolist()
        raise ValueError(
            f"outcome must be the same for all samples of a patient, got {found[0]!r} and "
            f"{found[1]!r} for patient {patients.tolist()[several[0]]!r} ({len(several)} such "
            "patients). Pass one value per patient, such as the first."
        )
    return grouped.first().set_axis(patients)


# ---- Tests ----


def compare_outcome(shares, names, outcome, n_resamples, rng):
    """Test an outcome against the patients' shares of groups.

    Parameters
    ----------
    shares : ndarray of shape (n_patients, n_groups)
        Share of each group among the images of each patient.
    names : list
        Names of the groups.
    outcome : pandas Series of shape (n_patients,)
        Outcome of each patient; NaN if it is missing.
    n_resamples : int
        Number of resamples of the intervals.
    rng : RandomState
        Generator of permutations and resamples.

    Returns
    -------
    test : OutcomeTest
    """
    pandas = import_extra("pandas", "Outcomes need", "report")
    known = outcome.notna().to_numpy()
    values, shares = outcome[known], shares[known]
    types = pandas.api.types
    is_number = types.is_numeric_dtype(values) and not types.is_bool_dtype(values)
    if is_number:
        numbers = values.to_numpy(dtype=float)
        categories, design = None, rankdata(numbers)[:, None]
    else:
        codes, categories = pandas.factorize(values, sort=True)
        design = np.eye(len(categories))[codes]
    reason = _why_not(shares, design, categories)
    tested = _test(shares, design, rng) if not reason else np.full((3, len(names) + 1), np.nan)
    index = pandas.Index(names, name="group")
    groups = pandas.DataFrame(tested[:, :-1].T, index, ["explained", "by_chance", "p_value"])
    groups["p_adjusted"] = np.nan
    varied = groups.p_value.notna()
    groups.loc[varied, "p_adjusted"] = adjust(groups.p_value[varied].tolist())
    if is_number:
        effects = _correlate(shares, numbers, index, n_resamples, rng)
    else:
        effects = _average(shares, design, index, categories, n_resamples, rng)
    kind = "numbers" if is_number else "categories"
    overall = map(float, tested[:, -1])
    return OutcomeTest(kind, int(known.sum()), reason, *overall, groups, effects)


def _why_not(shares, design, categories):
    """Return the reason why an outcome cannot be tested, or an empty text."""
    if (design == design[0]).all():
        return "all known outcomes are equal"
    if categories is not None and len(categories) > MOST_CATEGORIES:
        return f"{len(categories)} different outcomes, more than {MOST_CATEGORIES}"
    if shares.shape[1] == 1:
        return "all samples are in one group"
    if np.allclose(shares, shares[0]):
        return "all patients have the same shares of groups"
    return ""


def _test(shares, design, rng):
    """Return explained share, its mean by chance, and p-value: per group, then of all groups."""
    _, lengths, axes = np.linalg.svd((design - design.mean(axis=0)).T, full_matrices=False)
    axes = axes[lengths > lengths[0] * 1e-9]
    shares = shares - shares.mean(axis=0)
    spread = (shares**2).sum(axis=0)
    spread = np.append(spread, spread.sum())
    constant = spread < 1e-12
    spread[constant] = np.nan

    def explained(axes):
        parts = ((axes @ shares) ** 2).sum(axis=0)
        return np.append(parts, parts.sum()) / spread

    found = compare_permuted(explained, axes, np.arange(len(shares)), rng)
    return np.array([found.statistic, found.mean, np.where(constant, np.nan, found.p_value)])


def _correlate(shares, numbers, index, n_resamples, rng):
    """Return the rank correlation of an outcome with the shares of each group."""
    import pandas as pd

    def correlation(rows):
        one, other = rankdata(shares[rows], axis=0), rankdata(numbers[rows])
        one, other = one - one.mean(axis=0), other - other.mean()
        with np.errstate(invalid="ignore"):  # NaN if all are equal
            return other @ one / np.sqrt((one**2).sum(axis=0) * (other**2).sum())

    low, high = bootstrap_interval(correlation, len(shares), n_resamples, rng)
    found = correlation(np.arange(len(shares)))
    return pd.DataFrame({"correlation": found, "low": low, "high": high}, index)


def _average(shares, design, index, categories, n_resamples, rng):
    """Return the mean share of each group among the patients of each category."""
    import pandas as pd

    def mean(rows):
        with np.errstate(invalid="ignore"):  # NaN if no patient of a category is drawn
            return ((design[rows].T @ shares[rows]) / design[rows].sum(axis=0)[:, None]).T

    found = mean(np.arange(len(shares)))
    low, high = bootstrap_interval(mean, len(shares), n_resamples, rng)
    counts = np.tile(design.sum(axis=0).astype(int), len(index))
    rows = pd.MultiIndex.from_product([index, categories], names=["group", "outcome"])
    columns = {"share": found.ravel(), "low": low.ravel(), "high": high.ravel()}
    effects = pd.DataFrame({"n_patients": counts, **columns}, rows)
    effects.loc[effects.n_patients < 2, ["low", "high"]] = np.nan  # resamples are all equal
    return effects
