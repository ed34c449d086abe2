"""
How many groups, and are there any?
===================================

The number of groups can be searched for by an elbow (the paper's way), found on the graph of
neighbours, or given. Every one of these returns groups, of noise too. This page shows what each of
them says of images that have four groups, and of images that have none.
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
    """Fit, and print what is found and what is warned of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        clusterer = ContrastiveAutoencoderClusterer(n_clusters, **params).fit(X)
    for line in (f"{n_clusters}: {clusterer.n_clusters_} groups", *(str(w.message) for w in said)):
        print(textwrap.fill(line, 80))
    return clusterer


# %%
# Four groups
# -----------
# The elbow is the number after which the inertia falls less; it is a guess at a bend, and the
# silhouette beside it need not agree.

_ = ElbowDisplay.from_estimator(fit(four, "elbow"))

# %%
# ``"auto"`` looks for communities among neighbours, and takes the number that lasts longest as the
# resolution is raised.

_ = fit(four, "auto")

# %%
# No groups
# ---------
# The same for images in which each pixel was drawn at random.

_ = ElbowDisplay.from_estimator(fit(none, "elbow"))

# %%
_ = fit(none, "auto")

# %%
# A warning says that no number stood out. Its absence says little: a network may stretch an
# embedding of noise into something lumpy, and a number that is given is never warned of.
#
# Do they come back?
# ------------------
# The question that noise fails: do other seeds, and other halves of the images, give the same
# groups? A Jaccard overlap below 0.6 is a group that does not come back, one above 0.75 does. (One
# repeat, to run in seconds; take more.)

from sklearn_cae.metrics import stability_report

model = ContrastiveAutoencoderClusterer(4, **params)
stability_report(model, four, n_repeats=1, random_state=0)

# %%
stability_report(model, none, n_repeats=1, random_state=0)
