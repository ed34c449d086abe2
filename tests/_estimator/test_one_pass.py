"""Several answers about the same samples from one pass over them."""

from contextlib import contextmanager

import matplotlib
import numpy as np
import pytest

from sklearn_cae import cluster_report
from sklearn_cae.clusterers import MixtureClusterer
from sklearn_cae.plotting import EmbeddingDisplay, PrototypeDisplay

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    yield monkeypatch.chdir(tmp_path)
    matplotlib.pyplot.close("all")


@contextmanager
def encodings(model):
    """List how many samples each call of the encoder gets."""
    sizes = []
    hook = model.encoder_.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    yield sizes
    hook.remove()


@pytest.mark.parametrize("n_clusters", [1, 3])
@pytest.mark.parametrize("assignment", ["cosine", "clusterer"])
def test_assign_answers_as_the_other_methods(make_quick, toy_images, assignment, n_clusters):
    X = toy_images[0]
    model = make_quick(
        n_clusters=n_clusters,
        assignment=assignment,
        clusterer=MixtureClusterer(n_clusters) if assignment == "clusterer" else None,
        warm_up_epochs=1,
        conditioning_epochs=0,
    ).fit(X)
    model.set_params(assignment_temperature=0.3, batch_size=40)
    with encodings(model) as sizes:
        assigned = model.assign(X)
    assert sizes == [40, 40, 16]
    np.testing.assert_array_equal(assigned.labels, model.predict(X))
    np.testing.assert_array_equal(assigned.margin, model.margin(X))
    np.testing.assert_array_equal(assigned.soft_assignment, model.predict_proba(X))
    distance = model.set_params(output="distance").transform(X)
    own_distance = distance[np.arange(len(X)), assigned.labels]
    np.testing.assert_array_equal(np.maximum(1 - assigned.similarity, 0), own_distance)
    np.testing.assert_array_equal(
        assigned.embedding, model.set_params(output="embedding").transform(X)
    )
    for name, dtype in {"labels": np.int64, "margin": np.float32}.items():
        assert assigned[name].dtype == dtype
        assert assigned[name].shape == (len(X),)


@pytest.mark.parametrize(
    ("show", "n_again"),
    [
        (PrototypeDisplay.from_estimator, 0),
        (EmbeddingDisplay.from_estimator, 0),
        (cluster_report, 3 * 6),  # gradients of the typical members
        (lambda model, X: model.representatives(X), 0),
    ],
    ids=["PrototypeDisplay", "EmbeddingDisplay", "cluster_report", "representatives"],
)
def test_each_image_is_encoded_once(show, n_again, fitted, toy_images):
    with encodings(fitted) as sizes:
        show(fitted, toy_images[0])
    assert sum(sizes) == len(toy_images[0]) + n_again


def test_a_display_of_some_samples_encodes_no_others(fitted, toy_images):
    with encodings(fitted) as sizes:
        EmbeddingDisplay.from_estimator(fitted, toy_images[0], max_samples=30)
    assert sum(sizes) == 30
