"""Whether "auto" claims groups in noise: fits that call a number of communities stable.

Run from the repository; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.quality.noise --seeds 20

There are 300 samples of each kind: two Gaussians, images of noise, X-rays of PneumoniaMNIST whose
pixels are in random order, and X-rays, each pixel of which comes from another X-ray. 60 samples of
a Gaussian are a hard case. Images are embedded by the encoder of the recommended setting.

Prints a row per kind and writes ``benchmarks/results/noise.json``.
"""

import argparse
import warnings

import numpy as np

from benchmarks._common import RESULTS, describe_run, write_records
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.datasets import load_pneumoniamnist

PATH = RESULTS / "noise.json"
N_SAMPLES = 300


def xrays(rng):
    X = load_pneumoniamnist("train").data
    return X[rng.permutation(len(X))[:N_SAMPLES]].reshape(N_SAMPLES, -1)


def as_images(rows):
    return rows.reshape(N_SAMPLES, 28, 28)


#: A function that draws each kind of noise.
KINDS = {
    "60 samples of a Gaussian, 2 features": lambda rng: rng.normal(size=(60, 2)),
    "Gaussian, 10 features": lambda rng: rng.normal(size=(N_SAMPLES, 10)),
    "Gaussian, 64 features": lambda rng: rng.normal(size=(N_SAMPLES, 64)),
    "images of noise": lambda rng: rng.integers(0, 256, (N_SAMPLES, 28, 28)).astype(np.uint8),
    "X-rays with shuffled pixels": lambda rng: as_images(rng.permuted(xrays(rng), axis=1)),
    "pixels from other X-rays": lambda rng: as_images(rng.permuted(xrays(rng), axis=0)),
}


def search(X, seed):
    """Return the record of the search for a number of groups."""
    if X.ndim == 2:
        return CommunityClusterer(random_state=seed).fit(X).search_
    changes = {"warm_up_epochs": 1, "refinement_epochs": 0, "conditioning_epochs": 0}
    params = recommended(len(X), image_shape=X.shape[1:], **changes)
    return ContrastiveAutoencoderClusterer(**params, random_state=seed).fit(X).search_


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    records = []
    for kind, draw in KINDS.items():
        found = [search(draw(np.random.default_rng(s)), s) for s in range(options.seeds)]
        row = {
            "kind": kind,
            "n_seeds": options.seeds,
            "n_found": sum(one["found"] for one in found),
        }
        print(row, flush=True)
        records.append({**row, "made_by": describe_run()})
        write_records(PATH, records)


if __name__ == "__main__":
    main()
