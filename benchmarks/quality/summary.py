"""Summaries of the runs of ``table1.py``: means over seeds, agreement, differences.

``table1.json`` holds means and standard deviations over seeds, ``table1_differences.json`` paired
differences of accuracies with their intervals, ``table1_header.json`` the command, machine, time
and memory of each run.
"""

import json
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks._common import RESULTS, over_seeds, write_records
from benchmarks.quality.evaluation import unpack_clusters, unpack_right
from benchmarks.quality.published import PUBLISHED
from benchmarks.quality.settings import setting_of

N_SAMPLES = {
    ("pneumoniamnist", "val"): 524,
    ("pneumoniamnist", "test"): 624,
    ("mnist", "test"): 10_000,
}
N_DRAWS = 2000
#: Rows that an accuracy is compared with.
BESIDE = {
    "stat": (
        *("pixels_kmeans", "pca_kmeans", "umap_kmeans", "pixels_communities"),
        *("pca_whitened_communities", "autoencoder_kmeans", "dec", "idec"),
        *("resnet18_kmeans", "squeezenet_kmeans", "encoder_supervised", "resnet18_scratch"),
    ),
    "stat_true_k": (
        *("pixels_kmeans_true_k", "pca_kmeans_true_k", "umap_kmeans_true_k"),
        *("pixels_communities_true_k", "pca_whitened_communities_true_k"),
        *("autoencoder_kmeans_true_k", "dec", "idec"),
        *("resnet18_kmeans_true_k", "squeezenet_kmeans_true_k"),
    ),
    "knn": ("pixels_knn_euclidean", "pca_knn_euclidean", "autoencoder_knn_euclidean"),
    "linear": ("pixels_linear", "pca_linear", "autoencoder_linear"),
    "linear_projection": (),
    "logistic": (
        *("pixels_logistic", "pca_logistic", "autoencoder_logistic"),
        *("encoder_supervised", "resnet18_scratch"),
    ),
}


class Row(NamedTuple):
    """The key of a row of the tables."""

    dataset: str
    split: str
    model: str
    setting: str | None
    n_train: int
    hash: str | None


def summarise(runs):
    """Rewrite ``table1.json``, its header and ``table1_differences.json``."""
    cells, header = {}, {}
    order = ("dataset", "n_train", "job", "seed")  # independent of the order of the runs
    runs = sorted(runs, key=lambda run: [run[name] for name in order])
    for run in runs:
        for row in run["rows"]:
            for metric, value in row["metrics"].items():
                values = cells.setdefault((row_of(run, row), metric), [])
                values.append((value, row.get("n_clusters")))
        about = header.setdefault(f"{run['dataset']}/{run['n_train']}/{run['job']}", [])
        left_out = ("rows", "clusters")
        about.append({name: value for name, value in run.items() if name not in left_out})
    for row, agreements in agreement_of_seeds(runs).items():
        cells[row, "ari"] = [(agreement, None) for agreement in agreements]
    records = []
    for (row, metric), values in cells.items():
        scores, numbers = zip(*values, strict=True)
        spread = {name: round(value, 4) for name, value in over_seeds(scores).items()}
        numbers = list(numbers) if numbers[0] is not None else None
        records.append({**row._asdict(), "metric": metric, **spread, "n_clusters": numbers})
    write_records(RESULTS / "table1.json", records)
    write_records(RESULTS / "table1_differences.json", differences(runs))
    (RESULTS / "table1_header.json").write_text(json.dumps(header, indent=1) + "\n")


def row_of(run, row):
    """Return the key of a run's row."""
    setting = setting_of(run["job"])
    return Row(run["dataset"], row["split"], row["model"], setting, run["n_train"], run["hash"])


def agreement_of_seeds(runs):
    """Return adjusted Rand indices of the clusters of all pairs of seeds, on held-back images."""
    clusters = {}
    for run in runs:
        for split, packed in run.get("clusters", {}).items():
            row = row_of(run, {"split": split, "model": "agreement_seeds"})
            clusters.setdefault(row, []).append(unpack_clusters(packed))
    return {
        row: [adjusted_rand_score(*pair) for pair in combinations(labels, 2)]
        for row, labels in clusters.items()
        if len(labels) > 1
    }


def differences(runs):
    """Return differences of accuracies: means, and 95 % intervals of the bootstrap.

    Images and seeds are drawn with replacement. The images are the same for both rows. A published
    accuracy is treated as exact.
    """
    right, numbers = {}, {}
    for run in runs:
        for row in run["rows"]:
            if "right" in row:
                n_samples = N_SAMPLES[run["dataset"], row["split"]]
                seeds = right.setdefault(row_of(run, row), [])
                seeds.append(unpack_right(row["right"], n_samples))
                numbers.setdefault(row_of(run, row), []).append(row.get("n_clusters"))
    right = {row: np.array(seeds, dtype=np.float32) for row, seeds in right.items()}
    found = []
    for row, ours in right.items():
        if row.setting is None or row.model not in BESIDE:
            continue
        rivals = {
            (other.model, other.setting): (theirs, numbers[other])
            for other, theirs in right.items()
            if are_rivals(row, other)
        }
        # The paper's linear layer reads the projection.
        published = PUBLISHED[row.dataset, row.split].get(row.model.removesuffix("_projection"))
        if published is not None:
            rivals["published", None] = np.full((1, ours.shape[1]), published[0]), [None]
        for (rival, rival_setting), (theirs, their_numbers) in rivals.items():
            about = {
                "rival": rival,
                "rival_setting": rival_setting,
                "n_seeds": len(ours),
                "n_seeds_of_rival": len(theirs),
                "n_clusters": numbers[row],
                "n_clusters_of_rival": their_numbers,
            }
            found.append({**row._asdict(), **about, **bootstrap(ours, theirs)})
    return found


def are_rivals(row, other):
    """Return whether a row is compared with another: a baseline, or the paper's setting."""
    if (row.dataset, row.split, row.n_train) != (other.dataset, other.split, other.n_train):
        return False
    if other.setting is None:
        return other.model in BESIDE[row.model]
    return other.model == row.model and other.setting == "paper" != row.setting


def bootstrap(ours, theirs):
    """Return the mean difference of (n_seeds, n_samples) correct answers and its interval."""
    rng = np.random.RandomState(0)
    weights = draw_images(ours.shape[1])
    drawn = draw_accuracies(ours, weights, rng) - draw_accuracies(theirs, weights, rng)
    low, high = np.percentile(drawn, [2.5, 97.5])
    mean = ours.mean() - theirs.mean()
    return {name: round(float(x), 4) for name, x in (("mean", mean), ("low", low), ("high", high))}


@cache
def draw_images(n_samples):
    """Return the shares of images drawn with replacement, (n_draws, n_samples)."""
    rng = np.random.RandomState(0)
    counts = rng.multinomial(n_samples, np.full(n_samples, 1 / n_samples), size=N_DRAWS)
    return counts.astype(np.float32) / n_samples


def draw_accuracies(right, weights, rng):
    """Return the mean accuracy of each draw, over seeds drawn with replacement."""
    accuracies = weights @ right.T
    drawn = rng.randint(len(right), size=accuracies.shape)
    return np.take_along_axis(accuracies, drawn, axis=1).mean(axis=1)
