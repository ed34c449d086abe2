"""Saliency: which pixels pull an image to the prototype of its cluster."""

import copy

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from sklearn.mixture import GaussianMixture


def add_noise(images):
    return images + 0.05 * torch.randn_like(images)


@pytest.fixture(scope="module")
def corners():
    """(X, y): 120 images that differ in one corner only, uint8 (120, 16, 16)."""
    rng = np.random.RandomState(0)
    y = np.arange(120) % 2
    X = rng.randint(90, 110, size=(120, 16, 16))
    X[y == 1, :6, :6] += 100
    return X.astype(np.uint8), y


def test_the_corner_that_differs_is_salient(make_quick, corners):
    X, y = corners
    # Not the default augmentation: flips would make both upper corners alike.
    model = make_quick(n_clusters=2, warm_up_epochs=5, augmentation=add_noise).fit(X)
    assert len(np.unique(np.c_[model.labels_, y], axis=0)) == 2  # the groups are the corners
    maps = model.saliency(X).mean(axis=0)
    means = [corner.mean() for half in np.split(maps, 2) for corner in np.split(half, 2, axis=1)]
    assert np.argmax(means) == 0
    assert means[0] > 1.2 * max(means[1:])


def test_it_is_the_gradient_for_the_prototype_of_the_own_cluster(fitted, toy_images):
    rows = np.r_[[np.flatnonzero(fitted.labels_ == cluster)[0] for cluster in range(3)]]
    for row, found in zip(rows, fitted.saliency(toy_images[0][rows]), strict=True):
        image = torch.tensor(toy_images[0][row][None, None] / 255, dtype=torch.float32)
        image.requires_grad_()
        unit = torch.nn.functional.normalize(fitted.encoder_(image))[0]
        own = torch.from_numpy(fitted.cluster_centers_)[fitted.labels_[row]]
        (unit @ own).backward()
        expected = gaussian_filter(image.grad[0, 0].abs().numpy(), 16 / 32)
        np.testing.assert_allclose(found, expected / expected.max(), atol=1e-4)
    fitted.encoder_.zero_grad(set_to_none=True)


def test_maps_are_shares_of_their_maximum(fitted, toy_images):
    X = toy_images[0]
    maps = fitted.saliency(X)
    assert maps.shape == X.shape
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps.max(axis=(1, 2)), 1)
    assert maps.min() >= 0
    np.testing.assert_allclose(fitted.saliency(X[:3]), maps[:3], atol=1e-5)  # whatever the batch


def test_it_depends_on_the_weights(fitted, toy_images):
    """Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018."""
    random = copy.deepcopy(fitted)
    torch.manual_seed(0)
    for module in random.encoder_.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    pairs = zip(fitted.saliency(toy_images[0]), random.saliency(toy_images[0]), strict=True)
    assert np.mean([spearmanr(*map(np.ravel, pair)).statistic for pair in pairs]) < 0.7


def test_it_leaves_the_model_as_it_is(fitted, toy_images):
    before = copy.deepcopy(fitted.encoder_.state_dict())
    with torch.no_grad():  # of the caller
        fitted.saliency(toy_images[0])
    for name, tensor in fitted.encoder_.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    assert all(weight.grad is None for weight in fitted.encoder_.parameters())


@pytest.mark.parametrize("channels_last", [True, False])
def test_channels_are_added(make_quick, toy_images, channels_last):
    X = np.stack([toy_images[0]] * 3, axis=-1 if channels_last else 1)
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    assert model.saliency(X[:2]).shape == (2, 16, 16)


def test_the_clusterers_own_assignment(make_quick, toy_images):
    model = make_quick(clusterer=GaussianMixture(3), assignment="clusterer", warm_up_epochs=1)
    assert model.fit(toy_images[0]).saliency(toy_images[0][:2]).shape == (2, 16, 16)


def test_vectors_have_none(make_quick):
    X = np.random.RandomState(0).normal(size=(60, 5))
    model = make_quick(warm_up_epochs=1).fit(X)
    with pytest.raises(ValueError, match=r"saliency needs images, but .* fitted on vectors"):
        model.saliency(X)


class NoGradient(torch.nn.Module):
    """An encoder that computes no gradient for its input."""

    def __init__(self, embedding_dim=16):
        super().__init__()
        self.last = torch.nn.Linear(256, embedding_dim)

    def forward(self, images):
        embedding = self.last(images.flatten(1))
        return embedding if self.training else embedding.detach()


def test_an_encoder_without_gradients_is_told(make_quick, toy_images):
    model = make_quick(encoder=lambda *_: NoGradient(), warm_up_epochs=1, conditioning_epochs=0)
    with pytest.raises(ValueError, match=r"computes none\. Remove torch\.no_grad"):
        model.fit(toy_images[0]).saliency(toy_images[0])
