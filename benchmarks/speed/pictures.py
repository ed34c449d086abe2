"""Time to draw an embedding of 60 000 images, by layout method.

Run from the repository; ``sklearn_cae.datasets`` finds MNIST:

    python -m benchmarks.speed.pictures

The embedding is that of 128 principal components. 2000 of the 60 000 samples are laid out, and the
others are placed afterwards if the method can do so. Writes ``benchmarks/results/pictures.json``.
"""

import json
import time

import matplotlib

matplotlib.use("agg")

from sklearn.decomposition import PCA

from benchmarks._common import RESULTS, describe_run
from sklearn_cae.datasets import load_mnist
from sklearn_cae.plotting import EmbeddingDisplay

METHODS = ("tsne", "opentsne", "umap")


def main():
    X, y = load_mnist("train", return_X_y=True)
    embedding = PCA(128, random_state=0).fit_transform(X.reshape(len(X), -1) / 255.0)
    records = []
    for method in METHODS:
        started = time.perf_counter()
        display = EmbeddingDisplay.from_predictions(embedding, {"true label": y}, method=method)
        display.figure_.canvas.draw()
        seconds = time.perf_counter() - started
        n_drawn = len(display.coordinates)
        records.append({"method": method, "drawn": n_drawn, "seconds": round(seconds, 1)})
        print(records[-1], flush=True)
    made_by = describe_run("sklearn_cae", "scikit-learn", "openTSNE", "umap-learn", "matplotlib")
    results = {"made_by": made_by, "pictures": records}
    (RESULTS / "pictures.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
