"""One rule for labels, wherever they are taken."""

import warnings

import matplotlib
import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import DataConversionWarning

from sklearn_cae import (
    ClusterLabelMapper,
    KNNProbe,
    LinearProbe,
    cluster_report,
    clustering_report,
)
from sklearn_cae.metrics import hungarian_accuracy, purity_score, stability_report
from sklearn_cae.plotting import ContingencyDisplay, EmbeddingDisplay, PrototypeDisplay

matplotlib.use("Agg")
pytestmark = pytest.mark.filterwarnings("ignore:The number of unique classes")

POINTS = np.random.RandomState(0).rand(96, 2)
CLUSTERS = np.arange(96) % 3


def mapper():
    return ClusterLabelMapper(input="distance")


def panels(labels):
    return {"a": labels}


#: All that takes labels: a function of them, and what its message calls them. They get a fitted
#: clusterer and its 96 images where they need them.
TAKERS = {
    "ClusterLabelMapper.fit": (lambda y, *_: mapper().fit(POINTS, y), "y"),
    "ClusterLabelMapper.score": (
        lambda y, *_: mapper().fit(POINTS, CLUSTERS).score(POINTS, y),
        "y",
    ),
    "KNNProbe.fit": (lambda y, *_: KNNProbe().fit(POINTS, y), "y"),
    "LinearProbe.fit": (lambda y, *_: LinearProbe(epochs=1).fit(POINTS, y), "y"),
    "clustering_report, y_true": (lambda y, *_: clustering_report(y, CLUSTERS), "y_true"),
    "clustering_report, labels": (lambda y, *_: clustering_report(CLUSTERS, y), "labels"),
    "hungarian_accuracy, y_true": (lambda y, *_: hungarian_accuracy(y, CLUSTERS), "y_true"),
    "hungarian_accuracy, labels": (lambda y, *_: hungarian_accuracy(CLUSTERS, y), "labels"),
    "purity_score, y_true": (lambda y, *_: purity_score(y, CLUSTERS), "y_true"),
    "purity_score, labels": (lambda y, *_: purity_score(CLUSTERS, y), "labels"),
    "stability_report, groups": (
        lambda y, *_: stability_report(KMeans(2), POINTS, n_repeats=1, groups=y, random_state=0),
        "groups",
    ),
    "ContingencyDisplay, y_true": (
        lambda y, *_: ContingencyDisplay.from_predictions(y, CLUSTERS),
        "y_true",
    ),
    "ContingencyDisplay, labels": (
        lambda y, *_: ContingencyDisplay.from_predictions(CLUSTERS, y),
        "labels",
    ),
    "EmbeddingDisplay": (lambda y, *_: EmbeddingDisplay(POINTS, panels(y)), "panel 'a'"),
    "EmbeddingDisplay.from_predictions": (
        lambda y, *_: EmbeddingDisplay.from_predictions(POINTS, panels(y), max_samples=30),
        "panel 'a'",
    ),
    "EmbeddingDisplay.from_estimator, y": (
        lambda y, model, X: EmbeddingDisplay.from_estimator(model, X, y, max_samples=30),
        "y",
    ),
    "EmbeddingDisplay.from_estimator, mapped": (
        lambda y, model, X: EmbeddingDisplay.from_estimator(
            model, X, mapped_labels=y, max_samples=30
        ),
        "mapped_labels",
    ),
    "PrototypeDisplay.from_estimator, y": (
        lambda y, model, X: PrototypeDisplay.from_estimator(model, X, y),
        "y",
    ),
    "PrototypeDisplay.from_estimator, mapped": (
        lambda y, model, X: PrototypeDisplay.from_estimator(model, X, mapped_labels=y),
        "mapped_labels",
    ),
    "cluster_report": (
        lambda y, model, X: cluster_report(model, X, y, max_samples=30, n_members=1),
        "y",
    ),
}
#: Those that draw missing labels.
DRAWS_MISSING = [take for name, (take, _) in TAKERS.items() if name.startswith("EmbeddingDisplay")]
EACH_TAKER = pytest.mark.parametrize(("take", "name"), TAKERS.values(), ids=list(TAKERS))


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch, quick_map):
    yield monkeypatch.chdir(tmp_path)
    matplotlib.pyplot.close("all")


@EACH_TAKER
def test_a_column_of_labels_is_taken_with_scikit_learns_warning(take, name, fitted, toy_images):
    """As MedMNIST gives them; the warning comes once, and points here."""
    with pytest.warns(DataConversionWarning) as caught:
        take(toy_images[1][:, None], fitted, toy_images[0])
    (told,) = (each for each in caught if each.category is DataConversionWarning)
    assert str(told.message).startswith(
        f"A column-vector {name} was passed when a 1d array was expected"
    )
    assert told.filename == __file__


@EACH_TAKER
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ones((96, 14), dtype=int), r"must hold one label per sample, got shape \(96, 14\)"),
        ([["a", "b"], *[["a"]] * 95], "must hold one label per sample, got lists of different"),
        (5, r"must hold one label per sample, got shape \(\)"),
        (CLUSTERS[:95], r"must have 96 entries, one for each .*got 95"),
        (np.array([None, *CLUSTERS[1:]]), "must hold a label in every row, but 1 of 96"),
        (["a", np.nan] * 48, "must hold a label in every row, but 48 of 96"),
    ],
    ids=["multilabel", "lists", "scalar", "short", "None", "NaN in text"],
)
def test_other_labels_are_refused_by_name(take, name, y, message, fitted, toy_images):
    # Of two labellings that differ in length, the second is named.
    is_first_of_two = name == "y_true" and "96 entries" in message
    pattern = "labels must have 95 entries" if is_first_of_two else f"^{name} {message}"
    if take in DRAWS_MISSING and "must hold a label in every row" in message:
        take(y, fitted, toy_images[0])
        return
    with pytest.raises(ValueError, match=pattern):
        take(y, fitted, toy_images[0])


@EACH_TAKER
def test_labels_of_any_container_are_taken(take, name, fitted, toy_images):
    pd = pytest.importorskip("pandas", reason="an extra")
    X, y = toy_images
    given = [torch.tensor(y), pd.Series(y, dtype="Int64"), pd.Series(y, dtype="category")]
    if take is not TAKERS["ClusterLabelMapper.score"][0]:  # which was fitted to numbers
        given += [pd.Series(y).map(str), list(map(str, y))]
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataConversionWarning)
        for labels in given:
            take(labels, fitted, X)
