"""How fast training, inference and start-up are, beside their limits and what users would pick.

Run from the repository, on an idle machine, with the data found as ``sklearn_cae.datasets`` finds
them, and with ``pip install -e '.[benchmark]'``:

    python benchmarks/speed.py                      # all sections, about an hour on 2 cores
    python benchmarks/speed.py limit inference      # some of them; the others' results stay

Prints a table and writes ``benchmarks/results/speed.json``, a list of records, after each section:
`ours` and `other` are medians, `ratio` is the median of the ratios ours / other of interleaved
pairs. `unit` says which way is better. How each section was run is in ``speed_header.json``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _common import RESULTS, describe_run, in_fresh_process
from bare import Conditioning, WarmUp
from peers import (
    Kornia,
    Lightly,
    Ours,
    SkorchDefault,
    TorchvisionLoader,
    kornia_views,
    time_epochs,
    torchvision_views,
)
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import GridSearchCV

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.augmentations import PRESETS
from sklearn_cae.datasets import load_mnist, load_pneumoniamnist, make_toy_images
from sklearn_cae.metrics import hungarian_accuracy

BATCH_SIZE = 256
N_STEPS = 18  # whole batches in PneumoniaMNIST's training images
VIEWS = {"pneumoniamnist": "paper", "mnist": "digits"}
LOADERS = {"pneumoniamnist": load_pneumoniamnist, "mnist": load_mnist}


def images(dataset, n):
    return LOADERS[dataset]("train", return_X_y=True)[0][:n]


def suffix(dataset):
    return "" if dataset == "pneumoniamnist" else f"/{dataset}"


def record(name, ours, other, unit):
    """Make a record of two lists of measurements, taken in turn."""
    ratio = statistics.median(a / b for a, b in zip(ours, other, strict=True))
    return {
        "name": name,
        "ours": float(f"{statistics.median(ours):.4g}"),
        "other": float(f"{statistics.median(other):.4g}"),
        "unit": unit,
        "ratio": float(f"{ratio:.4g}"),
    }


def seconds(function, n=1):
    started = time.perf_counter()
    for _ in range(n):
        function()
    return (time.perf_counter() - started) / n


def in_turn(functions, n_rounds):
    """Time functions in turn, {name: [seconds of each round]}, after a round to warm up."""
    times = {name: [] for name in functions}
    for round_ in range(n_rounds + 1):
        for name, function in functions.items():
            duration = seconds(function)
            if round_:
                times[name].append(duration)
    return times


# ---- fit against its own arithmetic ----


def limit(options):
    return [one for dataset in VIEWS for phase in PHASES for one in _limit(dataset, phase, options)]


PHASES = {"warm_up": WarmUp, "conditioning": Conditioning}


def _limit(dataset, phase, options):
    """Interleave epochs of `fit` with as many bare steps and bare views."""
    X = images(dataset, N_STEPS * BATCH_SIZE)
    samples = (torch.from_numpy(X[:BATCH_SIZE]).float() / 255.0)[:, None].repeat(2, 1, 1, 1)
    samples = samples.to(options.device)
    generator = torch.Generator().manual_seed(0)
    draw = PRESETS[VIEWS[dataset]]
    views = draw(samples, generator)
    bare = PHASES[phase](views, options.precision, torch.channels_last)
    plain = PHASES[phase](views, "float32", torch.contiguous_format)
    times = {"step": [], "views": [], "plain": []}

    def run_bare():
        times["step"].append(seconds(bare.step, N_STEPS))
        times["views"].append(seconds(lambda: draw(samples, generator), N_STEPS))
        times["plain"].append(seconds(plain.step, N_STEPS // 2))

    other, n_epochs = ("conditioning", "warm_up")[phase == "conditioning"], options.rounds + 1
    _, epochs = time_epochs(
        X,
        before=run_bare,
        n_clusters=6,
        batch_size=BATCH_SIZE,
        augmentation=VIEWS[dataset],
        precision=options.precision,
        device=options.device,
        **{f"{phase}_epochs": n_epochs, f"{other}_epochs": 1},
    )
    # The first epoch of a phase warms up; the other phase's is not ours.
    kept = slice(1, n_epochs) if phase == "warm_up" else slice(2, n_epochs + 1)
    ms = {name: [1e3 * one for one in times[name][kept]] for name in times}
    fit = [1e3 * one / N_STEPS for one in epochs[kept]]
    bare_and_views = [a + b for a, b in zip(ms["step"], ms["views"], strict=True)]
    name, end = f"{phase}/", suffix(dataset)
    return [
        record(f"{name}limit{end}", fit, bare_and_views, "ms a step"),
        record(f"{name}bare_step/plain{end}", ms["step"], ms["plain"], "ms a step"),
    ]


# ---- the same work, done as users would do it instead ----


def peers(options):
    return [one for dataset in VIEWS for one in _peers(dataset, options)]


def _peers(dataset, options):
    X, views, end = images(dataset, N_STEPS * BATCH_SIZE), VIEWS[dataset], suffix(dataset)
    best = _best_loader(X, views)
    runs = {"ours": Ours(X, views, options.precision)}
    for precision, column in (("float32", ""), (options.precision, "/same_precision")):
        runs[f"peer/torchvision_loader{column}"] = best(TorchvisionLoader, precision)
        runs[f"peer/skorch_default{column}"] = SkorchDefault(X, views, precision)
        runs[f"peer/lightly{column}"] = best(Lightly, precision)
        runs[f"peer/kornia{column}"] = Kornia(X, views, precision)
    rates = {name: [] for name in runs}
    for round_ in range(options.rounds + 1):
        for name, run in runs.items():
            rate = len(X) / run.epoch()
            if round_:
                rates[name].append(rate)
    ours = rates.pop("ours")
    records = [record(name + end, ours, rate, "images/s") for name, rate in rates.items()]
    return records + _views(X, views, end, options)


def _best_loader(X, views):
    """Find the fastest number of workers of each loader by one epoch; give a maker of it."""
    chosen = {}

    def make(kind, precision):
        if kind not in chosen:
            times = {}
            for n_workers in (0, 1, 2):
                run = kind(X, views, precision, n_workers)
                run.epoch()  # starts the workers
                times[n_workers] = run.epoch()
            chosen[kind] = min(times, key=times.get)
            print(f"{kind.__name__}: seconds an epoch by workers {times}")
        return kind(X, views, precision, chosen[kind])

    return make


def _views(X, views, end, options):
    """Time the views of one step alone."""
    generator = torch.Generator().manual_seed(0)
    samples = (torch.from_numpy(X[:BATCH_SIZE]).float() / 255.0)[:, None].repeat(2, 1, 1, 1)
    one_by_one = torchvision_views(views)
    pictures = [Image.fromarray(image) for image in X[:BATCH_SIZE]] * 2
    batched = kornia_views(views)
    times = in_turn(
        {
            "ours": lambda: PRESETS[views](samples, generator),
            "torchvision": lambda: torch.stack([one_by_one(image) for image in pictures]),
            "kornia": lambda: batched(samples),
        },
        options.rounds,
    )
    rates = {name: [len(samples) / one for one in each] for name, each in times.items()}
    return [
        record(f"views/{name}{end}", rates["ours"], rates[name], "images/s")
        for name in ("torchvision", "kornia")
    ]


# ---- whole fits ----


def fits(options):
    """Fit 20 000 MNIST images in fresh processes, each with the same number of passes."""
    ours = in_fresh_process(_fit_whole, "ours", options.passes)
    records = [_versus("fit/quality", ours, ours, key) for key in ("accuracy", "nmi")]
    for name in ("clustpy_dec", "clustpy_idec", "pixels_kmeans"):
        other = in_fresh_process(_fit_whole, name, options.passes)
        records += [
            _versus(f"fit/{name}", ours, other, key)
            for key in ("seconds", "memory", "accuracy", "nmi")
        ]
    return [one for one in records if not one["name"].startswith("fit/quality")]


UNITS = {"seconds": "s", "memory": "MiB", "accuracy": "Hungarian accuracy", "nmi": "NMI"}


def _versus(name, ours, other, key):
    name = name if key == "seconds" else f"{name}/{key}"
    return record(name, [ours[key]], [other[key]], UNITS[key])


def _fit_whole(name, n_passes):
    X, y = load_mnist("train", return_X_y=True)
    X, y = X[:20_000], y[:20_000]
    memory = PeakMemory()
    with memory:
        started = time.perf_counter()
        labels = _MAKERS[name](n_passes)(X)
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
    """Peak of the memory that a block adds to the process, in MiB; mapped files do not count."""

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
    """Give the process's private memory, in MiB. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("the kernel does not tell RssAnon")


