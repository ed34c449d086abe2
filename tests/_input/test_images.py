import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_cae._input import arrays, checks, passes, tensors


def shaped(layout, n, channels, height, width):
    """(shape of X, image_shape parameter) of a layout."""
    return {
        "HW": ((n, height, width), None),
        "CHW": ((n, channels, height, width), None),
        "HWC": ((n, height, width, channels), None),
        "flat HW": ((n, height * width), (height, width)),
        "flat CHW": ((n, channels * height * width), (channels, height, width)),
        "flat HWC": ((n, channels * height * width), (height, width, channels)),
    }[layout]


@st.composite
def image_arrays(draw):
    layout = draw(st.sampled_from(["HW", "CHW", "HWC", "flat HW", "flat CHW", "flat HWC"]))
    sizes = [draw(st.integers(8, 12)), draw(st.integers(8, 12))]
    shape, image_shape = shaped(layout, draw(st.integers(2, 4)), draw(st.integers(1, 4)), *sizes)
    dtype = draw(st.sampled_from([np.uint8, np.int16, np.uint16, np.bool_, np.float32, np.float64]))
    bounds = {"min_value": -1e3, "max_value": 1e3, "allow_subnormal": False}
    X = draw(hnp.arrays(dtype, shape, elements=bounds if np.dtype(dtype).kind == "f" else {}))
    X.flat[0], X.flat[-1] = 0, 1  # never constant
    if draw(st.booleans()):
        X = np.asfortranarray(X)
    return X, image_shape


@settings(max_examples=150, deadline=None)
@given(image_arrays())
def test_there_and_back(case):
    X, image_shape = case
    format = checks.infer_image_format(X, image_shape, None)
    low, high = format.intensity_range
    tensor = format.to_tensor(X)
    assert tensor.shape == (len(X), *format.image_shape)
    assert tensor.dtype == torch.float32
    assert 0 <= tensor.min() <= tensor.max() <= 1
    back = format.to_array(tensor)
    assert back.shape == X.shape
    assert back.dtype == np.float32
    assert low <= back.min() <= back.max() <= high
    np.testing.assert_allclose(back, X.astype(np.float64), atol=2e-7 * (high - low), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "image_shape"),
    [
        ((8, 9, 10), None),
        ((3, 8, 9, 10), None),
        ((8, 9, 10, 3), None),
        ((1, 8, 9, 10), None),
        ((8, 9, 10, 1), None),
        ((720,), (8, 9, 10)),
        ((2160,), (3, 8, 9, 10)),
        ((2160,), (8, 9, 10, 3)),
    ],
)
def test_volumes_go_there_and_back(shape, image_shape):
    X = np.random.RandomState(0).randint(256, size=(4, *shape)).astype(np.uint8)
    format = checks.infer_image_format(X, image_shape, None, spatial_dims=3)
    channels = X.size // (4 * 720)
    assert format.image_shape == (channels, 8, 9, 10)
    assert format.kind == "volumes"
    tensor = format.to_tensor(X)
    last = (image_shape or shape)[-1] == channels > 1
    volumes = X.reshape(4, 8, 9, 10, channels) if last else X.reshape(4, channels, 8, 9, 10)
    expected = np.moveaxis(volumes, -1, 1) if last else volumes
    np.testing.assert_allclose(tensor, expected / np.float32(255), rtol=1e-6)
    np.testing.assert_allclose(format.to_array(tensor), X, rtol=1e-6)


def test_channels_and_pixels_come_to_their_place():
    X = np.arange(2 * 3 * 8 * 9, dtype=np.float64).reshape(2, 3, 8, 9)
    first = checks.infer_image_format(X, None, None)
    last = checks.infer_image_format(X.transpose(0, 2, 3, 1), None, None)
    flat = checks.infer_image_format(X.reshape(2, -1), (3, 8, 9), None)
    expected = torch.from_numpy((X / X.max()).astype(np.float32))
    torch.testing.assert_close(first.to_tensor(X), expected)
    torch.testing.assert_close(last.to_tensor(X.transpose(0, 2, 3, 1)), expected)
    torch.testing.assert_close(flat.to_tensor(X.reshape(2, -1)), expected)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.array([3, 200], dtype=np.uint8), (0, 255)),
        (np.array([False, True]), (0, 1)),
        (np.array([-1000, 3000], dtype=np.int16), (-1000, 3000)),
        (np.array([7, 40000], dtype=np.uint16), (7, 40000)),
        (np.array([0.25, 0.5]), (0.25, 0.5)),
    ],
)
def test_intensity_range_follows_the_dtype(X, expected):
    X = np.broadcast_to(X[:, None, None], (2, 8, 8))
    assert checks.infer_image_format(X, None, None).intensity_range == expected
    wide = (-100_000, 100_000)
    assert checks.infer_image_format(X, None, wide).intensity_range == wide


