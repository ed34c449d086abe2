"""
Sample new images, and ask whether they help
============================================

A fitted clusterer draws new images of any of its clusters. They are good to look at. Do they also
help to train a classifier where labels are few? Against which baseline is this asked?
"""

from sklearn.model_selection import train_test_split

from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_digit_images
from sklearn_cae.plotting import PrototypeDisplay

X, y = load_digit_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, random_state=0)

params = {**recommended(len(X_train)), "variational": True, "whiten": False, "refinement_epochs": 0}
fewer = {"warm_up_epochs": 20, "conditioning_epochs": 10}
clusterer = ContrastiveAutoencoderClusterer(**{**params, **fewer}, random_state=0).fit(X_train)

# %%
# With ``variational=True`` the encoder gives a Gaussian for each image, and a cluster's samples are
# decoded from what the Gaussians of its members cover together. Without it, one Gaussian is fitted
# to the members' embeddings.

_ = PrototypeDisplay.from_estimator(clusterer, X_train, n_members=5, n_samples=10)

# %%
# Thirty labels
# -------------
# Three labelled images of each digit, drawn ten times. A logistic regression is trained on
#
# - these thirty alone;
# - these and 300 sampled images, each with the label that the thirty give to its cluster;
# - these and 300 real images without a label, each with the label that its cluster is given.
#
# The third is the baseline that matters: whoever has a clusterer has the images it was fitted to.

import numpy as np
from sklearn.linear_model import LogisticRegression

assignment = clusterer.transform(X_train)
new, new_clusters = clusterer.sample(300, random_state=0)
unlabelled = np.random.default_rng(0).permutation(len(X_train))


def accuracy(images, labels):
    model = LogisticRegression(max_iter=3000).fit(images.reshape(len(images), -1) / 255, labels)
    return model.score(X_test.reshape(len(X_test), -1) / 255, y_test)


scores = {"30 labels": [], "and 300 samples": [], "and 300 real images": []}
for seed in range(10):
    few, _, y_few, _ = train_test_split(
        np.arange(len(X_train)), y_train, train_size=30, stratify=y_train, random_state=seed
    )
    mapper = ClusterLabelMapper().fit(assignment[few], y_few)
    others = unlabelled[~np.isin(unlabelled, few)][:300]
    added = [
        (X_train[:0], y_train[:0]),
        (new, mapper.mapping_[new_clusters]),
        (X_train[others], mapper.predict(assignment[others])),
    ]
    for kept, (images, labels) in zip(scores.values(), added, strict=True):
        kept.append(accuracy(np.concatenate([X_train[few], images]), np.append(y_few, labels)))

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(list(scores), list(scores.values()), "o-", color="0.75", markersize=4)
ax.plot(list(scores), np.mean(list(scores.values()), axis=1), "D", color="C3", label="mean")
ax.margins(x=0.2)
ax.set(ylabel="test accuracy")
ax.legend(frameon=False)
print({name: f"{np.mean(kept):.3f} ± {np.std(kept):.3f}" for name, kept in scores.items()})

# %%
# Read it from the right. What lies between the first and the third is what the clusters know; what
# lies between the third and the second is what drawing images anew costs. Samples bring no
# knowledge that the real images had not. They are for what real images cannot be used for: to show
# what a cluster looks like, or where images must not leave the house. (That a sample shows no
# patient is not promised by that: a model can remember.)
