"""Write the tables of the README and of ``docs`` from ``benchmarks/results``.

python benchmarks/render.py           # rewrite them
python benchmarks/render.py --check   # fail where one is not what the results say
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAPER = {  # accuracies that the paper reports: stat, kNN, linear, ResNet18, Feature+KM
    where: dict(
        zip(
            ("stat", "knn", "linear", "resnet18_transfer", "resnet18_kmeans"),
            accuracies,
            strict=True,
        )
    )
    for where, accuracies in {
        ("pneumoniamnist", "val"): (0.80, 0.84, 0.84, 0.86, 0.78),
        ("pneumoniamnist", "test"): (0.73, 0.84, 0.84, 0.74, 0.69),
        ("mnist", "test"): (0.90, 0.98, 0.98, 0.995, 0.69),
    }.items()
}
ROWS = {
    "stat": "stat: each cluster carries its most frequent label",
    "stat_k10": "stat, at k = 10",
    "knn": "kNN, k = 5, in the embedding",
    "linear": "linear layer, 20 % of the labels",
    "logistic_all_labels": "logistic regression, all labels",
}
TITLES = {"pneumoniamnist": "PneumoniaMNIST", "mnist": "MNIST"}


def render_results():
    return "\n".join(render_dataset(dataset) for dataset in TITLES)


def render_dataset(dataset):
    results = json.loads((RESULTS / f"paper_setting_{dataset}.json").read_text())
    runs, means = results["runs"], results["mean_and_std"]
    columns = [
        f"{split} (majority {results['majority_baseline'][split]:.3f}) | paper" for split in means
    ]
    lines = [
        f"**{TITLES[dataset]}**, {results['n_samples']['train']} training images, "
        f"{results['epochs']} + {results['epochs']} epochs, {len(runs)} seed(s): "
        f"{'; '.join(render_k(run) for run in runs)}",
        "",
        "| accuracy (balanced) | " + " | ".join(columns) + " |",
        "|---|" + "---|---|" * len(means),
    ]
    for model, title in ROWS.items():
        cells = [render_cells(dataset, split, model, means[split][model]) for split in means]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def render_k(run):
    how = "elbow" if run["elbow_found"] else "no elbow found, best silhouette"
    return f"k = {run['n_clusters']} ({how})"


def render_cells(dataset, split, model, metrics):
    (mean, std), (balanced, _) = metrics["accuracy"], metrics["balanced_accuracy"]
    published = PAPER[dataset, split].get(model)
    return f"{mean:.3f} ± {std:.3f} ({balanced:.3f}) | {published or ''}"


def render_accuracy():
    """Beside each other, what both precisions reach."""
    results = {
        precision: json.loads((RESULTS / f"paper_setting_pneumoniamnist{ending}.json").read_text())
        for precision, ending in (("bfloat16", ""), ("float32", "_float32"))
    }
    columns = [
        f"{precision} (k = {', '.join(str(run['n_clusters']) for run in one['runs'])})"
        for precision, one in results.items()
    ]
    lines = [f"| accuracy | split | {' | '.join(columns)} |", "|---|---|---|---|"]
    for model, title in ROWS.items():
        for split in ("val", "test"):
            scores = [one["mean_and_std"][split][model]["accuracy"] for one in results.values()]
            shown = " | ".join(f"{mean:.3f} ± {std:.3f}" for mean, std in scores)
            lines.append(f"| {title} | {split} | {shown} |")
    return "\n".join(lines) + "\n"


METHOD = {
    "stat": "the method, stat: each cluster carries its most frequent label",
    "knn": "the method, kNN, k = 5, cosine",
    "knn_euclidean": "the method, kNN, Euclidean",
    "linear": "the method, linear layer, 20 % of the labels",
    "linear_projection": "the same on the projection",
    "logistic": "the method, logistic regression, all labels",
}
BESIDE = {
    **{
        f"{name}_{model}": f"{title}, {what}"
        for name, title in (("pixels", "pixels"), ("pca", "128 principal components"))
        for model, what in (
            ("kmeans", "KMeans"),
            ("kmeans_true_k", "KMeans, as many clusters as classes"),
            ("knn_euclidean", "kNN, Euclidean"),
            ("linear", "linear layer, 20 % of the labels"),
            ("logistic", "logistic regression, all labels"),
        )
    },
    "umap_kmeans": "UMAP of the pixels, KMeans",
    "dec": "ClustPy's DEC, given the number of classes",
    "idec": "ClustPy's IDEC, given the number of classes",
    "resnet18_transfer": "ResNet18 of ImageNet, new last layer",
    "resnet18_kmeans": "ResNet18 of ImageNet, KMeans at the elbow",
    "squeezenet_transfer": "SqueezeNet of ImageNet, new last layer",
    "squeezenet_kmeans": "SqueezeNet of ImageNet, KMeans at the elbow",
    "encoder_supervised": "the method's encoder, trained on all labels",
    "resnet18_scratch": "ResNet18, trained on all labels",
}
COLUMNS = {
    "balanced_accuracy": "balanced",
    "precision_weighted": "precision (weighted)",
    "precision_macro": "(macro)",
    "recall_macro": "recall (macro)",
    "hungarian": "Hungarian",
    "nmi": "NMI",
    "ari": "ARI",
}


def render_table1(dataset, split):
    """Every row of the table on one split, the method's in each setting first."""
    cells = {}
    for one in json.loads((RESULTS / "table1.json").read_text()):
        if (one["dataset"], one["split"]) == (dataset, split):
            row = (one["model"], one["setting"], one["n_train"])
            other = cells.setdefault(row, {}).setdefault(one["metric"], one)
            if other is not one:
                sys.exit(f"{row} was run with the settings {other['hash']} and {one['hash']}")
    titles = {**METHOD, **BESIDE}
    rows = sorted(
        (row for row in cells if row[0] in titles),
        key=lambda row: (row[1] is None, row[1], row[2], list(titles).index(row[0])),
    )
    lines = [
        "| model | setting | training images | seeds | k | accuracy | paper | "
        + " | ".join(COLUMNS.values())
        + " |",
        "|---" * (7 + len(COLUMNS)) + "|",
    ]
    for row in rows:
        model, setting, n_train = row
        accuracy = cells[row]["accuracy"]
        scores = [cells[row].get(metric) for metric in COLUMNS]
        spread = f" ± {accuracy['std']:.3f}" if accuracy["n_seeds"] > 1 else ""
        published = PAPER.get((dataset, split), {}).get(model, "")
        lines.append(
            f"| {titles[model]} | {setting or ''} | {n_train} | {accuracy['n_seeds']} "
            f"| {', '.join(map(str, accuracy['n_clusters'] or []))} "
            f"| {accuracy['mean']:.3f}{spread} | {published} | "
            + " | ".join("" if one is None else f"{one['mean']:.3f}" for one in scores)
            + " |"
        )
    return "\n".join(lines) + "\n"