# ---- inference ----


def inference(options):
    X = images("mnist", 60_000)
    model = ContrastiveAutoencoderClusterer(
        6, warm_up_epochs=1, conditioning_epochs=0, augmentation="digits", device=options.device
    ).fit(X[:1000])
    encoder = model.encoder_
    records = []
    for n in (1_000, 60_000):
        ready = (torch.from_numpy(X[:n]).float() / 255.0)[:, None].to(options.device)

        @torch.no_grad()
        def forward(ready=ready):
            for batch in ready.split(BATCH_SIZE):
                encoder(batch)

        calls = {
            name: partial(getattr(model, name), X[:n])
            for name in ("transform", "predict", "predict_proba")
        }
        times = in_turn({"limit": forward, **calls}, options.rounds * (4 if n < 2_000 else 1))
        rates = {name: [n / one for one in each] for name, each in times.items()}
        records += [
            record(f"{name}/limit/{n}", rates[name], rates["limit"], "images/s") for name in calls
        ]
    one = torch.zeros(1, 1, 28, 28, device=options.device)

    @torch.no_grad()
    def forward_one():
        for _ in range(50):
            encoder(one)

    def predict_one():
        for row in range(50):
            model.predict(X[row : row + 1])

    times = in_turn({"ours": predict_one, "limit": forward_one}, 4 * options.rounds)
    ms = {name: [1e3 * one / 50 for one in each] for name, each in times.items()}
    return [*records, record("predict/limit/1", ms["ours"], ms["limit"], "ms an image")]