def test_training_images_outside_the_given_range_warn():
    X = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    with pytest.warns(UserWarning, match=r"from 0 to 127, outside intensity_range=\(0.0, 1.0\)"):
        checks.infer_image_format(X, None, (0, 1))


def test_what_is_outside_the_range_of_the_fit_is_cut_off():
    format = checks.infer_image_format(np.arange(128.0).reshape(2, 8, 8), None, None)
    X = np.linspace(-127, 254, 64).reshape(1, 8, 8)
    expected = np.clip(X / 127, 0, 1).reshape(1, 1, 8, 8)
    np.testing.assert_allclose(format.to_tensor(X), expected, atol=1e-6)


def test_what_comes_back_is_never_outside_the_range():
    X = np.random.RandomState(0).uniform(0.7, 1.3, (50, 8, 8))
    format = checks.infer_image_format(X, None, None)
    assert not format.check_new(format.to_array(format.to_tensor(X)))


def test_nearly_constant_features_are_not_blown_up():
    X = np.column_stack([np.full(100, 0.1), np.arange(100.0)])
    format = checks.infer_vector_format(X)
    assert format.to_tensor(np.array([[0.2, 0.0]])).abs().max() < 10


@pytest.mark.parametrize("image_shape", [(8.0, 8.0), ("a", "b")])
def test_image_shapes_are_integers(image_shape):
    with pytest.raises(TypeError, match="image_shape must be integers"):
        checks.infer_image_format(np.arange(128.0).reshape(2, 64), image_shape, None)


def test_sixteen_bits_around_an_offset_survive():
    X = np.arange(1_000_000, 1_000_064, dtype=np.float64).reshape(1, 8, 8).repeat(2, axis=0)
    tensor = checks.infer_image_format(X, None, None).to_tensor(X)
    np.testing.assert_allclose(tensor[0].flatten(), np.arange(64) / 63, atol=1e-7)


@pytest.mark.parametrize(
    ("shape", "image_shape", "message"),
    [
        (
            (2, 3, 28, 3),
            None,
            r"Both the first and the last axis of an image of shape \(3, 28, 3\)",
        ),
        ((2, 9, 28, 28), None, "Neither the first nor the last"),
        ((2, 7, 28), None, "sides of 8 to 512 pixels, got 7 x 28"),
        ((2, 28, 513), None, "sides of 8 to 512 pixels, got 28 x 513"),
        ((2, 100), (8, 8), "image_shape must have as many elements as X has features"),
        ((2, 9, 9), (9, 8), r"image_shape must be the shape of one image in X, \(9, 9\)"),
        ((2, 9), (9,), "2 or 3"),
    ],
)
def test_shapes_that_are_no_images(shape, image_shape, message):
    X = np.arange(np.prod(shape), dtype=float).reshape(shape)
    with pytest.raises(ValueError, match=message):
        checks.infer_image_format(X, image_shape, None)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_constant_images_are_refused(dtype):
    with pytest.raises(ValueError, match="all their intensities are 7"):
        checks.infer_image_format(np.full((4, 8, 8), 7, dtype=dtype), None, None)


@pytest.mark.parametrize(
    "intensity_range", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1), (0, 1e300), (0, 1, 2), ("a", "b")]
)
def test_bad_intensity_ranges(intensity_range):
    X = np.arange(128.0).reshape(2, 8, 8)
    with pytest.raises(ValueError, match="intensity_range must be two finite float32 numbers"):
        checks.infer_image_format(X, None, intensity_range)


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "inf")])
def test_scan_finds_one_bad_value_in_the_last_chunk(value, name, monkeypatch):
    monkeypatch.setattr(passes, "_SCAN_BYTES", 1024)
    X = np.zeros((50, 8, 8), dtype=np.float32)
    X[0, 0, 0], X[-2, 1, 1] = -3, 5
    assert passes.scan_values(X) == (-3, 5)
    X[-1, -1, -1] = value
    with pytest.raises(ValueError, match=name):
        passes.scan_values(X)


