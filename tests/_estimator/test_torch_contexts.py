"""Contexts of torch that surround a call do not change what it computes."""

import copy

import numpy as np
import pytest
import torch
from quick import quick_clusterer
from sklearn.base import clone

from sklearn_cae import LinearProbe, load, save
from sklearn_cae.plotting import AugmentationDisplay, PrototypeDisplay

CONTEXTS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "device": lambda: torch.device("meta"),
}


@pytest.fixture(params=CONTEXTS)
def context(request):
    return CONTEXTS[request.param]


@pytest.fixture(scope="module")
def plain(toy_images):
    """A fit of all phases, outside of any context."""
    return quick_clusterer(refinement_epochs=1, whiten=True).fit(toy_images[0])


def test_training_trains(context, plain, toy_images):
    with context():
        surrounded = clone(plain).fit(toy_images[0])
    np.testing.assert_array_equal(surrounded.labels_, plain.labels_)
    np.testing.assert_array_equal(surrounded.embedding_means_, plain.embedding_means_)


@pytest.mark.parametrize("output", ["soft_assignment", "embedding", "projection", "distance"])
def test_inference_is_the_same(output, context, fitted, toy_images):
    X, _ = toy_images
    model = copy.copy(fitted).set_params(output=output)

    def ask():
        embedding = model.embedding_means_
        return [
            model.transform(X),
            model.predict(X),
            model.decode(embedding),
            model.sample(3, 0, 0)[0],
        ]

    expected = ask()
    with context():
        surrounded = ask()
    for one, other in zip(surrounded, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_models_are_fitted_on_saved_and_looked_at(context, toy_images, fitted, tmp_path):
    X, y = toy_images
    with context():
        save(fitted, tmp_path / "model.safetensors")
        again = load(tmp_path / "model.safetensors")
        probe = LinearProbe(epochs=2, random_state=0).fit(X.reshape(len(X), -1), y)
        PrototypeDisplay.from_estimator(again, X)
        AugmentationDisplay.from_images(X, "paper", n_images=2, random_state=0)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert probe.coef_.any()
