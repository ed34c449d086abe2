"""
Groups within one diagnosis
===========================

A class such as *pneumonia* may contain groups. This page clusters the images of this class, and
then one of the clusters again. The labels of PneumoniaMNIST are only *normal* and *pneumonia*. They
do not distinguish bacterial from viral pneumonia, so the groups on this page cannot be checked.
Treat such a group as a question, not as a subtype.
"""

from sklearn_cae.datasets import load_pneumoniamnist, make_toy_images

try:  # leave download_if_missing out to have the file downloaded
    X, y = load_pneumoniamnist(download_if_missing=False, return_X_y=True)
except (ImportError, OSError):
    print("PneumoniaMNIST is not at hand: toy shapes stand in, and the text does not fit them.")
    X, y = make_toy_images(1200, n_classes=2, random_state=0, return_X_y=True)

# %%
# One class
# ---------
# Select the images before the fit, as from any array. This page uses 400 images, so that it runs
# in a minute. For so few images, the recommended setting trains no encoder.

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.plotting import PrototypeDisplay


def stratify(images, n_clusters):
    params = recommended(len(images), n_clusters=n_clusters)
    return ContrastiveAutoencoderClusterer(**params, random_state=0).fit(images)


X_ill = X[y == 1][:400]
clusterer = stratify(X_ill, 4)
_ = PrototypeDisplay.from_estimator(clusterer, X_ill)

# %%
# How do the groups differ?
# -------------------------
# Check simple explanations first. Brightness and contrast depend on exposure and posture. The last
# row is the share of the variance between images that the groups explain. It is 0 if the groups are
# unrelated to the property, and 1 if the property alone makes the groups.

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
# The members of the largest cluster are fitted again. Look at the members first: the decoder
# learned the prototypes from few images. Check simple explanations again. With fewer images, it is
# less certain that another fit would find the same groups.
# :func:`~sklearn_cae.metrics.stability_report` measures this.

members = X_ill[clusterer.labels_ == np.bincount(clusterer.labels_).argmax()]
again = stratify(members, 3)
_ = PrototypeDisplay.from_estimator(again, members)

# %%
explained(members, again.labels_)
