"""Groups without training: `quick_look`, EVoC, and UMAP with HDBSCAN, side by side.

EVoC and UMAP are no dependencies. Install them into a folder of their own, and run from the
repository on an idle machine; ``sklearn_cae.datasets`` finds the data:

    pip install --target build/peers --no-deps evoc==0.3.2 numba llvmlite tqdm
    pip install --target build/peers --no-deps umap-learn pynndescent
    PYTHONPATH=build/peers python -m benchmarks.speed.quick_look

All methods get the same samples: `quick_look` the images, the others their pixels. The rows of
vectors are 512 random features of digits, for all methods. Scores are of all samples that were
clustered; those without a group are a group of their own. Each method first runs on 500 samples,
which compiles or loads its code. UMAP is left out for more than 5000 samples. Methods that cannot
be imported are left out.

Prints a row per run and writes ``benchmarks/results/quick_look.json``; rows of other sets are kept.
"""

import argparse
import json
import time
import warnings
from importlib.util import find_spec

import numpy as np
from sklearn.cluster import HDBSCAN
from sklearn.metrics import normalized_mutual_info_score

from benchmarks._common import RESULTS, describe_run, write_records
from sklearn_cae import quick_look
from sklearn_cae.datasets import load_digit_images, load_mnist, load_pneumoniamnist
from sklearn_cae.metrics import hungarian_accuracy

MOST_FOR_UMAP = 5000


def load(name):
    """Return samples and labels, which are None for noise."""
    rng = np.random.default_rng(0)
    if name == "noise":
        return rng.integers(0, 256, (3000, 28, 28)).astype(np.uint8), None
    if name == "digits":
        return load_digit_images(return_X_y=True)
    if name == "PneumoniaMNIST":
        return load_pneumoniamnist("train", return_X_y=True)
    X, y = load_mnist("train", return_X_y=True)
    if name == "MNIST":
        return X.reshape(-1, 28, 28), y
    pixels = X.reshape(len(X), -1)[:20_000].astype(np.float32) / 255
    weights = rng.standard_normal((pixels.shape[1], 512)).astype(np.float32)
    return np.maximum(pixels @ weights, 0), y[:20_000]


def flat(X):
    return np.asarray(X).reshape(len(X), -1).astype(np.float32)


def ours(X, seed):
    model = quick_look(X, random_state=seed)
    told = {"found": model.search_["found"], "halves": model.search_.get("halves")}
    return model.labels_, told


def evoc(X, seed):
    import evoc

    return evoc.EVoC(random_state=seed).fit_predict(flat(X)), {}


def umap(X, seed):
    from umap import UMAP

    reduced = UMAP(n_components=10, min_dist=0, random_state=seed).fit_transform(flat(X))
    return HDBSCAN(copy=True).fit_predict(reduced), {}


METHODS = {"quick look": (ours, None), "EVoC": (evoc, "evoc"), "UMAP and HDBSCAN": (umap, "umap")}


def run(find, X, y, seed):
    wall, cpu = time.perf_counter(), time.process_time()
    labels, told = find(X, seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    found = {
        "n_groups": len(set(labels.tolist()) - {-1}),
        "noise": float(np.mean(labels == -1)),
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        **told,
    }
    if y is not None:
        found["hungarian"] = float(hungarian_accuracy(y, labels))
        found["nmi"] = float(normalized_mutual_info_score(y, labels))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    names = ("digits", "PneumoniaMNIST", "noise", "vectors", "MNIST")
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    path, made_by = RESULTS / "quick_look.json", describe_run("evoc", "umap-learn")
    rows = json.loads(path.read_text()) if path.exists() else []
    rows = [row for row in rows if row["set"] not in options.sets]
    for name in options.sets:
        X, y = load(name)
        for method, (find, module) in METHODS.items():
            if (module and not find_spec(module)) or (module == "umap" and len(X) > MOST_FOR_UMAP):
                continue
            find(X[:500], 0)
            for seed in options.seeds:
                row = {"set": name, "n_samples": len(X), "method": method, "seed": seed}
                rows.append({**row, **run(find, X, y, seed), "made_by": made_by})
                print({**rows[-1], "made_by": None}, flush=True)
                write_records(path, rows)


if __name__ == "__main__":
    main()
