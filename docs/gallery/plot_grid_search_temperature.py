"""
Search for a temperature, and who may choose it
===============================================

A clusterer and a :class:`~sklearn_cae.ClusterLabelMapper` make a classifier, and
``GridSearchCV`` can look for its parameters. What it looks at are labels: this page shows how it
is done, and what it costs.
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
# The test images are put away before anything is chosen.
#
# The search
# ----------
# Three scores are kept of every fold, each on the images that its fit did not see: the accuracy
# under the mapping, the adjusted Rand index, which mapping and chance do not help, and the mean
# silhouette, which needs no labels.


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
# Points are means over the folds, bars their standard deviations. Is the best temperature better by
# more than that?

best, worst = (function(search.cv_results_["mean_test_rand index"]) for function in (max, min))
print(f"best {search.best_params_}")
print(f"rand index: {worst:.3f} to {best:.3f} over temperatures")
print(f"standard deviation over folds: {search.cv_results_['std_test_rand index'].mean():.3f}")

# %%
# Where the first range is not clearly wider than the second number, the search has chosen by
# chance, and the default would have done. The silhouette cannot choose a temperature at all: the
# temperature shapes the very space in which it is measured. It may compare numbers of clusters in
# one embedding.
#
# Who may choose
# --------------
# - Labels of the training images, in folds, as here. From then on the clustering is no longer
#   unsupervised, and a report has to say so, with the number of settings that were tried.
# - Labels of validation and test images: never. The score of the best of many settings, on the
#   labels that chose it, is too high. They are asked once, at the end:

clustering_report(y_test, search.best_estimator_["clusterer"].predict(X_test))
