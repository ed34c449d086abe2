"""How every row of the tables is judged: one function for all of them."""

import base64
import zlib

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    adjusted_rand_score,
    balanced_accuracy_score,
    normalized_mutual_info_score,
    precision_score,
    recall_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._common import LOADERS
from sklearn_cae import ClusterLabelMapper, KNNProbe, LinearProbe
from sklearn_cae.metrics import hungarian_accuracy

SPLITS = {"pneumoniamnist": ("train", "val", "test"), "mnist": ("train", "test")}


def load(dataset, max_samples=None):
    """Give {split: (images, labels)}; `max_samples` of the training images."""
    splits = {split: LOADERS[dataset](split, return_X_y=True) for split in SPLITS[dataset]}
    X, y = splits["train"]
    return {**splits, "train": (X[:max_samples], y[:max_samples])}


def count_classes(splits):
    return len(np.unique(splits["train"][1]))


def equal_images(X):
    """Give each image the number of the images that equal it: groups for a split."""
    return np.unique(X.reshape(len(X), -1), axis=0, return_inverse=True)[1].ravel()


def rows_of_predictions(model, splits, predict, **extra):
    """Judge a classifier, `predict` from a split's name to labels, on the held-back splits."""
    return [
        {"model": model, "split": split, **extra, **judge(y, predict(split))}
        for split, (_, y) in splits.items()
        if split != "train"
    ]


def judge(y_true, y_pred):
    """Scores, and which samples are right: 8 a byte, for paired comparisons."""
    right = np.packbits(np.asarray(y_true) == y_pred).tobytes()
    metrics = classification(y_true, y_pred)
    metrics["majority_baseline"] = float(np.bincount(y_true).max() / len(y_true))
    return {"metrics": metrics, "right": base64.b64encode(right).decode()}


def unpack_right(text, n_samples):
    """Undo what `judge` does: whether each sample is right."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8))
    return bits[:n_samples].astype(bool)


def pack_clusters(labels):
    """Write up to 256 clusters of samples as text."""
    return base64.b64encode(zlib.compress(labels.astype(np.uint8).tobytes())).decode()


def unpack_clusters(text):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)


def classification(y_true, y_pred):
    """Accuracies, and precision and recall in both averages."""
    scores = {
        "accuracy": accuracy_score(y_true, y_pred),
        "balanced_accuracy": balanced_accuracy_score(y_true, y_pred),
    }
    for average in ("weighted", "macro"):
        options = {"average": average, "zero_division": 0}
        scores[f"precision_{average}"] = precision_score(y_true, y_pred, **options)
        scores[f"recall_{average}"] = recall_score(y_true, y_pred, **options)
    return {name: float(value) for name, value in scores.items()}


def rows_of_clusters(model, splits, assign):
    """Judge clusters, `assign` from a split's name to ids: each carries its most frequent label."""
    ids = {split: np.asarray(assign(split)).reshape(-1, 1) for split in splits}
    mapper = ClusterLabelMapper(input="labels").fit(ids["train"], splits["train"][1])
    n_clusters = len(np.unique(ids["train"]))
    rows = rows_of_predictions(
        model, splits, lambda split: mapper.predict(ids[split]), n_clusters=n_clusters
    )
    for row in rows:
        y, found = splits[row["split"]][1], ids[row["split"]].ravel()
        row["metrics"] |= {
            "nmi": float(normalized_mutual_info_score(y, found)),
            "ari": float(adjusted_rand_score(y, found)),
            "hungarian": float(hungarian_accuracy(y, found)),
        }
    return rows


def rows_of_features(name, splits, features, n_clusters, seed, **options):
    """Judge features, {split: (n, n_features)}, by KMeans, kNN and linear layers."""
    rows = rows_of_kmeans(name, splits, features, n_clusters, seed)
    return rows + rows_of_probes(splits, features, seed, prefix=f"{name}_", **options)


def rows_of_kmeans(name, splits, features, n_clusters, seed):
    """Judge KMeans with so many clusters, and with as many as there are classes."""
    rows = []
    n_classes = count_classes(splits)
    for k, model in ((n_clusters, f"{name}_kmeans"), (n_classes, f"{name}_kmeans_true_k")):
        kmeans = KMeans(k, n_init=5, random_state=seed)
        rows += rows_of_clusterer(model, kmeans, splits, features)
    return rows


def rows_of_clusterer(name, clusterer, splits, features):
    """Judge the clusters of one clusterer that is fitted to features."""
    clusterer.fit(features["train"])
    labels = {split: clusterer.predict(X) for split, X in features.items()}
    return rows_of_clusters(name, splits, labels.get)


def rows_of_probes(splits, features, seed, *, prefix="", suffix="", standardize=True):
    """Judge features by kNN, by a linear layer on a fifth of the labels, and by one on all.

    Without `standardize` the last one takes the features as they are, which serves pixels better:
    those that hardly vary would count as much as all others.
    """
    logistic = LogisticRegression(max_iter=3000)
    models = {
        "knn": KNNProbe(),
        "knn_euclidean": KNNProbe(metric="euclidean"),
        "linear": LinearProbe(random_state=seed),
        "logistic": make_pipeline(StandardScaler(), logistic) if standardize else logistic,
    }
    rows = []
    for name, model in models.items():
        rows += rows_of_probe(f"{prefix}{name}{suffix}", model, splits, features)
    return rows


def rows_of_probe(name, probe, splits, features):
    """Judge features by one classifier that is fitted to them."""
    probe.fit(features["train"], splits["train"][1])
    return rows_of_predictions(name, splits, lambda split: probe.predict(features[split]))


def flat(X):
    """Images as float32 rows in [0, 1]."""
    return X.reshape(len(X), -1).astype(np.float32) / 255.0
