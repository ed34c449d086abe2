"""
How many groups, and are there any?
===================================

The number of groups can be found by an elbow (the paper's way), found by communities of neighbours,
or given. Each of these ways returns groups, even for noise. This page shows their results for
images with four groups, and for images without groups.
"""

import textwrap
import warnings

import numpy as np

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.plotting import ElbowDisplay

four, y = make_toy_images(300, n_classes=4, image_size=12, random_state=0, return_X_y=True)
none = np.random.default_rng(0).integers(0, 256, size=(300, 12, 12), dtype=np.uint8)

params = {
    "warm_up_epochs": 15,
    "conditioning_epochs": 0,
    "batch_size": 64,
    "optimizer": "adamw",
    "augmentation": "xray",
    "random_state": 0,
}


def fit(X, n_clusters):
    """Fit, and print the number of groups and all warnings."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        clusterer = ContrastiveAutoencoderClusterer(n_clusters, **params).fit(X)
    for line in (f"{n_clusters}: {clusterer.n_clusters_} groups", *(str(w.message) for w in said)):
        print(textwrap.fill(line, 80))
    return clusterer


# %%
# Four groups
# -----------
# The elbow is the number of clusters after which the inertia falls more slowly. It is only a guess,
# and the silhouette may have its maximum elsewhere.

_ = ElbowDisplay.from_estimator(fit(four, "elbow"))

# %%
# ``"auto"`` finds communities of neighbours. It tries many resolutions, which lead to more or fewer
# communities, and takes the number that most neighbouring resolutions agree on.

_ = fit(four, "auto")

# %%
# No groups
# ---------
# Now the same is done with images of random pixels.

_ = ElbowDisplay.from_estimator(fit(none, "elbow"))

# %%
_ = fit(none, "auto")

# %%
# A warning says that no number is clearly best. If there is no warning, there may still be no
# groups, because a network can create groups in an embedding of noise. If you pass a number of
# groups, there is never such a warning.
#
# Do they come back?
# ------------------
# Ask whether other seeds, and other halves of the images, lead to the same groups. Noise fails this
# test. A group with a Jaccard overlap below 0.6 does not come back, and one above 0.75 does.
# Between these limits it is uncertain. (To run in seconds, this page uses one repeat. Use more.)

from sklearn_cae.metrics import stability_report

stability_report(fit(four, 4), four, n_repeats=1, random_state=0)

# %%
stability_report(fit(none, 4), none, n_repeats=1, random_state=0)
