"""The files of ``table1.py``: what is evaluated, what came of it, and what that replaced."""

import json
import os

from benchmarks._common import RESULTS

LOG, RUNS = RESULTS / "table1_log.jsonl", RESULTS / "table1_runs.jsonl"
REPLACED = RESULTS / "table1_replaced.jsonl"


def append_log(one):
    """Say that an evaluation begins."""
    _append(LOG, one)


def read_runs():
    """Give the results, a dict for each job and seed."""
    return _read(RUNS)


def read_all_runs():
    """Give the results that were replaced as well, these first."""
    return _read(REPLACED) + _read(RUNS)


def find_runs(key):
    """Give the results that a key is part of."""
    return [one for one in read_runs() if key.items() <= one.items()]


def replace_runs(earlier, one):
    """Put a result in the place of earlier ones, which are kept elsewhere."""
    for each in earlier:
        _append(REPLACED, each)
    runs = [*(each for each in read_runs() if each not in earlier), one]
    beside = RUNS.with_suffix(".new")  # a kill halfway loses nothing
    beside.write_text("".join(json.dumps(each) + "\n" for each in runs))
    os.replace(beside, RUNS)


def _read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _append(path, one):
    with path.open("a") as file:
        file.write(json.dumps(one, default=repr) + "\n")
        file.flush()
        os.fsync(file.fileno())
