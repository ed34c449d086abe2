"""
Groups of a table as new columns
================================

Rows of numbers, such as radiomics features, can be clustered like images. The networks are then
multilayer perceptrons, and the augmentation adds noise and masks features. In a
``ColumnTransformer`` the groups become columns, which a model can use with the rest of the table.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

table, malignant = load_breast_cancer(as_frame=True, return_X_y=True)
malignant = 1 - malignant  # the data set calls benign 1
table = table[[name for name in table if name.startswith("mean")]]
features = list(table)
table["site"] = np.random.default_rng(0).choice(["north", "south"], len(table))  # made up
train, test, y_train, y_test = train_test_split(
    table, malignant, stratify=malignant, random_state=0
)
train.head()

# %%
# The table has ten features of cell nuclei, and one column of text. The clusterer receives the
# features and standardises them itself. The transformer also keeps the features, and encodes the
# site.

from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_cae import ContrastiveAutoencoderClusterer

clusterer = ContrastiveAutoencoderClusterer(
    n_clusters=4,
    warm_up_epochs=30,
    conditioning_epochs=0,
    batch_size=64,
    optimizer="adamw",
    random_state=0,
)
others = [("site", OneHotEncoder(drop="if_binary", sparse_output=False), ["site"])]
others += [("scaled", StandardScaler(), features)]
columns = ColumnTransformer([("group", clusterer, features), *others])
columns.set_output(transform="pandas")
columns.fit_transform(train).iloc[:5, :6].round(2)

# %%
# The first columns are soft assignments: how strongly a patient belongs to each group.
#
# Describe the groups
# -------------------
# The table shows the mean of each group, as standard deviations from the overall mean. The row
# *malignant* is the share of malignant tumours, which the clusterer did not see. All patients here
# are test patients.

fitted = columns.named_transformers_["group"]
of_test = ((test[features] - train[features].mean()) / train[features].std()).assign(
    malignant=y_test
)
groups = of_test.groupby(fitted.predict(test[features]))
groups.mean().assign(n=groups.size()).rename(index="group {}".format).T.round(2)

# %%
# The same patients are coloured by diagnosis and by group. Similar patients are close to each
# other.

from sklearn_cae.plotting import EmbeddingDisplay

_ = EmbeddingDisplay.from_estimator(fitted, test[features], y_test)

# %%
# Do the groups help a classifier?
# --------------------------------
# The same logistic regression is trained with and without the groups. The clusterer is fitted in
# each fold.

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

candidates = {
    "groups alone": ColumnTransformer([("group", clusterer, features)]),
    "without groups": ColumnTransformer(others),
    "with groups": columns,
}
for name, transformer in candidates.items():
    model = make_pipeline(transformer, LogisticRegression(max_iter=1000))
    scores = cross_val_score(model, train, y_train, cv=5, scoring="balanced_accuracy")
    print(f"{name:<16}{scores.mean():.3f} ± {scores.std():.3f}")

# %%
# Groups are computed from the features. A model that already uses the features of hundreds of
# labelled patients gains little from groups. A difference smaller than the spread over the folds
# shows nothing. Use groups if there are no labels, or to look at the data.
