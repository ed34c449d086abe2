"""The tables of the README and of ``docs/benchmarks.md``, from what ``table1.py`` wrote."""

import json
import sys
from functools import partial

from benchmarks._common import RESULTS
from benchmarks.quality.published import PUBLISHED
from benchmarks.quality.settings import N_TRAIN

TITLES = {"pneumoniamnist": "PneumoniaMNIST", "mnist": "MNIST"}
METHOD = {
    "stat": "the method, stat: each cluster carries its most frequent label",
    "stat_true_k": "the method, stat, as many clusters as classes",
    "knn": "the method, kNN, k = 5, cosine",
    "knn_euclidean": "the method, kNN, Euclidean",
    "linear": "the method, linear layer, 20 % of the labels",
    "linear_projection": "the same on the projection",
    "logistic": "the method, logistic regression, all labels",
}
BESIDE = {
    **{
        f"{name}_{model}": f"{title}, {what}"
        for name, title in (
            ("pixels", "pixels"),
            ("pca", "128 principal components"),
            ("autoencoder", "autoencoder without the contrastive term"),
        )
        for model, what in (
            ("kmeans", "KMeans, k given"),
            ("kmeans_true_k", "KMeans, as many clusters as classes"),
            ("knn_euclidean", "kNN, Euclidean"),
            ("linear", "linear layer, 20 % of the labels"),
            ("logistic", "logistic regression, all labels"),
        )
    },
    "pixels_communities": "pixels, communities",
    "pixels_communities_true_k": "pixels, communities, as many as classes",
    "pca_whitened_communities": "128 principal components, whitened, communities",
    "pca_whitened_communities_true_k": (
        "128 principal components, whitened, communities, as many as classes"
    ),
    "umap_kmeans": "UMAP of the pixels, KMeans, k given",
    "umap_kmeans_true_k": "UMAP of the pixels, KMeans, as many clusters as classes",
    "dec": "ClustPy's DEC, given the number of classes",
    "idec": "ClustPy's IDEC, given the number of classes",
    "resnet18_transfer": "ResNet18 of ImageNet, new last layer",
    "resnet18_kmeans": "ResNet18 of ImageNet, KMeans at the elbow",
    "resnet18_kmeans_true_k": "ResNet18 of ImageNet, KMeans, as many clusters as classes",
    "squeezenet_transfer": "SqueezeNet of ImageNet, new last layer",
    "squeezenet_kmeans": "SqueezeNet of ImageNet, KMeans at the elbow",
    "squeezenet_kmeans_true_k": "SqueezeNet of ImageNet, KMeans, as many clusters as classes",
    "encoder_supervised": "the method's encoder, trained on all labels",
    "resnet18_scratch": "ResNet18, trained on all labels",
}
COLUMNS = {
    "balanced_accuracy": "balanced (macro recall)",
    "precision_weighted": "precision (weighted)",
    "precision_macro": "precision (macro)",
    "hungarian": "Hungarian",
    "nmi": "NMI",
    "ari": "ARI",
}


SHORT = {
    "stat": ("stat: a cluster's most frequent label", "pixels_kmeans"),
    "knn": ("kNN, k = 5", "pixels_knn_euclidean"),
    "linear": ("linear layer, 20 % of the labels", "pixels_linear"),
    "logistic": ("logistic regression, all labels", "pixels_logistic"),
}
#: The rows that are compared, briefly.
LINES = {
    **{model: title for model, (title, _) in SHORT.items()},
    "stat_true_k": "stat, as many clusters as classes",
    "linear_projection": "linear layer, 20 % of the labels, on the projection",
}
IMAGES = {
    "reconstruction_warm_up": "decoder after the warm-up",
    "reconstruction_conditioning": "conditional decoder",
    "reconstruction_shuffled_condition": "the same, told other images' clusters",
    "reconstruction_without_condition": "decoder trained as long, told no cluster",
    "reconstruction_pca_128": "128 principal components",
}