TORCHVISION = "torchvision's transforms, data loader, plain PyTorch"
SKORCH = "the same transforms, skorch's default net"
LIGHTLY = "Lightly's transform, loss, optimiser and loop"
SPEED = {  # tables of the page on performance: a title for each record
    "limits": {
        "warm_up/limit": "warm-up, PneumoniaMNIST: `fit`; bare step and views",
        "warm_up/limit/mnist": "warm-up, MNIST: `fit`; bare step and views",
        "conditioning/limit": "conditioning, PneumoniaMNIST: `fit`; bare step and views",
        "conditioning/limit/mnist": "conditioning, MNIST: `fit`; bare step and views",
        **{
            f"{phase}/added{end}": f"{title}, {where}: what `fit` adds; bare step and views"
            for phase, title in (("warm_up", "warm-up"), ("conditioning", "conditioning"))
            for end, where in (("", "PneumoniaMNIST"), ("/mnist", "MNIST"))
        },
        "warm_up/bare_step/plain": "bare warm-up step; float32, channels first",
        "conditioning/bare_step/plain": "bare conditioning step; float32, channels first",
    },
    "peers": {
        f"peer/{peer}{dataset}": f"{title}, {where}"
        for dataset, where in (("", "PneumoniaMNIST"), ("/mnist", "MNIST"))
        for peer, title in (
            ("torchvision_loader", f"{TORCHVISION}, in float32 as it comes"),
            ("torchvision_loader/same_precision", f"{TORCHVISION}, in bfloat16"),
            ("skorch_default", f"{SKORCH}, in float32 as it comes"),
            ("skorch_default/same_precision", f"{SKORCH}, in bfloat16"),
            ("lightly", f"{LIGHTLY}, in float32 as it comes"),
            ("lightly/same_precision", f"{LIGHTLY}, in bfloat16"),
            ("kornia/same_precision", "kornia's batched augmentations in our loop"),
        )
    },
    "views": {
        f"views/{peer}{dataset}": f"views alone, {title}, {where}"
        for dataset, where in (("", "PneumoniaMNIST"), ("/mnist", "MNIST"))
        for peer, title in (
            ("torchvision", "torchvision with the best number of workers"),
            ("torchvision/0", "torchvision without workers"),
            ("kornia", "kornia"),
        )
    },
    "inference": {
        **{
            f"{method}/limit/{n}": f"`{method}` of {n:,} images; bare encoder"
            for n in (1_000, 60_000)
            for method in ("transform", "predict", "predict_proba")
        },
        "predict/limit/1": "`predict` of one image; bare encoder",
    },
    "growth": {
        **{
            f"growth/{step}/{n}": f"{title}, {n:,} images; 5,000"
            for step, title in (
                ("warm_up", "warm-up"),
                ("conditioning", "conditioning"),
                ("prototypes", "sweep, prototypes, assignment"),
                ("memory", "peak memory"),
            )
            for n in (20_000, 60_000, 500_000)
        },
        "growth/validation": "checks before training; one epoch (500,000 images)",
        "growth/drift/warm_up": "the machine, warm-up: 5,000 images at the end; at the start",
        "growth/drift/conditioning": "the same, conditioning",
        "search/share_of_fit": "search for k; a whole fit of 50 + 50 epochs (60,000 images)",
    },
    "fits": {
        f"fit/{name}{key}": f"{title}: {what}"
        for name, title in (
            ("clustpy_dec", "ClustPy's DEC"),
            ("clustpy_idec", "ClustPy's IDEC"),
            ("pixels_kmeans", "scikit-learn's KMeans on pixels"),
        )
        for key, what in (
            ("", "time"),
            ("/memory", "peak memory"),
            ("/accuracy", "Hungarian accuracy"),
            ("/nmi", "NMI"),
        )
    },
    "startup": {
        "import": "`import sklearn_cae`; `import sklearn.base`",
        "import/estimator": "the estimator's module; torch, skorch and scikit-learn alone",
        "help": "`python -m sklearn_cae --help`; `import sklearn.base`",
        "search/n_jobs_2": "`GridSearchCV(n_jobs=2)`; `n_jobs=1`",
        "search/n_jobs_2/cold": "the same, starting its processes; `n_jobs=1`",
        "search/communities": '`n_clusters="auto"` in 10,000 rows; KMeans with 2 to 20 clusters',
        "compiled": "bare warm-up step through `torch.compile`; without",
        "allocator": "bare warm-up step, memory kept; given back to the system",
    },
}


