import copy
import json
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kymatio_values import CASES, VALUES, images, one_place_each

from sklearn_cae.datasets import load_digit_images
from sklearn_cae.modules import Scattering, _scattering

KYMATIO = list(zip(CASES, json.loads(VALUES.read_text()), strict=True))


def digits(n):
    return torch.from_numpy(load_digit_images(return_X_y=True)[0][:n]).float()[:, None] / 16


@pytest.mark.parametrize(("case", "values"), KYMATIO, ids=map(str, CASES))
def test_the_maps_are_those_of_kymatio(case, values):
    maps = Scattering(*case)(images(case[0]))[0]
    torch.testing.assert_close(one_place_each(maps), torch.tensor(values), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("side", "scale", "map_side"),
    [(8, 1, 4), (28, 2, 7), (64, 3, 8), (128, 4, 8), (224, 5, 7), (512, 6, 8)],
)
def test_the_scale_follows_from_the_shorter_side(side, scale, map_side):
    scattering = Scattering((1, 512, side), max_order=1)
    assert scattering.scale == scale
    assert scattering.output_shape[1:] == (512 // 2**scale, map_side)


@settings(max_examples=20, deadline=None)
@given(
    channels=st.integers(1, 4),
    height=st.integers(8, 70),
    width=st.integers(8, 70),
    n_angles=st.integers(4, 8),
    max_order=st.integers(1, 2),
)
def test_any_proportion_has_maps_of_the_shape_that_is_promised(
    channels, height, width, n_angles, max_order
):
    shape = (channels, height, width)
    scattering = Scattering(shape, n_angles=n_angles, max_order=max_order)
    maps = scattering(torch.rand(2, *shape))
    j, paths = scattering.scale, scattering.n_maps
    assert paths == 1 + j * n_angles + (max_order - 1) * n_angles**2 * j * (j - 1) // 2
    assert maps.shape == (2, *scattering.output_shape)
    assert maps.shape == (2, channels * paths, height // 2**j, width // 2**j)
    assert (maps > -1e-6).all()


def test_a_small_shift_changes_little():
    X = digits(50).repeat_interleave(2, -1).repeat_interleave(2, -2)
    X = torch.nn.functional.pad(X, [8] * 4)
    shifted = X.roll(1, -1)

    def change(transform):
        return (transform(X) - transform(shifted)).norm() / transform(X).norm()

    assert change(torch.nn.Identity()) > 0.55
    assert change(Scattering((1, 32, 32), 3)) < 0.15
    assert change(Scattering((1, 32, 32), 4)) < 0.075


def test_the_first_order_is_the_beginning_of_the_second():
    X = images((1, 40, 33))
    both, first = (Scattering((1, 40, 33), 2, max_order=order) for order in (2, 1))
    torch.testing.assert_close(both(X)[:, : first.n_maps], first(X), rtol=0, atol=1e-6)


def test_channels_do_not_mix():
    X = images((3, 20, 30))
    alone = [Scattering((1, 20, 30))(X[:, [channel]]) for channel in range(3)]
    torch.testing.assert_close(Scattering((3, 20, 30))(X), torch.cat(alone, 1), rtol=0, atol=1e-6)


def test_images_do_not_mix_and_chunks_leave_no_trace(monkeypatch):
    X = torch.rand(7, 2, 28, 28, generator=torch.Generator().manual_seed(0))
    scattering = Scattering((2, 28, 28))
    together = scattering(X)
    alone = torch.cat([scattering(image[None]) for image in X])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    monkeypatch.setattr(_scattering, "CACHE", 1)  # four signals at once
    torch.testing.assert_close(scattering(X), together, rtol=0, atol=1e-6)


def test_a_constant_image_has_its_average_alone():
    maps = Scattering((1, 28, 41))(torch.full((1, 1, 28, 41), 0.7))[0]
    torch.testing.assert_close(maps[0], torch.full((7, 10), 0.7), rtol=0, atol=1e-4)
    assert maps[1:].abs().max() < 1e-6


def test_any_dtype_is_computed_in_float32():
    X = images((1, 28, 28))
    scattering = Scattering((1, 28, 28))
    expected = scattering(X)
    assert expected.dtype == torch.float32
    assert torch.equal(scattering(X.double()), expected)
    assert torch.equal(copy.deepcopy(scattering).double()(X), expected)
    assert torch.equal(copy.deepcopy(scattering).half()(X), expected)
    assert torch.equal(scattering(X.half()), scattering(X.half().float()))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(scattering(X), expected)
    with torch.no_grad():
        assert torch.equal(scattering(X), expected)


def test_nothing_is_saved_that_can_be_computed():
    scattering = Scattering((1, 28, 28))
    assert len(scattering.state_dict()) == len(list(scattering.parameters())) == 0
    X = images((1, 28, 28))
    for other in (copy.deepcopy(scattering), pickle.loads(pickle.dumps(scattering))):
        assert torch.equal(other(X), scattering(X))


def test_an_empty_batch_has_no_maps():
    assert Scattering((1, 28, 28))(torch.zeros(0, 1, 28, 28)).shape == (0, 25, 7, 7)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_the_gradient_at_a_constant_image_is_finite(value):
    X = torch.full((1, 1, 28, 28), value, requires_grad=True)
    Scattering((1, 28, 28))(X).sum().backward()
    assert X.grad.isfinite().all()
    assert X.grad.abs().max() < 10


def test_the_gradient_is_the_slope():
    X = images((1, 36, 36))
    scattering = Scattering((1, 36, 36), 3)
    weights = torch.randn(scattering.output_shape, generator=torch.Generator().manual_seed(0))
    (scattering(X.requires_grad_()) * weights).sum().backward()
    slope = X.grad.norm()
    with torch.no_grad():
        step = 0.005 * X.grad / slope
        rise = ((scattering(X + step) - scattering(X - step)) * weights).sum()
    torch.testing.assert_close(rise / 0.01, slope, rtol=1e-2, atol=0)


def test_an_exported_graph_has_the_same_maps_without_complex_numbers():
    scattering = Scattering((2, 20, 33), 2)
    n = torch.export.Dim("n")
    program = torch.export.export(scattering, (torch.rand(2, 2, 20, 33),), dynamic_shapes=({0: n},))
    values = [node.meta.get("val") for node in program.graph.nodes]
    assert not any(isinstance(one, torch.Tensor) and one.is_complex() for one in values)
    for n_images in (1, 5):
        X = torch.rand(n_images, 2, 20, 33)
        torch.testing.assert_close(program.module()(X), scattering(X), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 5}, r"scale .* at most the shorter side of the image, 28, but got scale=5"),
        ({"scale": 0}, "scale must be at least 1.*scale=0"),
        ({"n_angles": 3}, "n_angles must be 4 to 8, but got 3"),
        ({"n_angles": 9}, "n_angles must be 4 to 8, but got 9"),
        ({"max_order": 3}, "max_order must be 1 or 2, but got 3"),
        ({"image_shape": (28, 40)}, r"image_shape must be \(C, H, W\).*\(28, 40\)"),
        ({"image_shape": (1, 1, 40)}, r"image_shape must be \(C, H, W\).*\(1, 1, 40\)"),
    ],
)
def test_invalid_parameters_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        Scattering(**{"image_shape": (1, 40, 28), **options})


@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (2, 1, 28, 29), (1, 28, 28)])
def test_images_of_another_shape_are_told(shape):
    with pytest.raises(ValueError, match=r"images of shape \(1, 28, 28\), but images has shape"):
        Scattering((1, 28, 28))(torch.zeros(shape))
