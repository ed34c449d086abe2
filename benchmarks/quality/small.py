"""The recommended setting on a few hundred images of several kinds.

Run from the repository; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.quality.small --seeds 0 1 2

X-rays and digits are drawn from training splits. Scores are those of the other images of a set, at
most 1000. The setting is compared with KMeans and kNN on pixels and on principal components, and
with its own clusterer on pixels and on whitened components. KMeans has the true number of classes,
or as many clusters as the setting found.

Prints the rows of each run and writes ``benchmarks/results/small.json`` after each run. Runs that
have a result are skipped.
"""

import argparse
import json
import time
from functools import partial

import numpy as np
from skimage import data
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality.baselines import rows_of_communities
from benchmarks.quality.evaluation import (
    equal_images,
    flat,
    load,
    rows_of_clusters,
    rows_of_kmeans,
    rows_of_probe,
)
from benchmarks.quality.settings import fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, KNNProbe, recommended

PATH = RESULTS / "small.json"
HELD_BACK = 1000


def xrays():
    """Return X-rays of PneumoniaMNIST: normal, pneumonia."""
    return load("pneumoniamnist")["train"]


def digits(n_classes):
    """Return the digits of MNIST below `n_classes`."""
    X, y = load("mnist")["train"]
    return X[y < n_classes], y[y < n_classes]


def patches_of(*images):
    """Return patches of 28 x 28 pixels without overlap, labelled by the image's number."""
    patches = []
    for image in images:
        height, width = (28 * (size // 28) for size in image.shape[:2])
        tiles = image[:height, :width].reshape(height // 28, 28, width // 28, 28, -1)
        patches.append(tiles.swapaxes(1, 2).reshape(-1, 28, 28, tiles.shape[-1]))
    return np.concatenate(patches), np.repeat(np.arange(len(images)), [len(p) for p in patches])


def photographs():
    """Return colour patches of scikit-learn's two photographs: a temple, a flower."""
    return patches_of(*load_sample_images().images)


def textures():
    """Return patches of scikit-image's photographs of surfaces: brick, grass, gravel."""
    X, y = patches_of(data.brick(), data.grass(), data.gravel())
    return X[..., 0], y


def faces():
    """Return images with and without a face: scikit-image's part of Labeled Faces in the Wild."""
    X = data.lfw_subset()
    return np.round(255 * X).astype(np.uint8), np.repeat([1, 0], 100)


#: The function that loads a set, and the number of images to fit.
SETS = {
    "X-rays, few": (xrays, 300),
    "X-rays": (xrays, 1000),
    "3 digits": (partial(digits, 3), 500),
    "5 digits": (partial(digits, 5), 1000),
    "photographs, RGB": (photographs, 400),
    "textures": (textures, 600),
    "faces": (faces, 140),
}


def draw(name, seed):
    """Draw the images to fit and those to judge by, without duplicates."""
    load_images, n_samples = SETS[name]
    X, y = load_images()
    first = np.unique(equal_images(X), return_index=True)[1]
    X, X_held_back, y, y_held_back = train_test_split(
        X[first], y[first], train_size=n_samples, random_state=seed
    )
    return {"train": (X, y), "held_back": (X_held_back[:HELD_BACK], y_held_back[:HELD_BACK])}


def run(params, splits, seed):
    """Fit; judge the setting and the methods that it is compared with."""
    started = time.perf_counter()
    model = ContrastiveAutoencoderClusterer(**params, output="embedding", random_state=seed)
    model.fit(splits["train"][0])
    seconds = time.perf_counter() - started
    embedding = {split: model.transform(X) for split, (X, _) in splits.items()}
    rows = rows_of_clusters("recommended", splits, lambda split: model.predict(splits[split][0]))
    rows += rows_of_probe("recommended_knn", KNNProbe(), splits, embedding)
    rows += rows_beside(splits, model.n_clusters_, seed)
    scores = {row["model"]: {"n_clusters": row.get("n_clusters"), **row["metrics"]} for row in rows}
    return {"seconds": round(seconds, 1), "scores": scores}


def rows_beside(splits, n_clusters, seed):
    """Judge methods without a network: KMeans, kNN and communities on pixels and components."""
    pixels = {split: flat(X) for split, (X, _) in splits.items()}
    pca = PCA(128, random_state=seed).fit(pixels["train"])
    components = {split: pca.transform(X) for split, X in pixels.items()}
    rows = rows_of_communities(splits, seed, {"": "auto"})
    for name, features in (("pixels", pixels), ("pca", components)):
        rows += rows_of_kmeans(name, splits, features, n_clusters, seed)
        rows += rows_of_probe(f"{name}_knn", KNNProbe(), splits, features)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.sets:
            results = json.loads(PATH.read_text()) if PATH.exists() else []
            n_samples = SETS[name][1]
            params = recommended(n_samples)
            key = {"set": name, "n_samples": n_samples, "seed": seed, "hash": fingerprint(params)}
            if any(key.items() <= one.items() for one in results):
                continue
            found = run(params, draw(name, seed), seed)
            print(*key.values(), f"{found['seconds']} s", flush=True)
            for model, scores in found["scores"].items():
                shown = ("n_clusters", "nmi", "accuracy", "balanced_accuracy")
                print(f"  {model:<28}", *(f"{one} {scores.get(one)}" for one in shown), flush=True)
            write_records(PATH, [*results, {**key, **found, "made_by": describe_run()}])


if __name__ == "__main__":
    main()
