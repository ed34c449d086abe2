"""Groups against what they may show besides the patients, such as the scanner.

confounding_report(clusterer_or_labels, X, nuisance, y=None, *, groups=None, n_neighbors=5,
                   metric="cosine", n_resamples=2000, random_state=None) -> ConfoundingReport
"""

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array
from scipy.special import entr
from scipy.stats import rankdata
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
    pairwise_distances_chunked,
)
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted

from .._input.arrays import as_samples
from .._input.labels import check_labels, check_length, encode_groups, encode_labels
from .._input.nuisances import read_nuisances, say
from .._statistics.associations import adjust, compare_over_patients
from .._statistics.patients import bootstrap_interval, compare_permuted
from .._utils.plain import plain
from .._utils.random import local_random_state
from .._utils.warnings import warn
from .._utils.wording import to_percent
from ._explained import find_explained
from ._scores import _check_labelling

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_LEVEL = 0.05
_FEWEST, _FEWEST_PATIENTS = 10, 2
_METRICS = ("cosine", "euclidean")


@dataclass(frozen=True, eq=False)
class ConfoundingReport:
    """Result of :func:`confounding_report`: groups against nuisances, with tables as `repr`.

    Attributes
    ----------
    n_samples : int
        Number of samples.
    n_patients : int or None
        Number of patients; None if `groups` was not passed.
    n_clusters : int
        Number of groups.
    table : DataFrame
        One row per nuisance (index), with the columns

        - `kind`: "categories" or "numbers".
        - `nmi`, `ari`: normalised mutual information and adjusted Rand index of the groups and the
          categories; NaN for numbers.
        - `within_label`: agreement of groups and categories among samples of the same label, the
          mean over labels of the adjusted mutual information, which is 0 by chance. NaN for numbers
          and without `y`.
        - `effect`: strength of the association with the groups, in [0, 1]. Bias-corrected Cramer's
          V for categories, bias-corrected eta squared of ranks for numbers.
        - `p_value`, `p_adjusted`: p-value of the association, and the same corrected for the number
          of nuisances (Benjamini-Hochberg). NaN if there is only one group.
        - `knn`: how well a kNN reads the nuisance from the embedding. Accuracy for categories, rank
          correlation for numbers.
        - `knn_majority`: accuracy of always answering the most frequent category; NaN for numbers.
        - `knn_by_chance`: mean of `knn` over permutations.
        - `knn_p_value`, `knn_p_adjusted`: p-value of `knn`, and the same corrected.
        - `neighbors`: share of the nearest neighbours that are of the sample's own category; NaN
          for numbers.
        - `neighbors_by_chance`: mean of `neighbors` over permutations.
        - `carried`: share of the information about the label that the nuisance carries, in [0, 1]:
          their mutual information divided by the entropy of the label. NaN without `y`.
        - `carried_by_chance`, `carried_p_value`, `carried_p_adjusted`: mean of `carried` over
          permutations, and its p-values.
    label : Series or None
        The same values for the label, to compare with; None without `y`. Its p-values are not
        corrected.
    makeup : dict of str to DataFrame
        What each group consists of, per nuisance. For categories, one row per group and category
        (index): `n_samples`, `n_patients`, and the `share` of the category in the group, with its
        95 % interval `low` to `high`, and its share `overall`. For numbers, one row per group
        (index): the `median`, with its interval, and the median `overall`. `n_patients` counts
        samples if `groups` was not passed.
    notes : list of str
        Sentences about groups that go with a nuisance, and about nuisances that go with the label.
    """

    n_samples: int
    n_patients: int | None
    n_clusters: int
    table: "DataFrame"
    label: "Series | None"
    makeup: dict
    notes: list

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dict of plain numbers and lists, which JSON can represent.

        Returns
        -------
        report : dict
            Value per attribute name. Tables are lists of one dict per row; NaN is None.
        """
        return plain(vars(self))

    def __repr__(self) -> str:
        of_patients = "" if self.n_patients is None else f" of {self.n_patients} patients"
        rows = dict(self.table.iterrows())
        if self.label is not None:
            rows["label"] = self.label
        first = [
            f"Confounding report: {self.n_samples} samples{of_patients}, {self.n_clusters} groups",
            "  groups against           NMI    ARI  within label   strength  p (corrected)",
        ]
        second = [
            "  read by neighbours       kNN  majority  by chance  p (corrected)   alike  by chance"
        ]
        third = ["  about the label      carries  by chance  p (corrected)"]
        for name, row in rows.items():
            start = f"  {str(name)[:20]:<20}"
            sign, is_number = ("η²", True) if row.kind == "numbers" else ("V", False)
            cells = [_number(row.nmi, 8), _number(row.ari, 7), _number(row.within_label, 14)]
            cells += [_number(row.effect, 11, f"{sign} "), _number(row.p_adjusted, 15, digits=4)]
            first.append(start + "".join(cells))
            cells = [_number(row.knn, 8, "r " * is_number), _number(row.knn_majority, 10)]
            cells += [_number(row.knn_by_chance, 11), _number(row.knn_p_adjusted, 15, digits=4)]
            cells += [_number(row.neighbors, 8, digits=2)]
            cells += [_number(row.neighbors_by_chance, 11, digits=2)]
            second.append(start + "".join(cells))
            cells = [_number(row.carried, 9), _number(row.carried_by_chance, 11)]
            third.append(start + "".join([*cells, _number(row.carried_p_adjusted, 15, digits=4)]))
        third = [] if self.label is None else third[:-1]
        return "\n".join([*first, *second, *third, *(f"  {note}" for note in self.notes)])


def confounding_report(
    clusterer_or_labels,
    X,
    nuisance,
    y=None,
    *,
    groups=None,
    n_neighbors=5,
    metric="cosine",
    n_resamples=2000,
    random_state=None,
) -> ConfoundingReport:
    """Measure whether groups, and the embedding, follow the scanner rather than the patients.

    A nuisance is what images show besides the patients, such as the hospital, the scanner or the
    exposure. Three questions are asked about each: do the groups agree with it, can it be read from
    the embedding, and does it go with the label. A nuisance that no group follows may still be
    legible in the embedding.

    Parameters
    ----------
    clusterer_or_labels : fitted clusterer, or array-like of shape (n_samples,)
        Fitted clusterer, or the group of each sample, an integer or a string. Noise (-1) is a
        group.
    X : array-like of shape (n_samples, ...)
        Samples. A `ContrastiveAutoencoderClusterer` embeds them. With labels or another clusterer,
        their values themselves are the embedding.
    nuisance : array-like or Series of shape (n_samples,), or matrix or DataFrame of n_samples rows
        Nuisance of each sample, or several as columns. Numbers are compared by ranks, all others as
        categories. Whole numbers of at most 12 different values are categories; convert other codes
        to strings.
    y : array-like of shape (n_samples,), default=None
        Label of each sample. It is measured as the nuisances are, and each nuisance is compared
        with it.
    groups : array-like of shape (n_samples,), default=None
        Patient of each sample. Neighbours are then of other patients, p-values come from
        permutations of patients, and intervals from resamples of patients. None takes the samples
        as independent.
    n_neighbors : int, default=5
        Number of nearest neighbours that the kNN asks.
    metric : {"cosine", "euclidean"}, default="cosine"
        Distance between embeddings.
    n_resamples : int, default=2000
        Number of resamples for the intervals, at least 100.
    random_state : int, RandomState instance or None, default=None
        Seed for permutations and resamples. None gives different results on each call.

    Returns
    -------
    report : ConfoundingReport
        Table of the nuisances, and what each group consists of.

    Raises
    ------
    ImportError
        If pandas is not installed.
    NotFittedError
        If the clusterer is not fitted.
    TypeError
        If the clusterer cannot predict, or nuisances are a dict.
    ValueError
        If labels, `nuisance`, `y` or `groups` do not match `X`, a value is missing, all are equal,
        a nuisance names patients, has more than 50 categories or is equal to `y`, or there are too
        few samples.

    Warns
    -----
    UserWarning
        If a category has fewer than 10 samples, or a single patient.

    See Also
    --------
    sklearn_cae.cluster_report : Names groups that follow the scanner, in a page with images.
    patient_profile : Groups of patients who have several images.

    Notes
    -----
    The kNN asks the neighbours of each sample among all samples of other patients, so that it is
    tested on each patient by all the others. Without `groups`, only the sample itself is left out.
    It answers the most frequent category, or the mean rank of numbers. A nuisance is legible if
    `knn` is above `knn_majority` and `knn_by_chance`.

    All p-values come from 1999 permutations of the nuisance. If a nuisance goes with the label,
    groups that follow the label follow the nuisance, too, so that p-values are small. Look at
    `within_label` then.

    No method can part what always goes together. `carried` tells how much this is; numbers are
    divided into quarters for it. Small shares count: a scanner that took 80 % of the sick and 20 %
    of as many healthy carries 28 % of the information about who is sick.

    If all samples of a group are of one category, resamples are all equal. The limit of the
    interval is then the exact one for as many independent patients.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.cluster import KMeans
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.metrics import confounding_report
    >>> X, y = make_toy_images(90, n_classes=2, random_state=0, return_X_y=True)
    >>> scanner = pd.Series(np.where(np.arange(90) % 3, "A", "B"), name="scanner")
    >>> X[scanner == "B"] = 255 - X[scanner == "B"]
    >>> X = X.reshape(90, -1)
    >>> clusterer = KMeans(2, random_state=0).fit(X)
    >>> report = confounding_report(clusterer, X, scanner, y, random_state=0)
    >>> report.table.loc["scanner", ["nmi", "knn", "knn_majority"]].tolist()
    [1.0, 1.0, 0.666...]
    >>> report.notes
    ['Group 0 goes with scanner A: 100% of its members, and 67% of all.',
     'Group 1 goes with scanner B: 100% of its members, and 33% of all.']
    """
    check_scalar(n_neighbors, "n_neighbors", Integral, min_val=1)
    check_scalar(n_resamples, "n_resamples", Integral, min_val=100)
    if metric not in _METRICS:
        raise ValueError(f"metric must be one of {list(_METRICS)}, got {metric!r}.")
    X = as_samples(X)
    n_samples = X.shape[0]
    labels = _check_groups(clusterer_or_labels, n_samples)
    patients = np.arange(n_samples) if groups is None else _check_patients(groups, n_samples)
    if y is not None:
        y, classes = _check_y(y, n_samples)
    nuisances = read_nuisances(nuisance, patients, None if y is None else classes[y])
    for name, values, categories in nuisances:
        if categories is not None:
            _warn_of_rare(say(name), values, categories, patients)
    _check_neighbors(n_neighbors, patients)

    labels, embedding = _embed(clusterer_or_labels, labels, X)
    names, clusters = np.unique(labels, return_inverse=True)
    rng = local_random_state(random_state)
    neighbors = _find_neighbors(embedding, patients, n_neighbors, metric)
    parts = clusters, neighbors, patients, rng
    table = _as_table(
        {name: _measure(values, kinds, y, *parts) for name, values, kinds in nuisances}
    )
    notes = find_explained(
        nuisances, dict(table["p_adjusted"]), clusters, [f"Group {name}" for name in names]
    )
    label = None
    if y is not None:
        label = _as_table({"label": _measure(y, classes, None, *parts)}).iloc[0]
        notes += _tell_carried(table)
    makeup = {
        name: _describe(values, kinds, clusters, names, patients, n_resamples, rng)
        for name, values, kinds in nuisances
    }
    n_patients = None if groups is None else int(patients.max()) + 1
    return ConfoundingReport(n_samples, n_patients, len(names), table, label, makeup, notes)


def _as_table(rows):
    """Return a table of measured nuisances, with corrected p-values."""
    import pandas as pd

    table = pd.DataFrame(list(rows.values()), pd.Index(rows, name="nuisance"))
    for prefix in ("p", "knn_p", "carried_p"):
        known = table[f"{prefix}_value"].notna()  # of all rows, or of none
        p_values = table.loc[known, f"{prefix}_value"].tolist()
        table.loc[known, f"{prefix}_adjusted"] = adjust(p_values)
    return table


# ---- Measuring ----


def _find_neighbors(embedding, patients, n_neighbors, metric):
    """Return the nearest samples of other patients, (n_samples, n_neighbors), in any order."""

    def find(distances, start):
        own = patients[start : start + len(distances), None] == patients
        distances[own] = np.inf
        nearest = np.argpartition(distances, n_neighbors - 1, axis=1)[:, :n_neighbors]
        return nearest.copy()  # a view would keep the numbers of all samples

    chunks = pairwise_distances_chunked(
        embedding, reduce_func=find, metric=metric, working_memory=64
    )
    return np.concatenate(list(chunks))


def _measure(values, categories, y, clusters, neighbors, patients, rng):
    """Return the row of a nuisance in the table."""
    found = compare_over_patients([(values, categories)], clusters, patients, rng)[0]
    if categories is None:
        values, statistic = rankdata(values), _NumberReader(values, neighbors, y)
        nmi = ari = within = majority = np.nan
    else:
        statistic = _CategoryReader(len(categories), neighbors, y)
        nmi = normalized_mutual_info_score(clusters, values)
        ari = adjusted_rand_score(clusters, values)
        within = np.nan if y is None else _agree_within(clusters, values, y)
        majority = np.bincount(values).max() / len(values)
    read = compare_permuted(statistic, values, patients, rng)
    (knn, own, carried), chances, (p_value, _, carried_p) = read.statistic, read.mean, read.p_value
    return {
        "kind": "numbers" if categories is None else "categories",
        "nmi": nmi,
        "ari": ari,
        "within_label": within,
        "effect": found.effect,
        "p_value": found.p_value,
        "p_adjusted": np.nan,
        "knn": knn,
        "knn_majority": majority,
        "knn_by_chance": chances[0],
        "knn_p_value": p_value,
        "knn_p_adjusted": np.nan,
        "neighbors": own,
        "neighbors_by_chance": chances[1],
        "carried": carried,
        "carried_by_chance": chances[2],
        "carried_p_value": np.nan if y is None else carried_p,
        "carried_p_adjusted": np.nan,
    }


def _agree_within(clusters, codes, y):
    """Return the adjusted mutual information within labels, as the mean over samples."""
    scores = np.zeros(len(y))
    for label in range(y.max() + 1):
        inside = y == label
        if np.ptp(clusters[inside]) and np.ptp(codes[inside]):  # it is 1 if both are constant
            scores[inside] = adjusted_mutual_info_score(clusters[inside], codes[inside])
    return scores.mean()


class _CategoryReader:
    """How well neighbours tell categories, the share of equal ones, and what `y` shares."""

    def __init__(self, n_categories, neighbors, y):
        self.n_categories, self.neighbors, self.y = n_categories, neighbors, y
        self.offsets = n_categories * np.arange(len(neighbors))[:, None]

    def __call__(self, codes):
        of_neighbors = codes[self.neighbors]
        votes = np.bincount(
            (self.offsets + of_neighbors).ravel(), minlength=len(codes) * self.n_categories
        ).reshape(len(codes), -1)
        accuracy = (votes.argmax(axis=1) == codes).mean()
        own = (of_neighbors == codes[:, None]).mean()
        return np.array([accuracy, own, _carried(codes, self.y)])


class _NumberReader:
    """How well neighbours tell ranks, and what `y` shares with their quarters."""

    def __init__(self, values, neighbors, y):
        self.neighbors, self.y = neighbors, y
        self.edges = np.quantile(rankdata(values), [0.25, 0.5, 0.75])

    def __call__(self, ranks):
        told = ranks[self.neighbors].mean(axis=1)
        told, centred = told - told.mean(), ranks - ranks.mean()
        spread = np.sqrt((told @ told) * (centred @ centred))
        correlation = told @ centred / spread if spread else 0.0
        quarters = np.searchsorted(self.edges, ranks)
        return np.array([correlation, np.nan, _carried(quarters, self.y)])


def _carried(codes, y):
    """Return the share of the entropy of `y` that codes tell; NaN if `y` is None."""
    if y is None:
        return np.nan
    table = np.bincount(codes * (y.max() + 1) + y, minlength=(codes.max() + 1) * (y.max() + 1))
    table = table.reshape(-1, y.max() + 1) / len(y)
    of_codes, of_y = (entr(table.sum(axis=axis)).sum() for axis in (1, 0))
    return (of_codes + of_y - entr(table).sum()) / of_y


# ---- What groups consist of ----


def _describe(values, categories, clusters, names, patients, n_resamples, rng):
    """Return what each group consists of, with intervals over patients."""
    describe = _describe_numbers if categories is None else _describe_categories
    table, statistic = describe(values, categories, clusters, names, patients)
    low, high = bootstrap_interval(statistic, patients.max() + 1, n_resamples, rng)
    table["low"], table["high"] = low, high
    if categories is not None:  # resamples of a group that is all alike are all equal
        n_patients = table["n_patients"].groupby(level=0, sort=False).transform("sum")
        unlike = 0.025 ** (1 / n_patients)
        table.loc[table["share"] == 1, "low"] = unlike
        table.loc[table["share"] == 0, "high"] = 1 - unlike
    table["overall"] = table.pop("overall")  # as the last column
    return table


def _describe_categories(codes, categories, clusters, names, patients):
    import pandas as pd

    shape = len(names), len(categories)
    cells = clusters * shape[1] + codes
    counts = csr_array(
        (np.ones(len(cells)), (patients, cells)), (patients.max() + 1, np.prod(shape))
    )

    def shares(rows):
        table = (np.bincount(rows, minlength=counts.shape[0]) @ counts).reshape(shape)
        with np.errstate(invalid="ignore"):  # NaN if no patient of a group is drawn
            return (table / table.sum(axis=1, keepdims=True)).ravel()

    pairs = np.unique(np.column_stack([cells, patients]), axis=0)[:, 0]
    table = pd.DataFrame(
        {
            "n_samples": np.bincount(cells, minlength=np.prod(shape)),
            "n_patients": np.bincount(pairs, minlength=np.prod(shape)),
            "share": shares(np.arange(counts.shape[0])),
            "overall": np.tile(np.bincount(codes) / len(codes), len(names)),
        },
        pd.MultiIndex.from_product([names, categories], names=["group", "category"]),
    )
    return table, shares


def _describe_numbers(values, _, clusters, names, patients):
    import pandas as pd

    order = np.argsort(values, kind="stable")
    parts = [order[clusters[order] == cluster] for cluster in range(len(names))]

    def medians(rows):
        times = np.bincount(rows, minlength=patients.max() + 1)
        return np.array([_weighted_median(values[part], times[patients[part]]) for part in parts])

    table = pd.DataFrame(
        {
            "n_samples": [len(part) for part in parts],
            "n_patients": [len(np.unique(patients[part])) for part in parts],
            "median": medians(np.arange(patients.max() + 1)),
            "overall": np.median(values),
        },
        pd.Index(names, name="group"),
    )
    return table, medians


def _weighted_median(values, weights):
    """Return the median of sorted values; NaN if all weights are zero."""
    counts = np.cumsum(weights)
    if not counts[-1]:
        return np.nan
    middle = [np.searchsorted(counts, counts[-1] / 2, side) for side in ("left", "right")]
    return values[middle].mean()


# ---- Reading and writing ----


def _check_groups(clusterer_or_labels, n_samples):
    """Return labels, or None if they are those of a fitted clusterer."""
    if not hasattr(clusterer_or_labels, "fit"):
        labels = _check_labelling(clusterer_or_labels, "clusterer_or_labels")
        check_length("clusterer_or_labels", labels, n_samples, "sample of X")
        return labels
    check_is_fitted(clusterer_or_labels)
    if not hasattr(clusterer_or_labels, "predict"):
        raise TypeError(
            "clusterer_or_labels must be a clusterer with predict, got "
            f"{type(clusterer_or_labels).__name__} without it. Pass its labels_."
        )
    return None


def _embed(clusterer, labels, X):
    """Return labels and embedding."""
    if labels is None and hasattr(clusterer, "assign"):
        assigned = clusterer.assign(X)
        return assigned.labels, assigned.embedding
    embedding = check_array(X, allow_nd=True, input_name="X").reshape(len(X), -1)
    return clusterer.predict(X) if labels is None else labels, embedding


def _check_patients(groups, n_samples):
    patients, codes = encode_groups(groups, n_samples)
    if len(patients) < 2:
        raise ValueError(
            f"groups must hold at least 2 patients, got one: {patients.tolist()[0]!r}. Pass the "
            "patient of each sample."
        )
    return codes


def _check_y(y, n_samples):
    """Return the codes of the labels, and their classes."""
    classes, codes = encode_labels(check_labels(y, n_samples))
    if len(classes) < 2:
        raise ValueError(
            f"y must hold at least two labels, got only {classes.tolist()[0]!r}. Leave y out."
        )
    return codes, classes


def _warn_of_rare(name, values, categories, patients):
    """Warn about categories of few samples, or of one patient."""
    n_samples = np.bincount(values)
    n_patients = np.bincount(np.unique(np.column_stack([values, patients]), axis=0)[:, 0])
    few = np.flatnonzero((n_samples < _FEWEST) | (n_patients < _FEWEST_PATIENTS))
    if len(few):
        told = [f"{categories[code]} has {n_samples[code]} of {n_patients[code]}" for code in few]
        warn(
            f"Some categories of {name} have fewer than {_FEWEST} samples, or a single "
            f"patient, so that little can be said about them (samples of patients): "
            f"{', '.join(told)}. Join them with others, or leave their samples out.",
            UserWarning,
        )


def _check_neighbors(n_neighbors, patients):
    most = len(patients) - np.bincount(patients).max()
    if n_neighbors > most:
        raise ValueError(
            f"n_neighbors must be at most {most}, the fewest samples of other patients that a "
            f"sample has, got {n_neighbors}. Lower it, or pass more samples."
        )


def _tell_carried(table):
    """Return sentences about nuisances that go with the label."""
    told = [
        f"{name} carries {to_percent(row.carried)} of the information about the label "
        f"({to_percent(row.carried_by_chance)} by chance)."
        for name, row in table.iterrows()
        if row.carried_p_adjusted <= _LEVEL
    ]
    if told:
        told.append("As far as a nuisance and the label go together, no method can part them.")
    return told


def _number(value, width, sign="", digits=3):
    """Write a number, or a dash if it is missing, at the right of some width."""
    return f"{'–' if np.isnan(value) else f'{sign}{value:.{digits}f}':>{width}}"
