"""Speed of an epoch on the CPU and the GPU, and repeatability of fits on a GPU.

Run from the repository, on a machine with a GPU that is otherwise idle:

    python -m benchmarks.speed.devices

The first table is the paper's warm-up on MNIST images: the median of the epochs after the first.
The second table compares the soft assignments of two short fits on the GPU with the same seed, with
torch's default and with its deterministic algorithms. Prints both tables and writes
``benchmarks/results/devices.json``.
"""

import json
import os
import statistics
from itertools import product

os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # torch's deterministic algorithms need it

import numpy as np
import torch

from benchmarks._common import RESULTS, describe_run, images
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended

N_SAMPLES = 10_000
N_EPOCHS = {"cpu": 2, "cuda": 6}


def epochs(X):
    """Return images per second in the warm-up, by device, precision and batch size."""
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
    """Return the largest difference of soft assignments, and the share of equal labels."""
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
