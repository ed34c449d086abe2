"""The full tables of ``benchmarks.quality.table1``, and the short one of the README."""

from functools import partial

from benchmarks.pages._tables import (
    TITLES,
    most_images,
    read,
    read_cells,
    show_clusters,
    spread,
    table,
)
from benchmarks.quality.published import PUBLISHED
from benchmarks.quality.settings import N_TRAIN

METHOD = {
    "stat": "stat: each cluster is named by its most frequent label",
    "stat_true_k": "stat, with as many clusters as classes",
    "knn": "kNN, 5 neighbours, cosine",
    "knn_euclidean": "kNN, 5 neighbours, Euclidean",
    "linear": "linear layer, 20 % of the labels",
    "linear_projection": "linear layer on the projection, 20 % of the labels",
    "logistic": "logistic regression, all labels",
}
OTHERS = {
    **{
        f"{name}_{model}": f"{title}, {judged_by}"
        for name, title in (
            ("pixels", "pixels"),
            ("pca", "128 principal components"),
            ("autoencoder", "autoencoder without the contrastive term"),
        )
        for model, judged_by in (
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
    "encoder_supervised": "the paper's encoder, trained on all labels",
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
#: Rows of the short table, and the row of pixels for each.
SHORT = {
    "stat": "pixels_kmeans",
    "knn": "pixels_knn_euclidean",
    "linear": "pixels_linear",
    "logistic": "pixels_logistic",
}


def render_results():
    """Show briefly the paper's report, its setting, the recommended one, and pixels."""
    columns = ["accuracy (balanced)", "paper reports", "paper's setting", "recommended", "pixels"]
    rows = []
    for dataset, split in PUBLISHED:
        cells = read_cells(dataset, split)
        baselines = [one["majority_baseline"]["mean"] for one in cells.values() if "nmi" in one]
        name = f"**{TITLES[dataset]}, {split}**, majority class {baselines[0]:.3f}"
        rows.append([name, *[""] * 4])
        for model, pixels in SHORT.items():
            published = PUBLISHED[dataset, split].get(model, [""])[0]
            shown = (
                show_briefly(cells, *row)
                for row in ((model, "paper"), (model, "recommended"), (pixels, None))
            )
            rows.append([METHOD[model], published, *shown])
    return table(columns, rows)


def show_briefly(cells, model, setting):
    """Show the accuracy on the most training images, with balanced accuracy and clusters."""
    n_train = most_images(cells, model, setting)
    if n_train is None:
        return ""
    scores = cells[model, setting, n_train]
    accuracy, balanced = scores["accuracy"], scores["balanced_accuracy"]["mean"]
    text = f"{spread(accuracy)} ({balanced:.3f})"
    if accuracy["n_clusters"]:
        text += f", {show_clusters(accuracy['n_clusters'])}"
    if n_train < max(key[2] for key in cells):
        text += f", {n_train} images"
    return text


def render_table1(dataset, split, n_train):
    """Show every row on one split, the two settings first."""
    cells = {
        (model, setting): scores
        for (model, setting, n), scores in read_cells(dataset, split).items()
        if n == n_train
    }
    titles = {**METHOD, **OTHERS}
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
                *(setting or "", titles[model], accuracy["n_seeds"]),
                ", ".join(map(str, accuracy["n_clusters"] or [])),
                spread(accuracy),
                " / ".join(map(str, PUBLISHED[dataset, split].get(model, ()))),
                *("" if one is None else f"{one['mean']:.3f}" for one in scores),
            ]
        )
    for model, published in PUBLISHED[dataset, split].items():
        if all(row[0] != model for row in rows):  # ResNet18, if it cannot be downloaded
            figures = " / ".join(map(str, published))
            lines.append(["", titles[model], *[""] * 3, figures, *[""] * len(COLUMNS)])
    first = ["setting", "row", "seeds", "k", "accuracy (weighted recall)"]
    return table([*first, "paper (accuracy / precision / recall)", *COLUMNS.values()], lines)


def render_differences(dataset):
    """Show in which rows the settings are better than others, and in which they are not."""
    rows = []
    for one in read("table1_differences"):
        if one["dataset"] != dataset:
            continue
        rival = {"published": "the paper's figure"}.get(one["rival"]) or OTHERS.get(one["rival"])
        rows.append(
            [
                *(METHOD[one["model"]], one["setting"], one["n_train"], one["n_seeds"]),
                *(rival or "the paper's setting", one["split"]),
                " and ".join(
                    "-" if one[name][0] is None else ", ".join(map(str, one[name]))
                    for name in ("n_clusters", "n_clusters_of_rival")
                )
                if one["model"].startswith("stat")
                else "",
                show_difference(one),
                verdict(one),
            ]
        )
    columns = ["row", "setting", "images", "seeds", "compared with", "split", "k of both"]
    return table([*columns, "difference [95 %]", "verdict"], rows)


def show_difference(one):
    return f"{one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"


#: Rows that are the same for each seed.
FIXED = (
    *("pixels_knn_euclidean", "pca_knn_euclidean", "pixels_logistic", "pca_logistic"),
    "published",
)
ROUNDING = 0.005  # of the published figures, which have two digits


def verdict(one):
    """Return the verdict of an interval, nothing for a single seed."""
    if one["n_seeds"] == 1 or (one["rival"] not in FIXED and one["n_seeds_of_rival"] == 1):
        return ""
    margin = ROUNDING if one["rival"] == "published" else 0
    return "better" if one["low"] > margin else "worse" if one["high"] < -margin else "undecided"


TABLES = {
    dataset: {
        **{
            f"{dataset}_{split}": partial(render_table1, dataset, split, N_TRAIN[dataset])
            for name, split in PUBLISHED
            if name == dataset
        },
        f"differences_{dataset}": partial(render_differences, dataset),
    }
    for dataset in TITLES
}
TABLES["mnist"]["mnist_test_20000"] = partial(render_table1, "mnist", "test", 20_000)
