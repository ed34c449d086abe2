"""The five tables of ``docs/measured/benchmarks.md``, each the answer to one question."""

from statistics import mean, median

from benchmarks.pages._tables import TITLES, read, read_cells, show_clusters, spread, table
from benchmarks.pages.ablations import COLUMNS, read_changes
from benchmarks.pages.table1 import show_difference
from benchmarks.quality.published import PUBLISHED

#: Training images of the rows that are compared: all methods were run on them.
N_TRAIN = {"pneumoniamnist": 4708, "mnist": 20_000}
#: Rows of the first two tables: a title, the row, its score, the rows of the others.
GROUPS = tuple(f"{name}_communities" for name in ("pixels", "pca_whitened"))
PIXELS = (
    ("groups, accuracy", "stat", "accuracy", ("pixels_kmeans", *GROUPS)),
    ("groups, NMI", "stat", "nmi", ("pixels_kmeans", *GROUPS)),
    ("groups, ARI", "stat", "ari", ("pixels_kmeans", *GROUPS)),
    (
        "groups, k = classes, Hungarian accuracy",
        *("stat_true_k", "hungarian"),
        tuple(f"{name}_true_k" for name in ("pixels_kmeans", *GROUPS)),
    ),
    ("kNN", "knn", "accuracy", ("pixels_knn_euclidean", None, None)),
    ("linear layer, 20 % of the labels", "linear", "accuracy", ("pixels_linear", None, None)),
    ("logistic regression, all labels", "logistic", "accuracy", ("pixels_logistic", None, None)),
)
PRETRAINED = (
    ("groups, accuracy", "stat", "accuracy", "squeezenet_kmeans", "resnet18_kmeans"),
    ("groups, NMI", "stat", "nmi", "squeezenet_kmeans", None),
    (
        "groups, k = classes, Hungarian accuracy",
        *("stat_true_k", "hungarian", "squeezenet_kmeans_true_k", None),
    ),
    (
        "linear classifier, all labels",
        *("logistic", "accuracy", "squeezenet_transfer", "resnet18_transfer"),
    ),
)
PARTS = {
    "recommended": "**recommended setting**",
    "recommended, refinement_epochs=0": "without the refinement",
    "recommended, whiten=no": "without whitening",
    "recommended, clusterer=kmeans, n_clusters=given, whiten=no": (
        "KMeans with k given, in place of communities and whitening"
    ),
    "recommended, encoder=pooled": "the paper's encoder, with pooling",
    "recommended, augmentation=paper": "the paper's augmentation",
    "recommended, temperature=0.5": "the paper's temperature",
    "recommended, optimizer=lars, reconstruction_weight=1": "the paper's optimiser, weight 1",
    "paper": "**paper's setting**",
    "paper, n_clusters=auto, whiten": "with communities and whitening",
    "paper, refinement_epochs=15": "with a refinement",
    "paper, encoder=unpooled": "with an encoder without pooling",
}


#: Rows of the table on speed: measured, compared with, record, unit.
SPEED = (
    ("training", "Lightly, same precision", "peer/lightly/same_precision", "images/s"),
    (
        "training",
        "torchvision and plain PyTorch, same precision",
        *("peer/torchvision_loader/same_precision", "images/s"),
    ),
    ("`predict`, 60 000 images", "the encoder alone", "predict/limit/60000", "images/s"),
    ("`predict`, one image", "the encoder alone", "predict/limit/1", "ms"),
    (
        "fit to 20 000 digits, 30 epochs, paper's setting",
        *("ClustPy's DEC, 30 epochs", "fit/clustpy_dec", "s"),
    ),
    (
        "memory of a fit to 500 000 images, in addition to the images",
        *("5000 images", "growth/memory/500000", "MiB"),
    ),
)


def _head(dataset, split, n_columns):
    title = f"**{TITLES[dataset]}, {split}, {N_TRAIN[dataset]} training images**"
    return [title, *[""] * n_columns]


def _score(cells, dataset, row, metric):
    """Write a score with its standard deviation, and for accuracies the number of clusters."""
    scores = cells.get((*row, N_TRAIN[dataset]))
    if scores is None:
        return ""
    text, numbers = spread(scores[metric]), scores[metric]["n_clusters"]
    return f"{text}, {show_clusters(numbers)}" if numbers and metric == "accuracy" else text


def _differences():
    """Return {(dataset, split, row, metric, other row): difference} of the recommended setting."""
    return {
        (*(one[name] for name in ("dataset", "split", "model")), "accuracy", one["rival"]): (
            show_difference(one)
        )
        for one in read("table1_differences")
        if one["setting"] == "recommended" and one["n_train"] == N_TRAIN[one["dataset"]]
    }


