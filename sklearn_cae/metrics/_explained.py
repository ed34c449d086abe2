"""Groups that a column explains, such as the scanner."""

import numpy as np
from scipy.stats import rankdata

from .._utils.wording import to_number, to_percent

_LEVEL = 0.05
_PHI, _LEAST_PHI, _PURE, _DOMINANCE = 0.5, 0.2, 0.7, 0.7
#: Words for a cluster whose values are the lowest or the highest.
_EXTREMES = {
    "brightness": ("darker images", "brighter images"),
    "contrast": ("images of lower contrast", "images of higher contrast"),
    "border": ("images with smaller borders", "images with larger borders"),
}


def find_explained(columns, p_values, labels, names):
    """Tell which clusters a column explains.

    The column must be associated with the clusters (corrected p below .05). In addition, the
    correlation of membership with a category must be at least .5 (phi); or at least .2 if the share
    of the category in the cluster lies at least 70 % of the way from its share in all samples to 1.
    For numbers, the probability that a member has the higher (or the lower) value than another
    sample must exceed its opposite by at least .7.

    Parameters
    ----------
    columns : list of (str, ndarray, list of str or None)
        Columns without the names of patients.
    p_values : dict of str to float
        Corrected p-values of their associations with the clusters, by name.
    labels : ndarray of shape (n_samples,), int
        Cluster of each sample.
    names : list of n_clusters str
        What the sentences call each cluster, such as "Cluster 2".

    Returns
    -------
    sentences : list of str
        For each cluster, at most one about the strongest category, and one about the strongest
        number.
    """
    columns = [column for column in columns if p_values.get(column[0], 1) < _LEVEL]
    found = []
    for number, cluster in enumerate(names):
        inside = labels == number
        for compare, of_numbers in ((_compare_categories, False), (_compare_numbers, True)):
            kind = [column for column in columns if (column[2] is None) == of_numbers]
            told = [each for column in kind for each in compare(*column, inside)]
            found += [f"{cluster} {text}" for _, text in sorted(told, reverse=True)[:1]]
    return found


def _compare_categories(name, codes, categories, inside):
    """Yield strength and sentence of each category that goes with the cluster."""
    known = codes >= 0
    inside, codes = inside[known], codes[known]
    for code, category in enumerate(categories):
        share = (codes == code).mean()
        if not (0 < share < 1 and 0 < inside.mean() < 1):
            continue
        within = (codes[inside] == code).mean()
        phi = np.corrcoef(inside, codes == code)[0, 1]
        # A small cluster cannot reach a high phi, even if all of it is of one category.
        if phi >= _PHI or (phi >= _LEAST_PHI and within - share >= _PURE * (1 - share)):
            yield (
                phi,
                f"goes with {name} {category}: {to_percent(within)} of its members, and "
                f"{to_percent(share)} of all.",
            )


def _compare_numbers(name, values, _, inside):
    """Yield strength and sentence of a number that is highest or lowest in the cluster."""
    known = np.isfinite(values)
    inside, values = inside[known], values[known]
    n_inside = inside.sum()
    if not 0 < n_inside < len(inside):
        return
    above = rankdata(values)[inside].sum() - n_inside * (n_inside + 1) / 2
    dominance = 2 * above / (n_inside * (len(inside) - n_inside)) - 1
    if abs(dominance) >= _DOMINANCE:
        name = "brightness" if name == "mean" else name
        ends = _EXTREMES.get(name, (f"a lower {name}", f"a higher {name}"))
        own, other = (to_number(np.median(values[part])) for part in (inside, ~inside))
        yield (
            abs(dominance),
            f"has {ends[int(dominance > 0)]} than most others: median {name} {own}, and {other} in "
            "the others.",
        )
