"""Shared by all pages: read results, and write tables in Markdown."""

import json
import sys

from benchmarks._common import RESULTS

TITLES = {"pneumoniamnist": "PneumoniaMNIST", "mnist": "MNIST"}


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def table(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def spread(one, digits=3):
    std = f" ± {one['std']:.{digits}f}" if one["n_seeds"] > 1 else ""
    return f"{one['mean']:.{digits}f}{std}"


def check_alike(runs):
    """Stop if runs that are averaged differ in more than their seeds."""
    if len({run["hash"] for run in runs}) > 1 or len({run["seed"] for run in runs}) < len(runs):
        sys.exit(f"Runs of several settings, or of one seed: {[run['made_by'] for run in runs]}")


def read_cells(dataset, split):
    """Return the records of one split: {(model, setting, n_train): {metric: record}}."""
    cells = {}
    for one in read("table1"):
        if (one["dataset"], one["split"]) == (dataset, split):
            row = (one["model"], one["setting"], one["n_train"])
            other = cells.setdefault(row, {}).setdefault(one["metric"], one)
            if other is not one:
                sys.exit(f"{row} was run with the settings {other['hash']} and {one['hash']}")
    return cells


def most_images(cells, model, setting):
    """Return the largest number of training images of a row, None if it was not run."""
    return max((key[2] for key in cells if key[:2] == (model, setting)), default=None)


def show_clusters(numbers):
    """Write the numbers of clusters of several fits as a range."""
    low, high = min(numbers), max(numbers)
    return f"k = {low}" + (f" to {high}" if high > low else "")
