"""Foreign images: which share is told, if 5 % of new images of the same kind are told by mistake.

Run from the repository; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.quality.foreign

The recommended setting is fitted on 400 images of PneumoniaMNIST or MNIST. `novelty` is then
measured for new images of the same kind (the validation images of PneumoniaMNIST, the test images
of MNIST) and for 200 images of other kinds. The first column is the share of false alarms. The last
one is the same for the reconstruction error of the networks, calibrated on their training images:
the reason why `novelty` does not use it.

If the file ``brain_mri.npz`` (key "images_64", uint8) lies beside the data, its slices are a kind,
too. Prints a row per fit and writes ``benchmarks/results/foreign.json`` after each. Rows that are
there are skipped.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality.settings import fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_mnist, load_pneumoniamnist

PATH = RESULTS / "foreign.json"
N_SAMPLES, N_FOREIGN = 400, 200
LEVEL = 0.05


def load(name):
    """Return all training images and all new images of a data set."""
    if name == "PneumoniaMNIST":
        return [load_pneumoniamnist(split).data for split in ("train", "val")]
    return [load_mnist(split).data.reshape(-1, 28, 28) for split in ("train", "test")]


def make_foreign(name, new, rng):
    """Return images of other kinds, 200 of each."""
    own = new[rng.permutation(len(new))[:N_FOREIGN]]
    other = load("MNIST" if name == "PneumoniaMNIST" else "PneumoniaMNIST")[1]
    kinds = {
        "white": np.full_like(own, 255),
        "noise": rng.integers(0, 256, own.shape).astype(np.uint8),
        "inverted": 255 - own,
        "turned by 90 degrees": np.rot90(own, axes=(1, 2)),
        "the other data set": other[rng.permutation(len(other))[:N_FOREIGN]],
    }
    path = Path(os.environ.get("SKLEARN_CAE_DATA", "."), "brain_mri.npz")
    if path.exists():
        slices = np.load(path)["images_64"]
        drawn = slices[rng.permutation(len(slices))[:N_FOREIGN]]
        kinds["brain slices"] = np.stack(
            [np.asarray(Image.fromarray(each).resize((28, 28))) for each in drawn]
        )
    return kinds


def run(params, name, seed):
    rng = np.random.default_rng(seed)
    train, new = load(name)
    X = train[rng.permutation(len(train))[:N_SAMPLES]]
    model = ContrastiveAutoencoderClusterer(**params, random_state=seed).fit(X)

    def told(images):
        return float((model.novelty(images) >= 1 - LEVEL).mean())

    def errors(images):
        return np.square(model.reconstruct(images) - images.astype(float)).mean(axis=(1, 2))

    by_networks = errors(new) > np.quantile(errors(X), 1 - LEVEL)
    return {
        "false_alarms": told(new),
        "told": {kind: told(images) for kind, images in make_foreign(name, new, rng).items()},
        "false_alarms_of_networks": float(by_networks.mean()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    params = recommended(N_SAMPLES)
    for seed in options.seeds:
        for name in ("PneumoniaMNIST", "MNIST"):
            results = json.loads(PATH.read_text()) if PATH.exists() else []
            key = {"data": name, "seed": seed, "hash": fingerprint(params)}
            if any(key.items() <= one.items() for one in results):
                continue
            found = run(params, name, seed)
            print(key, found, flush=True)
            write_records(PATH, [*results, {**key, **found, "made_by": describe_run("pillow")}])


if __name__ == "__main__":
    main()
