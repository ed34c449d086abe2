"""``sklearn-cae demo``: cluster a known data set, and evaluate it as the paper does."""

import json
import time
from copy import copy
from pathlib import Path

from ._messages import errors_in_a_sentence
from ._options import add_fit_options, check_output, positive
from ._results import draw_without_window, save_pictures

#: Epochs of the short trainings, by setting.
_SHORT = {
    "recommended": {"warm_up_epochs": 20, "refinement_epochs": 10, "conditioning_epochs": 5},
    "paper": {"warm_up_epochs": 20, "conditioning_epochs": 5},
}


def add_to(commands):
    """Add this command to the command line."""
    parser = commands.add_parser(
        "demo",
        help="try the library on a known data set",
        description="Cluster a data set without its labels, and evaluate the clusters with its "
        "labels as the paper does (stat, kNN, linear). Raw pixels are evaluated for comparison. "
        "The fitted model, the scores and pictures are written to a folder.",
    )
    parser.add_argument(
        "--dataset",
        default="digits",
        help="digits (bundled, the default), mnist, or a MedMNIST set such as pneumoniamnist",
    )
    parser.add_argument(
        "--setting",
        choices=["both", "recommended", "paper"],
        default="both",
        help="parameters: recommended, those of the paper, or both for comparison (the default)",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="train as long as in the benchmarks, instead of some minutes",
    )
    add_fit_options(parser, epochs="few, or with --full those of the setting")
    parser.add_argument(
        "--max-samples", type=positive, help="number of training images, the first ones"
    )
    parser.add_argument("--output", default="results", help="folder to write to (default: results)")
    parser.set_defaults(run=run)


def run(options):
    """Fit each setting, evaluate it, and draw it."""
    output = Path(options.output)
    with errors_in_a_sentence():
        draw_without_window()
        check_output(output)
        splits, of_data = _load(options)
    settings = ["recommended", "paper"] if options.setting == "both" else [options.setting]
    rows = {}
    for setting in settings:
        folder = output / setting if len(settings) > 1 else output
        folder.mkdir(exist_ok=True)
        rows[setting] = _run_setting(setting, options, splits, of_data, folder)
    if len(settings) > 1:
        print(f"\n{_compare(rows)}")


def _run_setting(setting, options, splits, of_data, output):
    """Fit one setting; write and print what it is worth; return its scores."""
    X, _ = splits["train"]
    clusterer = _make_clusterer(setting, options, of_data, X.shape)
    print(f"\n{_describe(setting, clusterer, X.shape)}", flush=True)
    started = time.perf_counter()
    clusterer.fit(X)
    seconds = time.perf_counter() - started
    mapper = _write_model(output, clusterer, *splits["train"])
    rows = _evaluate(clusterer, splits, options.seed)
    reports = _cluster_reports(clusterer, splits)
    given = {name: value for name, value in vars(options).items() if name != "run"}
    _write_scores(output, {**given, "setting": setting}, clusterer, seconds, rows, reports)
    print(f"\nk = {clusterer.n_clusters_}, fitted on {len(X)} images in {seconds:.0f} s.\n")
    print(_format_table(rows))
    for split, report in reports.items():
        print(f"\nClusters compared with the labels of the {split} split:\n{report}")
    print(f"\nDrawing pictures into {output}/ ...", flush=True)
    written = _write_pictures(output, clusterer, mapper, splits, options.seed)
    print("Done: " + ", ".join(["model.safetensors", "scores.json", *written]))
    return rows


def _describe(setting, clusterer, shape):
    """Tell what is trained, and whether the training is short."""
    n_epochs = clusterer.warm_up_epochs
    full = _params(setting, shape, {"spatial_dims": clusterer.spatial_dims})["warm_up_epochs"]
    trained = "" if clusterer.train_encoder else ", an encoder that needs no training"
    told = f"Setting {setting}: {shape[0]} images{trained}, a warm-up of {n_epochs} epochs"
    if n_epochs >= full:
        return f"{told}."
    return (
        f"{told} instead of {full}, and other phases shortened likewise. Most scores are better "
        "after the full training, which --full runs."
    )


