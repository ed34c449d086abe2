"""The files of ``table1.py``: a log of all evaluations, and the newest result of each."""

import json
import os

from benchmarks._common import RESULTS

LOG, RUNS = RESULTS / "table1_log.jsonl", RESULTS / "table1_runs.jsonl"


def append_log(one):
    """Record that an evaluation begins."""
    with LOG.open("a") as file:
        file.write(json.dumps(one, default=repr) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_log():
    """Return the evaluations in the order in which they began."""
    return _read(LOG)


def read_runs():
    """Return the results, a dict for each job and seed."""
    return _read(RUNS)


def find_runs(key):
    """Return the results that contain the items of `key`."""
    return [one for one in read_runs() if key.items() <= one.items()]


def replace_runs(earlier, one):
    """Write a result in place of earlier ones."""
    runs = [*(each for each in read_runs() if each not in earlier), one]
    beside = RUNS.with_suffix(".new")  # nothing is lost if the process is killed here
    beside.write_text("".join(json.dumps(each) + "\n" for each in runs))
    os.replace(beside, RUNS)


def _read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
