"""What the scripts share: where results go, what machine made them, fair timing."""

import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("sklearn_cae", "torch", "scikit-learn", "skorch", "numpy")


def describe_run(*more_packages):
    """Give the command, machine and versions that made a result."""
    return {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in (*PACKAGES, *more_packages)},
    }


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def in_fresh_process(function, *args):
    """Call a function where nothing has run before, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()
