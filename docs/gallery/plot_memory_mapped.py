"""
Images that stay on the disk, and a fit that is cut off
=======================================================

A large array need not be loaded: a file opened with ``mmap_mode="r"`` is read batch by batch. And a
long fit need not start over when the machine goes down.
"""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.datasets import make_toy_images

folder = Path(tempfile.mkdtemp())
shape = (4000, 32, 32)
on_disk = np.lib.format.open_memmap(folder / "images.npy", "w+", np.float64, shape)
for start in range(0, 4000, 1000):  # written in parts, as a large file would be
    on_disk[start : start + 1000] = make_toy_images(1000, image_size=32, random_state=start).data
on_disk.flush()

# %%
# Opened read-only. ``tracemalloc`` sees what NumPy allocates: were the file loaded, it would be
# among it.

X = np.load(folder / "images.npy", mmap_mode="r")
params = {"n_clusters": 3, "warm_up_epochs": 2, "conditioning_epochs": 1, "random_state": 0}
tracemalloc.start()
clusterer = ContrastiveAutoencoderClusterer(**params).fit(X)
labels = clusterer.predict(X)
_, peak = tracemalloc.get_traced_memory()
tracemalloc.stop()
print(
    f"{type(X).__name__} of {X.nbytes / 2**20:.0f} MiB; NumPy held {peak / 2**20:.1f} MiB at most"
)

# %%
# A fit that is cut off
# ---------------------
# With ``checkpoint_dir`` the state after every epoch is kept. A callback pulls the plug in the
# second one.

from skorch.callbacks import Callback


class PowerCut(Callback):
    """Counts the epochs of each phase, and fails once, in the second epoch."""

    epochs = []

    def on_epoch_end(self, net, **kwargs):
        PowerCut.epochs.append(len(net.history))
        if PowerCut.epochs == [1, 2]:
            raise OSError("the power is gone")


few = X[:600]
params |= {"warm_up_epochs": 4, "checkpoint_dir": folder / "fits", "callbacks": [PowerCut()]}
try:
    ContrastiveAutoencoderClusterer(**params).fit(few)
except OSError as error:
    print("Cut off:", error)

# %%
# The same fit again goes on after the last epoch that was kept. The second one had not been, and is
# trained again; the first one is not. (The last number is the one epoch of the second phase.)

gone_on = ContrastiveAutoencoderClusterer(**params).fit(few)
print("Epochs trained:", PowerCut.epochs)

# %%
# What comes out is what a fit gives that was never cut off, to the same bits, on one machine and
# with one number of threads.

never_cut = ContrastiveAutoencoderClusterer(**{**params, "checkpoint_dir": None}).fit(few)
print("The same prototypes:", np.array_equal(gone_on.cluster_centers_, never_cut.cluster_centers_))
print("The same labels:", np.array_equal(gone_on.labels_, never_cut.labels_))

# %%
# The losses of the fit that was cut off show no seam.

from sklearn_cae.plotting import HistoryDisplay

_ = HistoryDisplay.from_estimator(gone_on)
