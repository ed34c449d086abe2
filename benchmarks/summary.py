"""What becomes of the runs of ``table1.py``: means over seeds, agreement, differences.

``table1.json`` holds means and standard deviations over seeds, ``table1_differences.json`` paired
differences of accuracies with their intervals, ``table1_header.json`` how each run was made.
"""

import json
from itertools import combinations

import numpy as np
from _common import RESULTS, write_records
from evaluation import unpack_clusters, unpack_right
from published import PUBLISHED
from settings import setting_of
from sklearn.metrics import adjusted_rand_score

CELL = ("dataset", "split", "model", "setting", "n_train", "hash")
N_SAMPLES = {
    ("pneumoniamnist", "val"): 524,
    ("pneumoniamnist", "test"): 624,
    ("mnist", "test"): 10_000,
}
#: Rows that an accuracy is compared with.
BESIDE = {
    "stat": ("pixels_kmeans", "pca_kmeans", "umap_kmeans"),
    "knn": ("pixels_knn_euclidean", "pca_knn_euclidean"),
    "linear": ("pixels_linear", "pca_linear"),
    "logistic": ("pixels_logistic", "pca_logistic"),
}


def summarise(runs):
    """Rewrite ``table1.json``, its header and ``table1_differences.json``."""
    cells, header = {}, {}
    for run in runs:
        for row in run["rows"]:
            for metric, value in row["metrics"].items():
                key = (*cell(run, row), metric)
                cells.setdefault(key, []).append((value, row.get("n_clusters")))
        about = header.setdefault(f"{run['dataset']}/{run['n_train']}/{run['job']}", [])
        left_out = ("rows", "clusters")
        about.append({name: value for name, value in run.items() if name not in left_out})
    for key, agreements in agreement_of_seeds(runs).items():
        cells[*key, "ari"] = [(agreement, None) for agreement in agreements]
    records = []
    for (*key, metric), values in cells.items():
        scores, numbers = zip(*values, strict=True)
        records.append(
            {
                **dict(zip(CELL, key, strict=True)),
                "metric": metric,
                "mean": round(float(np.mean(scores)), 4),
                "std": round(float(np.std(scores)), 4),
                "n_seeds": len(scores),
                "n_clusters": list(numbers) if numbers[0] is not None else None,
            }
        )
    write_records(RESULTS / "table1.json", records)
    write_records(RESULTS / "table1_differences.json", differences(runs))
    (RESULTS / "table1_header.json").write_text(json.dumps(header, indent=1) + "\n")


def cell(run, row):
    """Say which row of which table a run's row belongs to."""
    return (
        *(run["dataset"], row["split"], row["model"]),
        *(setting_of(run["job"]), run["n_train"], run["hash"]),
    )


def agreement_of_seeds(runs):
    """Compare the clusters of each two seeds, on images that none saw: adjusted Rand indices."""
    clusters = {}
    for run in runs:
        for split, packed in run.get("clusters", {}).items():
            key = cell(run, {"split": split, "model": "agreement_seeds"})
            clusters.setdefault(key, []).append(unpack_clusters(packed))
    return {
        key: [adjusted_rand_score(*pair) for pair in combinations(labels, 2)]
        for key, labels in clusters.items()
        if len(labels) > 1
    }


def differences(runs):
    """Accuracies less those of the rows beside them: mean, and 95 % interval of the bootstrap.

    Images are drawn with replacement, the same for both; a row's image is right to the share of its
    seeds. A published accuracy is taken as it is.
    """
    right = {}
    for run in runs:
        for row in run["rows"]:
            if "right" in row:
                n_samples = N_SAMPLES[run["dataset"], row["split"]]
                right.setdefault(cell(run, row), []).append(unpack_right(row["right"], n_samples))
    right = {key: np.mean(seeds, axis=0) for key, seeds in right.items()}
    found = []
    for key, ours in right.items():
        dataset, split, model, setting, n_train, _ = key
        if setting is None or model not in BESIDE:
            continue
        rivals = {
            (other[2], other[3]): theirs
            for other, theirs in right.items()
            if (other[0], other[1], other[4]) == (dataset, split, n_train)
            and (other[2] in BESIDE[model] or (other[2] == model and other[3] == "paper"))
            and other[3] != setting
        }
        published = PUBLISHED[dataset, split].get(model)
        if published is not None:
            rivals["published", None] = np.full(len(ours), published[0])
        for (rival, rival_setting), theirs in rivals.items():
            found.append(
                {
                    **dict(zip(CELL, key, strict=True)),
                    "rival": rival,
                    "rival_setting": rival_setting,
                    **bootstrap(ours - theirs),
                }
            )
    return found


def bootstrap(difference, n_draws=10_000):
    """Mean of differences, and the 95 % interval of the mean where images are drawn again."""
    rng = np.random.RandomState(0)
    n = len(difference)
    # Drawing n of n with replacement is drawing how often each comes.
    values, counts = np.unique(difference, return_counts=True)
    means = rng.multinomial(n, counts / n, size=n_draws) @ values / n
    low, high = np.percentile(means, [2.5, 97.5])
    return {
        "mean": round(float(difference.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }
