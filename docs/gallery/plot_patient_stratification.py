"""
Stratifying patients: a story in six steps
==========================================

Some of these chest X-rays of children show pneumonia. Which groups are there, what are they, and
would another fit find them? The page uses only fifty labels before the end. To run in seconds, the
page uses 1000 images and few epochs. This data set does not identify patients. With your own data,
keep all images of a patient on the same side of a split (:doc:`/guide/patients`).
"""

import numpy as np
import pandas as pd

from sklearn_cae.datasets import load_digit_images, load_pneumoniamnist

try:  # leave download_if_missing out to have the files downloaded
    train = load_pneumoniamnist("train", download_if_missing=False)
    test = load_pneumoniamnist("test", download_if_missing=False)
except (ImportError, OSError):
    print("PneumoniaMNIST is not at hand: digits stand in, and the text does not fit them.")
    train = test = load_digit_images()
rng = np.random.default_rng(0)
X = train.data[rng.permutation(len(train.data))[:1000]]
X_test, y_test = test.data, test.target_names[test.target]

# %%
# 1. Choose the augmentation
# --------------------------
# The preset ``"xray"`` rotates, crops and blurs a little. It never mirrors, because the heart has a
# side. If you cannot see the property that you look for in a view, the augmentation is too strong.

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.plotting import AugmentationDisplay

few = {"warm_up_epochs": 15, "refinement_epochs": 5, "conditioning_epochs": 5}
clusterer = ContrastiveAutoencoderClusterer(**recommended(len(X), **few), random_state=0)
_ = AugmentationDisplay.from_estimator(clusterer, X, n_images=3)

# %%
# 2. Fit without labels
# ---------------------
# The recommended setting finds the number of groups. If no number is clearly best, it warns.

_ = clusterer.fit(X)

# %%
# 3. Look at the groups
# ---------------------
# Each row is a group of test images. Which groups are dark or hazy? Which ones are only rotated or
# cropped differently? Doubtful members are almost as close to another group. If a row has no
# members, no test image is in this group of the training images.

from sklearn_cae.plotting import PrototypeDisplay

_ = PrototypeDisplay.from_estimator(clusterer, X_test)

# %%
# 4. Check simple explanations
# ----------------------------
# Brightness and contrast depend on exposure. If they differ much between groups, the machine has
# partly made the groups. If you have metadata such as age, site or scanner,
# :func:`~sklearn_cae.report.cluster_report` tests all of them.

groups = clusterer.predict(X_test)
dull = pd.DataFrame({"brightness": X_test.mean(axis=(1, 2)), "contrast": X_test.std(axis=(1, 2))})
dull.groupby(groups).agg(["mean", "std"]).round(1)

# %%
# 5. Use a few labels
# -------------------
# Fifty labelled images name the groups. Each row of the picture is a group, and the frame marks its
# name. The counts are test labels, which were not used to choose anything.

from sklearn_cae import ClusterLabelMapper
from sklearn_cae.plotting import ContingencyDisplay

few = rng.permutation(len(train.data))[:50]
names = train.target_names[train.target[few]]
mapper = ClusterLabelMapper().fit(clusterer.predict_proba(train.data[few]), names)
_ = ContingencyDisplay.from_predictions(y_test, groups, mapping=mapper.mapping_)

# %%
# 6. Compare with a simple baseline
# ---------------------------------
# KMeans on pixels, with the same number of groups, takes a second. Compare purity only at an equal
# number of groups. ARI corrects for chance. Then run :func:`~sklearn_cae.metrics.stability_report`,
# which fits again on halves of the images, and rely only on groups that come back.

from sklearn.cluster import KMeans

from sklearn_cae import clustering_report

pixels = KMeans(clusterer.n_clusters_, n_init=5, random_state=0).fit(X.reshape(len(X), -1))
labels = {"groups": groups, "pixels": pixels.predict(X_test.reshape(len(X_test), -1))}
pd.DataFrame({of: clustering_report(y_test, one).to_dict() for of, one in labels.items()}).round(3)
