"""Processes that share a checkpoint: ``python tests/writers.py N_PROCESSES WHAT=N_ROUNDS ...``.

WHAT is "keep" (a fit's calls of a checkpoint without training), "fit", or "kill" (as "keep", but
one of the processes is killed while it writes). All begin at once in each round. Prints, as JSON,
for each WHAT the rounds in which something went wrong; there should be none.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae._storage.checkpoint import Checkpoint
from sklearn_cae.datasets import make_toy_images

N_EPOCHS = 4
LOADED = "loaded, not trained again"
PHASES = ("warm_up", "conditioning")
WEIGHTS = torch.arange(20_000.0)


def main():
    n_processes, *rounds = sys.argv[1:]
    torch.set_num_threads(1)
    # The first step of an optimizer imports 870 modules: here once, not in every forked process.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)]).step()
    wrong = {}
    for what, n_rounds in (each.split("=") for each in rounds):
        wrong[what] = run_rounds(what, int(n_processes), int(n_rounds))
    print(json.dumps(wrong))


def run_rounds(what, n_processes, n_rounds):
    """Run rounds in new folders; return those in which something went wrong."""
    wrong = []
    for number in range(n_rounds):
        with tempfile.TemporaryDirectory() as folder:
            found = run_round(what, n_processes, Path(folder), np.random.RandomState(number))
        if found:
            wrong.append({"round": number, "wrong": found})
    return wrong


def run_round(what, n_processes, folder, rng):
    """Let processes do the same at once; tell what went wrong."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(n_processes + 1)
    kept, results = folder / "kept", folder / "results"
    results.mkdir()
    do = partial(fit if what == "fit" else keep, kept)
    workers = [
        context.Process(target=run, args=(barrier, results / str(number), do))
        for number in range(n_processes)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    if what == "kill":
        time.sleep(rng.uniform(0, 0.1))
        os.kill(workers.pop(0).pid, signal.SIGKILL)
        n_processes -= 1
    for worker in workers:
        worker.join()
    found = [
        json.loads(path.read_text()) for path in sorted(results.iterdir())[-n_processes:]
    ]  # without that of the killed one
    wrong = [text for _, said in found for text in said]
    if len(found) < n_processes:
        wrong.append(f"{len(found)} of {n_processes} came to an end")
    if len({answer for answer, _ in found}) != 1:
        wrong.append("they came to different ends")
    _, said = run_alone(do)
    if len(said) != 1 or LOADED not in said[0]:
        wrong.append(f"what was finished is not loaded: {said}")
    left = sorted(path.name for path in kept.glob("*/*"))
    if left != ["conditioning.safetensors", "fit.json", "warm_up.safetensors"]:
        wrong.append(f"files: {left}")
    return wrong


def run(barrier, result, do):
    barrier.wait()
    answer, said = run_alone(do)
    result.write_text(json.dumps([answer, [text for text in said if LOADED not in text]]))


def run_alone(do):
    """Do something; give what came of it, and the warnings and errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer, error = do(), []
        except Exception as raised:
            answer, error = None, [f"{type(raised).__name__}: {raised}"]
    return answer, [*error, *(str(each.message) for each in caught)]


def keep(folder):
    """Make the calls that a fit of random_state=None makes; give its random numbers."""
    rng = np.random.RandomState()
    checkpoint = Checkpoint(folder, {"random_state": None}, "data", "start", rng, {})
    for phase in PHASES:
        kept = checkpoint.read(phase, "start")
        n_kept = len(kept["history"]) if kept else 0
        if kept and (kept["module"][0] != n_kept or kept["module"][-1] != n_kept):
            raise AssertionError("header and tensors are of two states")
        if kept and kept["finished"]:
            continue
        for epoch in range(n_kept + 1, N_EPOCHS + 1):
            state = {
                "start": "start",
                "finished": epoch == N_EPOCHS,
                "module": torch.full_like(WEIGHTS, epoch),
                "history": [{"epoch": each} for each in range(epoch)],
            }
            checkpoint.write(phase, state)
    checkpoint.finish()
    return rng.randint(2**31)


def fit(folder):
    """Fit, and give what tells fits apart."""
    X, _ = make_toy_images(60, image_size=16, random_state=0, return_X_y=True)
    model = ContrastiveAutoencoderClusterer(
        3,
        embedding_dim=8,
        warm_up_epochs=2,
        conditioning_epochs=1,
        batch_size=32,
        optimizer="adamw",
        device="cpu",
        checkpoint_dir=folder,
    ).fit(X)
    answer = model.cluster_centers_.tobytes() + model.labels_.tobytes()
    return hashlib.sha256(answer).hexdigest()


if __name__ == "__main__":
    main()
