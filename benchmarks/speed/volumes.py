"""Time and memory of a fit on volumes: seconds per epoch of each phase, and the largest memory.

Run from the repository on an idle machine:

    python -m benchmarks.speed.volumes

1000 toy volumes of 28 x 28 x 28 voxels are fitted with the recommended setting, but with few
epochs, in a process of its own. The time of the whole setting is the sum of the seconds of an epoch
over the recommended numbers of epochs, without the search for groups.

Writes ``benchmarks/results/volumes.json``.
"""

import argparse
import json
import resource
import sys

import numpy as np

from benchmarks._common import RESULTS, describe_run, in_fresh_process, seconds
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import make_toy_volumes

EPOCHS = ("warm_up_epochs", "refinement_epochs", "conditioning_epochs")


def fit(n_samples, side, n_epochs):
    """Fit volumes, and return the seconds of an epoch of each phase, of all, and the memory."""
    X = make_toy_volumes(n_samples, volume_size=side, random_state=0).data
    before = _peak_megabytes()
    params = recommended(n_samples, spatial_dims=3) | dict.fromkeys(EPOCHS, n_epochs)
    model = ContrastiveAutoencoderClusterer(**params, random_state=0)
    whole = seconds(lambda: model.fit(X))
    of_phase = {}
    for row in model.history_:
        of_phase.setdefault(row["phase"], []).append(row["dur"])
    return {
        "epoch_seconds": {phase: float(np.median(each)) for phase, each in of_phase.items()},
        "fit_seconds": whole,
        "predict_seconds": seconds(lambda: model.predict(X)),
        "megabytes_before_fit": before,
        "peak_megabytes": _peak_megabytes(),
        "n_clusters": model.n_clusters_,
    }


def _peak_megabytes():
    """Return the largest memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    found = in_fresh_process(fit, options.samples, options.side, options.epochs)
    planned = recommended(options.samples, spatial_dims=3)
    phases = zip(found["epoch_seconds"].values(), (planned[name] for name in EPOCHS), strict=True)
    found["whole_minutes"] = round(sum(one * n_epochs for one, n_epochs in phases) / 60, 1)
    results = {"made_by": describe_run(), **vars(options), **found}
    print(json.dumps(results, indent=1))
    (RESULTS / "volumes.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
