"""The effect of each part: a setting with one change at a time.

Run from the repository; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.quality.ablations pneumoniamnist --seeds 0 1 2
    python -m benchmarks.quality.ablations mnist --max-samples 20000 --seeds 0
    python -m benchmarks.quality.ablations pneumoniamnist --changes "recommended, whiten=no"

The paper's setting warms up for 30 epochs, without conditioning. The recommended setting warms up
for 30 epochs and refines for 15. Scores are those of a held-back tenth of the training images, so
that the defaults and the recommended setting may follow from them. Equal images are on one side.
Prints a line per run and writes ``benchmarks/results/ablations.json`` after each run. Runs that
have a result are skipped.
"""

import argparse
import json
import time
from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.model_selection import GroupShuffleSplit
from torch import nn
from torch.nn import functional as F

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality.evaluation import equal_images, load, rows_of_clusters, rows_of_features
from benchmarks.quality.settings import N_CLUSTERS, PAPER_VIEWS, fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.clusterers import CommunityClusterer, MixtureClusterer
from sklearn_cae.modules import Encoder, UnpooledEncoder

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
    """The paper's encoder at twice the widths, for images of 28 x 28 pixels."""

    def __init__(self, image_shape, embedding_dim):
        channels = image_shape[0]
        layers = []
        for n_in, n_out in ((channels, 64), (64, 128), (128, 256)):
            layers += [nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.GELU()]
        super().__init__(*layers, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(256, embedding_dim))


def decoupled_loss(projection_a, projection_b, temperature):
    """Return NT-Xent without the positive in the denominator, a remedy for small batches.

    Yeh et al., "Decoupled contrastive learning", ECCV 2022: the gradient does not vanish if a batch
    has few negatives.
    """
    n = len(projection_a)
    z = F.normalize(torch.cat([projection_a, projection_b]).float())
    similarity = z @ z.T / temperature
    positive = similarity.diagonal(n).repeat(2)
    pairs = torch.eye(n, dtype=torch.bool, device=z.device).repeat(2, 2)
    return (similarity.masked_fill(pairs, -torch.inf).logsumexp(dim=1) - positive).mean()


#: Changes without a parameter: the name that is replaced, and its replacement.
PATCHES = {
    "decoupled": ("sklearn_cae._training.phases.nt_xent_loss", decoupled_loss),
    "fully": ("sklearn_cae._grouping.whitening._POWER", 0),  # all variances equal
}
PAPER_CHANGES = {
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
    "encoder=unpooled": {"encoder": UnpooledEncoder},
    "clusterer=communities": {"clusterer": CommunityClusterer()},
    "clusterer=mixture": {"clusterer": MixtureClusterer()},
    "clusterer=mixture, assignment=clusterer": {
        "clusterer": MixtureClusterer(),
        "assignment": "clusterer",
    },
    "clusterer=mixture, n_clusters=bic": {"clusterer": MixtureClusterer(), "n_clusters": "auto"},
    "n_clusters=auto": {"n_clusters": "auto"},
    "n_clusters=auto, assignment=clusterer": {"n_clusters": "auto", "assignment": "clusterer"},
    "n_clusters=auto, whiten": {"n_clusters": "auto", "whiten": True},
    "refinement_epochs=15": {"refinement_epochs": 15},
    "variational": {"variational": True},
    "precision=float32": {"precision": "float32"},
    **{f"warm_up_epochs={value}": {"warm_up_epochs": value} for value in (10, 60)},
    **{
        f"batch_size={value}, decoupled loss": {"batch_size": value, "decoupled": True}
        for value in (64, 256)
    },
}
RECOMMENDED_CHANGES = {
    "": {},
    "encoder=pooled": {"encoder": None},
    "whiten=no": {"whiten": False},
    "whiten=fully": {"fully": True},
    "refinement_epochs=0": {"refinement_epochs": 0},
    "n_clusters=given": {"n_clusters": None},
    "clusterer=kmeans, n_clusters=given, whiten=no": {
        "n_clusters": None,
        "clusterer": KMeans(n_init=5),
        "whiten": False,
    },
    **{f"reconstruction_weight={value}": {"reconstruction_weight": value} for value in (0.1, 1)},
    "temperature=0.5": {"temperature": 0.5},
    **{f"warm_up_epochs={value}": {"warm_up_epochs": value} for value in (10, 60)},
    "augmentation=paper": {"augmentation": "paper"},
    "optimizer=lars, reconstruction_weight=1": {
        "optimizer": "lars",
        "learning_rate": None,
        "reconstruction_weight": 1,
    },
}
CHANGES = [
    *PAPER_CHANGES,
    *(f"recommended, {name}".removesuffix(", ") for name in RECOMMENDED_CHANGES),
]


