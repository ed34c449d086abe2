"""
Groups within one diagnosis
===========================

A label such as *pneumonia* may hide groups. Here images of that one class are clustered again, and
one of the clusters once more. PneumoniaMNIST says *normal* or *pneumonia* and nothing else: whether
an image showed a bacterial or a viral pneumonia is not in its labels, so that nothing on this page
can be checked against it. A group that is found here is a question, and no subtype.
"""

from sklearn_cae.datasets import load_pneumoniamnist, make_toy_images

try:  # leave download_if_missing out to have the file downloaded
    X, y = load_pneumoniamnist(download_if_missing=False, return_X_y=True)
except (ImportError, OSError):
    print("PneumoniaMNIST is not at hand: toy shapes stand in, and the text does not fit them.")
    X, y = make_toy_images(1200, n_classes=2, random_state=0, return_X_y=True)

# %%
# One class alone
# ---------------
# Its images are chosen before the fit, as from any array; 400 of them, to run in seconds. Epochs
# are fewer than recommended, and whitening and refinement are left out: after so short a training
# the one amplifies noise, and the other can empty a cluster.

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.plotting import PrototypeDisplay


def stratify(images, n_clusters):
    fewer = {"warm_up_epochs": 15, "refinement_epochs": 0, "conditioning_epochs": 8}
    params = {**recommended(len(images)), **fewer, "n_clusters": n_clusters, "whiten": False}
    return ContrastiveAutoencoderClusterer(**params, random_state=0).fit(images)


X_ill = X[y == 1][:400]
clusterer = stratify(X_ill, 4)
_ = PrototypeDisplay.from_estimator(clusterer, X_ill)

# %%
# What do they differ in?
# -----------------------
# Before a group is given a meaning, look at the dull reasons. How bright an image is, and how much
# contrast it has, tells of exposure and posture. The last row is the share of the variance, between
# images, that the groups explain: 0 for groups that have nothing to do with it, 1 for groups that
# are nothing else.

import numpy as np
import pandas as pd


def explained(images, labels):
    dull = pd.DataFrame({"mean": images.mean(axis=(1, 2)), "contrast": images.std(axis=(1, 2))})
    groups = dull.groupby(labels)
    table = groups.mean().rename(index="cluster {}".format)
    table.loc["explained"] = groups.transform("mean").var() / dull.var()
    return table.round(2)


explained(X_ill, clusterer.labels_)

# %%
# One group again
# ---------------
# The members of the largest cluster, fitted again as images of their own. So few of them, for so
# few epochs, leave the decoder blurred: look at the members, not at the prototypes. What they are
# divided by is, once more, to be looked at before it is named; and with fewer images in each part,
# it is the less certain that another fit would divide them in the same way:
# :func:`~sklearn_cae.metrics.stability_report` tells.

members = X_ill[clusterer.labels_ == np.bincount(clusterer.labels_).argmax()]
again = stratify(members, 3)
_ = PrototypeDisplay.from_estimator(again, members)

# %%
explained(members, again.labels_)
