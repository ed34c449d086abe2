"""The map of a report: samples as points, at places that t-SNE finds, coloured by a column."""

import numpy as np
from sklearn.preprocessing import normalize

from .._input.labels import encode_labels
from .._statistics.associations import MOST_CATEGORIES
from ..plotting._display import choose_rows
from ..plotting._embedding import LAYOUTS
from ..plotting._pictures import styles
from ._markers import outline, place, trace
from ._page import to_decimals
from ._thumbnails import to_data_uri, to_sheet

_HOVER_SIDE = 48  # pixels
_PERPLEXITY = 30.0
_LOOKS = list(styles([range(14)]).values())
#: Colour and marker of categories beyond the first 14, and of missing values.
_OTHERS, _MISSING = ("#7d8893", "s"), ("#bcc4cb", "o")
#: Matplotlib's viridis: equal steps of numbers look equally large.
_RAMP = (
    *("#440154", "#48186a", "#472d7b", "#424086", "#3b528b", "#33638d", "#2c728e", "#26828e"),
    *("#21918c", "#1fa088", "#28ae80", "#3fbc73", "#5ec962", "#84d44b", "#addc30", "#d8e219"),
    "#fde725",
)


def draw_plot(estimator, group, columns, max_samples, random_state):
    """Project the embedding by t-SNE; return the map and the data for the script of the page."""
    rows = choose_rows(group.n_samples, max_samples, random_state)
    # Sort by cluster and from the clearest member on, the order in which arrow keys move.
    rows = rows[np.lexsort([-group.margins[rows], group.labels[rows]])]
    points = np.vstack([group.embedding[rows], estimator.embedding_means_])
    layout = LAYOUTS["tsne"](normalize(points), _PERPLEXITY, random_state)
    places, height = place(layout.coordinates)
    radius = float(np.clip(250 / np.sqrt(len(rows)), 5, 11))
    places, prototypes = places[: len(rows)], places[len(rows) :]
    plot = {
        "data": _describe(group, columns, rows, places, radius),
        "height": height,
        "n": len(rows),
        "paths": trace(places, group.labels[rows], group.looks, radius),
        "prototypes": prototypes.tolist(),
        "sprite": None,
    }
    if group.pictures:
        thumbnails = group.pictures.of_rows(rows, _HOVER_SIDE)
        sheet, n_columns = to_sheet(thumbnails)
        plot["sprite"] = to_data_uri(sheet)
        width, height = thumbnails[0].size
        plot["data"]["sprite"] = {"columns": n_columns, "width": width, "height": height}
    return plot


def _describe(group, columns, rows, places, radius):
    """Return what the script knows of each point, and how it draws them in other colours."""
    coloured = [column for column in columns if _may_colour(*column)]
    if group.y is not None:
        labels, codes = encode_labels(group.y)
        coloured.insert(0, ("label", codes, [str(label) for label in labels]))
    return {
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "row": rows.tolist(),
        "cluster": group.labels[rows].tolist(),
        "label": None if group.y is None else [str(label) for label in group.y[rows]],
        "name": group.names and [group.names[row] for row in rows],
        "margin": [to_decimals(margin) for margin in group.margins[rows]],
        "sprite": None,
        "columns": [_code(*column, rows) for column in coloured],
        "outlines": {marker: outline(marker, radius) for _, marker in (*_LOOKS, _OTHERS)},
        "radius": radius,
        "ramp": _RAMP,
    }


def _may_colour(name, values, categories):
    """Tell whether values differ, and are not names of single samples or patients."""
    if categories is None:
        known = values[np.isfinite(values)]
        return len(known) > 0 and _round(known.min()) < _round(known.max())
    return len(categories) <= MOST_CATEGORIES and len(np.unique(values)) > 1


def _code(name, values, categories, rows):
    if categories is None:
        return {"name": name, **_code_numbers(values, rows)}
    return {"name": name, **_code_categories(values, categories, rows)}


def _code_numbers(values, rows):
    known = np.isfinite(values)
    return {
        "values": [_round(value) if np.isfinite(value) else None for value in values[rows]],
        "low": _round(values[known].min()),
        "high": _round(values[known].max()),
        "legend": _tell_missing((~known).sum()),
    }


def _code_categories(codes, names, rows):
    """Give the first codes to the most frequent categories; the script draws others alike."""
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    frequent = np.sort(np.argsort(-counts, kind="stable")[: len(_LOOKS)])
    order = np.r_[frequent, np.setdiff1d(range(len(names)), frequent)].astype(int)
    numbers = np.append(np.argsort(order), -1)  # a missing value remains -1
    legend = [[names[i], int(counts[i]), *_LOOKS[n]] for n, i in enumerate(frequent)]
    n_others = len(names) - len(frequent)
    if n_others:
        legend.append([f"{n_others} others", int(counts[order[len(frequent) :]].sum()), *_OTHERS])
    return {
        "names": [names[i] for i in order],
        "codes": numbers[codes[rows]].tolist(),
        "shown": len(frequent),
        "legend": legend + _tell_missing((codes < 0).sum()),
    }


def _tell_missing(count):
    return [["missing", int(count), *_MISSING]] if count else []


def _round(number):
    """Round to four digits; whole numbers become int, which is shorter as text."""
    number = float(f"{number:.4g}")
    return int(number) if number.is_integer() else number