# ---- growth ----

SIZES = (5_000, 20_000, 60_000, 500_000)


def growth(options):
    """Fit growing numbers of images in fresh processes; the smallest first and last."""
    with tempfile.TemporaryDirectory() as folder:
        path = _write_many(Path(folder) / "images.npy", SIZES[-1])
        runs = [in_fresh_process(_grow, n, path, options.precision) for n in (*SIZES, SIZES[0])]
    smallest = [runs[0], runs[-1]]
    records = []
    for n, run in zip(SIZES[1:], runs[1:-1], strict=True):
        for key, unit in (("warm_up", "ms an image"), ("conditioning", "ms an image")):
            base = statistics.mean(one[key] for one in smallest)
            records.append(record(f"growth/{key}/{n}", [run[key]], [base], unit))
        base = statistics.mean(one["memory"] for one in smallest)
        records.append(record(f"growth/memory/{n}", [run["memory"]], [base], "MiB above the data"))
        sweep = sum(run[key] for key in ("prototypes", "description"))
        records.append(
            record(f"growth/prototypes/{n}", [sweep], [smallest[0]["prototypes"]], "s a fit")
        )
    largest = runs[-2]
    records.append(record("growth/validation", [largest["validation"]], [largest["epoch"]], "s"))
    drift = [one["warm_up"] for one in smallest]
    records.append(record("growth/drift", drift[1:], drift[:1], "ms an image"))
    worst = {
        "time_per_image": ("warm_up", "conditioning"),
        "memory": ("memory",),
    }
    for name, keys in worst.items():
        rows = [one for one in records if one["name"].split("/")[1] in keys]
        records.append({**max(rows, key=lambda one: one["ratio"]), "name": f"growth/{name}"})
    at_60k = runs[2]
    whole = at_60k["prototypes"] + at_60k["description"]
    whole += 50 * 60 * (at_60k["warm_up"] + at_60k["conditioning"])  # ms an image, 60 000 images
    records.append(record("search/share_of_fit", [at_60k["prototypes"]], [whole], "s of s at 60k"))
    return records


