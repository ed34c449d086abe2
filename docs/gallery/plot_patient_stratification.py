"""
Stratifying patients: a story in six steps
==========================================

Chest X-rays of children, some with pneumonia. Which groups are there, what are they, and how does
one ask whether another fit would find them? The labels of all but fifty images stay closed until
the end. To run in seconds the page sees 1000 images for a few epochs. Patients are not named here:
with yours, keep all images of one on the same side of a split.
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
# 1. Say what shall not matter
# ----------------------------
# The views of the preset ``"xray"`` tilt, crop and blur a little, and never mirror: the heart stays
# on its side. If what you look for cannot be seen in a view any more, the view is too strong.

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.plotting import AugmentationDisplay

fewer = {"warm_up_epochs": 15, "refinement_epochs": 5, "conditioning_epochs": 5}
clusterer = ContrastiveAutoencoderClusterer(**{**recommended(len(X)), **fewer}, random_state=0)
_ = AugmentationDisplay.from_estimator(clusterer, X, n_images=3)

# %%
# 2. Fit, without a label
# -----------------------
# The recommended setting counts the groups itself, and says so where no number stands out.

_ = clusterer.fit(X)

# %%
# 3. Look before you count
# ------------------------
# A row is a group of the test images. What is dark, what is hazy, what is only turned or cut
# otherwise? Doubtful members could as well be in the next group. A row without members is a group
# of the training images that no test image fell into.

from sklearn_cae.plotting import PrototypeDisplay

_ = PrototypeDisplay.from_estimator(clusterer, X_test)

# %%
# 4. Rule out the dull reasons
# ----------------------------
# Brightness and contrast are exposure before they are disease. Where they differ much between
# groups, a part of the grouping is the machine's. With metadata at hand, such as age, site or
# scanner, :func:`~sklearn_cae.report.cluster_report` tests them all.

groups = clusterer.predict(X_test)
dull = pd.DataFrame({"brightness": X_test.mean(axis=(1, 2)), "contrast": X_test.std(axis=(1, 2))})
dull.groupby(groups).agg(["mean", "std"]).round(1)

# %%
# 5. Open a few labels
# --------------------
# Fifty labelled images name the groups. A row of the picture is a group, and its frame the name
# that the fifty gave it; the counts are those of the test labels, which chose nothing.

from sklearn_cae import ClusterLabelMapper
from sklearn_cae.plotting import ContingencyDisplay

few = rng.permutation(len(train.data))[:50]
names = train.target_names[train.target[few]]
mapper = ClusterLabelMapper().fit(clusterer.predict_proba(train.data[few]), names)
_ = ContingencyDisplay.from_predictions(y_test, groups, mapping=mapper.mapping_)

# %%
# 6. Read it against what is free
# -------------------------------
# As many groups of KMeans on the pixels cost nothing. Compare purity at an equal number of groups,
# and ARI, which corrects for it. Then let :func:`~sklearn_cae.metrics.stability_report` fit
# again on halves of the images, and believe the groups that come back.

from sklearn.cluster import KMeans

from sklearn_cae import clustering_report

pixels = KMeans(clusterer.n_clusters_, n_init=5, random_state=0).fit(X.reshape(len(X), -1))
labels = {"groups": groups, "pixels": pixels.predict(X_test.reshape(len(X_test), -1))}
pd.DataFrame({of: clustering_report(y_test, one).to_dict() for of, one in labels.items()}).round(3)
