"""Tables of ``docs/measured/ablations.md``, from results of ``benchmarks.quality.ablations``."""

from functools import partial
from statistics import mean

from benchmarks.pages._tables import check_alike, read, table

COLUMNS = {
    "nmi": "NMI",
    "stat": "stat",
    "balanced": "balanced",
    "knn": "kNN",
    "logistic": "logistic",
    "reconstruction_mse": "MSE",
}


def read_changes(dataset, max_samples):
    """Return the runs of each change: {name of setting and change: runs}, the paper's first."""
    changes = {}
    for one in read("ablations"):
        if (one["dataset"], one["max_samples"]) == (dataset, max_samples):
            name = one["change"]
            if not name.startswith("recommended"):
                name = f"paper, {name}".removesuffix(", none")
            changes.setdefault(name, []).append(one)
    for runs in changes.values():
        check_alike(runs)
    return dict(sorted(changes.items(), key=lambda item: item[0].startswith("recommended")))


def render_ablations(dataset, max_samples):
    """Show the means over seeds of each change, in the order of the runs."""
    rows = []
    for name, runs in read_changes(dataset, max_samples).items():
        numbers = ", ".join(str(run.get("n_clusters", "diverged")) for run in runs)
        row = [name, len(runs), numbers]
        for column in COLUMNS:
            values = [run.get(column) for run in runs]
            row.append("" if None in values else f"{mean(values):.{4 if 'mse' in column else 3}f}")
        rows.append(row)
    return table(["setting, change", "seeds", "k", *COLUMNS.values()], rows)


TABLES = {
    "ablations_pneumoniamnist": partial(render_ablations, "pneumoniamnist", None),
    "ablations_mnist": partial(render_ablations, "mnist", 20_000),
}
