"""Wavelet scattering by this package and by kymatio 0.3.0, side by side: time and memory.

kymatio is no dependency, as its usual import fails with today's scipy. Install it into a folder of
its own, and run from the repository on an idle machine:

    pip install --target build/kymatio --no-deps kymatio==0.3.0 configparser appdirs packaging
    PYTHONPATH=build/kymatio python -m benchmarks.speed.scattering

Both transform the same batch of random images, in turn, on one thread and on all. The memory is the
growth of the largest memory of a fresh process during one transform. Without kymatio, the columns
of kymatio are empty. Prints a table and writes ``benchmarks/results/scattering.json``.
"""

import argparse
import json
import resource
import statistics
from functools import partial
from itertools import product

import torch

from benchmarks._common import RESULTS, describe_run, in_fresh_process, in_turn
from sklearn_cae.modules import Scattering

SIDES = (28, 64, 128, 224)
N_ANGLES = 4


def transforms(channels, side, max_order):
    """Return {name: transform} of ours and, if it can be imported, of kymatio."""
    ours = Scattering((channels, side, side), n_angles=N_ANGLES, max_order=max_order)
    try:
        from kymatio.scattering2d.frontend.torch_frontend import ScatteringTorch2D
    except ImportError:
        return {"ours": ours}
    other = ScatteringTorch2D(ours.scale, (side, side), L=N_ANGLES, max_order=max_order)
    return {"ours": ours, "kymatio": other}


@torch.no_grad()
def milliseconds(channels, side, max_order, n_threads, batch_size, n_rounds):
    """Return {name: [milliseconds per image and round]} of transforms that run in turn."""
    torch.set_num_threads(n_threads)
    images = torch.rand(batch_size, channels, side, side)
    runs = transforms(channels, side, max_order)
    times = in_turn({name: partial(run, images) for name, run in runs.items()}, n_rounds)
    return {name: [1e3 * one / batch_size for one in each] for name, each in times.items()}


@torch.no_grad()
def peak_mib(name, channels, side, max_order, batch_size):
    """Return by how many MiB a transform raises the largest memory of this process."""
    torch.set_num_threads(1)
    images = torch.rand(batch_size, channels, side, side)
    run = transforms(channels, side, max_order).get(name)
    if run is None:
        return None
    run(images[:1])  # loads the libraries
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(images)
    return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def row(channels, side, max_order, n_threads, options):
    shape = channels, side, max_order
    ms = in_fresh_process(milliseconds, *shape, n_threads, options.batch, options.rounds)
    pairs = zip(ms["ours"], ms.get("kymatio", ()), strict=False)
    times_faster = [theirs / ours for ours, theirs in pairs]
    return {
        "side": side,
        "channels": channels,
        "max_order": max_order,
        "threads": n_threads,
        **{f"{name}_ms": round(statistics.median(each), 3) for name, each in ms.items()},
        "times_faster": round(statistics.median(times_faster), 2) if times_faster else None,
        **{
            f"{name}_mib": in_fresh_process(peak_mib, name, *shape, options.batch)
            for name in ("ours", "kymatio")
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--channels", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--orders", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, default=64, help="number of images")
    parser.add_argument("--rounds", type=int, default=5, help="number of interleaved repetitions")
    options = parser.parse_args()
    threads = sorted({1, torch.get_num_threads()})
    rows = []
    for settings in product(options.channels, options.sides, options.orders, threads):
        rows.append(row(*settings, options))
        print(rows[-1], flush=True)
    made_by = describe_run("kymatio")
    results = {"made_by": made_by, "batch": options.batch, "angles": N_ANGLES, "rows": rows}
    (RESULTS / "scattering.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
