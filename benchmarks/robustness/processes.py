"""Kill one of two processes that train one model, and start both again from the checkpoint.

    python -m benchmarks.robustness.processes 20 0

A random process is killed with SIGKILL at a random moment of the fit. The other one must end by
itself, and say why. Both are started again, and may be killed again. At the end, all arrays are
compared with those of a fit that was not interrupted. The arguments are the number of kills and a
seed. Needs fork.

Prints a row per kill and writes ``benchmarks/results/processes.json``.
"""

import json
import mmap
import os
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from benchmarks._common import RESULTS, describe_run
from benchmarks.robustness import kills
from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.datasets import make_toy_images

N = 2
PARAMS = {**kills.PARAMS, "precision": "float32"}
PRELOADED = ("kneed", "skorch", "torch._dynamo", "sklearn_cae._estimator")
#: The most seconds that the other process may need to end.
PATIENCE = 120


def main():
    n_kills, seed = map(int, sys.argv[1:])
    for name in PRELOADED:  # once, not in every process
        import_module(name)
    rng, killed, n_fits, lost, different = np.random.RandomState(seed), [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        duration = Run(folder / "whole").end()
        expected = kills.read_arrays(folder / "whole" / "result.npz")
        while len(killed) < n_kills:
            n_fits += 1
            here = folder / str(n_fits)
            while not (here / "result.npz").exists():
                run = Run(here)
                kill = None
                if len(killed) < n_kills:
                    kill = run.kill(rng.randint(N), rng.uniform(0, duration))
                if kill is None:
                    run.end()
                    if not (here / "result.npz").exists():
                        lost += 1
                        break
                else:
                    killed.append(kill)
                    print(kill, flush=True)
            else:
                found = kills.read_arrays(here / "result.npz")
                different += not kills.have_equal_bits(found, expected)
    results = {
        "processes": N,
        "kills": len(killed),
        "at": dict(Counter(kill["at"] for kill in killed)),
        "of_the_first": sum(kill["rank"] == 0 for kill in killed),
        "fits": n_fits,
        "lost": lost,
        "different": different,
        "told": sum(kill["told"] for kill in killed),
        "longest_wait": max(kill["seconds"] for kill in killed),
        "made_by": describe_run(),
    }
    print(results)
    (RESULTS / "processes.json").write_text(json.dumps(results, indent=1) + "\n")


class Run:
    """Processes of one fit, which begin or go on in a folder."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.folder, self.places = folder, mmap.mmap(-1, N)
        (folder / "meeting").unlink(missing_ok=True)
        self.started = [
            get_context("fork").Process(target=fit, args=(rank, folder, self.places))
            for rank in range(N)
        ]
        for process in self.started:
            process.start()

    def kill(self, rank, after):
        """Kill a process some seconds after all have called `fit`; return None if it had ended."""
        chosen, *others = [self.started[rank], *self.started[:rank], *self.started[rank + 1 :]]
        self.wait()
        chosen.join(after)
        if not chosen.is_alive():
            return None
        os.kill(chosen.pid, signal.SIGKILL)
        chosen.join()
        began = time.monotonic()
        if chosen.exitcode != -signal.SIGKILL:  # it ended in between
            return None
        for other in others:
            other.join(PATIENCE)
            if other.is_alive():
                raise TimeoutError(f"a process waits for one that was killed, in {self.folder}")
        return {
            "rank": int(rank),
            "at": PHASES[self.places[rank]],
            "told": all(other.exitcode == TOLD for other in others),
            "seconds": round(time.monotonic() - began, 2),
        }

    def wait(self):
        """Wait until all processes have called `fit`."""
        while not all(self.places) and all(each.is_alive() for each in self.started):
            time.sleep(0.001)

    def end(self):
        """Wait until all processes have ended; return the seconds since they called `fit`."""
        self.wait()
        began = time.monotonic()
        for process in self.started:
            process.join()
        return time.monotonic() - began


PHASES = (
    *("not in fit", "before the first epoch", "warm_up"),
    *("between phases", "refinement", "conditioning", "end"),
)
TOLD = 3


def fit(rank, folder, places):
    """Fit in one process; note the phase, and write what came of it."""
    import sklearn_cae._training.trainer as trainer

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    run_phase = trainer.Trainer.run

    def noting(self, phase, *args, **kwargs):
        places[rank] = PHASES.index(phase)
        run_phase(self, phase, *args, **kwargs)
        places[rank] = PHASES.index("between phases")

    trainer.Trainer.run = noting
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=N
    )
    X, _ = make_toy_images(150, image_size=16, random_state=0, return_X_y=True)
    kept = folder / f"kept by {rank}"  # only the first process writes checkpoints
    model = ContrastiveAutoencoderClusterer(**PARAMS, checkpoint_dir=kept)
    places[rank] = PHASES.index("before the first epoch")
    try:
        model.fit(X)
    except RuntimeError as error:
        os._exit(TOLD if "ended without a word" in str(error) else 1)
    places[rank] = PHASES.index("end")
    if rank == 0:
        kills.write_arrays(model, folder / "result.npz")
    os._exit(0)


if __name__ == "__main__":
    main()
