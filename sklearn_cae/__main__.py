"""Command line: cluster a data set, evaluate it as the paper does, and write pictures.

``python -m sklearn_cae --help`` shows the options.
"""

import argparse
import json
import os
import time
from copy import copy
from pathlib import Path

# Heavy modules are imported where they are used, so that --help is fast.


def main(arguments=None):
    """Run the command line; `arguments` replace those of the process."""
    options = _parse(arguments)
    try:
        splits, views = _load(options)
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f"sklearn_cae: {error}") from error
    output = Path(options.output)
    _check_output(output)
    X, _ = splits["train"]
    started = time.perf_counter()
    clusterer = _make_clusterer(options, views, len(X)).fit(X)
    seconds = time.perf_counter() - started
    mapper = _write_model(output, clusterer, *splits["train"])
    rows = _evaluate(clusterer, splits, options.seed)
    reports = _cluster_reports(clusterer, splits)
    _write_scores(output, options, clusterer, seconds, rows, reports)
    print(f"\nk = {clusterer.n_clusters_}, fitted on {len(X)} images in {seconds:.0f} s.\n")
    print(_format_table(rows))
    for split, report in reports.items():
        print(f"\nClusters compared with the labels of the {split} split:\n{report}")
    print(f"\nDrawing pictures into {output}/ ...")
    written = _write_pictures(output, clusterer, mapper, splits, options.seed)
    print("Done: " + ", ".join(["model.safetensors", "scores.json", *written]))


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_cae",
        description="Cluster a data set without its labels, and evaluate the clusters with its "
        "labels as the paper does (stat, kNN, linear). Raw pixels are evaluated for comparison. "
        "The fitted model, the scores and pictures are written to a folder.",
    )
    parser.add_argument(
        "--dataset",
        default="digits",
        help="digits (bundled, the default), mnist, or a 2-D MedMNIST set such as pneumoniamnist",
    )
    parser.add_argument(
        "--setting",
        choices=["paper", "recommended"],
        default="paper",
        help="paper (the default), or recommended, which is better in the benchmarks",
    )
    parser.add_argument(
        "--epochs",
        type=_positive,
        help="epochs per phase (default: 50, or recommended for the number of images)",
    )
    parser.add_argument(
        "--n-clusters",
        type=_number_or_way,
        help="a number, elbow (search of the paper) or auto (recommended search)",
    )
    parser.add_argument(
        "--max-samples", type=_positive, help="number of training images, the first ones"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the random numbers (default: 0)"
    )
    parser.add_argument("--output", default="results", help="folder to write to (default: results)")
    return parser.parse_args(arguments)


def _positive(text, or_else=""):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on{or_else}, got {text!r}")
    return int(text)


def _number_or_way(text):
    return text if text in ("elbow", "auto") else _positive(text, ", elbow or auto")


def _load(options):
    """Return {split: (images, labels)}, training first, and an augmentation for the images."""
    from sklearn.model_selection import train_test_split

    from . import datasets

    if options.dataset == "digits":
        X, y = _with_names(datasets.load_digit_images())
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.25, stratify=y, random_state=options.seed
        )
        splits = {"train": (X_train, y_train), "test": (X_test, y_test)}
    elif options.dataset == "mnist":
        splits = {split: _with_names(datasets.load_mnist(split)) for split in ("train", "test")}
    else:
        splits = {
            split: _with_names(datasets.load_medmnist(options.dataset, split))
            for split in ("train", "val", "test")
        }
    X, y = splits["train"]
    splits["train"] = X[: options.max_samples], y[: options.max_samples]
    return splits, "digits" if options.dataset in ("digits", "mnist") else "paper"


def _with_names(bunch):
    """Return images and class names, which tables and pictures show."""
    if bunch.target.ndim > 1:
        raise ValueError("--dataset must have one label per image, got several. Choose another.")
    return bunch.data, bunch.target_names[bunch.target]


def _check_output(output):
    """Fail before training if nothing could be drawn or written afterwards."""
    from .plotting._pictures import check_matplotlib

    try:
        check_matplotlib()
        output.mkdir(parents=True, exist_ok=True)
    except ImportError as error:
        raise SystemExit(f"sklearn_cae: {error}") from error
    except OSError as error:
        raise SystemExit(f"sklearn_cae: --output must be a writable folder: {error}") from error
    if not os.access(output, os.W_OK):
        raise SystemExit(f"sklearn_cae: --output must be a writable folder, got {output}")


def _make_clusterer(options, augmentation, n_samples):
    from . import ContrastiveAutoencoderClusterer, recommended

    asked = {
        "n_clusters": options.n_clusters,
        "warm_up_epochs": options.epochs,
        "conditioning_epochs": options.epochs,
    }
    params = {"augmentation": augmentation}
    if options.setting == "recommended":
        params = recommended(n_samples)
        asked["refinement_epochs"] = options.epochs
    params |= {name: value for name, value in asked.items() if value is not None}
    return ContrastiveAutoencoderClusterer(**params, random_state=options.seed, verbose=1)


def _evaluate(clusterer, splits, seed):
    """Fit the three evaluations of the paper on training labels; score the other splits.

    Raw pixels and the majority class are evaluated in the same way.
    """
    from sklearn.cluster import KMeans
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import make_pipeline

    from . import ClusterLabelMapper, KNNProbe, LinearProbe

    views = {
        "pixels": {
            split: X.reshape(len(X), -1).astype("float32") / 255 for split, (X, _) in splits.items()
        },
    }
    assigned = {split: clusterer.assign(X) for split, (X, _) in splits.items()}
    for output in ("embedding", "soft_assignment"):
        views[output] = {split: answers[output] for split, answers in assigned.items()}
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
    from .metrics import clustering_report

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


def _write_scores(output, options, clusterer, seconds, rows, reports):
    from importlib.metadata import version

    from ._storage.files import write_whole

    scores = {
        "options": vars(options),
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

    from . import ClusterLabelMapper, save

    mapper = ClusterLabelMapper().fit(clusterer.predict_proba(X), y)
    save(make_pipeline(clusterer, mapper), output / "model.safetensors")
    return mapper


def _write_pictures(output, clusterer, mapper, splits, seed):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from . import plotting

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
    for name, display in displays.items():
        display.figure_.savefig(output / f"{name}.png", dpi=150)
        plt.close(display.figure_)
    return [f"{name}.png" for name in displays]


if __name__ == "__main__":
    main()
