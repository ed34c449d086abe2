"""
Groups in images, in ten lines
==============================

A clusterer is fitted to images without labels. Then it shows the typical image of each group, and
assigns any image to a group. Labels are used only at the end, to look at the groups.
"""

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_digit_images

X, y = load_digit_images(return_X_y=True)
clusterer = ContrastiveAutoencoderClusterer(**recommended(len(X)), random_state=0)
clusterer.fit(X)
print(clusterer.n_clusters_, "groups")

# %%
# The images are scikit-learn's digits of 8 x 8 pixels. The :func:`recommended
# <sklearn_cae.recommended>` setting finds the number of groups. If no parameters are passed, the
# estimator uses the paper's setting.
#
# The groups
# ----------
# Each row is a group: its decoded prototype, the difference from the mean of all prototypes (red is
# brighter), the most typical members (closest to the prototype), the most doubtful members (almost
# as close to another group), and new images that are sampled from the group. The digits and their
# shares at the left need labels. Without labels, leave ``y`` out.

from sklearn_cae.plotting import EmbeddingDisplay, PrototypeDisplay

_ = PrototypeDisplay.from_estimator(clusterer, X, y)

# %%
# This is a map of the embedding by t-SNE: coloured by true digit on the left, and by cluster on the
# right, with the prototypes at their places. Training did not see the true digits. If a digit is
# written in two ways, it may be in two groups.

_ = EmbeddingDisplay.from_estimator(clusterer, X, y, max_samples=1000)

# %%
# Scores and baselines
# --------------------
# Purity is the accuracy if each cluster is named by its most frequent digit. It never falls if a
# cluster is split. So read it together with the number of clusters, the majority class, and the
# adjusted Rand index (ari), which corrects for chance.

from sklearn_cae import clustering_report

clustering_report(y, clusterer.predict(X))
