"""The paper's Table 1, with both settings, the paper's baselines and others.

Run from the repository, with ``pip install -e '.[benchmark]'``; ``sklearn_cae.datasets`` finds the
data:

    python -m benchmarks.quality.table1                            # all images: hours on 2 cores
    python -m benchmarks.quality.table1 mnist --max-samples 20000  # the rows of 20 000 digits
    python -m benchmarks.quality.table1 pneumoniamnist --jobs pixels paper --seeds 0 1

Each job runs in a fresh process. A job that has a result with this setting and seed is skipped.
With ``--again`` it is run again, and the new result replaces the earlier one: the hash of a setting
covers its parameters, but not the code. After each job ``table1_runs.jsonl`` (a line per job) and
the files of ``summary.py`` are written into ``benchmarks/results``. Before a job starts, its
setting and hash are written to ``table1_log.jsonl``, which only grows. Labels of the validation
and test splits choose nothing.
"""

import argparse
import resource
import time
from datetime import UTC, datetime
from functools import partial

from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GroupShuffleSplit

from benchmarks._common import describe_run, in_fresh_process
from benchmarks.quality import baselines
from benchmarks.quality.evaluation import (
    SPLITS,
    count_classes,
    equal_images,
    load,
    pack_clusters,
    rows_of_clusters,
    rows_of_probes,
)
from benchmarks.quality.figures import draw
from benchmarks.quality.reconstruction import images_job
from benchmarks.quality.runs import append_log, find_runs, read_runs, replace_runs
from benchmarks.quality.settings import N_TRAIN, SETTINGS, hash_of_setting, parameters, setting_of
from benchmarks.quality.summary import summarise
from sklearn_cae import ContrastiveAutoencoderClusterer

SEEDS = {"pneumoniamnist": 5, "mnist": 3}
SHOWN = ("accuracy", "balanced_accuracy", "nmi", "mse", "psnr", "ssim")
PACKAGES = ("torchvision", "clustpy", "umap-learn", "scikit-image")


def method(setting, dataset, splits, seed):
    """Fit the method in a setting; judge its clusters and its embedding."""
    params = parameters(setting, dataset, len(splits["train"][0]))
    model = ContrastiveAutoencoderClusterer(**params, random_state=seed)
    started = time.perf_counter()
    model.fit(splits["train"][0])
    seconds = time.perf_counter() - started
    if seed == 0 and len(splits["train"][0]) == N_TRAIN[dataset]:
        draw(model, splits, f"{dataset}_{setting}")
    features = {}
    for output in ("embedding", "projection"):
        model.set_params(output=output)
        features[output] = {split: model.transform(X) for split, (X, _) in splits.items()}
    rows = rows_of_clusters("stat", splits, lambda split: model.predict(splits[split][0]))
    rows += rows_of_probes(splits, features["embedding"], seed)
    rows += rows_of_probes(splits, features["projection"], seed, suffix="_projection")
    clusters = {split: model.predict(splits[split][0]) for split in held_back(splits)}
    found = {
        "n_clusters": model.n_clusters_,
        "fit_seconds": round(seconds, 1),
        "clusters": {split: pack_clusters(labels) for split, labels in clusters.items()},
    }
    if model.search_ and "knee" in model.search_:
        found["elbow_found"] = model.search_["found"]
    return rows, found


def held_back(splits):
    return [split for split in splits if split != "train"]


def halves(parameters_for, splits, seed):
    """Fit to both halves of the training images; compare the clusters of held-back images.

    Each half has its own seed, and the parameters for its number of images.
    """
    X, _ = splits["train"]
    splitter = GroupShuffleSplit(1, test_size=0.5, random_state=seed)
    (both,) = splitter.split(X, groups=equal_images(X))
    models = []
    for number, half in enumerate(both):
        params = {**parameters_for(len(half)), "random_state": 2 * seed + number}
        models.append(ContrastiveAutoencoderClusterer(**params).fit(X[half]))
    rows = []
    for split in held_back(splits):
        first, second = (model.predict(splits[split][0]) for model in models)
        agreement = float(adjusted_rand_score(first, second))
        rows.append({"model": "agreement_halves", "split": split, "metrics": {"ari": agreement}})
    return rows


def given(parameters_for, splits, seed):
    """Fit with as many clusters as there are classes."""
    X, _ = splits["train"]
    params = {**parameters_for(len(X)), "n_clusters": count_classes(splits)}
    model = ContrastiveAutoencoderClusterer(**params, random_state=seed).fit(X)
    return rows_of_clusters("stat_true_k", splits, lambda split: model.predict(splits[split][0]))


def run_job(job, dataset, seed, max_samples):
    """Run one job; return its rows, its number of clusters, and its time and memory."""
    splits = load(dataset, max_samples)
    started = time.perf_counter()
    if job in SETTINGS:
        rows, found = method(job, dataset, splits, seed)
    elif job in DERIVED:
        parameters_for = partial(parameters, setting_of(job), dataset)
        rows, found = DERIVED[job](parameters_for, splits, seed), {}
    else:
        rows, found = baselines.JOBS[job](dataset, splits, seed), {}
    return {
        "rows": rows,
        **found,
        "n_train": len(splits["train"][0]),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


#: Further jobs of a setting.
DERIVED = {
    f"{setting}_{name}": run
    for setting in SETTINGS
    for name, run in (("given", given), ("halves", halves), ("images", images_job))
}
JOBS = [*SETTINGS, *DERIVED, *baselines.JOBS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("datasets", nargs="*", choices=[*SPLITS, []])
    parser.add_argument("--jobs", nargs="+", choices=JOBS)
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--max-samples", type=int, help="number of training images (default: all)")
    parser.add_argument("--again", action="store_true", help="run jobs again that have a result")
    options = parser.parse_args()
    for dataset in options.datasets or SPLITS:
        for job in options.jobs or JOBS:
            for seed in options.seeds or range(SEEDS[dataset]):
                run_once(job, dataset, seed, options.max_samples, options.again)


def run_once(job, dataset, seed, max_samples, again):
    """Run a job that has no result; write it into the log first, and then into the results."""
    name = setting_of(job)
    n_samples = min(max_samples or N_TRAIN[dataset], N_TRAIN[dataset])
    setting = parameters(name, dataset, n_samples) if name else None
    key = {"dataset": dataset, "job": job, "seed": seed, "max_samples": max_samples}
    earlier = find_runs(key)
    key["hash"] = hash_of_setting(setting) if setting else None
    if not again and any(one["hash"] == key["hash"] for one in earlier):
        return
    made_by = describe_run(*PACKAGES)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    append_log({"time": now, "commit": made_by["commit"], **key, "setting": setting})
    print(f"{now} {dataset} {job} seed {seed}", flush=True)
    result = in_fresh_process(run_job, job, dataset, seed, max_samples)
    replace_runs(earlier, {**key, **result, "made_by": made_by})
    for row in result["rows"]:
        scores = row["metrics"]
        print(
            f"  {row['split']:<5} {row['model']:<34} k {row.get('n_clusters', ''):<3}",
            *(f"{name} {scores[name]:.3f}" for name in SHOWN if name in scores),
            flush=True,
        )
    summarise(read_runs())


if __name__ == "__main__":
    main()