def read_cells(dataset, split):
    """Give the records of one split: {(model, setting, n_train): {metric: record}}."""
    cells = {}
    for one in json.loads((RESULTS / "table1.json").read_text()):
        if (one["dataset"], one["split"]) == (dataset, split):
            row = (one["model"], one["setting"], one["n_train"])
            other = cells.setdefault(row, {}).setdefault(one["metric"], one)
            if other is not one:
                sys.exit(f"{row} was run with the settings {other['hash']} and {one['hash']}")
    return cells


def check_alike(runs):
    """Stop where runs that are averaged differ in more than their seeds."""
    if len({run["hash"] for run in runs}) > 1 or len({run["seed"] for run in runs}) < len(runs):
        sys.exit(f"Runs of several settings, or of one seed: {[run['made_by'] for run in runs]}")


def table(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def spread(one, digits=3):
    std = f" ± {one['std']:.{digits}f}" if one["n_seeds"] > 1 else ""
    return f"{one['mean']:.{digits}f}{std}"


def render_results():
    """Briefly: what the paper reports, its setting, the recommended one, pixels."""
    columns = ["accuracy (balanced)", "paper reports", "paper's setting", "recommended", "pixels"]
    rows = []
    for dataset, split in PUBLISHED:
        cells = read_cells(dataset, split)
        baselines = [one["majority_baseline"]["mean"] for one in cells.values() if "nmi" in one]
        name = f"**{TITLES[dataset]}, {split}**, majority class {baselines[0]:.3f}"
        rows.append([name, *[""] * 4])
        for model, (title, pixels) in SHORT.items():
            published = PUBLISHED[dataset, split].get(model, [""])[0]
            shown = (
                brief(cells, *row)
                for row in ((model, "paper"), (model, "recommended"), (pixels, None))
            )
            rows.append([title, published, *shown])
    return table(columns, rows)


def most_images(cells, model, setting):
    """Give the largest number of training images that a row was run on; None without."""
    return max((key[2] for key in cells if key[:2] == (model, setting)), default=None)


def brief(cells, model, setting):
    """Show the accuracy where most images were trained on, and what it is to be read against."""
    n_train = most_images(cells, model, setting)
    if n_train is None:
        return ""
    scores = cells[model, setting, n_train]
    accuracy, balanced = scores["accuracy"], scores["balanced_accuracy"]["mean"]
    text = f"{spread(accuracy)} ({balanced:.3f})"
    if accuracy["n_clusters"]:
        low, high = min(accuracy["n_clusters"]), max(accuracy["n_clusters"])
        text += f", k = {low}" + (f" to {high}" if high > low else "")
    if n_train < max(key[2] for key in cells):
        text += f", {n_train} images"
    return text


def render_differences(dataset):
    """Say in which rows the settings beat what stands beside them, and in which they do not."""
    found = json.loads((RESULTS / "table1_differences.json").read_text())
    rows = []
    for one in found:
        if one["dataset"] != dataset:
            continue
        rival = {"published": "the paper's figure"}.get(one["rival"]) or BESIDE.get(one["rival"])
        rows.append(
            [
                *(LINES[one["model"]], one["setting"], one["n_train"], one["n_seeds"]),
                *(rival or "the paper's setting", one["split"]),
                " less ".join(
                    "-" if one[name][0] is None else ", ".join(map(str, one[name]))
                    for name in ("n_clusters", "n_clusters_of_rival")
                )
                if one["model"].startswith("stat")
                else "",
                f"{one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]",
                verdict(one),
            ]
        )
    columns = ["row", "setting", "images", "seeds", "less", "split", "k", "difference [95 %]"]
    return table([*columns, "verdict"], rows)


#: Rivals that have no seed: they give the same whenever they are fitted.
FIXED = (
    *("pixels_knn_euclidean", "pca_knn_euclidean", "pixels_logistic", "pca_logistic"),
    "published",
)
ROUNDING = 0.005  # of the published figures, which have two digits


def verdict(one):
    """Say what an interval shows; of a single seed, nothing."""
    if one["n_seeds"] == 1 or (one["rival"] not in FIXED and one["n_seeds_of_rival"] == 1):
        return ""
    margin = ROUNDING if one["rival"] == "published" else 0
    return "beaten" if one["low"] > margin else "not reached" if one["high"] < -margin else "tie"


WHERE = ["data", "split", "setting", "images"]


def rows_everywhere(titles):
    """Go through the rows of all splits: ``WHERE`` each one is, its title, its records."""
    models = list(titles)
    for dataset, split in PUBLISHED:
        cells = read_cells(dataset, split)
        for model, setting, n_train in sorted(
            (row for row in cells if row[0] in titles),
            key=lambda row: (*row[1:], models.index(row[0])),
        ):
            where = [TITLES[dataset], split, setting, n_train]
            yield where, titles[model], cells[model, setting, n_train]


def render_agreement():
    """Compare the clusters of two seeds, and of two halves of the images: adjusted Rand index."""
    pairs = {"agreement_halves": ("pairs of halves", 2), "agreement_seeds": ("pairs of seeds", 1)}
    rows = []
    for (*where, n_train), (title, parts), scores in rows_everywhere(pairs):
        one = scores["ari"]
        rows.append([*where, n_train // parts, title, one["n_seeds"], spread(one)])
    return table([*WHERE[:-1], "images of a fit", "between", "pairs", "ARI"], rows)


def render_images():
    """Show how well images come back."""
    rows = [
        [
            *(*where, scores["mse"]["n_seeds"], title),
            *(f"{scores[name]['mean']:.4f}" for name in ("mse", "psnr", "ssim")),
        ]
        for where, title, scores in rows_everywhere(IMAGES)
    ]
    return table([*WHERE, "seeds", "decoded by", "MSE", "PSNR (dB)", "SSIM"], rows)


def render_samples():
    """Show what a small classifier on 5 % of the labels gains from sampled images."""
    trained = {"few_labels": "without", "few_labels_and_samples": "with samples"}
    rows = []
    for where, title, scores in rows_everywhere(trained):
        one, balanced = scores["accuracy"], scores["balanced_accuracy"]["mean"]
        rows.append([*where, one["n_seeds"], title, f"{spread(one)} ({balanced:.3f})"])
    return table([*WHERE, "seeds", "trained", "accuracy (balanced)"], rows)


def render_table1(dataset, split, n_train):
    """Every row of the table on one split, the method's in each setting first."""
    cells = {
        (model, setting): scores
        for (model, setting, n), scores in read_cells(dataset, split).items()
        if n == n_train
    }
    titles = {**METHOD, **BESIDE}
    rows = sorted(
        (row for row in cells if row[0] in titles),
        key=lambda row: (row[1] is None, row[1], list(titles).index(row[0])),
    )
    lines = []
    for model, setting in rows:
        accuracy = cells[model, setting]["accuracy"]
        scores = [cells[model, setting].get(metric) for metric in COLUMNS]
        lines.append(
            [
                *(titles[model], setting or "", accuracy["n_seeds"]),
                ", ".join(map(str, accuracy["n_clusters"] or [])),
                spread(accuracy),
                " / ".join(map(str, PUBLISHED[dataset, split].get(model, ()))),
                *("" if one is None else f"{one['mean']:.3f}" for one in scores),
            ]
        )
    for model, published in PUBLISHED[dataset, split].items():
        if all(row[0] != model for row in rows):  # ResNet18's, where it cannot be downloaded
            figures = " / ".join(map(str, published))
            lines.append([titles[model], *[""] * 4, figures, *[""] * len(COLUMNS)])
    first = ["model", "setting", "seeds", "k", "accuracy (weighted recall)"]
    return table([*first, "paper (accuracy / precision / recall)", *COLUMNS.values()], lines)


TABLES = {
    **{
        f"{dataset}_{split}": partial(render_table1, dataset, split, N_TRAIN[dataset])
        for dataset, split in PUBLISHED
    },
    "mnist_test_20000": partial(render_table1, "mnist", "test", 20_000),
    **{f"differences_{dataset}": partial(render_differences, dataset) for dataset in TITLES},
    "agreement": render_agreement,
    "images": render_images,
    "samples": render_samples,
}