def hold_back(dataset, max_samples, seed):
    """Split the training images into nine tenths and one tenth, equal images on one side."""
    X, y = load(dataset, max_samples)["train"]
    splitter = GroupShuffleSplit(1, test_size=0.1, random_state=seed)
    ((train, held_back),) = splitter.split(X, groups=equal_images(X))
    return {"train": (X[train], y[train]), "held_back": (X[held_back], y[held_back])}


def changed_parameters(dataset, change, n_samples):
    """Return the parameters of a setting with a change, and the names of its patches."""
    params = {"warm_up_epochs": EPOCHS, "conditioning_epochs": 0}
    if change.startswith("recommended"):
        name = change.removeprefix("recommended").removeprefix(", ")
        params = recommended(n_samples) | params | {"refinement_epochs": EPOCHS // 2}
        params |= RECOMMENDED_CHANGES[name]
    else:
        params |= {"n_clusters": None, "augmentation": PAPER_VIEWS[dataset]}
        params |= PAPER_CHANGES[change]
    if params["n_clusters"] is None:
        params["n_clusters"] = N_CLUSTERS[dataset]
    return params, [name for name in PATCHES if params.pop(name, False)]


def run(dataset, params, patches, splits, seed):
    """Fit with a change; return the held-back scores, or the message if the loss became NaN."""
    X, _ = splits["train"]
    model = ContrastiveAutoencoderClusterer(**params, output="embedding", random_state=seed)
    started = time.perf_counter()
    with ExitStack() as stack:
        for name in patches:
            stack.enter_context(patch(*PATCHES[name]))
        try:
            model.fit(X)
        except ValueError as error:
            if "became NaN" not in str(error):
                raise
            return {"diverged": str(error)}
    seconds = time.perf_counter() - started
    features = {split: model.transform(X) for split, (X, _) in splits.items()}
    rows = rows_of_clusters("stat", splits, lambda split: model.predict(splits[split][0]))
    rows += rows_of_features("embedding", splits, features, N_CLUSTERS[dataset], seed)
    scores = {row["model"]: row["metrics"] for row in rows}
    mse = None  # after a refinement the decoder does not fit the embedding
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
    parser.add_argument("--max-samples", type=int, help="number of training images (default: all)")
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=CHANGES)
    options = parser.parse_args()
    for seed in options.seeds:
        splits = hold_back(options.dataset, options.max_samples, seed)
        for change in options.changes:
            results = json.loads(PATH.read_text()) if PATH.exists() else []
            params, patches = changed_parameters(options.dataset, change, len(splits["train"][0]))
            key = {
                "dataset": options.dataset,
                "change": change,
                "seed": seed,
                "max_samples": options.max_samples,
                "hash": fingerprint({**params, "decoupled": False, **dict.fromkeys(patches, True)}),
            }
            is_base = change == f"augmentation={PAPER_VIEWS[options.dataset]}"
            if is_base or any(key.items() <= one.items() for one in results):
                continue
            scores = run(options.dataset, params, patches, splits, seed)
            print(*key.values(), scores, flush=True)
            results.append({**key, **scores, "made_by": describe_run()})
            write_records(PATH, results)


if __name__ == "__main__":
    main()
