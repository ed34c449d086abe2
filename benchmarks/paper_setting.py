"""The paper's setting on PneumoniaMNIST or MNIST: three evaluations, over seeds.

Run from the repository, with the data found as ``sklearn_cae.datasets`` finds them:

    python benchmarks/paper_setting.py pneumoniamnist --seeds 0 1 2
    python benchmarks/paper_setting.py mnist --max-samples 20000 --seeds 0
    python benchmarks/paper_setting.py pneumoniamnist --seeds 0 --variational
    python benchmarks/paper_setting.py pneumoniamnist --seeds 0 1 2 --precision float32

Prints a table and writes ``benchmarks/results/paper_setting_<dataset>.json`` after each seed, with
``_variational`` or ``_float32`` in its name for those settings.
Settings were fixed before: labels of the validation and test splits choose nothing.
"""

import argparse
import json
import resource
import time

import numpy as np
from _common import RESULTS, describe_run
from evaluation import classification, load
from settings import PAPER_VIEWS
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from sklearn_cae import (
    ClusterLabelMapper,
    ContrastiveAutoencoderClusterer,
    KNNProbe,
    LinearProbe,
    clustering_report,
)


def run(splits, options, seed):
    X, _ = splits["train"]
    started = time.perf_counter()
    clusterer = ContrastiveAutoencoderClusterer(
        warm_up_epochs=options.epochs,
        conditioning_epochs=options.epochs,
        augmentation=PAPER_VIEWS[options.dataset],
        variational=options.variational,
        precision=options.precision,
        random_state=seed,
    ).fit(X)
    seconds = time.perf_counter() - started
    scores = evaluate(clusterer, splits, seed)
    clusterer.set_params(output="soft_assignment")
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "n_clusters": clusterer.n_clusters_,
        "elbow_found": clusterer.elbow_["found"],
        "inertia": clusterer.elbow_["inertia"].tolist(),
        "silhouette": clusterer.elbow_["silhouette"].tolist(),
        "scores": scores,
        "clusters": {
            split: clustering_report(y, clusterer.predict(X)).to_dict()
            for split, (X, y) in splits.items()
        },
        "samples": judge_samples(clusterer, splits),
    }


def evaluate(clusterer, splits, seed):
    """Scores of models fitted to training labels, {split: {model: {metric: value}}}."""
    views = {}
    for output in ("soft_assignment", "embedding", "projection"):
        clusterer.set_params(output=output)
        views[output] = {split: clusterer.transform(X) for split, (X, _) in splits.items()}
    ten = KMeans(10, n_init=5, random_state=seed)
    models = {
        "stat": ("soft_assignment", ClusterLabelMapper()),
        "stat_k10": (
            "embedding",
            make_pipeline(Normalizer(), ten, ClusterLabelMapper(input="distance")),
        ),
        "knn": ("embedding", KNNProbe()),
        "knn_euclidean": ("embedding", KNNProbe(metric="euclidean")),
        "linear": ("embedding", LinearProbe(random_state=seed)),
        "linear_projection": ("projection", LinearProbe(random_state=seed)),
        "linear_raw": ("embedding", LinearProbe(standardize=False, random_state=seed)),
        "logistic_all_labels": (
            "embedding",
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000)),
        ),
    }
    scores = {split: {} for split in splits if split != "train"}
    for name, (view, model) in models.items():
        model.fit(views[view]["train"], splits["train"][1])
        for split, rows in scores.items():
            rows[name] = classification(splits[split][1], model.predict(views[view][split]))
    return scores


def judge_samples(clusterer, splits, n=200):
    """How samples of each cluster look to a kNN on real training pixels, beside real members.

    The held-back members are those of the last split. Clusters with under 5 of them are left out.
    """
    X, y = splits["train"]
    held_back = splits[list(splits)[-1]][0]
    knn = KNeighborsClassifier(5).fit(X.reshape(len(X), -1) / 255.0, y)
    mapping = ClusterLabelMapper().fit(clusterer.transform(X), y).mapping_
    labels = clusterer.predict(held_back)
    judged = []
    for cluster, name in enumerate(mapping):
        real = held_back[labels == cluster].reshape(-1, X[0].size) / 255.0
        drawn, _ = clusterer.sample(n, cluster=cluster, random_state=0)
        drawn = drawn.reshape(n, -1) / 255.0
        if len(real) >= 5:
            judged.append(
                {
                    "cluster": cluster,
                    "mapped_label": int(name),
                    "n_real": len(real),
                    "share_of_samples": float((knn.predict(drawn) == name).mean()),
                    "share_of_real": float((knn.predict(real) == name).mean()),
                    "distance_ratio": mean_distance(drawn) / mean_distance(real),
                }
            )
    return judged


def mean_distance(X):
    squared = np.square(X).sum(axis=1)
    distance = np.sqrt(np.maximum(squared[:, None] + squared - 2 * X @ X.T, 0))
    return float(distance[np.triu_indices(len(X), 1)].mean())


def header(splits):
    return {
        **describe_run(),
        "n_samples": {split: len(X) for split, (X, _) in splits.items()},
        "majority_baseline": {
            split: float(np.bincount(y).max() / len(y)) for split, (_, y) in splits.items()
        },
    }


def summarise(runs):
    """Mean and standard deviation over seeds, {split: {model: {metric: [mean, std]}}}."""
    first = runs[0]["scores"]
    return {
        split: {
            model: {
                metric: [
                    float(moment([run["scores"][split][model][metric] for run in runs]))
                    for moment in (np.mean, np.std)
                ]
                for metric in metrics
            }
            for model, metrics in models.items()
        }
        for split, models in first.items()
    }


def show(results):
    runs = results["runs"]
    print("\nk:", [run["n_clusters"] for run in runs], "seconds:", [r["seconds"] for r in runs])
    for split, models in results["mean_and_std"].items():
        print(f"{split} (majority class {results['majority_baseline'][split]:.3f})")
        for model, metrics in models.items():
            cells = [f"{metric} {mean:.3f} ± {std:.3f}" for metric, (mean, std) in metrics.items()]
            print(f"  {model:<20}", *cells[:2])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", choices=sorted(PAPER_VIEWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=50, help="of each phase")
    parser.add_argument("--max-samples", type=int)
    parser.add_argument("--variational", action="store_true")
    parser.add_argument("--precision", choices=["auto", "float32"], default="auto")
    options = parser.parse_args()
    splits = load(options.dataset, options.max_samples)
    results = {**header(splits), "epochs": options.epochs, "runs": []}
    for seed in options.seeds:
        results["runs"].append(run(splits, options, seed))
        results["mean_and_std"] = summarise(results["runs"])
        suffix = "_variational" if options.variational else ""
        suffix += "_float32" if options.precision == "float32" else ""
        path = RESULTS / f"paper_setting_{options.dataset}{suffix}.json"
        path.write_text(json.dumps(results, indent=1) + "\n")
        show(results)


if __name__ == "__main__":
    main()
