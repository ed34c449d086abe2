"""The tables of ``docs/benchmarks.md`` on what was aimed at, and on the way there."""

from benchmarks._common import over_seeds
from benchmarks.pages.table1 import LINES, TITLES, most_images, read_cells, spread, table
from benchmarks.quality.published import PUBLISHED
from benchmarks.quality.runs import read_all_runs

#: What was aimed at before the method was there: where, row, score, aim. It chooses nothing.
AIMS = (
    ("pneumoniamnist", "test", "paper", "stat", "accuracy", 0.82),
    ("pneumoniamnist", "test", "paper", "knn", "accuracy", 0.85),
    ("pneumoniamnist", "test", "paper", "logistic", "accuracy", 0.86),
    ("pneumoniamnist", "test", "recommended", "stat", "accuracy", 0.87),
    ("pneumoniamnist", "test", "recommended", "knn", "accuracy", 0.88),
    ("pneumoniamnist", "test", "recommended", "logistic", "accuracy", 0.89),
    ("pneumoniamnist", "val", "paper", "stat", "accuracy", 0.85),
    ("pneumoniamnist", "val", "paper", "knn", "accuracy", 0.90),
    ("pneumoniamnist", "val", "paper", "logistic", "accuracy", 0.94),
    ("pneumoniamnist", "val", "recommended", "stat", "accuracy", 0.92),
    ("pneumoniamnist", "val", "recommended", "knn", "accuracy", 0.955),
    ("pneumoniamnist", "val", "recommended", "logistic", "accuracy", 0.96),
    ("mnist", "test", "paper", "knn", "accuracy", 0.97),
    ("mnist", "test", "paper", "logistic", "accuracy", 0.98),
    ("mnist", "test", "recommended", "stat", "accuracy", 0.985),
    ("mnist", "test", "recommended", "stat", "hungarian", 0.98),
    ("mnist", "test", "recommended", "stat_true_k", "hungarian", 0.985),
    ("mnist", "test", "recommended", "knn", "accuracy", 0.99),
    ("mnist", "test", "recommended", "logistic", "accuracy", 0.99),
)
#: Commits that evaluated the recommended setting before, and what had changed in it.
VERSIONS = {
    "7f2de5b": "first",
    "d6ca99a": "first",
    "3d4a107": "steadier search for communities",
    "afd377c": "steadier search for communities",
    "30037cd": "steadier search for communities",
    "0fe703d": "whitened by less",
}


def render_aims():
    """Set what was reached where most images were trained on beside what was aimed at."""
    cells = {where: read_cells(*where) for where in PUBLISHED}
    rows = []
    for dataset, split, setting, model, metric, aim in AIMS:
        found = cells[dataset, split]
        n_train = most_images(found, model, setting)
        reached = spread(found[model, setting, n_train][metric], digits=4) if n_train else ""
        where = [TITLES[dataset], split, setting, LINES[model], metric, n_train or ""]
        rows.append([*where, aim, reached])
    names = ["data", "split", "setting", "row", "score", "images", "aim", "reached"]
    return table(names, rows)


def render_versions():
    """Show each time that the recommended setting was evaluated: its code changed in between."""
    versions = {}
    for run in read_all_runs():
        if run["job"] == "recommended":
            version = VERSIONS.get(run["made_by"]["commit"], "as it is")
            versions.setdefault((run["dataset"], run["n_train"], version), []).append(run)
    rows = []
    for (dataset, n_train, version), runs in sorted(
        versions.items(), key=lambda item: (item[0][0] == "mnist", item[0][1])
    ):
        runs.sort(key=lambda run: run["seed"])
        found = {}
        for run in runs:
            for row in run["rows"]:
                for metric, value in row["metrics"].items():
                    found.setdefault((row["split"], row["model"], metric), []).append(value)
        numbers = ", ".join(str(run["n_clusters"]) for run in runs)
        for split in dict.fromkeys(split for split, *_ in found):
            where = [TITLES[dataset], split, n_train, version, len(runs), numbers]
            scores = (
                found[split, model, metric]
                for model, metric in (
                    *(("stat", "accuracy"), ("stat", "nmi"), ("stat", "ari")),
                    *(("knn", "accuracy"), ("logistic", "accuracy")),
                )
            )
            rows.append([*where, *(spread(over_seeds(values)) for values in scores)])
    names = ["stat", "NMI", "ARI", "kNN", "logistic"]
    return table(["data", "split", "images", "version", "seeds", "k", *names], rows)


TABLES = {"aims": render_aims, "versions": render_versions}
