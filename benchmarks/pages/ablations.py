"""The tables of ``docs/ablations.md``, from what ``ablations.py`` wrote."""

import json
from functools import partial
from statistics import mean

from benchmarks.pages.table1 import RESULTS, check_alike, table

COLUMNS = ("nmi", "stat", "balanced", "knn", "logistic", "reconstruction_mse")


def render_ablations(dataset, max_samples):
    """Show the means over seeds of each change, in the order of the runs."""
    changes = {}
    for one in json.loads((RESULTS / "ablations.json").read_text()):
        if (one["dataset"], one["max_samples"]) == (dataset, max_samples):
            changes.setdefault(one["change"], []).append(one)
    rows = []
    for change, runs in sorted(changes.items(), key=lambda item: item[0].startswith("recommended")):
        name = change if change.startswith("recommended") else f"paper, {change}"
        numbers = ", ".join(str(run.get("n_clusters", "diverged")) for run in runs)
        check_alike(runs)
        row = [name.replace("paper, none", "paper"), len(runs), numbers]
        for column in COLUMNS:
            values = [run.get(column) for run in runs]
            row.append("" if None in values else f"{mean(values):.{4 if 'mse' in column else 3}f}")
        rows.append(row)
    names = ["NMI", "stat", "balanced", "kNN", "logistic", "MSE"]
    return table(["setting, change", "seeds", "k", *names], rows)


TABLES = {
    "ablations_pneumoniamnist": partial(render_ablations, "pneumoniamnist", None),
    "ablations_mnist": partial(render_ablations, "mnist", 20_000),
}
