"""What is left alone: folders that are not named, and the network."""

import subprocess
import sys

import pytest

USE_ALL = """
import os, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
wrote = []

def watch(event, args):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        raise RuntimeError(f"it went to the network: {event} {args}")
    if event == "open" and isinstance(args[0], str) and args[2] & (os.O_WRONLY | os.O_RDWR):
        wrote.append(args[0])
    if event in ("os.mkdir", "os.rename"):
        wrote.append(str(args[0]))

sys.addaudithook(watch)
import matplotlib
matplotlib.use("agg")
from sklearn.pipeline import make_pipeline
import sklearn_cae
from sklearn_cae import (
    ClusterLabelMapper, ContrastiveAutoencoderClusterer, KNNProbe, LinearProbe, load, save
)
from sklearn_cae import plotting
from sklearn_cae.datasets import load_digit_images, make_toy_images

X, y = make_toy_images(60, random_state=0, return_X_y=True)
load_digit_images()
clusterer = ContrastiveAutoencoderClusterer(
    n_clusters=3, warm_up_epochs=1, conditioning_epochs=1, checkpoint_dir=folder / "kept"
)
model = make_pipeline(clusterer, ClusterLabelMapper()).fit(X, y)
embedding = model[0].set_params(output="embedding").transform(X)
KNNProbe().fit(embedding, y), LinearProbe(epochs=1).fit(embedding, y)
plotting.PrototypeDisplay.from_estimator(model[0].set_params(output="soft_assignment"), X)
save(model, folder / "model.safetensors")
load(folder / "model.safetensors").predict(X)
print([path for path in wrote if not path.startswith((str(folder), os.devnull))])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nobody, root neither, writes into /proc")
def test_nothing_is_written_but_what_is_named_and_no_one_is_asked(tmp_path):
    """Home and working directory are read-only."""
    done = subprocess.run(
        [sys.executable, "-c", USE_ALL, tmp_path],
        cwd="/proc",
        env={
            "HOME": "/proc",
            "TMPDIR": str(tmp_path),
            "MPLCONFIGDIR": str(tmp_path),  # matplotlib's cache is its own matter
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
