"""The logarithm of a scattering: values, sizes, and what it refuses."""

import copy

import numpy as np
import pytest
import torch
from kymatio_values import images
from torch.nn.functional import avg_pool2d

from sklearn_cae.modules import LogScattering, Scattering


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 33)])
def test_it_is_the_logarithm_of_a_scattering(shape):
    X = images(shape)
    maps = LogScattering(shape)(X)
    assert maps.shape[1:] == LogScattering(shape).output_shape
    expected = np.log(Scattering(shape, n_angles=4)(X).numpy() + 0.01)
    np.testing.assert_allclose(maps.numpy(), expected, atol=1e-4)


def test_its_parameters_are_those_of_the_scattering():
    maps = LogScattering((1, 32, 32), scale=3, n_angles=6)
    assert (maps.scattering.scale, maps.scattering.n_angles) == (3, 6)


@pytest.mark.parametrize(
    ("shape", "factor"),
    [
        ((1, 160, 160), 1),
        ((1, 160, 512), 1),
        ((1, 161, 161), 2),
        ((3, 200, 321), 2),
        ((1, 320, 330), 2),
        ((1, 512, 512), 4),
    ],
)
def test_large_images_are_halved_until_their_shorter_side_has_160_pixels(shape, factor):
    X = images(shape)[:1]
    network = LogScattering(shape)
    reduced = avg_pool2d(X, factor)
    assert torch.equal(network(X), LogScattering(reduced.shape[1:])(reduced))
    assert network.scattering.image_shape == (shape[0], shape[1] // factor, shape[2] // factor)


@pytest.mark.parametrize("value", [0.0, 1.0, -5.0])
def test_all_values_are_finite(value):
    """A user's views may be negative, as those of torchvision's Normalize are."""
    X = torch.full((2, 1, 16, 16), value, requires_grad=True)
    maps = LogScattering((1, 16, 16))(X)
    maps.sum().backward()
    assert maps.isfinite().all()
    assert X.grad.isfinite().all()


def test_nothing_is_trained_or_saved():
    network = LogScattering((1, 28, 28))
    assert not network.state_dict()
    assert not list(network.parameters())
    X = images((1, 28, 28))
    assert torch.equal(copy.deepcopy(network)(X), network(X))


def test_volumes_are_told():
    with pytest.raises(ValueError, match=r"LogScattering needs images, \(C, H, W\).*spatial_dims"):
        LogScattering((1, 16, 16, 16))
