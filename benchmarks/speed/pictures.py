"""How long a picture of an embedding of 60 000 images takes, by each layout.

Run from the repository, with MNIST where ``sklearn_cae.datasets`` finds it:

    python -m benchmarks.speed.pictures

The embedding is that of 128 principal components; of 60 000 samples 2000 are laid out, and the
others get a place where the method can. Writes ``benchmarks/results/pictures.json``.
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
