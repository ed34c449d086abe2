"""Encoders side by side, by the size of the images: own and pretrained, fixed and trained.

Run from the repository; ``SKLEARN_CAE_DATA`` is the folder of the data:

    python -m benchmarks.quality.encoders --seeds 0 1 2

Half of the images of a set are fitted, the others are judged: kNN and logistic regression on the
embedding, and the groups of `predict`. All rows have the clusterer, the batches and the epochs that
`recommended` gives for the number of images. They differ in the encoder:

- ``pixels``: nothing is trained; the embedding is the principal components of the pixels.
- ``scattering``: the same with the features of `LogScattering`. Views are not used, and nothing is
  refined.
- ``recommended``: `recommended` with the shape and the modality of the images.
- ``trained``: the same with `UnpooledEncoder`, which is trained on the fitted images alone.
- ``squeezenet``: the same with SqueezeNet of ImageNet, fixed. It sees all images at 224 pixels.
- ``squeezenet_tuned``: the same, trained with a tenth of the learning rate of the other networks.
  It sees images at their own size, or at 32 pixels if they are smaller.

The sets are PneumoniaMNIST (28 pixels), and, if the files are there, ``brain_mri.npz`` and
``blood_cells.npz``, with images of 128 pixels that are reduced, or enlarged to 224 pixels. Each
seed draws other halves. The recommended setting was chosen by labels of halves of the same sets, so
images that are judged here took part in that choice. No row was chosen by the scores of this
command.

Prints a line per fit and appends a record to ``benchmarks/results/encoders.json``. Fits that are
there are skipped, so that a run that was stopped goes on. Seconds are those of the whole fit, with
the decoder. ``--epochs`` is the share of the recommended epochs, and ``--samples`` fits fewer
images, for a first look.
"""

import argparse
import json
import os
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality.evaluation import equal_images
from benchmarks.quality.settings import fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, KNNProbe, recommended
from sklearn_cae.augmentations import ImageViews
from sklearn_cae.backbones import Backbone
from sklearn_cae.datasets import load_pneumoniamnist
from sklearn_cae.modules import DeepDecoder, LogScattering, UnpooledEncoder

DATA = Path(os.environ.get("SKLEARN_CAE_DATA", "."))
N_SAMPLES = {"pneumoniamnist": 2000, "brain_mri": 1600, "blood_cells": 298}
MODALITIES = {"pneumoniamnist": "xray", "brain_mri": "slices", "blood_cells": "microscopy"}
SIZES = (28, 64, 128, 224)
PRETRAINED_SIZE = 224
ROWS = ("recommended", "scattering", "pixels", "squeezenet", "trained", "squeezenet_tuned")
EPOCHS = ("warm_up_epochs", "refinement_epochs", "conditioning_epochs")


class Pixels(torch.nn.Identity):
    """Pixels as the features of a fixed encoder."""


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
    """Return images of a size, and labels, without duplicates."""
    if name == "pneumoniamnist":
        X, y = load_pneumoniamnist("train", return_X_y=True)
    else:
        with np.load(DATA / f"{name}.npz") as file:
            X, y = file["images_128"], file["labels"]
    first = np.sort(np.unique(equal_images(X), return_index=True)[1])
    X, y = X[first], y[first]
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


def setting(row, name, size, n_samples, share_of_epochs):
    """Return the parameters of a fit."""
    shape = (size, size, 3) if name == "blood_cells" else (size, size)
    kind = {"image_shape": shape, "modality": MODALITIES[name]}
    fixed = {"train_encoder": False, "decoder": DeepDecoder}
    plain = {"image_shape": shape, "augmentation": ImageViews(probability=0.0), **fixed}
    plain["refinement_epochs"] = 0
    params = recommended(
        n_samples,
        **{
            "pixels": {"encoder": Pixels, **plain},
            "scattering": {"encoder": LogScattering, **plain},
            "recommended": kind,
            "trained": {"encoder": UnpooledEncoder, **kind},
            "squeezenet": {"encoder": squeezenet(PRETRAINED_SIZE), **fixed, **kind},
            "squeezenet_tuned": {
                **{"encoder": squeezenet(max(size, 32)), "train_encoder": 0.1},
                **kind,
            },
        }[row],
    )
    shortened = {
        epochs: max(1, round(share_of_epochs * params[epochs]))
        for epochs in EPOCHS
        if params[epochs]
    }
    if not params.get("train_encoder", True):  # the groups of a fixed encoder depend on these alone
        shortened["refinement_epochs"] = params["refinement_epochs"]
    return params | shortened


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
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--epochs", type=float, default=1.0, help="share of the epochs")
    parser.add_argument("--samples", type=int, help="images per set, half of which are fitted")
    parser.add_argument("--results", type=Path, default=RESULTS / "encoders.json")
    options = parser.parse_args()
    fits = product(options.rows, options.seeds, options.sets, options.sizes)
    for row, seed, name, size in fits:
        if is_measured(row, name, size):
            run_once(options, row, seed, name, size)


def is_measured(row, name, size):
    """Return whether a row has images of this size, and their file is there."""
    if name == "pneumoniamnist":
        return size == 28
    if size == PRETRAINED_SIZE and row != "squeezenet":
        return False
    return (DATA / f"{name}.npz").exists()


def without_folder(params):
    """Return parameters that do not depend on where the weights are."""
    encoder = params["encoder"]
    if not isinstance(encoder, Backbone):
        return params
    return params | {"encoder": repr(encoder).replace(str(DATA), "")}


def run_once(options, row, seed, name, size):
    """Fit and judge one encoder, unless the results have this fit."""
    n_samples = min(options.samples or N_SAMPLES[name], N_SAMPLES[name])
    params = setting(row, name, size, n_samples // 2, options.epochs)
    key = {
        **{"row": row, "set": name, "size": size, "n_fitted": n_samples // 2, "seed": seed},
        "share_of_epochs": options.epochs,
        "hash": fingerprint(without_folder(params)),
    }
    results = json.loads(options.results.read_text()) if options.results.exists() else []
    if any(key.items() <= one.items() for one in results):
        return
    X, y = load(name, size)
    found = run(params, X, y, seed, n_samples)
    print(*key.values(), found, flush=True)
    record = {**key, **found, "made_by": describe_run("torchvision")}
    write_records(options.results, [*results, record])


if __name__ == "__main__":
    main()
