"""Which way to one size: a folder of X-rays of all proportions, read and clustered.

Run from the repository; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.quality.folder --seeds 0 1

Training images of PneumoniaMNIST are brought to heights and widths from 200 to 512 pixels, at
random and so without a relation to the label, and written as PNG. `read_images` brings them to one
size in each way of `fit`. The groups are compared with the labels and with three classes of the
proportions (landscape, square, portrait), judged on the images that were fitted.

Prints a row per fit and writes ``benchmarks/results/folder.json`` after each. Rows that are there
are skipped.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality.settings import fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_pneumoniamnist
from sklearn_cae.images import read_images

PATH = RESULTS / "folder.json"
N_SAMPLES = 400
FITS = ("stretch", "crop", "pad")


def write_folder(folder, seed):
    """Write X-rays of random proportions; return their labels."""
    rng = np.random.default_rng(seed)
    X, y = load_pneumoniamnist("train", return_X_y=True)
    drawn = rng.permutation(len(X))[:N_SAMPLES]
    for index, image in enumerate(X[drawn]):
        width, height = (int(side) for side in rng.integers(200, 513, 2))
        picture = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(Path(folder, f"{index}.png"))
    return y[drawn]


def proportions(metadata):
    """Return 0 for portrait, 1 for roughly square, 2 for landscape."""
    return np.digitize(metadata.width / metadata.height, [0.8, 1.25])


def run(params, fit, size, seed):
    with tempfile.TemporaryDirectory() as folder:
        y = write_folder(folder, seed)
        found = read_images(folder, size=size, fit=fit)
    started = time.perf_counter()
    model = ContrastiveAutoencoderClusterer(**params, random_state=seed).fit(found.data)
    shape = proportions(found.metadata)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "n_clusters": model.n_clusters_,
        "nmi": normalized_mutual_info_score(y, model.labels_),
        "ari": adjusted_rand_score(y, model.labels_),
        "nmi_proportions": normalized_mutual_info_score(shape, model.labels_),
        "ari_proportions": adjusted_rand_score(shape, model.labels_),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32])
    options = parser.parse_args()
    params = recommended(N_SAMPLES)
    for seed in options.seeds:
        for size in options.sizes:
            for fit in FITS:
                results = json.loads(PATH.read_text()) if PATH.exists() else []
                key = {"fit": fit, "size": size, "seed": seed, "hash": fingerprint(params)}
                if any(key.items() <= one.items() for one in results):
                    continue
                found = run(params, fit, size, seed)
                print(key, found, flush=True)
                write_records(PATH, [*results, {**key, **found, "made_by": describe_run("pillow")}])


if __name__ == "__main__":
    main()
