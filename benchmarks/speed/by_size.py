"""Time and memory of the recommended setting by the size of the images, beside an earlier commit.

Run from the repository, with its history, on an idle machine with Linux:

    python -m benchmarks.speed.by_size

400 X-rays are enlarged to each side. This code and the earlier one (``--before``) fit them in turn,
each in a process of its own, with a few epochs of each phase. The seconds of an epoch are the
median without the first one. The time of the whole fit is the sum of the seconds of an epoch over
the recommended numbers of epochs, plus the rest of the fit. The memory is the growth of the largest
memory of the process.

Images per second are those of the warm-up with `UnpooledEncoder`, which is trained, and of
Lightly's documented SimCLR loop with a ResNet-18, at the same size and batch size
(``pip install -e '.[benchmark]'``; empty without Lightly).

Prints a row per size and writes ``benchmarks/results/by_size.json``.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

SIDES = (28, 64, 128, 224)
N_SAMPLES = 400
EPOCHS = ("warm_up_epochs", "refinement_epochs", "conditioning_epochs")


def enlarged(side, n_samples):
    from sklearn_cae.datasets import load_pneumoniamnist

    X = load_pneumoniamnist("train").data[:n_samples]
    how = Image.Resampling.BICUBIC
    return np.stack([Image.fromarray(one).resize((side, side), how) for one in X])


def measure(name, side, n_samples, n_epochs):
    """Fit with the code that is imported; return seconds and MiB."""
    from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
    from sklearn_cae.modules import UnpooledEncoder

    X = enlarged(side, n_samples)
    changes = {"encoder": UnpooledEncoder} if name == "trained" else {}
    planned = recommended(n_samples, image_shape=X.shape[1:], **changes)
    params = planned | dict.fromkeys(EPOCHS, n_epochs)
    before, started = _peak_mib(), time.perf_counter()
    model = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X)
    rest = time.perf_counter() - started
    of_phase = {}
    for row in model.history_:
        of_phase.setdefault(row["phase"], []).append(row["dur"])
        rest -= row["dur"]
    epoch = {phase: statistics.median(each[1:]) for phase, each in of_phase.items()}
    phases = zip(epoch.values(), (planned[name] for name in EPOCHS), strict=True)
    return {
        "epoch_seconds": epoch["warm_up"],
        "fit_seconds": rest + sum(one * epochs for one, epochs in phases),
        "added_mib": _peak_mib() - before,
        "batch_size": planned["batch_size"],
    }


def _peak_mib():
    """Return the largest memory of this process so far.

    `resource.getrusage` is of no use here: it starts at the largest memory of the parent process.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


class TwoViews(Dataset):
    """Two views of each image, of Lightly's transform."""

    def __init__(self, X, transform):
        self.images = [Image.fromarray(one).convert("RGB") for one in X]
        self.transform = transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index])


def lightly_seconds(side, n_samples, batch_size):
    """Return the seconds of an epoch of Lightly's SimCLR example, after a first batch."""
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform
    from torchvision.models import resnet18

    backbone = torch.nn.Sequential(*list(resnet18().children())[:-1], torch.nn.Flatten())
    model = torch.nn.Sequential(backbone, SimCLRProjectionHead(512, 512, 128))
    criterion, optimizer = NTXentLoss(), torch.optim.SGD(model.parameters(), lr=0.06)
    views = TwoViews(enlarged(side, n_samples), SimCLRTransform(input_size=side))
    loader = DataLoader(views, batch_size=batch_size, shuffle=True, drop_last=True)

    def train(view_a, view_b):
        criterion(model(view_a), model(view_b)).backward()
        optimizer.step()
        optimizer.zero_grad()

    train(*next(iter(loader)))
    started = time.perf_counter()
    for view_a, view_b in loader:
        train(view_a, view_b)
    return (time.perf_counter() - started) * n_samples / (len(loader) * batch_size)


def row(side, before, options):
    """Measure one size, each code in turn."""
    from benchmarks.speed.earlier import ROOT, in_code_of

    codes = {"now": ROOT, "before": before, "trained": ROOT}
    rounds = [
        {
            name: in_code_of(folder, __file__, name, side, options.samples, options.epochs)
            for name, folder in codes.items()
        }
        for _ in range(options.rounds)
    ]
    found = {
        name: {key: statistics.median(one[name][key] for one in rounds) for key in rounds[0][name]}
        for name in codes
    }
    images_per_second = {"ours": options.samples / found["trained"]["epoch_seconds"]}
    try:
        seconds = lightly_seconds(side, options.samples, found["now"]["batch_size"])
    except ImportError:
        images_per_second["lightly"] = None
    else:
        images_per_second["lightly"] = options.samples / seconds
    return {"side": side, **found, "images_per_second": images_per_second}


def main():
    from benchmarks._common import RESULTS, describe_run
    from benchmarks.speed.earlier import check_out

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--before", default="5e6bf2d", help="the earlier commit")
    parser.add_argument("--epochs", type=int, default=2, help="of each phase")
    parser.add_argument("--samples", type=int, default=N_SAMPLES)
    parser.add_argument("--rounds", type=int, default=1, help="fits of each code")
    parser.add_argument("--results", type=Path, default=RESULTS / "by_size.json")
    options = parser.parse_args()
    results = {"made_by": describe_run("lightly", "torchvision"), "before": options.before}
    results |= {"n_samples": options.samples, "sizes": []}
    with tempfile.TemporaryDirectory() as before:
        check_out(options.before, before)
        for side in options.sides:
            results["sizes"].append(row(side, before, options))
            print(results["sizes"][-1], flush=True)
            options.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], *map(int, sys.argv[3:]))))
    else:
        main()
