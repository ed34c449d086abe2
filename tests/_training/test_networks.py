"""Networks of the user's own: each fit trains a copy."""

import copy

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from torch import nn

from sklearn_cae import load, save
from sklearn_cae.modules import image_decoder

SHAPE = (1, 16, 16)


def new_encoder(image_shape=SHAPE, embedding_dim=16):
    return nn.Sequential(
        nn.Conv2d(image_shape[0], 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(embedding_dim),
    )


@pytest.fixture
def backbone():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = new_encoder()
        encoder(torch.zeros(1, *SHAPE))
    return encoder


def test_folds_do_not_share_weights(toy_images, make_quick, backbone):
    X, _ = toy_images
    before = copy.deepcopy(backbone.state_dict())
    model = make_quick(encoder=lambda: backbone)
    first, second = (cross_val_score(model, X, cv=2) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    apart = make_quick(encoder=lambda: copy.deepcopy(backbone))
    np.testing.assert_array_equal(first, cross_val_score(apart, X, cv=2))
    torch.testing.assert_close(backbone.state_dict(), before, rtol=0, atol=0)
    assert backbone.training


@pytest.mark.parametrize("shared", ["encoder", "decoder"])
def test_a_later_fit_leaves_earlier_models_as_they_are(toy_images, make_quick, backbone, shared):
    X, _ = toy_images
    module = {"encoder": backbone, "decoder": image_decoder(SHAPE, 16)}[shared]
    earlier = make_quick(**{shared: lambda: module}).fit(X)
    answers = earlier.predict_proba(X), earlier.reconstruct(X)
    make_quick(**{shared: lambda: module}).fit(X[::-1])
    np.testing.assert_array_equal(earlier.predict_proba(X), answers[0])
    np.testing.assert_array_equal(earlier.reconstruct(X), answers[1])


def test_a_later_load_leaves_earlier_models_as_they_are(toy_images, make_quick, backbone, tmp_path):
    X, _ = toy_images
    for name, images in (("first", X), ("second", X[::-1])):
        save(make_quick(encoder=new_encoder).fit(images), tmp_path / name)
    first = load(tmp_path / "first", encoder=lambda: backbone)
    answers = first.predict_proba(X)
    load(tmp_path / "second", encoder=lambda: backbone)
    np.testing.assert_array_equal(first.predict_proba(X), answers)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize(
    "normalise",
    [
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        nn.utils.parametrizations.weight_norm,
    ],
)
def test_modules_that_are_hard_to_copy(toy_images, make_quick, normalise):
    X, _ = toy_images
    module = nn.Sequential(nn.Flatten(), normalise(nn.Linear(256, 16)))
    one, other = (make_quick(encoder=lambda: module).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    weights = [list(encoder.parameters()) for encoder in (one.encoder_, module)]
    assert not any(map(torch.equal, *weights))


class WithLock(nn.Linear):
    def __deepcopy__(self, memo):
        raise TypeError("a lock cannot be copied")


def patched():
    module = nn.Sequential(nn.Flatten(), nn.Linear(256, 16))
    module.forward = lambda images: module[1](module[0](images))
    return module


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (lambda: WithLock(256, 16), "encoder must .* a WithLock could not be copied: a l"),
        (patched, "encoder must .* a copy of the Sequential still computes with the original's"),
    ],
)
def test_modules_that_cannot_be_copied(toy_images, make_quick, encoder, message):
    with pytest.raises(ValueError, match=message):
        make_quick(encoder=encoder).fit(toy_images[0])
