"""How fast an epoch is on each device, and whether two fits on a GPU are alike.

Run from the repository, where there is a GPU and nothing else runs on it:

    python -m benchmarks.speed.devices

The paper's warm-up on MNIST images, on the CPU and on the GPU: the median of the epochs after the
first, which warms up. Two short fits with one seed on the GPU, as they come and with torch's
deterministic algorithms: how far their soft assignments are apart. Prints both and writes
``benchmarks/results/devices.json``.
"""

import json
import os
import statistics
from itertools import product

os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # asked for by torch's deterministic algorithms

import numpy as np
import torch

from benchmarks._common import RESULTS, describe_run, images
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended

N_SAMPLES = 10_000
N_EPOCHS = {"cpu": 2, "cuda": 6}


def epochs(X):
    """Images a second in the warm-up, by device, precision and batch size."""
    rows = []
    for device, precision, batch_size in product(N_EPOCHS, ("float32", "bfloat16"), (256, 1024)):
        params = {"device": device, "precision": precision, "batch_size": batch_size}
        model = ContrastiveAutoencoderClusterer(
            10,
            warm_up_epochs=N_EPOCHS[device],
            conditioning_epochs=0,
            augmentation="digits",
            random_state=0,
            **params,
        ).fit(X)
        seconds = statistics.median(row["dur"] for row in model.history_[1:])
        rows.append({**params, "images_per_second": round(len(X) / seconds)})
        print(*rows[-1].values(), flush=True)
    return rows


def repeat(X):
    """Largest difference of two fits' soft assignments, and the share of equal labels."""
    rows = []
    params = {
        **recommended(len(X)),
        "warm_up_epochs": 5,
        "refinement_epochs": 2,
        "conditioning_epochs": 1,
    }
    for deterministic in (False, True):
        torch.use_deterministic_algorithms(deterministic)
        model = ContrastiveAutoencoderClusterer(**params, device="cuda", random_state=0)
        first, second = (model.fit(X).predict_proba(X) for _ in range(2))
        alike = first.shape == second.shape
        rows.append(
            {
                "deterministic": deterministic,
                "n_clusters": [first.shape[1], second.shape[1]],
                "largest_difference": float(np.abs(first - second).max()) if alike else None,
                "equal_labels": float(np.mean(first.argmax(1) == second.argmax(1))),
            }
        )
        print(*rows[-1].items(), flush=True)
    torch.use_deterministic_algorithms(False)
    return rows


def main():
    X = images("mnist", N_SAMPLES)
    results = {**describe_run(), "n_samples": N_SAMPLES, "epochs": epochs(X)}
    results["repeated"] = repeat(X[:4096])
    (RESULTS / "devices.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
