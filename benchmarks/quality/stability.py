"""Groups of other seeds and of other images, with and without a consensus of halves.

Run from the repository; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.quality.stability

Training images of PneumoniaMNIST are embedded by the encoder of the recommended setting, which is
not trained and does not depend on the seed. `CommunityClusterer` then finds groups: of the same
1000 images with four seeds, and of four times 1000 other images, compared on 708 that are left. If
``brain_mri.npz`` lies beside the data, half of its slices are a set, too.

An image is called stable if it keeps its group in at least 95 % of the halves of one fit. The last
column is the share of these images that two other fits put into the same group. The groups of two
fits are paired so that they share the most images.

A second table asks the same of `stability_report`: do two new fits on halves agree on the images
whose ``sample_stability`` is at least 95 %?

Prints a row per set and number, and writes ``benchmarks/results/stability.json`` and
``sample_stability.json``.
"""

import os
import time
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import normalize

from benchmarks._common import RESULTS, describe_run, write_records
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.datasets import load_pneumoniamnist
from sklearn_cae.metrics import stability_report

PATH, PATH_OF_REPORTS = RESULTS / "stability.json", RESULTS / "sample_stability.json"
N_FITS, N_IMAGES = 4, 1000
HALVES = (1, 10, 20)
STABLE = 0.95


def embed(fitted, X, modality):
    """Embed all images by the encoder of a fit on some of them."""
    changes = {"warm_up_epochs": 1, "refinement_epochs": 0, "conditioning_epochs": 0}
    params = recommended(
        len(fitted), image_shape=X.shape[1:], modality=modality, train_encoder=False, **changes
    )
    return normalize(ContrastiveAutoencoderClusterer(**params, random_state=0).fit(fitted).embed(X))


def sets():
    """Return the embeddings to fit, those to compare on, and the labels of the latter, by name."""
    X, y = load_pneumoniamnist("train", return_X_y=True)
    order = np.random.RandomState(0).permutation(len(X))
    X, y = X[order], y[order]
    embedding = embed(X[:N_IMAGES], X, "xray")
    first, rest = slice(N_IMAGES), slice(N_FITS * N_IMAGES, None)
    parts = [embedding[i * N_IMAGES :][:N_IMAGES] for i in range(N_FITS)]
    found = {
        "1000 X-rays, other seeds": ([embedding[first]] * N_FITS, embedding[first], y[first]),
        "1000 X-rays, other images": (parts, embedding[rest], y[rest]),
    }
    path = Path(os.environ.get("SKLEARN_CAE_DATA", "."), "brain_mri.npz")
    if path.exists():
        data = np.load(path)
        half = np.random.RandomState(0).permutation(len(data["labels"]))[: len(data["labels"]) // 2]
        slices = data["images_64"][half]
        slices = embed(slices, slices, "slices")
        found["800 brain slices, other seeds"] = ([slices] * N_FITS, slices, data["labels"][half])
    return found


def in_same_group(one, other):
    """Return which samples two fits put into the same group."""
    one, other = (np.unique(each, return_inverse=True)[1] for each in (one, other))
    row, column = linear_sum_assignment(contingency_matrix(one, other), maximize=True)
    partner = np.full(one.max() + 1, -1)
    partner[row] = column
    return partner[one] == other


def judge(n_init, embeddings, compared, y):
    started = time.perf_counter()
    fits = [
        CommunityClusterer(n_init=n_init, random_state=seed).fit(embedding)
        for seed, embedding in enumerate(embeddings)
    ]
    seconds = (time.perf_counter() - started) / len(fits)
    labels = [one.predict(compared) for one in fits]
    scores = {
        "ari": np.mean([adjusted_rand_score(*pair) for pair in combinations(labels, 2)]),
        "nmi": np.mean([normalized_mutual_info_score(y, one) for one in labels]),
        "seconds": seconds,
    }
    if n_init > 1:
        stable = np.array([one.predict_stability(compared) >= STABLE for one in fits])
        agree = [
            in_same_group(labels[i], labels[j])[stable[own]].mean()
            for own in range(N_FITS)
            for i, j in combinations(set(range(N_FITS)) - {own}, 2)
            if stable[own].any()
        ]
        scores |= {"stable": stable.mean(), "agree": np.mean(agree)}
    shown = {name: round(float(value), 3) for name, value in scores.items()}
    return {"n_clusters": [one.n_clusters_ for one in fits], **shown}


def judge_report(n_clusters, X):
    """Compare the stability of samples by a report with two new fits on halves, in five splits."""
    report = stability_report(CommunityClusterer(n_clusters), X, random_state=0)
    stable = report.sample_stability >= STABLE
    agree = []
    for seed in range(1, 6):
        order = np.random.RandomState(seed).permutation(len(X))
        halves = order[: len(X) // 2], order[len(X) // 2 :]
        fits = [CommunityClusterer(n_clusters, random_state=seed).fit(X[half]) for half in halves]
        agree.append(in_same_group(*(one.predict(X) for one in fits)))
    shares = {"stable": stable.mean(), "agree": np.mean(agree, axis=0)[stable].mean()}
    shares["agree_on_all"] = np.mean(agree)
    return {name: round(float(share), 3) for name, share in shares.items()}


def main():
    warnings.simplefilter("ignore")
    consensus, reports = [], []
    for name, (embeddings, *compared) in sets().items():
        for n_init in HALVES:
            row = {"set": name, "n_init": n_init, **judge(n_init, embeddings, *compared)}
            print(row, flush=True)
            consensus.append({**row, "made_by": describe_run()})
            write_records(PATH, consensus)
        if embeddings[0] is not embeddings[1]:
            continue
        for n_clusters in ("auto", 4):
            found = judge_report(n_clusters, embeddings[0])
            row = {"set": name.split(",")[0], "n_clusters": n_clusters, **found}
            print(row, flush=True)
            reports.append({**row, "made_by": describe_run()})
            write_records(PATH_OF_REPORTS, reports)


if __name__ == "__main__":
    main()
