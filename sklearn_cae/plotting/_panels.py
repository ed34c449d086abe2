"""Panels of a map: points coloured by categories, with a legend, or by numbers, with a bar."""

import numpy as np

from .._input.columns import MOST_CODES
from .._input.labels import check_column, is_missing, of_their_own_type

_MISSING, _OTHERS = "0.8", "0.6"  # grays
_MOST_CATEGORIES = 20  # more do not fit below a panel
_POINTS = {"s": 9, "linewidths": 0, "rasterized": True}


def check_panels(panels, n_samples, rows=slice(None)):
    """Return `rows` of the values of each panel that has values, which may be missing."""
    panels = {title: values for title, values in panels.items() if values is not None}
    if not panels:
        raise ValueError("panels must hold labels for at least one panel, got none.")
    return {
        title: check_column(values, n_samples, f"panel {title!r}")[rows]
        for title, values in panels.items()
    }


class Values:
    """The values of one panel, as numbers or categories.

    Attributes
    ----------
    are_numbers : bool
        Whether the values are numbers. Whole numbers that are few, or labels, are categories.
    known, rare : ndarray of bool of shape (n_samples,)
        Samples whose value is drawn, and those whose category is too rare for the legend.
    found : ndarray of shape (known.sum(),)
        Values of the first.
    n_rare : int
        Number of rare categories.
    """

    def __init__(self, values, *, are_labels):
        self.known, found = _find_known(values)
        are_whole = found.dtype.kind in "iu" or (
            found.dtype.kind == "f" and bool((found == np.rint(found)).all())
        )
        are_few = are_labels or (are_whole and len(np.unique(found)) <= MOST_CODES)
        self.are_numbers = found.dtype.kind in "iuf" and not are_few
        self.rare, self.n_rare = np.zeros(len(values), dtype=bool), 0
        if found.dtype.kind == "f" and are_whole and not self.are_numbers:
            found = np.array([int(value) for value in found])  # they were beside missing ones
        self.found = found
        if not (self.are_numbers or are_labels):
            self._leave_out_rare()

    def _leave_out_rare(self):
        names, counts = np.unique(self.found, return_counts=True)
        rare = names[np.argsort(-counts, kind="stable")[_MOST_CATEGORIES:]]
        are_rare = np.isin(self.found, rare)
        self.n_rare = len(rare)
        self.rare[self.known] = are_rare
        self.known &= ~self.rare
        self.found = self.found[~are_rare]


def _find_known(values):
    """Return which values are not missing, and these values in their common type."""
    known = np.array([not is_missing(value) for value in values], dtype=bool)
    found = of_their_own_type(values[known])
    if found.dtype == object:
        return known, found.astype(str)  # values of several types cannot be sorted
    if found.dtype.kind == "f":
        finite = np.isfinite(found)
        known[known], found = finite, found[finite]
    return known, found


def draw_values(panel, coordinates, values, looks):
    """Draw a point for each value; gray ones, such as missing ones, are below the others."""
    if values.are_numbers:
        _draw_numbers(panel, coordinates[values.known], values.found.astype(float))
    else:
        _draw_categories(panel, coordinates[values.known], values.found.astype(str), looks)
    missing = ~(values.known | values.rare)
    grays = ((values.rare, _OTHERS, f"{values.n_rare} others"), (missing, _MISSING, "missing"))
    for members, gray, name in grays:
        if members.any():
            look = {"c": gray, "label": name, "zorder": 0.9, **_POINTS}
            panel.scatter(*coordinates[members].T, **look)
    _add_legend(panel)


def _draw_numbers(panel, coordinates, numbers):
    from matplotlib import colormaps, colors

    # The yellow end of the map is too faint on white.
    shades = colors.ListedColormap(colormaps["viridis"](np.linspace(0, 0.93, 256)))
    points = panel.scatter(*coordinates.T, c=numbers, cmap=shades, **_POINTS)
    bar = panel.figure.colorbar(points, ax=panel, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    if np.ptp(numbers) == 0:
        bar.set_ticks(numbers[:1])


def _draw_categories(panel, coordinates, names, looks):
    for name, (color, marker) in looks.items():
        members = names == name
        order = 1 + 1 / (1 + members.sum())  # rare labels are drawn above frequent ones
        look = {"alpha": 0.7, "zorder": order, **_POINTS}
        panel.scatter(*coordinates[members].T, c=color, marker=marker, label=name, **look)


def _add_legend(panel):
    """Add a legend below the points, in as many lines as its names need."""
    _, names = panel.get_legend_handles_labels()
    if not names:
        return
    n_lines = np.ceil(len(names) * (max(map(len, names)) + 5) / 42)
    panel.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.06),
        ncols=int(np.ceil(len(names) / n_lines)),
        frameon=False,
        markerscale=2,
        handletextpad=0.1,
        columnspacing=0.8,
    )
