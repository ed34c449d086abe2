"""Tables of ``docs/measured/benchmarks_how.md``: aims that were set before, and evaluations."""

from collections import Counter

from benchmarks.pages._tables import TITLES, most_images, read_cells, spread, table
from benchmarks.pages.table1 import METHOD
from benchmarks.quality.published import PUBLISHED
from benchmarks.quality.runs import read_log, read_runs
from benchmarks.quality.settings import N_TRAIN, SETTINGS

#: Aims that were set before the method was written: where, row, score, aim. They choose nothing.
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


def render_aims():
    """Show each aim with the score that was reached on the most training images."""
    cells = {where: read_cells(*where) for where in PUBLISHED}
    rows = []
    for dataset, split, setting, model, metric, aim in AIMS:
        found = cells[dataset, split]
        n_train = most_images(found, model, setting)
        reached = spread(found[model, setting, n_train][metric], digits=4) if n_train else ""
        where = [TITLES[dataset], split, setting, METHOD[model], metric, n_train or ""]
        rows.append([*where, aim, reached])
    names = ["data", "split", "setting", "row", "score", "images", "aim", "reached"]
    return table(names, rows)


def render_evaluations():
    """Count how often each setting was evaluated, and how many of these results are shown."""
    logged, shown = (Counter(map(_evaluated, runs)) for runs in (read_log(), read_runs()))
    rows = [
        [TITLES[dataset], setting, n_train, logged[dataset, setting, n_train], n_shown]
        for (dataset, setting, n_train), n_shown in sorted(shown.items(), key=str)
        if setting in SETTINGS
    ]
    return table(["data", "setting", "training images", "evaluations", "shown"], rows)


def _evaluated(run):
    return run["dataset"], run["job"], run["max_samples"] or N_TRAIN[run["dataset"]]


TABLES = {"aims": render_aims, "evaluations": render_evaluations}