def render_speed(table):
    records = {one["name"]: one for one in json.loads((RESULTS / "speed.json").read_text())}
    lines = ["| what; beside what | ours | other | unit | ours / other |", "|---|---|---|---|---|"]
    for name, title in SPEED[table].items():
        one = records[name]
        lines.append(
            f"| {title} | {one['ours']:,g} | {one['other']:,g} | {one['unit']} "
            f"| {one['ratio']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def render_grid():
    results = json.loads((RESULTS / "step_grid.json").read_text())
    cells = {}
    for one in results["steps"]:
        row = (one["phase"].replace("_", "-"), "-".join(map(str, one["widths"])), one["threads"])
        cells.setdefault(row, {})[f"{one['precision']}, {one['layout']}"] = one["ms"]
    columns = list(next(iter(cells.values())))
    lines = [
        "| phase | widths | threads | " + " | ".join(columns) + " |",
        "|---" * (3 + len(columns)) + "|",
    ]
    for row, ms in cells.items():
        lines.append(f"| {' | '.join(map(str, row))} | {' | '.join(map(str, ms.values()))} |")
    return "\n".join(lines) + "\n"


def render_profile():
    shares = json.loads((RESULTS / "profile_step.json").read_text())["shares"]
    lines = ["| operation | share |", "|---|---|"]
    return "\n".join([*lines, *(f"| {kind} | {one:.0%} |" for kind, one in shares.items())]) + "\n"


def render_machine():
    header = json.loads((RESULTS / "speed_header.json").read_text())["limit"]
    versions = ", ".join(f"{name} {version}" for name, version in header["versions"].items())
    return f"Made on {header['machine']}, Python {header['python']}, with {versions}.\n"


PAGES = {
    "README.md": {"results": render_results},
    "docs/benchmarks.md": {
        "pneumoniamnist_val": lambda: render_table1("pneumoniamnist", "val"),
        "pneumoniamnist_test": lambda: render_table1("pneumoniamnist", "test"),
    },
    "docs/performance.md": {
        "machine": render_machine,
        "profile": render_profile,
        "grid": render_grid,
        "accuracy": render_accuracy,
        **{table: lambda table=table: render_speed(table) for table in SPEED},
    },
}


def main():
    for page, tables in PAGES.items():
        path = ROOT / page
        text = old = path.read_text()
        for name, render in tables.items():
            start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
            before, rest = text.split(start)
            text = before + start + render() + end + rest.split(end)[1]
        if "--check" in sys.argv and text != old:
            sys.exit(f"{page}: run python benchmarks/render.py")
        path.write_text(text)


if __name__ == "__main__":
    main()
