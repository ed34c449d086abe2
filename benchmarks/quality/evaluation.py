"""Scores of all rows of the tables."""

import base64
import zlib

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._common import LOADERS
from sklearn_cae import ClusterLabelMapper, KNNProbe, LinearProbe
from sklearn_cae._command.demo import score_labels
from sklearn_cae.metrics import hungarian_accuracy

SPLITS = {"pneumoniamnist": ("train", "val", "test"), "mnist": ("train", "test")}


def load(dataset, max_samples=None):
    """Return {split: (images, labels)}, with the first `max_samples` training images."""
    splits = {split: LOADERS[dataset](split, return_X_y=True) for split in SPLITS[dataset]}
    X, y = splits["train"]
    return {**splits, "train": (X[:max_samples], y[:max_samples])}


def count_classes(splits):
    return len(np.unique(splits["train"][1]))


def equal_images(X):
    """Return a group for each image, the same for equal images."""
    return np.unique(X.reshape(len(X), -1), axis=0, return_inverse=True)[1].ravel()


def rows_of_predictions(model, splits, predict, **extra):
    """Judge a classifier on the held-back splits; `predict` maps a split's name to labels."""
    return [
        {"model": model, "split": split, **extra, **judge(y, predict(split))}
        for split, (_, y) in splits.items()
        if split != "train"
    ]


def judge(y_true, y_pred):
    """Return scores, and a bit per sample that is predicted correctly, for paired comparisons."""
    right = np.packbits(np.asarray(y_true) == y_pred).tobytes()
    metrics = score_labels(y_true, y_pred)
    metrics["majority_baseline"] = float(np.bincount(y_true).max() / len(y_true))
    return {"metrics": metrics, "right": base64.b64encode(right).decode()}


def unpack_right(text, n_samples):
    """Return whether each sample is predicted correctly, from the text that `judge` returns."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8))
    return bits[:n_samples].astype(bool)


def pack_clusters(labels):
    """Return the labels of up to 256 clusters as text."""
    return base64.b64encode(zlib.compress(labels.astype(np.uint8).tobytes())).decode()


def unpack_clusters(text):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)


def rows_of_clusters(model, splits, assign):
    """Judge clusters, named by their most frequent label; `assign` maps a split's name to ids."""
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
    """Judge KMeans with `n_clusters`, and with as many clusters as classes."""
    rows = []
    n_classes = count_classes(splits)
    for k, model in ((n_clusters, f"{name}_kmeans"), (n_classes, f"{name}_kmeans_true_k")):
        kmeans = KMeans(k, n_init=5, random_state=seed)
        rows += rows_of_clusterer(model, kmeans, splits, features)
    return rows


def rows_of_clusterer(name, clusterer, splits, features):
    """Fit a clusterer to features and judge its clusters."""
    clusterer.fit(features["train"])
    labels = {split: clusterer.predict(X) for split, X in features.items()}
    return rows_of_clusters(name, splits, labels.get)


def rows_of_probes(splits, features, seed, *, prefix="", suffix="", standardize=True):
    """Judge features by kNN, a linear layer on a fifth of the labels, and a logistic regression.

    Without `standardize` the logistic regression does not standardise the features. This is better
    for pixels: pixels that hardly vary would count as much as all others.
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
    """Fit a classifier to features and judge it."""
    probe.fit(features["train"], splits["train"][1])
    return rows_of_predictions(name, splits, lambda split: probe.predict(features[split]))


def flat(X):
    """Return images as float32 rows in [0, 1]."""
    return X.reshape(len(X), -1).astype(np.float32) / 255.0
