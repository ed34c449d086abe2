"""What is said of an estimator that a report, a display or a file cannot be made of."""

import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_cae.export import export_onnx
from sklearn_cae.new_images import drift_report
from sklearn_cae.plotting import (
    ContingencyDisplay,
    ElbowDisplay,
    EmbeddingDisplay,
    HistoryDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
)
from sklearn_cae.report import cluster_report, cluster_table, read_answers

#: Functions of a fitted estimator and samples.
USERS = {
    "cluster_report": cluster_report,
    "cluster_table": cluster_table,
    "read_answers": lambda estimator, X: read_answers("answers.json", estimator),
    "drift_report": drift_report,
    "export_onnx": lambda estimator, X: export_onnx(estimator, "model.onnx"),
    "elbow": lambda estimator, X: ElbowDisplay.from_estimator(estimator),
    "history": lambda estimator, X: HistoryDisplay.from_estimator(estimator),
    "contingency": lambda estimator, X: ContingencyDisplay.from_estimator(estimator),
    "embedding": EmbeddingDisplay.from_estimator,
    "prototypes": PrototypeDisplay.from_estimator,
    "reconstruction": ReconstructionDisplay.from_estimator,
}


@pytest.fixture(params=USERS)
def use(request, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    yield USERS[request.param]
    assert not list(tmp_path.iterdir())  # nothing was written before the check


def test_a_pipeline_is_told_which_step_to_pass(use, fitted, toy_images):
    pipeline = make_pipeline(FunctionTransformer(), fitted)
    with pytest.raises(TypeError, match=r"estimator must be a fitted .* Pass its last step, pipe"):
        use(pipeline, toy_images[0])


def test_another_clusterer_is_told_what_it_lacks(use, toy_images):
    X = toy_images[0].reshape(len(toy_images[0]), -1)
    with pytest.raises(TypeError, match=r"estimator must be a fitted \w+, got KMeans without \w+"):
        use(KMeans(2, n_init=1).fit(X), X)


def test_an_unfitted_clusterer_is_told_to_be_fitted(use, fitted, toy_images):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        use(clone(fitted), toy_images[0])
