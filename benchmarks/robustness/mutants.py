"""Change the code at random places and see whether a test notices: mutation testing.

Run from the repository, after ``pip install cosmic-ray``, with a number of changes and a seed:

    python -m benchmarks.robustness.mutants 200 0

A place is drawn first, and then one of Cosmic Ray's changes of it, so that all places count alike.
Prints each change as a diff and writes ``benchmarks/results/mutants.json``: the number of changes
that the tests of the room notice, and the changes that the tests of the estimator miss as well.
"""

import difflib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code

from benchmarks._common import RESULTS as FOLDER
from benchmarks._common import describe_run

ROOT = Path(__file__).parents[2]
RESULTS = FOLDER / "mutants.json"
#: Rooms and their tests. The tests of the estimator run on the changes that these miss.
ROOMS = {
    "losses": ["test_losses.py"],
    "optim": ["test_optim.py"],
    "augmentations": ["augmentations", "test_augmentations.py"],
    "metrics": ["metrics"],
    "label_mapper": ["test_label_mapper.py"],
    "_grouping": ["_grouping"],
    "clusterers": ["clusterers", "_grouping/test_prototypes.py"],
    "_input": ["_input"],
}
WHOLE = ["_training/test_phases.py", "_estimator/test_clusterer.py", "_estimator/test_fitted.py"]
#: The most seconds that tests may take without a change.
SECONDS = 1200
PRELOADED = ("torch", "sklearn.utils.estimator_checks", "skorch", "pandas", "hypothesis", "pytest")


def main():
    n_mutants, seed = map(int, sys.argv[1:])
    for name in PRELOADED:  # once, not in every forked process
        import_module(name)
    with tempfile.TemporaryDirectory() as copy:
        copy = Path(copy)
        for folder in ("sklearn_cae", "tests"):
            shutil.copytree(ROOT / folder, copy / folder)
        shutil.copy(ROOT / "pyproject.toml", copy)
        drawn = draw(n_mutants, seed)
        rooms = sorted({room_of(module) for module, _ in drawn})
        limits = {room: find_limit(ROOMS[room], copy) for room in rooms}
        whole_limit = find_limit(WHOLE, copy)
        survivors = []
        for one in drawn:
            room = room_of(one[0])
            if survives(one, ROOMS[room], copy, limits[room]):
                survivors.append(one)
        killed = len(drawn) - len(survivors)
        print(f"{killed} of {len(drawn)} killed: {killed / len(drawn):.1%}", flush=True)
        survivors = [one for one in survivors if survives(one, WHOLE, copy, whole_limit)]
    shown = [{"module": module, "diff": change(module, one)[1]} for module, one in survivors]
    summary = {"made_by": describe_run("cosmic-ray"), "seed": seed, "mutants": len(drawn)}
    summary |= {"killed": killed, "survivors": shown}
    RESULTS.write_text(json.dumps(summary, indent=1) + "\n")


def find_limit(tests, copy):
    """Run tests without a change; return the seconds that they may take with one."""
    started = time.perf_counter()
    if not passes(tests, copy, SECONDS):
        raise SystemExit(f"{tests} fail without a mutant:\n{(copy / 'log').read_text()}")
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s without a mutant:", *tests, flush=True)
    return 30 + 5 * int(seconds)  # an endless loop counts as noticed


def modules_of(room):
    """Return the modules of a room, as paths without their suffix."""
    package = ROOT / "sklearn_cae"
    files = sorted((package / room).glob("*.py")) or [package / f"{room}.py"]
    return [path.relative_to(package).with_suffix("").as_posix() for path in files]


def room_of(module):
    return module.partition("/")[0]


def draw(n_mutants, seed):
    """Draw places, and one change of each."""
    rng, places = random.Random(seed), defaultdict(list)
    for module in [module for room in ROOMS for module in modules_of(room)]:
        for item in _all_work_items([ROOT / "sklearn_cae" / f"{module}.py"], {}):
            (mutation,) = item.mutations
            if not is_annotation(mutation):
                places[module, mutation.start_pos].append(mutation)
    drawn = rng.sample(sorted(places), min(n_mutants, len(places)))
    return [(module, rng.choice(places[module, place])) for module, place in drawn]


def is_annotation(mutation):
    """Return whether a change is in a type annotation, which is never executed."""
    line = Path(mutation.module_path).read_text().splitlines()[mutation.start_pos[0] - 1]
    return "BitOr" in mutation.operator_name and ("->" in line or ": " in line)


def change(module, mutation):
    """Return a module's code with a change, and the change as a diff."""
    code = (ROOT / "sklearn_cae" / f"{module}.py").read_text()
    operator = cosmic_ray.plugins.get_operator(mutation.operator_name)()
    changed = mutate_code(code, operator, mutation.occurrence)
    diff = difflib.unified_diff(code.splitlines(), changed.splitlines(), n=0, lineterm="")
    return changed, [line for line in diff if not line.startswith(("---", "+++"))]


def survives(mutant, tests, copy, seconds):
    """Write a changed module, and return whether the tests miss the change."""
    module, mutation = mutant
    changed, diff = change(module, mutation)
    path = copy / "sklearn_cae" / f"{module}.py"
    started, code = time.perf_counter(), path.read_text()
    path.write_text(changed)
    try:
        survived = passes(tests, copy, seconds)
    finally:
        path.write_text(code)
    verdict = "survives" if survived else "killed"
    print(module, verdict, f"{time.perf_counter() - started:.0f} s", *diff, flush=True)
    return survived


def passes(tests, copy, seconds):
    """Run tests in a forked process; return whether they all pass in time."""
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        os.chdir(copy / "tests")
        sys.path[:0] = [str(copy), str(copy / "tests")]
        for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn_cae"]:
            del sys.modules[name]  # these were imported without the change
        if not Path(import_module("sklearn_cae").__file__).is_relative_to(copy):
            raise SystemExit("the tests would look at another package than the mutant's")
        sys.dont_write_bytecode = True
        log = os.open(copy / "log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-c", str(copy / "pyproject.toml")]
        os._exit(pytest.main([*options, *tests]))
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main()
