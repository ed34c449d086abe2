"""
Sample new images, and ask whether they help
============================================

A fitted clusterer can draw new images of each cluster. Do they help to train a classifier if there
are few labels? The answer depends on the baseline.
"""

from sklearn.model_selection import train_test_split

from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_digit_images
from sklearn_cae.plotting import PrototypeDisplay

X, y = load_digit_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, random_state=0)

few = {"warm_up_epochs": 20, "refinement_epochs": 0, "conditioning_epochs": 10}
params = recommended(len(X_train), **few, variational=True, whiten=False)
clusterer = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X_train)

# %%
# With ``variational=True`` the encoder returns a Gaussian per image, and samples of a cluster are
# decoded from the combination of its members' Gaussians. With ``variational=False``, one Gaussian
# is fitted to the embeddings of the members.

_ = PrototypeDisplay.from_estimator(clusterer, X_train, n_members=5, n_samples=10)

# %%
# Thirty labels
# -------------
# Three images of each digit have a label. These images are drawn ten times. Each time, three
# logistic regressions are trained, on
#
# - these thirty images only;
# - these thirty and 300 sampled images, each with the label that the thirty images assign to its
#   cluster;
# - these thirty and 300 real images, labelled by their clusters in the same way.
#
# Training with real images is the important baseline, because everyone who fitted a clusterer has
# real images.

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
# Compare real images with no additional images: the difference shows how much the clusters help.
# Compare real images with samples: the difference shows how much is lost by using samples. Samples
# contain no information that the real images do not contain. Use them to show what a cluster looks
# like.
#
# Samples are not anonymous: a model can memorise images, so a sample may show a patient. Ask your
# data protection officer before you share them.
