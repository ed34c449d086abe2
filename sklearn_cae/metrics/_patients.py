"""Groups of patients with several images: agreement within patients, shares, and outcomes."""

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_scalar

from .._input.labels import encode_groups
from .._input.tensors import to_numpy
from .._statistics.patients import bootstrap_interval
from .._utils.extras import import_extra
from .._utils.plain import plain
from .._utils.random import local_random_state
from ._outcome import OutcomeTest, compare_outcome, read_outcome
from ._scores import _check_labelling

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class PatientProfile:
    """Result of :func:`patient_profile`: groups of patients, with a summary as `repr`.

    Attributes
    ----------
    n_samples, n_patients : int
        Number of samples and of patients.
    n_several : int
        Number of patients with at least two samples.
    agreement : float
        Probability that two samples of a patient are in one group, in [0, 1]: the mean over
        patients with at least two. NaN if there are none.
    agreement_interval : (float, float)
        95 % interval of `agreement`, from resamples of patients. NaN if fewer than two patients
        have several samples.
    agreement_by_chance : float
        Probability that samples of two different patients are in one group, in [0, 1].
    beyond_chance : float
        Agreement corrected for chance, (agreement - by chance) / (1 - by chance): 1 if all samples
        of a patient are in one group, 0 if they are as alike as those of different patients. NaN if
        all samples are in one group.
    beyond_chance_interval : (float, float)
        95 % interval of `beyond_chance`.
    shares : DataFrame
        One row per group (index): `n_patients` with at least one sample in it, mean `share` over
        patients, each of which counts once, and its 95 % interval `low` to `high`.
    table : DataFrame
        One row per patient (index): `n_samples`; `group`, the one with the largest share, or the
        first of them; `share_<group>` for each group; `agreement`, NaN if there is one sample; and
        `outcome` if it was passed.
    outcome : OutcomeTest or None
        Test of the outcome against the groups.
    """

    n_samples: int
    n_patients: int
    n_several: int
    agreement: float
    agreement_interval: tuple
    agreement_by_chance: float
    beyond_chance: float
    beyond_chance_interval: tuple
    shares: "DataFrame"
    table: "DataFrame"
    outcome: OutcomeTest | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as a dict of plain numbers and lists, which JSON can represent.

        Returns
        -------
        profile : dict
            Value per attribute name. Tables are lists of one dict per row; NaN is None.
        """
        return plain(vars(self))

    def __repr__(self) -> str:
        lines = [
            "Patient profile",
            f"  samples             {self.n_samples:>8}",
            f"  patients            {self.n_patients:>8}",
            f"  with several samples{self.n_several:>8}",
            f"  agreement           {_number(self.agreement, self.agreement_interval)}",
            f"  agreement by chance {self.agreement_by_chance:>8.3f}",
            f"  beyond chance       {_number(self.beyond_chance, self.beyond_chance_interval)}",
        ]
        if len(self.shares) == 1:
            lines[-1] = "  beyond chance      undefined, because all samples are in one group"
        elif not self.n_several:
            lines[-1] = "  beyond chance      undefined, because no patient has several samples"
        lines.append("    group  patients  mean share")
        for group, row in self.shares.iterrows():
            share = _number(row.share, (row.low, row.high))
            lines.append(f"  {group!s:>7}{int(row.n_patients):>10}    {share}")
        if self.outcome is not None:
            lines.append(repr(self.outcome))
        return "\n".join(lines)


def patient_profile(
    labels_or_proba, groups, outcome=None, *, n_resamples=2000, random_state=None
) -> PatientProfile:
    """Describe the groups of patients who have several images, and test an outcome against them.

    Images of a patient are not independent. Here each patient counts once: intervals come from
    resamples of patients, and p-values from permutations of outcomes among patients.

    Parameters
    ----------
    labels_or_proba : array-like of shape (n_samples,) or (n_samples, n_clusters)
        Group of each sample, an integer or a string. Noise (-1) is a group. Or a soft assignment,
        whose rows sum to 1: groups are then 0 to n_clusters - 1, a patient's share of a group is
        the mean over its samples, and two samples agree with the probability that they are in one
        group, if each is drawn by its soft assignment.
    groups : array-like of shape (n_samples,)
        Patient of each sample, such as ``read_images(...).groups``.
    outcome : array-like of shape (n_samples,), dict or Series, default=None
        Outcome of each sample, the same for all samples of a patient, or outcome by patient (a
        Series whose index names the patients). Numbers are compared by ranks, all others as
        categories; convert codes to strings. Patients without an outcome are left out of its test,
        with a warning.
    n_resamples : int, default=2000
        Number of resamples of patients for the intervals, at least 100.
    random_state : int, RandomState instance or None, default=None
        Seed for resamples and permutations. None gives different results on each call.

    Returns
    -------
    profile : PatientProfile
        Table of patients, agreement, shares and the test of the outcome.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If `groups` or `outcome` does not match the samples, a patient is missing, there is only one
        patient, the outcome differs within a patient, is known for none, or names a patient that is
        not in `groups`, or rows of a soft assignment do not sum to 1.

    Warns
    -----
    UserWarning
        If the outcome of a patient is missing.

    See Also
    --------
    stability_report : Fit again, on halves of the patients.
    sklearn_cae.cluster_report : Show the groups and their images.

    Notes
    -----
    The chance of agreement is the mean over pairs of different patients of the probability that a
    sample of the one and a sample of the other are in one group. It needs no permutations.

    The outcome is tested by the share of the variance of the patients' shares that it explains
    (R squared). An outcome of many categories explains more by chance, so the profile also shows
    the mean over 1999 permutations.

    Examples
    --------
    >>> from sklearn_cae import patient_profile
    >>> labels = [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
    >>> patients = ["a", "a", "b", "b", "b", "c", "c", "c", "d", "d"]
    >>> outcome = {"a": "healed", "b": "ill", "c": "healed", "d": "ill"}
    >>> profile = patient_profile(labels, patients, outcome, random_state=0)
    >>> profile.table[["n_samples", "group", "agreement", "outcome"]]
             n_samples  group  agreement outcome
    patient
    a                2      0        1.0  healed
    b                3      1        1.0     ill
    c                3      0        1.0  healed
    d                2      1        1.0     ill
    >>> profile.agreement, round(profile.agreement_by_chance, 3), profile.beyond_chance
    (1.0, 0.333, 1.0)
    """
    pandas = import_extra("pandas", "A table of patients needs", "report")
    check_scalar(n_resamples, "n_resamples", Integral, min_val=100)
    names, assigned = _read_assignment(labels_or_proba)
    patients, codes = encode_groups(groups, len(assigned))
    if len(patients) < 2:
        raise ValueError(
            f"groups must hold at least 2 patients, got one: {patients.tolist()[0]!r}. Pass the "
            "patient of each sample."
        )
    patients = pandas.Index(patients, name="patient")
    if outcome is not None:
        outcome = read_outcome(outcome, patients, codes)
    rng = local_random_state(random_state)

    sizes = np.bincount(codes)
    sums = np.zeros((len(sizes), len(names)))
    np.add.at(sums, codes, assigned)
    shares = sums / sizes[:, None]
    agreement = _agree(sums, np.bincount(codes, (assigned**2).sum(axis=1)), sizes)
    table = pandas.DataFrame({"n_samples": sizes, "group": names[shares.argmax(axis=1)]}, patients)
    table[[f"share_{name}" for name in names]] = shares
    table["agreement"] = agreement
    if outcome is not None:
        table["outcome"] = outcome
    reached = np.zeros(shares.shape, dtype=bool)
    reached[codes, assigned.argmax(axis=1)] = True
    index = pandas.Index(names, name="group")
    counts = pandas.Series(reached.sum(axis=0), index, name="n_patients")
    found = _describe(shares, agreement, counts, n_resamples, rng)
    tested = None
    if outcome is not None:
        tested = compare_outcome(shares, names, outcome, n_resamples, rng)
    n_several = int((sizes > 1).sum())
    return PatientProfile(
        len(assigned), len(sizes), n_several, **found, table=table, outcome=tested
    )


def _describe(shares, agreement, counts, n_resamples, rng):
    """Return agreement, chance and shares, with intervals, by their names in the profile."""

    def describe(rows):
        times = np.bincount(rows, minlength=len(shares))
        with np.errstate(invalid="ignore"):  # NaN if no patient has several samples
            within = np.nansum(times * agreement) / times[np.isfinite(agreement)].sum()
        by_chance = _agree_by_chance(shares, times)
        beyond = (within - by_chance) / (1 - by_chance) if by_chance < 1 - 1e-12 else np.nan
        return np.array([within, by_chance, beyond, *shares[rows].mean(axis=0)])

    found = describe(np.arange(len(shares)))
    low, high = bootstrap_interval(describe, len(shares), n_resamples, rng)
    if np.isfinite(agreement).sum() < 2:  # resamples are all equal
        low[[0, 2]] = high[[0, 2]] = np.nan
    table = counts.to_frame().assign(share=found[3:], low=low[3:], high=high[3:])
    intervals = list(zip(low.tolist(), high.tolist(), strict=True))
    return {
        "agreement": float(found[0]),
        "agreement_interval": intervals[0],
        "agreement_by_chance": float(found[1]),
        "beyond_chance": float(found[2]),
        "beyond_chance_interval": intervals[2],
        "shares": table,
    }


def _agree(sums, squares, sizes):
    """Return per patient the probability that two of its samples are in one group."""
    pairs = sizes * (sizes - 1)
    return np.where(pairs > 0, ((sums**2).sum(axis=1) - squares) / np.maximum(pairs, 1), np.nan)


def _agree_by_chance(shares, times):
    """Return the probability that samples of two different patients are in one group.

    `times` is how often each patient counts; a patient does not make a pair with itself.
    """
    own = (shares**2).sum(axis=1) @ times**2
    pairs = times.sum() ** 2 - (times**2).sum()
    return (((times @ shares) ** 2).sum() - own) / pairs if pairs else np.nan


# ---- Reading and writing ----


def _read_assignment(labels_or_proba):
    """Return the names of the groups, and the shares of each sample (n_samples, n_groups)."""
    given = np.asarray(to_numpy(labels_or_proba))
    if given.ndim != 2 or given.shape[1] == 1:
        labels = _check_labelling(labels_or_proba, "labels_or_proba")
        names, index = np.unique(labels, return_inverse=True)
        return names, np.eye(len(names))[index]
    try:
        shares = given.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "labels_or_proba must be labels of shape (n_samples,) or numbers of shape (n_samples, "
            f"n_clusters), got {given.dtype} of shape {given.shape}."
        ) from error
    if not len(shares):
        raise ValueError("labels_or_proba must hold at least one sample, got none.")
    wrong = ~(np.isclose(shares.sum(axis=1), 1, atol=1e-4) & (shares >= -1e-6).all(axis=1))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            "labels_or_proba must hold shares of at least 0 that sum to 1 in each row, got "
            f"{shares[row].round(4).tolist()} in row {row} ({wrong.sum()} such rows). Pass labels "
            "or a soft assignment, such as assign(X).soft_assignment."
        )
    return np.arange(shares.shape[1]), shares


def _number(value, interval):
    """Return a number with its interval, for a table."""
    low, high = interval
    return f"{value:>8.3f}" + ("" if np.isnan(low) else f"  ({low:.3f} to {high:.3f})")