def test_checking_images_copies_no_more_than_a_chunk():
    X = np.zeros((20_000, 28, 28), dtype=np.float32)  # 60 MiB
    X[0] = 1
    tracemalloc.start()
    checks.infer_image_format(arrays.check_image_array(X, None, minimum=2), None, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes / 10


def test_vectors_are_standardised_and_given_back():
    X = np.random.RandomState(0).normal([5, -100, 0], [2, 1000, 1e-3], (50, 3))
    X = np.column_stack([X, np.full(50, 7.0)])  # a constant feature
    format = checks.infer_vector_format(X)
    tensor = format.to_tensor(X)
    np.testing.assert_allclose(tensor.mean(dim=0), np.zeros(4), atol=1e-5)
    np.testing.assert_allclose(tensor.std(dim=0, correction=0), [1, 1, 1, 0], atol=1e-5)
    np.testing.assert_allclose(format.to_array(tensor), X, rtol=1e-4, atol=1e-5)


def test_tensors_share_their_memory():
    tensor = torch.zeros(3, 8, 8)
    array = tensors.to_numpy(tensor.requires_grad_())
    assert np.shares_memory(array, tensor.detach().numpy())
    assert tensors.to_numpy(torch.ones(2, dtype=torch.bfloat16)).dtype == np.float32


def test_vectors_are_in_one_order_in_memory():
    X = np.random.RandomState(0).rand(5, 3)
    format = checks.infer_vector_format(X)
    assert format.to_tensor(np.asfortranarray(X)).is_contiguous()


def test_vectors_that_are_equal_or_far_off_are_refused():
    with pytest.raises(ValueError, match="X must hold samples that differ, but all 4 are equal"):
        checks.infer_vector_format(np.ones((4, 3)))
    format = checks.infer_vector_format(np.arange(12.0).reshape(4, 3))
    format.check_new(np.full((1, 3), 1e8))
    with pytest.raises(ValueError, match="on the scale of the training samples, got feature 2"):
        format.check_new(np.array([[0, 0, 1e30]]))


def test_large_arrays_are_read_in_blocks():
    X = np.broadcast_to(np.uint8(7), (100, 1024, 1024))  # of no memory
    blocks = [block.shape for block in passes._chunks(X)]
    assert blocks == [(16, 1024, 1024)] * 6 + [(4, 1024, 1024)]


def test_images_of_another_shape_are_refused():
    format = checks.infer_image_format(np.arange(128.0).reshape(2, 8, 8), None, None)
    with pytest.raises(ValueError, match=r"of shape \(8, 8\) as in fit, got \(8, 9\): X has 72"):
        format.check_new(np.zeros((2, 8, 9)))


def test_channels_are_named():
    with pytest.raises(ValueError, match="1 to 4 channels first"):
        checks.infer_image_format(np.zeros((2, 9, 9, 9)), None, None)


def test_rows_are_images_where_a_shape_says_so():
    assert not checks.holds_images(np.zeros((3, 64)), None)
    assert checks.holds_images(np.zeros((3, 64)), (8, 8))
    assert checks.holds_images(np.zeros((3, 8, 8)), None)
    assert checks.infer_vector_format(np.eye(3)[:, :2]).image_shape == (2,)


def test_kinds_of_numbers_are_not_mixed_up():
    format = checks.infer_image_format(np.arange(128).reshape(2, 8, 8), None, None)
    with pytest.raises(ValueError, match="X must hold integer images as in fit, got float images"):
        format.check_new(np.zeros((2, 8, 8)))


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4", "f8"])
def test_a_digest_is_of_values_and_not_of_their_byte_order(dtype):
    X = np.arange(1, 50).reshape(7, 7)
    little, big = (X.astype(f"{order}{dtype}") for order in "<>")
    assert passes.fingerprint(little) == passes.fingerprint(big)
    assert passes.fingerprint(little) != passes.fingerprint(little + 1)


def test_a_digest_knows_no_padding():
    X = np.arange(1, 50).astype(np.longdouble)
    dirty = X.copy()
    dirty.view(np.uint8).reshape(49, -1)[:, 10:] = 7  # beyond the 80 bits of x86
    assert np.array_equal(X, dirty) == (passes.fingerprint(X) == passes.fingerprint(dirty))


@pytest.mark.parametrize("size", [1e31, 1e200])
def test_vectors_beyond_what_can_be_decoded_are_named(size):
    X = np.random.RandomState(0).normal(size=(20, 3)) * [1, size, 1]
    with pytest.raises(ValueError, match=r"values of at most 1e\+30, .* got feature 1 at"):
        checks.infer_vector_format(X)


@pytest.mark.parametrize(("low", "high"), [(0, 1e300), (1e50, 2e50)])
def test_images_beyond_float32_are_named(low, high):
    X = np.linspace(low, high, 200).reshape(2, 10, 10)
    with pytest.raises(ValueError, match="fit into float32"):
        checks.infer_image_format(X, None, None)
    with pytest.raises(ValueError, match="finite float32 numbers"):
        checks.infer_image_format(np.arange(200).reshape(2, 10, 10), None, (1e50, 2e50))


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((3, 1, 10, 12), r"Pass X.reshape\(-1, 10, 12\)"),
        ((3, 120), r"Pass X.reshape\(-1, 10, 12\)"),
        ((3, 12, 10), "Reorder the axes with np.moveaxis"),
        ((3, 10, 12, 3), "channels was 1 in fit, and is 3 here. Convert the images"),
        ((3, 10, 11), "X has 110 features, but .* expecting 120 features as input. Resize"),
    ],
)
def test_another_shape_is_told_its_way_out(shape, advice):
    format = checks.infer_image_format(np.arange(240).reshape(2, 10, 12), None, None)
    with pytest.raises(ValueError, match=advice):
        format.check_new(np.ones(shape, dtype=int))
