"""Speed of training, inference and start-up, compared with limits and with other libraries.

Run from the repository, on an idle machine, with ``pip install -e '.[benchmark]'``;
``sklearn_cae.datasets`` finds the data:

    python -m benchmarks.speed.measure                  # all sections, about an hour on 2 cores
    python -m benchmarks.speed.measure limit inference  # two sections; the others' results stay

Prints a table and writes ``benchmarks/results/speed.json``, a list of records, after each section.
`ours` and `other` are medians. `ratio` is the median of the ratios ours / other of interleaved
pairs. `unit` shows whether a larger value is better. ``speed_header.json`` holds the command and
machine of each section.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import normalize

from benchmarks._common import (
    RESULTS,
    describe_run,
    images,
    in_turn,
    record,
    seconds,
    write_records,
)
from benchmarks.quality.settings import PAPER_VIEWS as VIEWS
from benchmarks.speed.bare import PHASES, WarmUp
from benchmarks.speed.peers import (
    BATCH_SIZE,
    Kornia,
    Lightly,
    Ours,
    SkorchDefault,
    TorchvisionLoader,
    kornia_views,
    time_epochs,
)
from benchmarks.speed.whole_fits import fits, growth
from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae._grouping.search import draw_clustered, find_prototypes
from sklearn_cae._utils.devices import choose_device, choose_precision
from sklearn_cae.augmentations import PRESETS
from sklearn_cae.clusterers import CommunityClusterer, MixtureClusterer
from sklearn_cae.datasets import make_toy_images

N_STEPS = 18  # whole batches in PneumoniaMNIST's training images


def suffix(dataset):
    return "" if dataset == "pneumoniamnist" else f"/{dataset}"


# ---- fit against its own arithmetic ----


def limit(options):
    return [one for dataset in VIEWS for phase in PHASES for one in _limit(dataset, phase, options)]


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
    # The first epoch of a phase is left out, and the epoch of the other phase.
    kept = slice(1, n_epochs) if phase == "warm_up" else slice(2, n_epochs + 1)
    ms = {name: [1e3 * one for one in times[name][kept]] for name in times}
    fit = [1e3 * one / N_STEPS for one in epochs[kept]]
    bare_and_views = [a + b for a, b in zip(ms["step"], ms["views"], strict=True)]
    name, end = f"{phase}/", suffix(dataset)
    added = [a - b for a, b in zip(fit, bare_and_views, strict=True)]
    return [
        record(f"{name}limit{end}", fit, bare_and_views, "ms per step"),
        record(f"{name}added{end}", added, bare_and_views, "ms per step"),
        record(f"{name}bare_step/plain{end}", ms["step"], ms["plain"], "ms per step"),
    ]


# ---- the same work with other libraries ----


def peers(options):
    return [one for dataset in VIEWS for one in _peers(dataset, options)]


def _peers(dataset, options):
    X, views, end = images(dataset, N_STEPS * BATCH_SIZE), VIEWS[dataset], suffix(dataset)
    runs = {"ours": Ours(X, views, options.precision)}
    for precision, column in (("float32", ""), (options.precision, "/same_precision")):
        runs[f"peer/torchvision_loader{column}"] = _fastest(TorchvisionLoader, X, views, precision)
        runs[f"peer/skorch_default{column}"] = SkorchDefault(X, views, precision)
        runs[f"peer/lightly{column}"] = _fastest(Lightly, X, views, precision)
    # Kornia's augmentations run in our loop, and have its precision.
    runs["peer/kornia/same_precision"] = Kornia(X, views, options.precision)
    rates = {name: [] for name in runs}
    for round_ in range(options.rounds + 1):
        for name, run in runs.items():
            rate = len(X) / run.epoch()
            if round_:
                rates[name].append(rate)
    ours = rates.pop("ours")
    records = [record(name + end, ours, rate, "images/s") for name, rate in rates.items()]
    return records + _views(X, views, end, options)


def _fastest(kind, X, views, precision):
    """Return a peer with the number of workers that has the fastest median of three epochs."""
    times = {}
    for n_workers in (0, 1, 2):
        run = kind(X, views, precision, n_workers)
        run.epoch()  # starts the workers
        times[n_workers] = statistics.median(run.epoch() for _ in range(3))
    print(f"{kind.__name__}, {precision}: seconds an epoch by workers {times}")
    return kind(X, views, precision, min(times, key=times.get))


def _views(X, views, end, options):
    """Time the views of all images alone, from bytes to batches."""
    generator, batched = torch.Generator().manual_seed(0), kornia_views(views)
    preset = PRESETS[views]
    batches = torch.arange(len(X)).split(BATCH_SIZE)

    def in_batches(draw):
        for batch in batches:
            samples = torch.from_numpy(X[batch.numpy()]).float()[:, None] / 255.0
            draw(samples.repeat(2, 1, 1, 1))

    def drain(loader):
        for _ in loader:
            pass

    loaders = {
        f"torchvision/{n_workers}": TorchvisionLoader(X, views, "float32", n_workers).loader
        for n_workers in (0, 1, 2)
    }
    times = in_turn(
        {
            "ours": lambda: in_batches(lambda samples: preset(samples, generator)),
            "kornia": lambda: in_batches(batched),
            **{name: partial(drain, loader) for name, loader in loaders.items()},
        },
        options.rounds,
    )
    rates = {name: [2 * len(X) / one for one in each] for name, each in times.items()}
    rates["torchvision"] = max((rates[name] for name in loaders), key=statistics.median)
    return [
        record(f"views/{name}{end}", rates["ours"], rates[name], "images/s")
        for name in ("torchvision", "torchvision/0", "kornia")
    ]


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
    return [*records, record("predict/limit/1", ms["ours"], ms["limit"], "ms per image")]


# ---- start-up ----


def startup(options):
    def run(*arguments):
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    times = in_turn(
        {
            "import": lambda: run("-c", "import sklearn_cae"),
            "sklearn": lambda: run("-c", "import sklearn.base"),
            "estimator": lambda: run("-c", "import sklearn_cae._estimator"),
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


# ---- the memory allocator ----

KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "4000000000"}


def allocator(options):
    """Time bare steps with glibc keeping freed memory, compared with its default."""
    times = {"kept": [], "default": []}
    for _ in range(options.rounds):
        for name, environment in (("kept", KEEP_MEMORY), ("default", {})):
            timed = f"measure.time_bare_steps({options.precision!r})"
            code = f"from benchmarks.speed import measure; print({timed})"
            printed = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, **environment},
                cwd=Path(__file__).parents[2],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            times[name].append(float(printed))
    return [record("allocator", times["kept"], times["default"], "ms per step")]


def time_bare_steps(precision):
    bare = WarmUp(torch.rand(2 * BATCH_SIZE, 1, 28, 28), precision, torch.channels_last)
    seconds(bare.step, 5)
    return 1e3 * seconds(bare.step, 30)


def compiled(options):
    """Time bare steps with torch.compile, compared with plain steps."""
    views = torch.rand(2 * BATCH_SIZE, 1, 28, 28, device=options.device)
    fast, plain = (WarmUp(views, options.precision, torch.channels_last) for _ in range(2))
    fast.networks = torch.compile(fast.networks)
    seconds(fast.step, 3)
    steps = {"fast": fast.step, "plain": plain.step}
    times = in_turn(
        {name: partial(seconds, step, 10) for name, step in steps.items()}, options.rounds
    )
    ms = {name: [1e2 * one for one in each] for name, each in times.items()}
    return [record("compiled", ms["fast"], ms["plain"], "ms per step")]


# ---- search over parameters ----


def search(options):
    """Time GridSearchCV with two jobs, compared with one job, on toy images."""
    X = make_toy_images(1_000, image_size=28, random_state=0, return_X_y=True)[0]
    model = ContrastiveAutoencoderClusterer(
        3, warm_up_epochs=2, conditioning_epochs=1, precision=options.precision, random_state=0
    )
    grid = {"temperature": [0.1, 0.5, 1.0]}

    def run(n_jobs):
        GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(X)

    def run_cold():
        get_reusable_executor().shutdown(wait=True)
        run(2)

    times = in_turn(
        {"one": partial(run, 1), "cold": run_cold, "warm": partial(run, 2)}, options.rounds
    )
    return [
        record("search/n_jobs_2", times["warm"], times["one"], "s per search"),
        record("search/n_jobs_2/cold", times["cold"], times["one"], "s per search"),
    ]


def communities(options):
    """Time the search for communities in 10 000 rows, compared with KMeans for all numbers."""
    X = images("mnist", 10_000).reshape(10_000, -1) / np.float32(255)
    X = normalize(PCA(128, random_state=0).fit_transform(X))

    def sweep():
        for k in range(2, 21):
            KMeans(k, n_init=5, random_state=0).fit(X)

    runs = {"auto": lambda: CommunityClusterer(random_state=0).fit(X), "elbow": sweep}
    times = in_turn(runs, 2)
    return [record("search/communities", times["auto"], times["elbow"], "s per search")]


def finders(options):
    """Time each way to find groups of 60 000 rows once, compared with KMeans at the elbow."""
    X = images("mnist", 60_000).reshape(60_000, -1) / np.float32(255)
    X = PCA(128, random_state=0).fit_transform(X)
    X = X[draw_clustered(len(X), np.random.RandomState(0))]
    ways = {
        "elbow": (None, "elbow"),
        "auto": (None, "auto"),
        "mixture": (MixtureClusterer(), 10),
        "bic": (MixtureClusterer(), "auto"),
    }
    times = {
        name: seconds(partial(find_prototypes, X, *way, np.random.RandomState(0)))
        for name, way in ways.items()
    }
    elbow = times.pop("elbow")
    return [record(f"finders/{name}", [one], [elbow], "s") for name, one in times.items()]


# ---- command line and results ----

IN_ORDER = (
    limit,
    peers,
    inference,
    startup,
    allocator,
    compiled,
    search,
    communities,
    finders,
    growth,
    fits,
)
SECTIONS = {section.__name__: section for section in IN_ORDER}


def write(section, records, duration, options):
    """Write records, in place of earlier ones with the same names."""
    path, header_path = RESULTS / "speed.json", RESULTS / "speed_header.json"
    names = {one["name"] for one in records}
    old = json.loads(path.read_text()) if path.exists() else []
    kept = [one for one in old if one["name"] not in names]
    write_records(path, [*kept, *records])
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
    parser.add_argument(
        "sections", nargs="*", help=f"sections to run: {', '.join(SECTIONS)} (default: all)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="number of interleaved repetitions")
    parser.add_argument("--passes", type=int, default=100, help="epochs of whole fits")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    options.precision = choose_precision(options.precision, choose_device(options.device))
    print(f"{'name':<44} {'ours':>10} {'other':>10} {'ratio':>8}  unit   (pid {os.getpid()})")
    for name in options.sections or SECTIONS:
        started = time.perf_counter()
        records = SECTIONS[name](options)
        show(records)
        write(name, records, time.perf_counter() - started, options)


if __name__ == "__main__":
    main()
