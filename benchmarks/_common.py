"""Shared by all benchmarks: the folder of results, the description of a run, fair timing."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from sklearn_cae._utils.devices import choose_device, choose_precision
from sklearn_cae.datasets import load_mnist, load_pneumoniamnist

RESULTS = Path(__file__).parent / "results"
LOADERS = {"pneumoniamnist": load_pneumoniamnist, "mnist": load_mnist}
PACKAGES = ("sklearn_cae", "torch", "scikit-learn", "skorch", "numpy")


def describe_run(*more_packages):
    """Return the command, machine and versions of a run."""
    return {
        "command": " ".join(["python", "-m", sys.modules["__main__"].__spec__.name, *sys.argv[1:]]),
        "machine": _machine(),
        "torch_threads": torch.get_num_threads(),
        "precision": choose_precision("auto", choose_device("auto")),  # differs between machines
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in (*PACKAGES, *more_packages)},
    }


def _machine():
    """Name the processor and, if there is one, the GPU that ``device="auto"`` chooses."""
    parts = [platform.processor() or platform.machine(), f"{os.cpu_count()} cores"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def _commit():
    """Name the commit of the code, with "+" if there are changes that are not committed."""
    here = {"cwd": Path(__file__).parent, "capture_output": True, "text": True}
    code = ("--", "..", ":!results", ":!../README.md", ":!../docs")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **here).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", *code], **here).stdout.strip()
    return commit + "+" * bool(changed)


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def in_fresh_process(function, *args):
    """Call a function in a new process, so that no earlier run adds to its memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def write_records(path, records):
    """Write a list as JSON, one line per record."""
    lines = ",\n".join(json.dumps(one) for one in records)
    path.write_text(f"[\n{lines}\n]\n")


def over_seeds(values):
    """Return the mean and the sample standard deviation, which is 0 for one value."""
    values = list(values)
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=len(values) > 1)),
        "n_seeds": len(values),
    }


def images(dataset, n):
    return LOADERS[dataset]("train", return_X_y=True)[0][:n]


def record(name, ours, other, unit):
    """Return a record of two lists of measurements that were taken in turn."""
    ratio = statistics.median(a / b for a, b in zip(ours, other, strict=True))
    return {
        "name": name,
        "ours": float(f"{statistics.median(ours):.4g}"),
        "other": float(f"{statistics.median(other):.4g}"),
        "unit": unit,
        "ratio": float(f"{ratio:.4g}"),
    }


def seconds(function, n=1):
    _wait_for_the_device()
    started = time.perf_counter()
    for _ in range(n):
        function()
    _wait_for_the_device()
    return (time.perf_counter() - started) / n


def _wait_for_the_device():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def in_turn(functions, n_rounds):
    """Return {name: [seconds per round]} of functions that run in turn, after a first round."""
    times = {name: [] for name in functions}
    for round_ in range(n_rounds + 1):
        for name, function in functions.items():
            duration = seconds(function)
            if round_:
                times[name].append(duration)
    return times