def render_pixels():
    """Answer whether the method is better than pixels."""
    differences, rows = _differences(), []
    for dataset, split in PUBLISHED:
        cells = read_cells(dataset, split)
        rows.append(_head(dataset, split, 6))
        for title, model, metric, pixels in PIXELS:
            shown = [(row, None) for row in pixels] + [(model, "paper"), (model, "recommended")]
            scores = [_score(cells, dataset, row, metric) for row in shown]
            difference = differences.get((dataset, split, model, metric, pixels[0]), "")
            rows.append([title, *scores, difference])
    columns = ["pixels", "pixels, communities", "whitened components, communities"]
    columns += ["paper's setting", "recommended", "recommended minus pixels [95 %]"]
    return table(["score", *columns], rows)


def render_pretrained():
    """Answer whether the method is better than features of ImageNet."""
    differences, rows = _differences(), []
    for dataset, split in PUBLISHED:
        cells = read_cells(dataset, split)
        rows.append(_head(dataset, split, 5))
        for title, model, metric, squeezenet, resnet18 in PRETRAINED:
            published = PUBLISHED[dataset, split].get(resnet18, [""])[0]
            trained = "resnet18_scratch" if model == "logistic" else None
            shown = ((squeezenet, None), (trained, None), (model, "recommended"))
            scores = [_score(cells, dataset, row, metric) for row in shown]
            difference = differences.get((dataset, split, model, metric, squeezenet), "")
            rows.append([title, published, *scores, difference])
    columns = ["ResNet18 of ImageNet, as published", "SqueezeNet of ImageNet"]
    columns += ["ResNet18, trained on all labels", "recommended"]
    return table(["score", *columns, "recommended minus SqueezeNet [95 %]"], rows)


def render_stability():
    """Answer whether two fits find the same groups, by adjusted Rand indices."""
    pairs = {"seeds": "two seeds", "halves": "two halves"}
    fits = {
        f"{title}, {text}": (f"agreement_{name}", setting)
        for setting, title in (("paper", "paper's setting"), ("recommended", "recommended"))
        for name, text in pairs.items()
    }
    rows = []
    for dataset, split in PUBLISHED:
        cells = read_cells(dataset, split)
        for n_train in sorted({n for model, _, n in cells if model == "agreement_seeds"}):
            shown = [cells.get((*row, n_train)) for row in fits.values()]
            scores = ["" if one is None else spread(one["ari"]) for one in shown]
            rows.append([f"{TITLES[dataset]}, {split}", n_train, *scores])
    return table(["data", "training images", *fits], rows)


def render_speed():
    """Answer how fast the method is."""
    paper, recommended, digits = (
        _minutes(job)
        for job in (
            *("pneumoniamnist/4708/paper", "pneumoniamnist/4708/recommended"),
            "mnist/60000/recommended",
        )
    )
    rows = [
        ["fit to 4708 X-rays, recommended setting", recommended, "the paper's setting", paper],
        ["fit to 60 000 digits, recommended setting", digits, "", ""],
    ]
    records = {one["name"]: one for one in read("speed")}
    for measured, other, name, unit in SPEED:
        one = records[name]
        rows.append([measured, f"{one['ours']:,g} {unit}", other, f"{one['other']:,g} {unit}"])
    on_gpu, on_cpu = (_fastest_epoch(device) for device in ("cuda", "cpu"))
    rows.append(["training on a GPU", on_gpu, "the 16 cores of the same machine", on_cpu])
    return table(["measured", "this library", "compared with", "other"], rows)


def _minutes(job):
    """Return the median time of fits on two cores."""
    runs = [run for run in read("table1_header")[job] if "2 cores" in run["made_by"]["machine"]]
    return f"{median(run['fit_seconds'] for run in runs) / 60:.1f} min"


def _fastest_epoch(device):
    epochs = [one for one in read("devices")["epochs"] if one["device"] == device]
    best = max(epochs, key=lambda one: one["images_per_second"])
    how = f"{best['precision']}, batches of {best['batch_size']}"
    return f"{best['images_per_second']:,} images/s ({how})"


def render_parts():
    """Answer how much each part of the settings contributes."""
    shown = {
        "X-rays": (read_changes("pneumoniamnist", None), ("nmi", "balanced", "knn")),
        "digits": (read_changes("mnist", 20_000), ("nmi", "balanced", "knn")),
    }
    rows = []
    for name, title in PARTS.items():
        whole, row = name.split(",")[0], [title]
        for changes, columns in shown.values():
            for column in columns:
                value, base = (mean(run[column] for run in changes[one]) for one in (name, whole))
                row.append(f"{value:.3f}" + f" ({value - base:+.3f})" * (name != whole))
        rows.append(row)
    names = [f"{data}, {COLUMNS[name]}" for data, (_, names) in shown.items() for name in names]
    return table(["setting, one change", *names], rows)


TABLES = {
    "pixels": render_pixels,
    "pretrained": render_pretrained,
    "stability": render_stability,
    "speed": render_speed,
    "parts": render_parts,
}
