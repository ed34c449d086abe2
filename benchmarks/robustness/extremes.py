"""Short fits with parameters and data at the ends of their ranges.

Run from the repository:

    python -m benchmarks.robustness.extremes

Images are those of ``make_toy_images``, with five epochs per phase and embeddings of 32. Prints a
line per case and writes ``benchmarks/results/extremes.json``.
"""

import time
import warnings

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks._common import RESULTS, describe_run, write_records
from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.datasets import make_toy_images

PARAMS = {
    "n_clusters": 3,
    "embedding_dim": 32,
    "warm_up_epochs": 5,
    "conditioning_epochs": 5,
    "batch_size": 64,
    "random_state": 0,
}


def toy(n=600, size=16):
    return make_toy_images(n, n_classes=3, image_size=size, random_state=0, return_X_y=True)


def in_channels(n_channels):
    X, y = toy()
    return np.stack([X] * n_channels, axis=1), y


def rare():
    """Return a thousand images of the first class and one of the second."""
    X, y = toy(3300)
    rows = np.concatenate([np.flatnonzero(y == 0)[:1000], np.flatnonzero(y == 1)[:1]])
    return X[rows], y[rows]


def as_ct():
    """Return intensities of a 16-bit CT: air at -1024, metal at 30 000 in one image."""
    X, y = toy()
    X = X.astype(np.int16) * 8 - 1024
    X[0, 0, 0] = 30_000
    return X, y


#: Name: (parameters, function that makes the images).
CASES = {
    **{f"temperature {t:g}": ({"temperature": t}, toy) for t in (0.01, 0.1, 1, 10)},
    **{f"batch of {n}": ({"batch_size": n}, toy) for n in (2, 3, 16, 4096)},
    **{f"{n} channels": ({}, lambda n=n: in_channels(n)) for n in (1, 2, 3, 4)},
    **{f"{n} pixels": ({}, lambda n=n: toy(150, n)) for n in (8, 9, 31, 64)},
    "256 pixels": ({}, lambda: toy(40, 256)),
    **{f"{k} clusters": ({"n_clusters": k}, toy) for k in (2, 20, 100)},
    "two classes, 1000 : 1": ({"n_clusters": 2}, rare),
    "bfloat16": ({"precision": "bfloat16"}, toy),
    "intensities of 16-bit CT": ({}, as_ct),
    **{
        f"reconstruction weight {weight:g}, {optimizer}": (
            {"reconstruction_weight": weight, "optimizer": optimizer},
            toy,
        )
        for optimizer in ("lars", "adamw")
        for weight in (0, 1, 10, 100)
    },
    **{
        f"learning rate {rate:g}, {optimizer}": (
            {"learning_rate": rate, "optimizer": optimizer},
            toy,
        )
        for optimizer, rate in (("lars", 10.0), ("adamw", 1.0), ("adamw", 1e6))
    },
}


def run(params, make):
    """Fit; return the outcome, or the message of the error."""
    X, y = make()
    model = ContrastiveAutoencoderClusterer(**{**PARAMS, **params})
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model.fit(X)
        except ValueError as error:
            return {"stopped": str(error).split(";")[0].split(". ")[0]}
    assignment, reconstruction = model.predict_proba(X), model.reconstruct(X)
    low, high = model.intensity_range_
    found = {
        "finite": bool(np.isfinite(assignment).all() and np.isfinite(reconstruction).all()),
        "in_range": bool(low <= reconstruction.min() and reconstruction.max() <= high),
        "n_clusters": model.n_clusters_,
        "largest": float(np.bincount(model.labels_).max() / len(X)),
        "ari": float(adjusted_rand_score(y, model.labels_)),
        "loss": float(model.history_[4]["train_loss"]),
        "warned": sorted({str(one.message).split(":")[0].split(". ")[0] for one in said}),
    }
    return {**found, "seconds": round(time.perf_counter() - started, 1)}


def main():
    records = []
    for name, (params, make) in CASES.items():
        records.append({"case": name, **run(params, make)})
        print(records[-1], flush=True)
        write_records(RESULTS / "extremes.json", [{"made_by": describe_run()}, *records])


if __name__ == "__main__":
    main()
