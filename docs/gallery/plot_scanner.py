"""
Groups that are the scanner
===========================

Images come from three hospitals, and two of the hospitals change the images. Do the groups follow
the shapes in the images, or the hospitals? The scanners are planted into toy images here, so that
we know the answer. :doc:`/guide/scanner` says what to do with your own images.
"""

import numpy as np
import pandas as pd

from sklearn_cae.datasets import make_toy_images

toys = make_toy_images(300, image_size=32, random_state=0)
X, shape = toys.data, toys.target_names[toys.target]
hospital = np.random.default_rng(0).choice(["A", "B", "C"], 300)
hospital = pd.Series(hospital, name="hospital")
in_b, in_c = hospital == "B", hospital == "C"
X[in_b] = 255 * (X[in_b] / 255) ** 0.6  # brighter
framed = np.zeros_like(X)
framed[:, 3:-3, 3:-3] = X[:, 3:-3, 3:-3]
X[in_c] = framed[in_c]  # a collimator

# %%
# Look at the images
# ------------------
# The check finds the borders, and says that the brightness differs between the hospitals. It needs
# no training.

from sklearn_cae.images import check_images

check_images(X, {"site": hospital})

# %%
# Fit, and ask what the groups follow
# -----------------------------------
# To run in seconds, the decoder is hardly trained here. The groups of a fixed encoder do not depend
# on it. The report compares the groups with the hospitals. It also asks whether a kNN can read the
# hospital from the embedding. Labels, here the shapes, are optional.

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.metrics import confounding_report


def fit(X):
    few = {"image_shape": X.shape[1:], "warm_up_epochs": 1, "conditioning_epochs": 0}
    return ContrastiveAutoencoderClusterer(**recommended(len(X), **few), random_state=0).fit(X)


clusterer = fit(X)
confounding_report(clusterer, X, hospital, shape, random_state=0)

# %%
# Repair the images
# -----------------
# Some groups follow hospital C. The border is the reason, so it is cut off. All images are cut in
# the same way. If only the images of C were cut, their shapes would be larger than the others.

cropped = X[:, 3:-3, 3:-3]
clusterer = fit(cropped)
report = confounding_report(clusterer, cropped, hospital, shape, random_state=0)
print(report)

# %%
# Look at the groups again
# ------------------------
# No group follows a hospital any more. Hospital B can still be read from the embedding, because its
# images are brighter. This may not matter, as long as the groups do not follow it.

from sklearn_cae.plotting import PrototypeDisplay

_ = PrototypeDisplay.from_estimator(clusterer, cropped)
report.makeup["hospital"].round(2)

# %%
# If hospital and disease go together
# -----------------------------------
# Suppose that nearly all images of one shape had come from hospital C. The groups of this shape
# then also follow C. But among images of the same shape, groups and hospital have nothing in
# common: "within label" is near 0. Without labels nobody knows this, and no method can separate the
# shape from the hospital. Then find groups within one hospital, and see whether they come back in
# another.

most = (shape == shape[0]) & (np.arange(300) % 10 > 0)
confounding_report(clusterer, cropped, hospital.mask(most, "C"), shape, random_state=0)
