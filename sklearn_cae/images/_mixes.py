"""Mixes in the metadata, and whether they show in the pixels."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from .._input.labels import is_missing
from .._input.looks import center

#: Columns that tell how an image was taken or stored.
_COLUMNS = (
    *("kind", "photometric", "modality", "manufacturer", "model", "station", "scaling", "bits"),
    *("body_part", "view_position", "size", "aspect", "row_spacing", "site", "scanner"),
)
_COMPONENTS = 5
_FEWEST = 5  # images with a value, so that it is compared
_LARGEST_P = 0.01
#: Share of the variance that a mix must explain: a medium effect, by Cohen's convention.
_EFFECT = 0.06


@dataclass(frozen=True)
class Mix:
    """Values of one or more columns that divide the images in the same way.

    Attributes
    ----------
    columns : list of str
    counts : dict
        Number of images with each value of the first column, the most frequent first.
    codes : ndarray of int of shape (n,)
        Value of each image, numbered as in `counts`; -1 if it is missing.
    effect : float
        Largest share of the variance of a property of the pixels that the values explain.
    shown_in : str
        This property.
    shows : bool
        Whether the effect is both large and not by chance.
    """

    columns: list
    counts: dict
    codes: np.ndarray
    effect: float
    shown_in: str
    shows: bool


def find_mixes(columns, facts):
    """Find columns with several values, and test each against brightness, contrast and content.

    The values are compared by an analysis of variance of ranks. The effect is epsilon squared, the
    share of the variance that they explain beyond chance. P-values are multiplied by the number of
    tests (Bonferroni).

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n,)
        Metadata.
    facts : Facts

    Returns
    -------
    mixes : list of Mix
    """
    columns = _with_derived(columns)
    found = {}
    for name in (name for name in _COLUMNS if name in columns):
        values, codes = _encode(columns[name])
        if len(values) > 1:
            names, *_ = found.setdefault(codes.tobytes(), ([], values, codes))
            names.append(name)
    ranks = {name: stats.rankdata(values) for name, values in _properties(facts).items()}
    n_tests = len(found) * len(ranks)
    return [_test(names, values, codes, ranks, n_tests) for names, values, codes in found.values()]


def _test(names, values, codes, ranks, n_tests):
    counts = np.bincount(codes[codes >= 0])
    compared = (codes >= 0) & (counts[codes] >= _FEWEST)
    results = {name: _explained(rank[compared], codes[compared]) for name, rank in ranks.items()}
    name = max(results, key=lambda name: results[name][0])
    effect, p_value = results[name]
    return Mix(
        names,
        dict(zip(values, counts.tolist(), strict=True)),
        codes,
        effect,
        name,
        effect >= _EFFECT and p_value * n_tests < _LARGEST_P,
    )


def _explained(values, codes):
    """Return epsilon squared and the p-value of an analysis of variance; 0 and 1 without groups."""
    _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    n, k = len(values), len(counts)
    total = ((values - values.mean()) ** 2).sum() if n else 0.0
    if k < 2 or n <= k or total == 0:
        return 0.0, 1.0
    means = np.bincount(codes, values) / counts
    within = ((values - means[codes]) ** 2).sum()
    per_degree = within / (n - k)
    effect = max(0.0, float((total - within - (k - 1) * per_degree) / total))
    if per_degree == 0:
        return effect, 0.0
    return effect, float(stats.f.sf((total - within) / (k - 1) / per_degree, k - 1, n - k))


def _properties(facts):
    """Return brightness, contrast, sharpness, and the leading components of the thumbnails."""
    images = center(facts.thumbnails)
    images -= images.mean(axis=0)
    _, vectors = np.linalg.eigh(images.T @ images)
    components = (images @ vectors[:, : -_COMPONENTS - 1 : -1]).T
    named = {"brightness": facts.mean, "contrast": facts.contrast, "sharpness": facts.sharpness}
    return named | {f"content (component {i})": each for i, each in enumerate(components, 1)}


def _with_derived(columns):
    """Add sizes in classes and proportions, which are too many to be compared one by one."""
    height, width = (_as_numbers(columns.get(name, [])) for name in ("height", "width"))
    derived = {}
    if len(height) and len(width):
        derived = {"size": _quarters(np.sqrt(height * width)), "aspect": _aspects(width / height)}
    if "row_spacing" in columns:
        derived["row_spacing"] = _quarters(_as_numbers(columns["row_spacing"]))
    return {**columns, **derived}


def _as_numbers(values):
    return np.array([value if _is_number(value) else np.nan for value in values], dtype=float)


def _is_number(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _quarters(numbers):
    """Return texts: the numbers themselves if they are few, or the quarters in which they are."""
    known = np.isfinite(numbers)
    names = np.full(len(numbers), None, dtype=object)
    if len(np.unique(numbers[known])) <= 8:
        names[known] = [f"{number:.3g}" for number in numbers[known]]
        return names
    edges = np.quantile(numbers[known], [0, 0.25, 0.5, 0.75, 1])
    part = np.searchsorted(edges[1:-1], numbers[known], side="right")
    texts = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    names[known] = [texts[index] for index in part]
    return names


def _aspects(ratio):
    names = np.full(len(ratio), None, dtype=object)
    names[ratio < 0.95] = "portrait"
    names[(ratio >= 0.95) & (ratio <= 1.05)] = "square"
    names[ratio > 1.05] = "landscape"
    return names


def _encode(values):
    """Return the values as texts, the most frequent first, and the number of each one's value."""
    texts = np.array([None if is_missing(value) else str(value) for value in values], dtype=object)
    known = texts != np.array(None, dtype=object)
    names, codes, counts = np.unique(
        texts[known].astype(str), return_inverse=True, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    found = np.full(len(texts), -1)
    found[known] = np.argsort(order)[codes]
    return names[order].tolist(), found
