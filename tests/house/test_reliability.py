"""What takes minutes to see: kills, leaks, threads, many images. ``make reliability`` runs it."""

import gc
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from fresh import run_fresh
from quick import quick_clusterer

from sklearn_cae import load, save

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("threads", [1, 2])
def test_fits_that_are_killed_end_with_the_same_bits(figures, threads):
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.robustness.kills", "40", str(threads)],
        cwd=TESTS.parent,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = json.loads(printed)
    figures[f"kills, {threads} threads"] = found
    assert found["kills"] >= 40
    assert {"warm_up", "search", "refinement", "conditioning", "writing"} <= set(found["at"])
    assert found["different"] == 0


def resources():
    """Memory in MiB, handles, threads and processes of this process."""
    status = Path("/proc/self/status").read_text()
    anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "memory": int(anonymous.split()[1]) / 1024,
        "handles": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "processes": len(children),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_hundred_rounds_leave_nothing_behind(figures, tmp_path, toy_images):
    X, _ = toy_images
    rounds = []
    for number in range(220):
        model = quick_clusterer(
            warm_up_epochs=1, conditioning_epochs=1, checkpoint_dir=tmp_path / str(number)
        ).fit(X)
        save(model, tmp_path / "model")
        assert np.array_equal(load(tmp_path / "model").predict(X), model.predict(X))
        gc.collect()
        rounds.append(resources())
    rounds = rounds[20:]  # the first ones fill caches
    figures["rounds"] = {name: [round(one[name], 1) for one in rounds] for name in rounds[0]}
    for name in ("handles", "threads", "processes"):
        assert len({one[name] for one in rounds}) == 1, name
    memory = [one["memory"] for one in rounds]
    growth = np.polyfit(np.arange(len(memory)), memory, 1)[0]
    assert growth < 0.05  # MiB a round: less than a tenth of one model


def test_eight_threads_predict_at_once(figures, toy_images, fitted):
    X, _ = toy_images
    expected = fitted.predict_proba(X)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fitted.predict_proba(X), range(400)))
    assert all(np.array_equal(each, expected) for each in found)
    figures["predictions from 8 threads"] = len(found)


class PeakMemory(threading.Thread):
    """Watches the memory that is not mapped from files, in MiB."""

    def __enter__(self):
        self.peak, self.stopped = 0, threading.Event()
        self.start()
        return self

    def run(self):
        while not self.stopped.wait(0.05):
            self.peak = max(self.peak, resources()["memory"])

    def __exit__(self, *args):
        self.stopped.set()
        self.join()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_half_a_million_mapped_images_stay_on_the_disk(figures, tmp_path):
    n_images = 500_000
    X = np.lib.format.open_memmap(
        tmp_path / "images.npy", mode="w+", dtype=np.uint8, shape=(n_images, 28, 28)
    )
    rng = np.random.default_rng(0)
    for start in range(0, n_images, 10_000):
        X[start : start + 10_000] = rng.integers(0, 256, (10_000, 28, 28), dtype=np.uint8)
    X.flush()
    X = np.load(tmp_path / "images.npy", mmap_mode="r")
    quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(X[:2000])  # torch's own pools
    before, started = resources()["memory"], time.perf_counter()
    with PeakMemory() as watched:
        model = quick_clusterer(
            warm_up_epochs=1, conditioning_epochs=0, batch_size=256, precision="auto"
        ).fit(X)
        model.predict(X)
    above = watched.peak - before
    figures["500 000 mapped images"] = {
        "data_mib": round(X.nbytes / 2**20),
        "peak_above_mib": round(above),
        "seconds": round(time.perf_counter() - started),
    }
    assert above < 0.5 * X.nbytes / 2**20


FIT = """
import sys, warnings, numpy as np, torch
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from quick import quick_clusterer
from sklearn_cae.datasets import make_toy_images
torch.set_num_threads(int(sys.argv[3]))
X, _ = make_toy_images(96, n_classes=3, image_size=16, random_state=0, return_X_y=True)
model = quick_clusterer(warm_up_epochs=10, conditioning_epochs=5).fit(X)
assignment = model.predict_proba(X)
loss = [row["train_loss"] for row in model.history_]
np.savez(sys.argv[2], loss=loss, assignment=assignment, centers=model.cluster_centers_)
"""


def test_the_same_seed_gives_the_same_bits_in_other_processes(figures, tmp_path):
    """And, with another number of threads, the same within a tolerance."""
    found = []
    for number, threads in enumerate([1, 1, 2, 2]):
        path = tmp_path / f"{number}.npz"
        run_fresh(FIT, TESTS, path, str(threads))
        found.append(dict(np.load(path)))
    for one, other in (found[:2], found[2:]):
        assert all(np.array_equal(one[name], other[name]) for name in one)
    one, two = found[0], found[2]
    # Sums in another order differ at 1e-8, and every step of the training makes more of it.
    loss = np.abs(one["loss"] / two["loss"] - 1).max()
    assignment = np.abs(one["assignment"] - two["assignment"]).max()
    figures["1 and 2 threads"] = {"loss": float(loss), "assignment": float(assignment)}
    assert loss < 1e-3
    assert assignment < 0.01


def test_two_fits_in_two_threads_do_not_disturb_each_other(toy_images):
    X, _ = toy_images
    params = [{"temperature": 0.3}, {"temperature": 0.7, "optimizer": "lars"}]
    expected = [quick_clusterer(**each).fit(X).cluster_centers_ for each in params]
    threads = torch.get_num_threads()
    for _ in range(20):
        models = [quick_clusterer(**each) for each in params]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda model: model.fit(X), models))
        for model, centers in zip(models, expected, strict=True):
            assert np.array_equal(model.cluster_centers_, centers)
    assert torch.get_num_threads() == threads
