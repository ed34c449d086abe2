"""Own and pretrained encoders, by the size of the images.

Run from the repository; ``SKLEARN_CAE_DATA`` is the folder of the data:

    python -m benchmarks.quality.encoders --seeds 0 1 2

Half of the images of a set are fitted, the others are judged. Encoders are the recommended one, and
SqueezeNet of ImageNet, fixed, or trained with a tenth of the learning rate of the other networks.
A fixed one sees images at 224 pixels, whatever their own size, a trained one at their own size.
The sets are PneumoniaMNIST (28 pixels, enlarged for larger sizes), and, if the files are there,
``brain_mri.npz`` and ``blood_cells.npz``, with images of 128 pixels that are reduced.

Prints a row per fit and appends it to ``benchmarks/results/encoders.json``. Rows that are there are
skipped. ``--epochs`` is the share of the recommended epochs; ``--samples`` fits fewer images.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality.settings import fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, KNNProbe, recommended
from sklearn_cae.backbones import Backbone
from sklearn_cae.datasets import load_pneumoniamnist

DATA = Path(os.environ.get("SKLEARN_CAE_DATA", "."))
N_SAMPLES = {"pneumoniamnist": 2000, "brain_mri": 1600, "blood_cells": 298}
SIZES = (28, 64, 128, 224)
PRETRAINED_SIZE = 224
ENCODERS = ("own", "fixed", "trained")


def squeezenet(size):
    """Return SqueezeNet with the weights of Caffe, which expects blue first, 0 to 255."""
    return Backbone(
        "squeezenet1_1",
        weights=str(DATA / "squeezenet1_1_imagenet.pth"),
        size=size,
        mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
        std=(1 / 255,) * 3,
        channels="bgr",
    )


def load(name, size):
    """Return images of a size, and labels."""
    if name == "pneumoniamnist":
        X, y = load_pneumoniamnist("train", return_X_y=True)
    else:
        with np.load(DATA / f"{name}.npz") as file:
            X, y = file["images_128"], file["labels"]
    return (X if X.shape[1] == size else resize(X, size)), y


def resize(X, size):
    """Return uint8 images (n, size, size) or (n, size, size, 3)."""
    has_colours = X.ndim == 4
    images = (
        torch.from_numpy(X).permute(0, 3, 1, 2) if has_colours else torch.from_numpy(X)[:, None]
    )
    images = torch.nn.functional.interpolate(
        images.float(), (size, size), mode="bilinear", antialias=size < X.shape[1]
    )
    images = images.round().clamp(0, 255).byte()
    return (images.permute(0, 2, 3, 1).contiguous() if has_colours else images[:, 0]).numpy()


def setting(encoder, size, n_samples, share_of_epochs):
    """Return the parameters of a fit."""
    params = recommended(n_samples)
    if encoder == "fixed":
        squeezed = squeezenet(PRETRAINED_SIZE)
        params = recommended(n_samples, encoder=squeezed, train_encoder=False)
    elif encoder == "trained":
        params = recommended(n_samples, encoder=squeezenet(max(size, 32)), train_encoder=0.1)
    for name in ("warm_up_epochs", "refinement_epochs", "conditioning_epochs"):
        if params[name]:
            params[name] = max(1, round(share_of_epochs * params[name]))
    return params


def run(params, X, y, seed, n_samples):
    """Fit half of the images, and judge by the other half."""
    drawn = np.random.RandomState(seed).permutation(len(X))[:n_samples]
    fitted, judged = train_test_split(drawn, test_size=0.5, random_state=seed, stratify=y[drawn])
    model = ContrastiveAutoencoderClusterer(**params, random_state=seed)
    started = time.perf_counter()
    model.fit(X[fitted])
    seconds = time.perf_counter() - started
    embedding = {name: model.embed(X[one]) for name, one in (("fit", fitted), ("new", judged))}
    labels = model.predict(X[judged])
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    return {
        "seconds": round(seconds, 1),
        "n_clusters": int(model.n_clusters_),
        "nmi": float(normalized_mutual_info_score(y[judged], labels)),
        "ari": float(adjusted_rand_score(y[judged], labels)),
        **{
            name: float(probe.fit(embedding["fit"], y[fitted]).score(embedding["new"], y[judged]))
            for name, probe in (("knn", KNNProbe()), ("linear", linear))
        },
        "majority_baseline": float(np.bincount(y[judged]).max() / len(judged)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sets", nargs="+", choices=N_SAMPLES, default=list(N_SAMPLES))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--epochs", type=float, default=1.0, help="share of the epochs")
    parser.add_argument("--samples", type=int, help="images per set, half of which are fitted")
    parser.add_argument("--results", type=Path, default=RESULTS / "encoders.json")
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.sets:
            n_samples = min(options.samples or N_SAMPLES[name], N_SAMPLES[name])
            for size in options.sizes:
                for encoder in options.encoders:
                    if size < PRETRAINED_SIZE or encoder == "fixed":
                        run_once(options, name, n_samples, size, encoder, seed)


def run_once(options, name, n_samples, size, encoder, seed):
    """Fit and judge one encoder, unless the results have this row."""
    params = setting(encoder, size, n_samples // 2, options.epochs)
    key = {
        **{"set": name, "n_samples": n_samples, "size": size, "encoder": encoder, "seed": seed},
        "hash": fingerprint({**params, "encoder": str(params["encoder"]).replace(str(DATA), "")}),
    }
    results = json.loads(options.results.read_text()) if options.results.exists() else []
    if any(key.items() <= one.items() for one in results):
        return
    found = run(params, *load(name, size), seed, n_samples)
    print(*key.values(), found, flush=True)
    record = {**key, **found, "made_by": describe_run("torchvision")}
    write_records(options.results, [*results, record])


if __name__ == "__main__":
    main()
