"""
Choose a temperature by grid search
===================================

A clusterer and a :class:`~sklearn_cae.ClusterLabelMapper` form a classifier, and ``GridSearchCV``
can search for its parameters. The search uses labels. This page shows how to do it, and which
labels may be used.
"""

import matplotlib.pyplot as plt
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer, clustering_report
from sklearn_cae.datasets import load_digit_images

X, y = load_digit_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=900, stratify=y, random_state=0
)

# %%
# The test images are not used until the end.
#
# The search
# ----------
# Three scores are computed for every fold, on images that its fit did not see: the accuracy of the
# mapped clusters, the adjusted Rand index (which needs no mapping, and corrects for chance), and
# the mean silhouette (which needs no labels).


def rand_index(pipeline, X, y):
    return adjusted_rand_score(y, pipeline["clusterer"].predict(X))


def silhouette(pipeline, X, y=None):
    return pipeline["clusterer"].score(X)


clusterer = ContrastiveAutoencoderClusterer(
    n_clusters=10, warm_up_epochs=10, conditioning_epochs=0, augmentation="digits", random_state=0
)
search = GridSearchCV(
    Pipeline([("clusterer", clusterer), ("mapper", ClusterLabelMapper())]),
    {"clusterer__temperature": [0.05, 0.1, 0.2, 0.5, 1.0]},
    scoring={"accuracy": "accuracy", "rand index": rand_index, "silhouette": silhouette},
    refit="rand index",
    cv=3,
).fit(X_train, y_train)

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
temperature = search.cv_results_["param_clusterer__temperature"].astype(float)
for panel, score in zip(axes, search.scoring, strict=True):
    mean, std = (search.cv_results_[f"{each}_test_{score}"] for each in ("mean", "std"))
    panel.errorbar(temperature, mean, std, marker="o", capsize=3)
    panel.set(xscale="log", xlabel="temperature", title=score)

# %%
# Points are means over the folds, and bars are standard deviations. Is the best temperature better
# by more than one standard deviation?

best, worst = (function(search.cv_results_["mean_test_rand index"]) for function in (max, min))
print(f"best {search.best_params_}")
print(f"rand index: {worst:.3f} to {best:.3f} over temperatures")
print(f"standard deviation over folds: {search.cv_results_['std_test_rand index'].mean():.3f}")

# %%
# If the range is not clearly wider than the standard deviation, the search chose by chance, and the
# default is as good. Do not choose a temperature by the silhouette, because the temperature changes
# the embedding in which it is measured. The silhouette can compare numbers of clusters in one
# embedding.
#
# Which labels may choose
# -----------------------
# - Labels of training images, in folds, as here. The clustering is then no longer unsupervised.
#   Report this, and the number of settings that were tried.
# - Never labels of validation and test images. The best score of many settings is too high on the
#   labels that chose the setting. Use them once, at the end:

clustering_report(y_test, search.best_estimator_["clusterer"].predict(X_test))