def _load(options):
    """Return {split: (images, labels)}, training first, and the parameters of such images."""
    from sklearn.model_selection import train_test_split

    from .. import datasets

    of_data = {"augmentation": "paper", "spatial_dims": 2}
    if options.dataset in ("digits", "mnist"):
        of_data["augmentation"] = "digits"
    if options.dataset == "digits":
        X, y = _with_names(datasets.load_digit_images())
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.25, stratify=y, random_state=options.seed
        )
        splits = {"train": (X_train, y_train), "test": (X_test, y_test)}
    elif options.dataset == "mnist":
        splits = {split: _with_names(datasets.load_mnist(split)) for split in ("train", "test")}
    else:
        loaded = {
            split: datasets.load_medmnist(options.dataset, split)
            for split in ("train", "val", "test")
        }
        of_data["spatial_dims"] = loaded["train"].spatial_dims
        splits = {split: _with_names(bunch) for split, bunch in loaded.items()}
    X, y = splits["train"]
    splits["train"] = X[: options.max_samples], y[: options.max_samples]
    return splits, of_data


def _with_names(bunch):
    """Return images and class names, which tables and pictures show."""
    if bunch.target.ndim > 1:
        raise ValueError("--dataset must have one label per image, got several. Choose another.")
    return bunch.data, bunch.target_names[bunch.target]


def _make_clusterer(setting, options, of_data, shape):
    from .._estimator import ContrastiveAutoencoderClusterer

    params = _params(setting, shape, of_data)
    if options.epochs is not None:
        params |= dict.fromkeys(_SHORT[setting], options.epochs)
    elif not options.full and params.get("train_encoder", True):  # the others take seconds
        params |= _SHORT[setting]
    if options.n_clusters is not None:
        params["n_clusters"] = options.n_clusters
    return ContrastiveAutoencoderClusterer(**params, random_state=options.seed, verbose=1)


def _params(setting, shape, of_data):
    """Return the parameters of a setting, with the epochs of the benchmarks."""
    from .._recommended import recommended

    if setting == "recommended":
        dims = of_data["spatial_dims"]
        return recommended(shape[0], image_shape=shape[1:], spatial_dims=dims)
    epochs = {"warm_up_epochs": 50, "refinement_epochs": 0, "conditioning_epochs": 50}
    return {**epochs, **of_data}


def _evaluate(clusterer, splits, seed):
    """Fit the three evaluations of the paper on training labels; score the other splits.

    Raw pixels and the majority class are evaluated in the same way.
    """
    from sklearn.cluster import KMeans
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import make_pipeline

    from ..label_mapper import ClusterLabelMapper
    from ..probes import KNNProbe, LinearProbe

    views = {
        "pixels": {
            split: X.reshape(len(X), -1).astype("float32") / 255 for split, (X, _) in splits.items()
        },
    }
    assigned = {split: clusterer.assign(X) for split, (X, _) in splits.items()}
    for output in ("embedding", "soft_assignment"):
        views[output] = {split: answers[output] for split, answers in assigned.items()}
    if clusterer.train_encoder:
        projector = copy(clusterer).set_params(output="projection")
        views["projection"] = {split: projector.transform(X) for split, (X, _) in splits.items()}
    k = clusterer.n_clusters_
    kmeans = KMeans(k, n_init=5, random_state=seed)
    models = [
        ("majority class", "pixels", DummyClassifier()),
        ("stat", "soft_assignment", ClusterLabelMapper()),
        ("kNN", "embedding", KNNProbe()),
        ("linear, embedding", "embedding", LinearProbe(random_state=seed)),
        ("linear, projection", "projection", LinearProbe(random_state=seed)),
        ("pixels, KMeans", "pixels", make_pipeline(kmeans, ClusterLabelMapper(input="distance"))),
        ("pixels, kNN", "pixels", KNNProbe(metric="euclidean")),
        ("pixels, linear", "pixels", LinearProbe(random_state=seed)),
    ]
    rows = []
    for name, view, model in models:
        if view not in views:  # a fixed encoder has no projection
            continue
        model.fit(views[view]["train"], splits["train"][1])
        n_clusters = k if name in ("stat", "pixels, KMeans") else None
        for split, (_, y) in _held_back(splits).items():
            scores = score_labels(y, model.predict(views[view][split]))
            rows.append({"model": name, "split": split, "n_clusters": n_clusters, **scores})
    return rows


def _held_back(splits):
    return {split: given for split, given in splits.items() if split != "train"}


