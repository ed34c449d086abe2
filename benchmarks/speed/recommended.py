"""Time and quality of the recommended setting, beside an earlier commit.

Run from the repository, with its history, on Linux:

    python -m benchmarks.speed.recommended

This code and the earlier one (``--before``) fit the same images in turn, each in a process of its
own with one thread. The time is the processor's, of the whole fit. Images and labels are those of
the training split alone: both codes are judged on training images that were not fitted. A seed
chooses the images, and is that of the fit. ``brain_mri.npz``, slices of 64 pixels, lies beside the
data. In the set ``fixed_pneumoniamnist``, this code has ``train_encoder=False``.

NMI and ARI compare the groups with the labels. The probes are fitted to the embedding of the images
that were fitted. The PSNR is that of reconstructions.

Prints a row per fit, and writes ``benchmarks/results/recommended.json``. Seeds that it has already
are not fitted again.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

#: Images that are fitted, and images that judge.
SIZES = {
    "pneumoniamnist": (2354, 2354),
    "fixed_pneumoniamnist": (2354, 2354),
    "few_pneumoniamnist": (1000, 3708),
    "brain_mri": (300, 1300),
    "mnist": (20_000, 10_000),
}
SEEDS = 3


def halves(name, seed):
    """Return images and labels for the fit, and others that judge it."""
    from sklearn_cae.datasets import load_mnist, load_pneumoniamnist

    if name == "brain_mri":
        with np.load(Path(os.environ["SKLEARN_CAE_DATA"], "brain_mri.npz")) as file:
            X, y = file["images_64"], file["labels"]
    else:
        load = load_mnist if name == "mnist" else load_pneumoniamnist
        X, y = load("train", return_X_y=True)
    order = np.random.RandomState(seed).permutation(len(X))
    n_fitted, n_judged = SIZES[name]
    fitted, judged = order[:n_fitted], order[n_fitted : n_fitted + n_judged]
    return X[fitted], y[fitted], X[judged], y[judged]


def measure(name, seed, code):
    """Fit with the code that is imported; return seconds of the processor, and scores."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from sklearn_cae import ContrastiveAutoencoderClusterer, KNNProbe, recommended

    X, y, X_judged, y_judged = halves(name, seed)
    modality = "slices" if name == "brain_mri" else None
    changes = {"train_encoder": False} if name.startswith("fixed") and code == "now" else {}
    params = recommended(len(X), image_shape=X.shape[1:], modality=modality, **changes)
    model = ContrastiveAutoencoderClusterer(**params, output="embedding", random_state=seed)
    started = time.process_time()
    model.fit(X)
    seconds = time.process_time() - started
    embedding, of_judged = model.transform(X), model.transform(X_judged)
    probes = {
        "knn": KNNProbe(),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000)),
    }
    groups = model.predict(X_judged)
    errors = np.square((X_judged - model.reconstruct(X_judged).astype(float)) / 255)
    return {
        "seconds": round(seconds, 1),
        "epochs": [
            params[f"{phase}_epochs"] for phase in ("warm_up", "refinement", "conditioning")
        ],
        "n_clusters": model.n_clusters_,
        "nmi": normalized_mutual_info_score(y_judged, groups),
        "ari": adjusted_rand_score(y_judged, groups),
        **{
            probe: one.fit(embedding, y).score(of_judged, y_judged) for probe, one in probes.items()
        },
        "psnr": float(-10 * np.log10(errors.mean(axis=(1, 2))).mean()),
    }


def main():
    from benchmarks._common import RESULTS, describe_run
    from benchmarks.speed.earlier import ROOT, check_out, in_code_of

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*SIZES, []])
    parser.add_argument("--seeds", type=int, nargs="+", default=range(SEEDS))
    parser.add_argument("--before", default="2fd687e", help="the earlier commit")
    parser.add_argument("--results", type=Path, default=RESULTS / "recommended.json")
    options = parser.parse_args()
    fits = json.loads(options.results.read_text())["fits"] if options.results.exists() else []
    done = {(fit["name"], fit["seed"]) for fit in fits}
    with tempfile.TemporaryDirectory() as before:
        check_out(options.before, before)
        for name in options.names or SIZES:
            for seed in options.seeds:
                if (name, seed) in done:
                    continue
                fit = {"name": name, "seed": seed, "n_samples": SIZES[name][0]}
                for code, folder in {"now": ROOT, "before": before}.items():
                    fit[code] = in_code_of(folder, __file__, name, seed, code, OMP_NUM_THREADS="1")
                    print(name, seed, code, fit[code], flush=True)
                fits.append(fit)
                results = {"made_by": describe_run(), "before": options.before, "fits": fits}
                options.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), sys.argv[4])))
    else:
        main()
