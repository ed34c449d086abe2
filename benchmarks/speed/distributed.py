"""Two processes with a thread each against one process with two, and images per second afterwards.

    python -m benchmarks.speed.distributed

Run it on an idle machine with two cores. Both fits get the same images and the same batch. They run
in turn. An epoch counts from the second one on. Time in the exchange contains the wait for the
slower process. Then one thread assigns images, in seconds of the processor.

Prints the results and writes ``benchmarks/results/distributed.json``. The load is that of the
machine when the command begins: near 0 if it was idle.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from benchmarks._common import RESULTS, describe_run, images
from sklearn_cae import ContrastiveAutoencoderClusterer, _processes, recommended
from sklearn_cae._training.trainer import Trainer
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.modules import DeepDecoder, LogScattering

FORMS = {"1 process, 2 threads": (1, 2), "2 processes, 1 thread": (2, 1)}
SIZES = {28: 4096, 128: 512}  # side in pixels, and number of images to assign


class Exchange:
    """Seconds and bytes in collective operations, by phase."""

    def __init__(self):
        self.seconds, self.bytes, self.phase = defaultdict(float), defaultdict(int), None

    def watch(self):
        """Count from here on, in this process."""
        run, run_phase = _processes._Group.run, Trainer.run

        def counted(group, collective, tensor, **options):
            began = time.perf_counter()
            run(group, collective, tensor, **options)
            self.seconds[self.phase] += time.perf_counter() - began
            self.bytes[self.phase] += tensor.numel() * tensor.element_size()

        def in_phase(trainer, phase, *args, **kwargs):
            self.phase = phase
            run_phase(trainer, phase, *args, **kwargs)
            self.phase = None

        _processes._Group.run, Trainer.run = counted, in_phase


def fit(rank, n_processes, n_threads, folder, n_samples, batch_size):
    """Fit in one process of several; the first writes what it measured."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(n_threads)
    exchange = Exchange()
    exchange.watch()
    if n_processes > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=n_processes
        )
    X = images("pneumoniamnist", n_samples)
    params = recommended(
        len(X),
        train_encoder=True,
        warm_up_epochs=3,
        refinement_epochs=3,
        conditioning_epochs=2,
        batch_size=batch_size,
        random_state=0,
    )
    began = time.perf_counter()
    model = ContrastiveAutoencoderClusterer(**params).fit(X)
    wall = time.perf_counter() - began
    if rank > 0:
        return
    networks = [model.encoder_, model.projection_head_, model.decoder_]
    found = {
        "wall": wall,
        "between_phases": wall - sum(row["dur"] for row in model.history_),
        "weights": sum(weight.numel() for net in networks for weight in net.parameters()),
        "embedding_dim": model.embedding_dim,
        "phases": {},
    }
    for phase in ("warm_up", "refinement", "conditioning"):
        epochs = [row["dur"] for row in model.history_ if row["phase"] == phase]
        n_steps = len(epochs) * (len(X) // batch_size)
        found["phases"][phase] = {
            "images_per_second": len(X) / statistics.median(epochs[1:]),
            "exchange_share": exchange.seconds[phase] / sum(epochs),
            "bytes_per_step": exchange.bytes[phase] / n_steps,
        }
    (Path(folder) / "found.json").write_text(json.dumps(found))


def measure_fit(form, n_samples, batch_size):
    n_processes, n_threads = FORMS[form]
    with tempfile.TemporaryDirectory() as folder:
        args = (n_processes, n_threads, folder, n_samples, batch_size)
        mp.spawn(fit, args, nprocs=n_processes)
        return json.loads((Path(folder) / "found.json").read_text())


def measure_assigning(side, n_images):
    """Return the images per second of processor time that one thread assigns."""
    X, _ = make_toy_images(n_images, image_size=side, random_state=0, return_X_y=True)
    settings = {
        "trained encoder": {"train_encoder": True},
        "scattering": {
            "encoder": LogScattering,
            "train_encoder": False,
            "decoder": DeepDecoder,
        },
    }
    short = {"warm_up_epochs": 1, "conditioning_epochs": 0, "n_clusters": 10, "device": "cpu"}
    found = {}
    for name, params in settings.items():
        params = recommended(len(X), **{**params, **short, "refinement_epochs": 0})
        model = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X[:256])
        model.predict(X[:256])
        times = []
        for _ in range(3):
            began = time.process_time()
            model.predict(X)
            times.append(time.process_time() - began)
        found[name] = len(X) / statistics.median(times)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=4096, help="images of the fits")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    results = {
        "load": round(os.getloadavg()[0], 1),
        "made_by": describe_run(),
        "n_samples": options.samples // options.batch_size * options.batch_size,
        "batch_size": options.batch_size,
        "fits": {form: [] for form in FORMS},
    }
    for _ in range(options.rounds):
        for form, found in results["fits"].items():
            found.append(measure_fit(form, results["n_samples"], options.batch_size))
            print(form, found[-1], flush=True)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    results["assigned_per_second"] = {}
    for side, n_images in SIZES.items():
        results["assigned_per_second"][side] = measure_assigning(side, n_images)
    print(results["assigned_per_second"])
    (RESULTS / "distributed.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