def score_labels(y_true, y_pred):
    """Score predicted labels: accuracies, and precision and recall with both averages.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted labels.

    Returns
    -------
    scores : dict of str to float
        Score per name.
    """
    from sklearn.metrics import (
        accuracy_score,
        balanced_accuracy_score,
        precision_score,
        recall_score,
    )

    scores = {
        "accuracy": accuracy_score(y_true, y_pred),
        "balanced_accuracy": balanced_accuracy_score(y_true, y_pred),
    }
    for average in ("weighted", "macro"):
        options = {"average": average, "zero_division": 0}
        scores[f"precision_{average}"] = precision_score(y_true, y_pred, **options)
        scores[f"recall_{average}"] = recall_score(y_true, y_pred, **options)
    return {name: float(score) for name, score in scores.items()}


def _cluster_reports(clusterer, splits):
    from ..metrics import clustering_report

    return {
        split: clustering_report(y, clusterer.predict(X))
        for split, (X, y) in _held_back(splits).items()
    }


def _format_table(rows):
    columns = [column for column in rows[0] if column not in ("model", "split", "n_clusters")]
    lines = ["  ".join(["model".ljust(18), "split", " k", *columns])]
    for row in rows:
        numbers = [f"{row[column]:.3f}".rjust(len(column)) for column in columns]
        k = str(row["n_clusters"] or "").rjust(2)
        lines.append("  ".join([row["model"].ljust(18), row["split"].ljust(5), k, *numbers]))
    return "\n".join(lines)


def _compare(rows):
    """Return a table of accuracies: a column per setting, beside pixels with as many clusters."""
    models = ["stat", "pixels, KMeans", "kNN", "pixels, kNN", "linear, embedding", "pixels, linear"]
    scores = {
        (setting, row["split"], row["model"]): row for setting, each in rows.items() for row in each
    }
    lines = []
    for split in dict.fromkeys(split for _, split, _ in scores):
        lines.append(
            f"Accuracy (balanced) on the {split} split".ljust(44)
            + "  ".join(setting.ljust(22) for setting in rows)
        )
        for model in ["majority class", *models]:
            cells = (_in_a_cell(scores[setting, split, model]).ljust(22) for setting in rows)
            lines.append("  ".join([f"  {model}".ljust(42), *cells]))
    lines.append("stat rises with k, the number of clusters. pixels, KMeans has as many as stat.")
    return "\n".join(line.rstrip() for line in lines)


def _in_a_cell(row):
    k = f", k = {row['n_clusters']}" if row["n_clusters"] else ""
    return f"{row['accuracy']:.3f} ({row['balanced_accuracy']:.3f}){k}"


def _write_scores(output, options, clusterer, seconds, rows, reports):
    from importlib.metadata import version

    from .._storage.files import write_whole

    scores = {
        "options": options,
        "n_clusters": clusterer.n_clusters_,
        "number_found": clusterer.search_["found"] if clusterer.search_ else None,
        "fit_seconds": round(seconds, 1),
        "versions": {name: version(name) for name in ("sklearn_cae", "torch", "scikit-learn")},
        "scores": rows,
        "clusters": {split: report.to_dict() for split, report in reports.items()},
    }
    write_whole(output / "scores.json", (json.dumps(scores, indent=1) + "\n").encode())


def _write_model(output, clusterer, X, y):
    """Map clusters to labels, and save the pipeline for `sklearn_cae.load`."""
    from sklearn.pipeline import make_pipeline

    from ..label_mapper import ClusterLabelMapper
    from ..persistence import save

    mapper = ClusterLabelMapper().fit(clusterer.predict_proba(X), y)
    save(make_pipeline(clusterer, mapper), output / "model.safetensors")
    return mapper


def _write_pictures(output, clusterer, mapper, splits, seed):
    from .. import plotting

    X, y = splits["test"]
    mapped = mapper.predict(clusterer.predict_proba(X))
    displays = {
        "embedding": plotting.EmbeddingDisplay.from_estimator(
            clusterer, X, y, mapped_labels=mapped, random_state=seed
        ),
        "prototypes": plotting.PrototypeDisplay.from_estimator(
            clusterer, X, y, mapped_labels=mapped, random_state=seed
        ),
        "reconstructions": plotting.ReconstructionDisplay.from_estimator(
            clusterer, X, random_state=seed
        ),
        "history": plotting.HistoryDisplay.from_estimator(clusterer),
    }
    if clusterer.search_ and "knee" in clusterer.search_:
        displays["elbow"] = plotting.ElbowDisplay.from_estimator(clusterer)
    save_pictures(displays, output)
    return [f"{name}.png" for name in displays]
