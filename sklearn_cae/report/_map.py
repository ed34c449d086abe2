"""The map of a report: all samples as points, at places that t-SNE finds."""

import numpy as np
from sklearn.preprocessing import normalize

from ..plotting._display import choose_rows
from ..plotting._embedding import LAYOUTS
from ._markers import place, trace
from ._page import to_decimals
from ._thumbnails import to_data_uri, to_sheet

_HOVER_SIDE = 48  # pixels
_PERPLEXITY = 30.0


def draw_plot(estimator, group, max_samples, random_state):
    """Project the embedding by t-SNE; return the map and the data for the script of the page."""
    rows = choose_rows(group.n_samples, max_samples, random_state)
    # Sort by cluster and from the clearest member on, the order in which arrow keys move.
    rows = rows[np.lexsort([-group.margins[rows], group.labels[rows]])]
    points = np.vstack([group.embedding[rows], estimator.embedding_means_])
    layout = LAYOUTS["tsne"](normalize(points), _PERPLEXITY, random_state)
    places, height = place(layout.coordinates)
    radius = float(np.clip(250 / np.sqrt(len(rows)), 5, 11))
    places, prototypes = places[: len(rows)], places[len(rows) :]
    data = {
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "row": rows.tolist(),
        "cluster": group.labels[rows].tolist(),
        "label": None if group.y is None else [str(label) for label in group.y[rows]],
        "name": group.names and [group.names[row] for row in rows],
        "margin": [to_decimals(margin) for margin in group.margins[rows]],
        "sprite": None,
    }
    plot = {
        "data": data,
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
        data["sprite"] = {"columns": n_columns, "width": width, "height": height}
    return plot
