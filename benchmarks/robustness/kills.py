"""Kill fits at random moments and resume them.

    python -m benchmarks.robustness.kills 40 1

A fit runs in a forked process, which writes where it is into one shared byte; this one waits for a
place, and a random moment more, and sends SIGKILL. The arguments are the number of kills and a
seed. Needs fork. Prints, as JSON, where the fits were when they
were killed, and how many that were resumed ended with other bits than one never interrupted.
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
from pathlib import Path

import numpy as np

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae._grouping import search
from sklearn_cae._storage import container as _container
from sklearn_cae._training import trainer
from sklearn_cae.clusterers import ElbowClusterer
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.modules import UnpooledEncoder

PLACES = ("before", "warm_up", "search", "refinement", "conditioning", "writing", "done")
PARAMS = {
    "n_clusters": "elbow",
    "clusterer": ElbowClusterer(max_clusters=8),
    "embedding_dim": 32,
    "encoder": UnpooledEncoder,
    "warm_up_epochs": 8,
    "refinement_epochs": 4,
    "conditioning_epochs": 6,
    "batch_size": 32,
    "device": "cpu",
    "random_state": 0,
}


def main():
    n_kills, seed = map(int, sys.argv[1:])
    rng = np.random.RandomState(seed)
    killed, different, n_fits = Counter(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        place = mmap.mmap(-1, 1)
        run(folder / "expected.npz", place)
        expected = read_arrays(folder / "expected.npz")
        while sum(killed.values()) < n_kills:
            n_fits += 1
            result, kept = folder / f"{n_fits}.npz", folder / f"kept_{n_fits}"
            while not result.exists():
                target = rng.choice(PLACES[1:-1]) if rng.rand() < 0.8 else "done"
                killed.update(run(result, place, kept, target, rng))
            different += not have_equal_bits(read_arrays(result), expected)
    figures = {"kills": sum(killed.values()), "at": dict(killed), "fits": n_fits}
    print(json.dumps({**figures, "different": different}))


def run(result, place, kept=None, target="done", rng=None):
    """Fit in another process; kill it at a place, and tell where it was."""
    place[0] = 0
    child = os.fork()
    if child == 0:
        fit(result, place, kept)
        os._exit(0)
    wanted = PLACES.index(target)
    while place[0] != wanted and os.waitpid(child, os.WNOHANG)[0] == 0:
        time.sleep(0.0002)
    if target == "done":
        if place[0] != wanted:
            raise RuntimeError("a fit failed")
        os.waitpid(child, 0)
        return []
    time.sleep(rng.uniform(0, 0.002 if target == "writing" else 0.05))
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:  # it had come to its end before the place
        return []
    _, status = os.waitpid(child, 0)
    return [PLACES[place[0]]] if os.WIFSIGNALED(status) else []


def fit(result, place, kept):
    """Fit, note on the way where it is, and write what came of it."""
    warnings.simplefilter("ignore")
    run_phase = trainer.Trainer.run

    def noting(where, function):
        def noted(*args, **kwargs):
            before, place[0] = place[0], PLACES.index(where)
            value = function(*args, **kwargs)
            place[0] = before
            return value

        return noted

    trainer.Trainer.run = lambda self, phase, *args, **kwargs: noting(phase, run_phase)(
        self, phase, *args, **kwargs
    )
    search.find_prototypes = noting("search", search.find_prototypes)
    _container.write = noting("writing", _container.write)
    X, _ = make_toy_images(150, image_size=16, random_state=0, return_X_y=True)
    model = ContrastiveAutoencoderClusterer(**PARAMS, checkpoint_dir=kept).fit(X)
    write_arrays(model, result)
    place[0] = PLACES.index("done")


def write_arrays(model, path):
    """Write the weights, arrays and history of a fit; the file is there once it is whole."""
    networks = {"e": model.encoder_, "p": model.projection_head_, "d": model.decoder_}
    arrays = {
        f"{name}.{key}": value.numpy()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    rows = [sorted((k, str(v)) for k, v in row.items() if k != "dur") for row in model.history_]
    arrays |= {name: value for name, value in vars(model).items() if isinstance(value, np.ndarray)}
    with path.with_suffix(".part").open("wb") as file:
        np.savez(file, history=np.array(str(rows)), **arrays)
    path.with_suffix(".part").rename(path)


def read_arrays(path):
    """Read what `write_arrays` wrote, {name: array}."""
    return dict(np.load(path))


def have_equal_bits(found, expected):
    """Return whether two fits have the same arrays."""
    return found.keys() == expected.keys() and all(
        np.array_equal(found[name], expected[name]) for name in expected
    )


if __name__ == "__main__":
    main()
