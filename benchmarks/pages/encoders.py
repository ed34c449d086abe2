"""The tables of ``docs/measured/encoders.md``: quality by encoder, and time by size."""

from benchmarks._common import over_seeds
from benchmarks.pages._tables import check_alike, read, spread, table
from benchmarks.quality.encoders import ROWS

TITLES = {
    "recommended": "**recommended setting**",
    "scattering": "scattering, nothing trained",
    "pixels": "components of pixels",
    "squeezenet": "SqueezeNet of ImageNet, fixed",
    "trained": "trained from scratch",
    "squeezenet_tuned": "SqueezeNet of ImageNet, trained",
}
SETS = {
    "pneumoniamnist": "X-rays, 2 classes",
    "brain_mri": "brain MRI, 4 classes",
    "blood_cells": "blood cells (RGB), 4 classes",
}
SCORES = {"knn": "kNN", "linear": "logistic", "nmi": "NMI", "ari": "ARI"}


def render_encoders():
    """Show means over seeds of the fits to a set, by encoder and size."""
    fits = {}
    for one in read("encoders"):
        key = (one["set"], one["size"], one["row"], one["share_of_epochs"], one["n_fitted"])
        fits.setdefault(key, []).append(one)
    order = list(SETS)
    rows = []
    for key in sorted(fits, key=lambda key: (order.index(key[0]), key[1], ROWS.index(key[2]))):
        name, size, row, share, n_fitted = key
        check_alike(fits[key])
        title = TITLES[row] + ("" if share == 1 else f", {share:g} of the epochs")
        numbers = ", ".join(str(one["n_clusters"]) for one in fits[key])
        scores = [spread(over_seeds(one[score] for one in fits[key])) for score in SCORES]
        seconds = over_seeds(one["seconds"] for one in fits[key])["mean"]
        rows.append([SETS[name], n_fitted, size, title, *scores, numbers, f"{seconds:.0f}"])
    columns = ["images", "fitted", "pixels", "encoder", *SCORES.values(), "k", "fit, s"]
    return table(columns, rows)


TABLES = {"encoders": render_encoders}
