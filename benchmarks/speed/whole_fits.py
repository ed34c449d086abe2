"""Whole fits in fresh processes: compared with other clusterers, and for growing data."""

import statistics
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from benchmarks._common import images, in_fresh_process, record
from benchmarks.speed.peers import time_epochs
from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.datasets import load_mnist
from sklearn_cae.metrics import hungarian_accuracy

SIZES = (5_000, 20_000, 60_000, 500_000)

# ---- compared with others ----


def fits(options):
    """Fit 20 000 MNIST images in fresh processes, with the same number of epochs each."""
    ours = in_fresh_process(_fit_whole, "ours", options.passes)
    records = []
    for name in ("clustpy_dec", "clustpy_idec", "pixels_kmeans"):
        other = in_fresh_process(_fit_whole, name, options.passes)
        records += [
            _versus(f"fit/{name}", ours, other, key)
            for key in ("seconds", "memory", "accuracy", "nmi")
        ]
    return records


UNITS = {"seconds": "s", "memory": "MiB", "accuracy": "Hungarian accuracy", "nmi": "NMI"}


def _versus(name, ours, other, key):
    name = name if key == "seconds" else f"{name}/{key}"
    return record(name, [ours[key]], [other[key]], UNITS[key])


def _fit_whole(name, n_passes):
    X, y = load_mnist("train", return_X_y=True)
    X, y = X[:20_000], y[:20_000]
    fit_predict = _MAKERS[name](n_passes)  # imports ClustPy
    memory = PeakMemory()
    with memory:
        started = time.perf_counter()
        labels = fit_predict(X)
        duration = time.perf_counter() - started
    return {
        "seconds": duration,
        "memory": memory.peak,
        "accuracy": hungarian_accuracy(y, labels),
        "nmi": normalized_mutual_info_score(y, labels),
    }


def _ours(n_passes):
    model = ContrastiveAutoencoderClusterer(
        10,
        warm_up_epochs=n_passes // 2,
        conditioning_epochs=n_passes // 2,
        augmentation="digits",
        device="cpu",  # as for the others
        random_state=0,
    )
    return model.fit_predict


def _deep_clustering(name, n_passes):
    from clustpy import deep

    # Documented: 100 epochs of pretraining and 150 of clustering.
    model = getattr(deep, name)(
        10,
        pretrain_epochs=round(0.4 * n_passes),
        clustering_epochs=round(0.6 * n_passes),
        random_state=0,
    )
    return lambda X: model.fit_predict(X.reshape(len(X), -1).astype(np.float32) / 255.0)


_MAKERS = {
    "ours": _ours,
    "clustpy_dec": lambda n_passes: _deep_clustering("DEC", n_passes),
    "clustpy_idec": lambda n_passes: _deep_clustering("IDEC", n_passes),
    "pixels_kmeans": lambda _: (
        lambda X: KMeans(10, random_state=0).fit_predict(X.reshape(len(X), -1) / np.float32(255))
    ),
}


class PeakMemory:
    """Peak of the memory that a block adds to the process, in MiB, without mapped files."""

    def __enter__(self):
        self.start = self.peak_seen = _anonymous_memory()
        self.running = True
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while self.running:
            self.peak_seen = max(self.peak_seen, _anonymous_memory())
            time.sleep(0.01)

    def __exit__(self, *exception):
        self.running = False
        self.thread.join()

    @property
    def peak(self):
        return self.peak_seen - self.start


def _anonymous_memory():
    """Return the private memory of the process in MiB (Linux only)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("the kernel does not tell RssAnon")


# ---- growth ----


QUANTITIES = {
    "warm_up": "ms per image",
    "conditioning": "ms per image",
    "prototypes": "ms per image",
    "memory": "MiB above the data",
}


def growth(options):
    """Fit growing numbers of images in fresh processes, the smallest before and after each."""
    smallest, *larger = SIZES
    with tempfile.TemporaryDirectory() as folder:
        path = _write_many(Path(folder) / "images.npy", SIZES[-1])

        def grow(n):
            return in_fresh_process(_grow, n, path, options.precision)

        around, runs = [grow(smallest)], {}
        for n in larger:
            runs[n] = grow(n)
            around.append(grow(smallest))
    beside = dict(zip(larger, pairwise(around), strict=True))
    records = [
        record(f"growth/{key}/{n}", [runs[n][key]] * 2, [one[key] for one in beside[n]], unit)
        for key, unit in QUANTITIES.items()
        for n in larger
    ]
    largest, at_60k = runs[larger[-1]], runs[60_000]
    # seconds of 60 000 images in 50 + 50 epochs; times are in milliseconds per image
    search = 60 * at_60k["prototypes"]
    whole = search + 50 * 60 * (at_60k["warm_up"] + at_60k["conditioning"])
    return [
        *records,
        record("growth/validation", [largest["validation"]], [largest["epoch"]], "s"),
        *(
            record(f"growth/drift/{key}", [around[-1][key]], [around[0][key]], "ms per image")
            for key in ("warm_up", "conditioning")
        ),
        record("search/share_of_fit", [search], [whole], "s"),
    ]


def _write_many(path, n):
    """Write shifted copies of MNIST's images, until there are `n`."""
    X = images("mnist", 60_000)
    many = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, *X.shape[1:]))
    for copy, start in enumerate(range(0, n, len(X))):
        part = many[start : start + len(X)]
        part[:] = np.roll(X, (copy % 3, copy // 3), axis=(1, 2))[: len(part)]
    many.flush()
    return path


def _grow(n, path, precision):
    """Fit the first `n` images; return milliseconds per image of each part, and peak memory."""
    X = np.load(path, mmap_mode="r")[:n]
    if n <= 60_000:
        X = np.array(X)
    n_epochs = max(1, min(4, 120_000 // n))
    stamps = []
    memory = PeakMemory()
    with memory:
        _warm_the_machine(X[:1024], precision)
        started = time.perf_counter()
        _, epochs = time_epochs(
            X,
            before=lambda: stamps.append(time.perf_counter()),
            warm_up_epochs=n_epochs,
            conditioning_epochs=n_epochs,
            augmentation="digits",
            precision=precision,
            device="cpu",
            random_state=0,
        )
        ended = time.perf_counter()
    print(f"{n} images: epochs of {np.round(epochs, 2)} s, {memory.peak:.0f} MiB")
    return {
        "warm_up": 1e3 * statistics.median(epochs[:n_epochs]) / n,
        "conditioning": 1e3 * statistics.median(epochs[n_epochs:]) / n,
        "validation": stamps[0] - started,
        "epoch": epochs[0],
        # The rest: neither an epoch nor before the first one.
        "prototypes": 1e3 * (ended - stamps[0] - sum(epochs)) / n,
        "memory": memory.peak,
    }


def _warm_the_machine(X, precision):
    params = {"warm_up_epochs": 1, "conditioning_epochs": 1, "precision": precision}
    time_epochs(X, n_clusters=2, device="cpu", **params)
