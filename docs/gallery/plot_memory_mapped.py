"""
Fit images on the disk, and resume a fit
========================================

Large arrays can stay on the disk: a file that was opened with ``mmap_mode="r"`` is read batch by
batch. If a long fit is interrupted, it can resume.
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
# The file is opened read-only. ``tracemalloc`` measures the memory that NumPy allocates. If NumPy
# loaded the whole file, its size would be in this number.

X = np.load(folder / "images.npy", mmap_mode="r")
params = {"n_clusters": 3, "warm_up_epochs": 2, "conditioning_epochs": 1, "random_state": 0}
tracemalloc.start()
clusterer = ContrastiveAutoencoderClusterer(**params).fit(X)
labels = clusterer.predict(X)
_, peak = tracemalloc.get_traced_memory()
tracemalloc.stop()
print(
    f"{type(X).__name__} of {X.nbytes / 2**20:.0f} MiB; NumPy used at most {peak / 2**20:.1f} MiB"
)

# %%
# An interrupted fit
# ------------------
# With ``checkpoint_dir`` the state is saved after every epoch. Here a callback raises an error in
# the second epoch.

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
    print("Interrupted:", error)

# %%
# The same fit resumes after the last saved epoch. The second epoch was not saved, so it is trained
# again. (The last number is the only epoch of the second phase.)

resumed = ContrastiveAutoencoderClusterer(**params).fit(few)
print("Epochs trained:", PowerCut.epochs)

# %%
# On the same machine, with the same number of threads, the result is the same bit for bit as
# without the interruption.

whole = ContrastiveAutoencoderClusterer(**{**params, "checkpoint_dir": None}).fit(few)
print("The same prototypes:", np.array_equal(resumed.cluster_centers_, whole.cluster_centers_))
print("The same labels:", np.array_equal(resumed.labels_, whole.labels_))

# %%
# The losses of the resumed fit are continuous.

from sklearn_cae.plotting import HistoryDisplay

_ = HistoryDisplay.from_estimator(resumed)
