"""What each part of the method earns: the paper's setting, and one change, or what its name says.

Run from the repository, with the data found as ``sklearn_cae.datasets`` finds them:

    python benchmarks/ablations.py pneumoniamnist --seeds 0 1 2
    python benchmarks/ablations.py mnist --max-samples 20000 --seeds 0

Judged on a tenth of the training images that is held back: the defaults may follow from it. Images
that occur twice are on one side. Prints a line a run and writes
``benchmarks/results/ablations.json`` after each; runs that are there are not run again.
"""

import argparse
import json
import time

import numpy as np
from _common import RESULTS, describe_run, write_records
from evaluation import equal_images, load, rows_of_clusters, rows_of_features
from settings import N_CLUSTERS, PAPER_VIEWS
from sklearn.model_selection import GroupShuffleSplit
from torch import nn

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.clusterers import CommunityClusterer, MixtureClusterer
from sklearn_cae.modules import Encoder

PATH = RESULTS / "ablations.json"
EPOCHS = 30


class NormalisedEncoder(nn.Sequential):
    """The paper's encoder with batch normalisation after each convolution."""

    def __init__(self, image_shape, embedding_dim):
        layers = []
        for layer in Encoder(image_shape, embedding_dim):
            layers.append(layer)
            if isinstance(layer, nn.Conv2d):
                layers.append(nn.BatchNorm2d(layer.out_channels))
        super().__init__(*layers)


class WideEncoder(nn.Sequential):
    """The paper's encoder at twice the widths."""

    def __init__(self, image_shape, embedding_dim):
        channels = image_shape[0]
        layers = []
        for n_in, n_out in ((channels, 64), (64, 128), (128, 256)):
            layers += [nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.GELU()]
        super().__init__(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, embedding_dim)
        )


CHANGES = {
    "none": {},
    **{f"temperature={value}": {"temperature": value} for value in (0.1, 0.2, 1.0)},
    **{f"reconstruction_weight={value}": {"reconstruction_weight": value} for value in (0, 1, 10)},
    **{f"batch_size={value}": {"batch_size": value} for value in (64, 128, 512, 1024)},
    "optimizer=adamw": {"optimizer": "adamw"},
    "optimizer=adamw, reconstruction_weight=10": {
        "optimizer": "adamw",
        "reconstruction_weight": 10,
    },
    **{f"augmentation={name}": {"augmentation": name} for name in ("paper", "xray", "digits")},
    "encoder=normalised": {"encoder": NormalisedEncoder},
    "encoder=wide": {"encoder": WideEncoder},
    "clusterer=communities": {"clusterer": CommunityClusterer()},
    "clusterer=mixture": {"clusterer": MixtureClusterer()},
    "clusterer=communities, n_clusters=auto": {"n_clusters": "auto"},
    "clusterer=communities, refinement_epochs=10": {
        "clusterer": CommunityClusterer(),
        "refinement_epochs": 10,
    },
    "variational": {"variational": True},
}


def hold_back(dataset, max_samples, seed):
    """Split the training images into nine tenths and one, equal images on one side."""
    X, y = load(dataset, max_samples)["train"]
    splitter = GroupShuffleSplit(1, test_size=0.1, random_state=seed)
    ((train, held_back),) = splitter.split(X, groups=equal_images(X))
    return {"train": (X[train], y[train]), "held_back": (X[held_back], y[held_back])}


def run(dataset, change, splits, seed):
    """Fit with a change; scores on what was held back."""
    params = {
        "n_clusters": N_CLUSTERS[dataset],
        "augmentation": PAPER_VIEWS[dataset],
        "warm_up_epochs": EPOCHS,
        "conditioning_epochs": 0,
        **CHANGES[change],
    }
    model = ContrastiveAutoencoderClusterer(**params, output="embedding", random_state=seed)
    started = time.perf_counter()
    model.fit(splits["train"][0])
    seconds = time.perf_counter() - started
    features = {split: model.transform(X) for split, (X, _) in splits.items()}
    rows = rows_of_clusters("stat", splits, lambda split: model.predict(splits[split][0]))
    rows += rows_of_features("embedding", splits, features, N_CLUSTERS[dataset], seed)
    scores = {row["model"]: row["metrics"] for row in rows}
    mse = None  # of a decoder that was not trained on the refined embedding it means nothing
    if model.refinement_epochs == 0:
        X = splits["held_back"][0]
        mse = float(np.square((model.reconstruct(X) - X) / 255.0).mean())
    return {
        "seconds": round(seconds, 1),
        "n_clusters": model.n_clusters_,
        "stat": scores["stat"]["accuracy"],
        "balanced": scores["stat"]["balanced_accuracy"],
        "nmi": scores["stat"]["nmi"],
        "knn": scores["embedding_knn"]["accuracy"],
        "logistic": scores["embedding_logistic"]["accuracy"],
        "reconstruction_mse": mse,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", choices=sorted(PAPER_VIEWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--max-samples", type=int, help="of the training images")
    parser.add_argument("--changes", nargs="+", choices=list(CHANGES), default=list(CHANGES))
    options = parser.parse_args()
    for seed in options.seeds:
        splits = hold_back(options.dataset, options.max_samples, seed)
        for change in options.changes:
            results = json.loads(PATH.read_text()) if PATH.exists() else []
            key = {
                "dataset": options.dataset,
                "change": change,
                "seed": seed,
                "max_samples": options.max_samples,
            }
            is_base = CHANGES[change] == {"augmentation": PAPER_VIEWS[options.dataset]}
            if is_base or any(key.items() <= one.items() for one in results):
                continue
            scores = run(options.dataset, change, splits, seed)
            print(*key.values(), scores, flush=True)
            results.append({**key, **scores, "made_by": describe_run()})
            write_records(PATH, results)


if __name__ == "__main__":
    main()
