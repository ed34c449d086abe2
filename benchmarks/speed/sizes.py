"""Time of a fit by the size of the images: seconds per epoch, and the whole recommended setting.

Run from the repository on an idle machine; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.speed.sizes

400 X-rays are enlarged to each side. A fit of a few epochs tells the seconds of an epoch of each
phase. The time of the whole setting is their sum over the recommended numbers of epochs, without
the search for groups.

Writes ``benchmarks/results/sizes.json``.
"""

import argparse
import json

import numpy as np
from PIL import Image

from benchmarks._common import RESULTS, describe_run, images, in_fresh_process
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended

N_SAMPLES = 400
EPOCHS = ("warm_up_epochs", "refinement_epochs", "conditioning_epochs")


def enlarged(side):
    X = images("pneumoniamnist", N_SAMPLES)
    return np.stack([Image.fromarray(one).resize((side, side), Image.BICUBIC) for one in X])


def epoch_seconds(side, n_epochs):
    """Return {phase: seconds of an epoch}, the median over the epochs after the first."""
    params = recommended(N_SAMPLES) | dict.fromkeys(EPOCHS, n_epochs) | {"n_clusters": 2}
    model = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(enlarged(side))
    seconds = {}
    for row in model.history_:
        seconds.setdefault(row["phase"], []).append(row["dur"])
    return {phase: float(np.median(each[1:])) for phase, each in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[28, 32, 64, 128])
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    planned = recommended(N_SAMPLES)
    rows = []
    for side in options.sides:
        seconds = in_fresh_process(epoch_seconds, side, options.epochs)
        phases = zip(seconds.values(), (planned[name] for name in EPOCHS), strict=True)
        whole = sum(one * n_epochs for one, n_epochs in phases)
        rows.append({"side": side, "epoch_seconds": seconds, "whole_minutes": round(whole / 60, 1)})
        print(rows[-1], flush=True)
    results = {"made_by": describe_run(), "n_samples": N_SAMPLES, "sizes": rows}
    (RESULTS / "sizes.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
