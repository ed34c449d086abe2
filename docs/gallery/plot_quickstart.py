"""
Groups in images, in ten lines
==============================

A clusterer is fitted to images without labels. Then it shows the typical image of each group, and
tells which group any image belongs to. Labels come in at the end, to look at what was found.
"""

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_digit_images

X, y = load_digit_images(return_X_y=True)
fewer = {"warm_up_epochs": 20, "refinement_epochs": 5, "conditioning_epochs": 6}
clusterer = ContrastiveAutoencoderClusterer(**{**recommended(len(X)), **fewer}, random_state=0)
clusterer.fit(X)
print(clusterer.n_clusters_, "groups")

# %%
# The images are the digits of 8 x 8 pixels that scikit-learn brings along. The setting is the
# :func:`recommended <sklearn_cae.recommended>` one, which counts the groups by itself, with fewer
# epochs: enough to look around. Without it, the estimator's defaults are the paper's setting.
#
# What was found
# --------------
# Each group has a prototype, which the decoder draws. Beside it stand the members that are closest
# to it, those that could as well be in the next group, and new images, sampled from it. Only the
# digits and their shares at the left need labels, and where there are none, ``y`` is left out.

from sklearn_cae.plotting import EmbeddingDisplay, PrototypeDisplay

_ = PrototypeDisplay.from_estimator(clusterer, X, y)

# %%
# The embedding in the plane, by t-SNE. On the left are the true digits, which training never saw;
# on the right the clusters. The prototypes stand at their place. A digit that is written in two
# ways may well be two groups.

_ = EmbeddingDisplay.from_estimator(clusterer, X, y, max_samples=1000)

# %%
# A report that cannot flatter
# ----------------------------
# Purity is the accuracy if each cluster is called by its most frequent digit. It never falls as
# clusters are split: so the number of clusters, the majority class and scores that are corrected
# for chance, as the adjusted Rand index (ari) is, stand beside it.

from sklearn_cae import clustering_report

clustering_report(y, clusterer.predict(X))