def _write_many(path, n):
    """Write MNIST's images, each copy shifted by its own number of pixels."""
    X = images("mnist", 60_000)
    many = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, *X.shape[1:]))
    for copy, start in enumerate(range(0, n, len(X))):
        part = many[start : start + len(X)]
        part[:] = np.roll(X, (copy % 3, copy // 3), axis=(1, 2))[: len(part)]
    many.flush()
    return path


def _grow(n, path, precision):
    """Fit the first `n` images; seconds of each step, milliseconds an image of each epoch."""
    X = np.load(path, mmap_mode="r")[:n]
    if n <= 60_000:
        X = np.array(X)
    n_epochs = max(1, 20_000 // n)
    stamps = []
    _warm_the_machine(X[:1024], precision)
    memory = PeakMemory()
    with memory:
        started = time.perf_counter()
        _, epochs = time_epochs(
            X,
            before=lambda: stamps.append(time.perf_counter()),
            warm_up_epochs=n_epochs,
            conditioning_epochs=n_epochs,
            augmentation="digits",
            precision=precision,
            random_state=0,
        )
        ended = time.perf_counter()
    print(f"{n} images: epochs of {np.round(epochs, 2)} s, {memory.peak:.0f} MiB")
    return {
        "warm_up": 1e3 * statistics.median(epochs[:n_epochs]) / n,
        "conditioning": 1e3 * statistics.median(epochs[n_epochs:]) / n,
        "validation": stamps[0] - started,
        "epoch": epochs[0],
        "prototypes": stamps[n_epochs] - stamps[n_epochs - 1] - epochs[n_epochs - 1],
        "description": ended - stamps[-1] - epochs[-1],
        "memory": memory.peak,
    }


def _warm_the_machine(X, precision):
    time_epochs(X, n_clusters=2, warm_up_epochs=1, conditioning_epochs=1, precision=precision)


# ---- start-up ----


def startup(options):
    def run(*arguments):
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    times = in_turn(
        {
            "import": lambda: run("-c", "import sklearn_cae"),
            "sklearn": lambda: run("-c", "import sklearn.base"),
            "estimator": lambda: run("-c", "import sklearn_cae._clusterer"),
            "torch": lambda: run("-c", "import torch, skorch, sklearn.cluster"),
            "help": lambda: run("-m", "sklearn_cae", "--help"),
        },
        options.rounds,
    )
    return [
        record("import", times["import"], times["sklearn"], "s"),
        record("import/estimator", times["estimator"], times["torch"], "s"),
        record("help", times["help"], times["sklearn"], "s"),
    ]


# ---- what the memory's allocator costs ----

KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "4000000000"}


def allocator(options):
    """Time bare steps where glibc keeps freed memory, against its default."""
    times = {"kept": [], "default": []}
    for _ in range(options.rounds):
        for name, environment in (("kept", KEEP_MEMORY), ("default", {})):
            code = f"import speed; print(speed.time_bare_steps({options.precision!r}))"
            printed = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, **environment},
                cwd=Path(__file__).parent,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            times[name].append(float(printed))
    return [record("allocator", times["kept"], times["default"], "ms a step")]


def time_bare_steps(precision):
    bare = WarmUp(torch.rand(2 * BATCH_SIZE, 1, 28, 28), precision, torch.channels_last)
    seconds(bare.step, 5)
    return 1e3 * seconds(bare.step, 30)


# ---- search over parameters ----


def search(options):
    """GridSearchCV with two jobs against one, on toy images."""
    X = make_toy_images(1_000, image_size=28, random_state=0, return_X_y=True)[0]
    model = ContrastiveAutoencoderClusterer(
        3, warm_up_epochs=2, conditioning_epochs=1, precision=options.precision, random_state=0
    )
    grid = {"temperature": [0.1, 0.5, 1.0]}

    def run(n_jobs):
        return lambda: GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(X)

    times = in_turn({1: run(1), 2: run(2)}, options.rounds)
    return [record("search/n_jobs_2", times[2], times[1], "s a search")]


# ---- what runs, and what is written ----

SECTIONS = {
    one.__name__: one for one in (limit, peers, inference, startup, allocator, search, growth, fits)
}


def write(section, records, duration, options):
    """Replace the records of the names that were measured anew."""
    path, header_path = RESULTS / "speed.json", RESULTS / "speed_header.json"
    names = {one["name"] for one in records}
    old = json.loads(path.read_text()) if path.exists() else []
    kept = [one for one in old if one["name"] not in names]
    lines = ",\n".join(json.dumps(one) for one in [*kept, *records])
    path.write_text(f"[\n{lines}\n]\n")
    header = json.loads(header_path.read_text()) if header_path.exists() else {}
    header[section] = {
        **describe_run("lightly", "kornia", "clustpy", "torchvision"),
        "precision": options.precision,
        "device": options.device,
        "rounds": options.rounds,
        "seconds": round(duration),
    }
    header_path.write_text(json.dumps(header, indent=1) + "\n")


def show(records):
    for one in records:
        print(
            f"{one['name']:<44} {one['ours']:>10.4g} {one['other']:>10.4g} "
            f"{one['ratio']:>8.3f}  {one['unit']}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="of interleaved repetitions")
    parser.add_argument("--passes", type=int, default=100, help="over the data, of whole fits")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print(f"{'name':<44} {'ours':>10} {'other':>10} {'ratio':>8}  unit   (pid {os.getpid()})")
    for name in options.sections or SECTIONS:
        started = time.perf_counter()
        records = SECTIONS[name](options)
        show(records)
        write(name, records, time.perf_counter() - started, options)


if __name__ == "__main__":
    main()
