"""Groups of 400 X-rays by the usual ways: pretrained features, UMAP, HDBSCAN, KMeans, and this one.

Run from the repository; ``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.quality.alternatives --seeds 0 1 2

All methods fit the same training images of PneumoniaMNIST, and are judged on these images. KMeans
is told the true number of classes; the others find a number. Images that HDBSCAN calls noise are a
group of their own. Features are those of ResNet18, or of SqueezeNet if its weights cannot be
downloaded.

Writes ``benchmarks/results/alternatives.json`` after each row. Rows that are there are skipped,
unless the recommended setting was another one.
"""

import argparse
import json
import time

import numpy as np
from joblib import hash as hash_of
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality.baselines import frozen, pretrained_network
from benchmarks.quality.evaluation import flat
from benchmarks.quality.settings import fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.datasets import load_pneumoniamnist

PATH = RESULTS / "alternatives.json"
N_SAMPLES = 400


def features_of(X):
    name, network, prepare = pretrained_network()
    weights = hash_of({key: value.numpy() for key, value in network.state_dict().items()})
    return name, frozen(weights, X, network=network, prepare=prepare)


def reduced(X, seed):
    """Return 10 components of UMAP without gaps between neighbours, as its guide advises."""
    from umap import UMAP

    return UMAP(n_components=10, min_dist=0, random_state=seed).fit_transform(X)


def ours(X, seed):
    return ContrastiveAutoencoderClusterer(**recommended(len(X)), random_state=seed).fit_predict(X)


def methods(X, seed):
    """Return {name: function that returns groups}."""
    name, features = features_of(X)
    return {
        "KMeans of pixels, told 2": lambda: KMeans(2, n_init=5, random_state=seed).fit_predict(
            flat(X)
        ),
        "communities of pixels": lambda: CommunityClusterer(random_state=seed).fit_predict(flat(X)),
        f"KMeans of {name}, told 2": lambda: KMeans(2, n_init=5, random_state=seed).fit_predict(
            features
        ),
        f"HDBSCAN of {name}": lambda: HDBSCAN(copy=True).fit_predict(features),
        f"UMAP and HDBSCAN of {name}": lambda: HDBSCAN(copy=True).fit_predict(
            reduced(features, seed)
        ),
        "recommended": lambda: ours(X, seed),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    X, y = load_pneumoniamnist("train", return_X_y=True)
    setting = fingerprint(recommended(N_SAMPLES))
    for seed in options.seeds:
        drawn = np.random.default_rng(seed).permutation(len(X))[:N_SAMPLES]
        for name, find in methods(X[drawn], seed).items():
            results = json.loads(PATH.read_text()) if PATH.exists() else []
            row = {"method": name, "seed": seed}
            key = row | ({"hash": setting} if name == "recommended" else {})
            if any(key.items() <= one.items() for one in results):
                continue
            started = time.perf_counter()
            labels = find()
            seconds = time.perf_counter() - started
            found = {
                "n_groups": len(set(labels) - {-1}),
                "noise": float(np.mean(labels == -1)),
                "nmi": normalized_mutual_info_score(y[drawn], labels),
                "ari": adjusted_rand_score(y[drawn], labels),
                "seconds": round(seconds, 1),
            }
            print(key, found, flush=True)
            made_by = describe_run("umap-learn")
            results = [one for one in results if not row.items() <= one.items()]
            write_records(PATH, [*results, {**key, **found, "made_by": made_by}])


if __name__ == "__main__":
    main()
