"""Time of a bare step, by precision, memory layout, threads and width.

Run from the repository, on an idle machine:

    python -m benchmarks.speed.step_grid

Bare steps run on one fixed batch of 256 samples (512 views, 28 x 28), all settings of one width and
number of threads in turn. Prints a table and writes ``benchmarks/results/step_grid.json``, from
which ``precision="auto"`` and the memory layout of the networks were chosen.
"""

import argparse
import json
import statistics
from functools import partial
from itertools import product

import torch

from benchmarks._common import RESULTS, describe_run, in_turn, seconds
from benchmarks.speed.bare import PHASES, SHAPE
from sklearn_cae.modules import _images

WIDTHS = (0.5, 1, 2)  # factors of the widths of the paper's networks
LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}


def measure(phase, n_threads, n_rounds):
    """Return milliseconds per step, {(precision, layout): median}, of settings timed in turn."""
    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    views = torch.rand(512, *SHAPE)
    steps = {
        (precision, layout): PHASES[phase](views, precision, LAYOUTS[layout]).step
        for precision, layout in product(("float32", "bfloat16"), LAYOUTS)
    }
    pairs = {setting: partial(seconds, step, 2) for setting, step in steps.items()}
    times = in_turn(pairs, n_rounds)
    return {setting: 1e3 * statistics.median(each) / 2 for setting, each in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    original, default_threads = _images.WIDTHS, torch.get_num_threads()
    results = {**describe_run(), "rounds": options.rounds, "steps": []}
    for phase, width, n_threads in product(PHASES, WIDTHS, (1, default_threads)):
        _images.WIDTHS = tuple(round(width * one) for one in original)
        for (precision, layout), ms in measure(phase, n_threads, options.rounds).items():
            row = {
                "phase": phase,
                "widths": list(_images.WIDTHS),
                "threads": n_threads,
                "precision": precision,
                "layout": layout,
                "ms": round(ms, 1),
            }
            results["steps"].append(row)
            print(*row.values(), flush=True)
    (RESULTS / "step_grid.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
