"""The paper's Table 1, and what stands beside it: every row by one command.

Run from the repository, with the data found as ``sklearn_cae.datasets`` finds them, and with
``pip install -e '.[benchmark]'``:

    python benchmarks/table1.py                                # all of it: many hours on 2 cores
    python benchmarks/table1.py pneumoniamnist --jobs pixels paper --seeds 0 1

Each job is run in a fresh process; one that has been run with this setting and seed is not run
again. Writes after each of them, into ``benchmarks/results``: ``table1_runs.jsonl`` (a line a job),
``table1.json`` (means and standard deviations over seeds: a list of records) and
``table1_header.json`` (command, versions, machine, time and memory). Before a job starts, its
setting and the setting's hash are written to ``table1_log.jsonl``, which only grows: labels of the
validation and test splits choose nothing.
"""

import argparse
import json
import os
import resource
import time
from datetime import UTC, datetime

import baselines
import numpy as np
from _common import RESULTS, describe_run, in_fresh_process, write_records
from evaluation import SPLITS, load, rows_of_clusters, rows_of_probes
from reconstruction import images_job
from settings import SETTINGS, fingerprint, parameters

from sklearn_cae import ContrastiveAutoencoderClusterer

LOG, RUNS = RESULTS / "table1_log.jsonl", RESULTS / "table1_runs.jsonl"
IMAGE_JOBS = {f"{setting}_images": setting for setting in SETTINGS}
JOBS = [*SETTINGS, *IMAGE_JOBS, *baselines.JOBS]
SEEDS = {"pneumoniamnist": 5, "mnist": 3}
SHOWN = ("accuracy", "balanced_accuracy", "nmi", "mse", "psnr", "ssim")
PACKAGES = ("torchvision", "clustpy", "umap-learn", "scikit-image")


def method(setting, dataset, splits, seed):
    """Fit the method in a setting; judge its clusters and its embedding."""
    model = ContrastiveAutoencoderClusterer(**parameters(setting, dataset), random_state=seed)
    started = time.perf_counter()
    model.fit(splits["train"][0])
    seconds = time.perf_counter() - started
    views = {}
    for output in ("embedding", "projection"):
        model.set_params(output=output)
        views[output] = {split: model.transform(X) for split, (X, _) in splits.items()}
    rows = rows_of_clusters("stat", splits, lambda split: model.predict(splits[split][0]))
    rows += rows_of_probes(splits, views["embedding"], seed)
    rows += rows_of_probes(splits, views["projection"], seed, suffix="_projection")
    found = {"n_clusters": model.n_clusters_, "fit_seconds": round(seconds, 1)}
    if model.elbow_ is not None:
        found["elbow_found"] = model.elbow_["found"]
    return rows, found


def run_job(job, dataset, seed, max_samples):
    """Run one job; its rows, what it found, and what it cost."""
    splits = load(dataset, max_samples)
    started = time.perf_counter()
    if job in SETTINGS:
        rows, found = method(job, dataset, splits, seed)
    elif job in IMAGE_JOBS:
        rows, found = images_job(parameters(IMAGE_JOBS[job], dataset), splits, seed), {}
    else:
        rows, found = baselines.JOBS[job](dataset, splits, seed), {}
    return {
        "rows": rows,
        **found,
        "n_train": len(splits["train"][0]),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("datasets", nargs="*", choices=[*SPLITS, []])
    parser.add_argument("--jobs", nargs="+", choices=JOBS)
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--max-samples", type=int, help="of the training images")
    options = parser.parse_args()
    for dataset in options.datasets or SPLITS:
        for job in options.jobs or JOBS:
            for seed in options.seeds or range(SEEDS[dataset]):
                run_once(job, dataset, seed, options.max_samples)


def run_once(job, dataset, seed, max_samples):
    """Run a job that has not been run yet: into the log first, and then into the results."""
    name = IMAGE_JOBS.get(job, job)
    setting = parameters(name, dataset) if name in SETTINGS else None
    key = {
        "dataset": dataset,
        "job": job,
        "seed": seed,
        "max_samples": max_samples,
        "hash": fingerprint(setting) if setting else None,
    }
    if any(key.items() <= one.items() for one in read(RUNS)):
        return
    made_by = describe_run(*PACKAGES)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    append(LOG, {"time": now, "commit": made_by["commit"], **key, "setting": setting})
    print(f"{now} {dataset} {job} seed {seed}", flush=True)
    result = in_fresh_process(run_job, job, dataset, seed, max_samples)
    append(RUNS, {**key, **result, "made_by": made_by})
    for row in result["rows"]:
        scores = row["metrics"]
        print(
            f"  {row['split']:<5} {row['model']:<34} k {row.get('n_clusters', ''):<3}",
            *(f"{name} {scores[name]:.3f}" for name in SHOWN if name in scores),
            flush=True,
        )
    summarise()


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def append(path, one):
    with path.open("a") as file:
        file.write(json.dumps(one, default=repr) + "\n")
        file.flush()
        os.fsync(file.fileno())


def summarise():
    """Rewrite ``table1.json`` and its header from the runs."""
    cells, header = {}, {}
    for run in read(RUNS):
        name = IMAGE_JOBS.get(run["job"], run["job"])
        setting = name if name in SETTINGS else None
        for row in run["rows"]:
            key = (run["dataset"], run["n_train"], row["split"], row["model"], setting, run["hash"])
            for metric, value in row["metrics"].items():
                cells.setdefault((*key, metric), []).append((value, row.get("n_clusters")))
        about = header.setdefault(f"{run['dataset']}/{run['n_train']}/{run['job']}", [])
        about.append({name: value for name, value in run.items() if name != "rows"})
    records = []
    for (dataset, n_train, split, model, setting, digest, metric), values in cells.items():
        scores, numbers = zip(*values, strict=True)
        records.append(
            {
                "dataset": dataset,
                "split": split,
                "model": model,
                "setting": setting,
                "metric": metric,
                "mean": round(float(np.mean(scores)), 4),
                "std": round(float(np.std(scores)), 4),
                "n_seeds": len(scores),
                "n_clusters": list(numbers) if numbers[0] is not None else None,
                "n_train": n_train,
                "hash": digest,
            }
        )
    write_records(RESULTS / "table1.json", records)
    (RESULTS / "table1_header.json").write_text(json.dumps(header, indent=1) + "\n")


if __name__ == "__main__":
    main()
