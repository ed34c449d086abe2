"""Pixels of DICOM files: values of any kind and encoding, padding, and colours."""

import numpy as np
import pytest
from dicom_files import (
    RAMP,
    SYNTAXES,
    palette,
    read,
    read_one,
    save,
    sequence_item,
    table,
    with_pixels,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels import get_decoder, pack_bits
from pydicom.uid import (
    MPEG2MPML,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from sklearn_cae.images._dicom import is_dicom

# ---- Values ----


def test_each_slice_has_its_own_slope(tmp_path):
    stored = np.array([[0, 1, 5, 63]], dtype=np.uint16)
    for i, slope in enumerate([1, 0.37, 0.37]):
        path = write(
            tmp_path / f"{i}.dcm", stored, Modality="PT", RescaleSlope=slope, RescaleIntercept=0
        )
        np.testing.assert_allclose(read_one(path).pixels, stored * slope, rtol=1e-6)


def test_a_small_range_in_the_first_slice_cuts_no_later_one(tmp_path):
    for i, values in enumerate(([[-100, 100]], [[-1000, 3000]])):
        stored = np.array(values, dtype=np.int16)
        path = write(tmp_path / f"{i}.dcm", stored, Modality="CT")
        np.testing.assert_array_equal(read_one(path).pixels, values)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_numbers_are_those_of_the_file_in_native_order(tmp_path, syntax, dtype):
    info = np.iinfo(dtype)
    stored = np.array([[info.min, info.max, 0], [info.max // 2 + 1, 1, 2]], dtype=dtype)
    path = write(tmp_path / "x", stored, syntax=syntax, RescaleSlope=1, RescaleIntercept=0)
    pixels = read_one(path).pixels
    assert pixels.dtype == np.dtype(dtype)
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, stored)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(2, 16),
    is_signed=st.booleans(),
    slope=st.sampled_from([1.0, 0.5, 0.37, 4.0]) | st.floats(0.01, 100).map(lambda x: round(x, 4)),
    intercept=st.integers(-5000, 5000),
    seed=st.integers(0, 2**16),
)
def test_values_of_any_bits_sign_and_slope(
    tmp_path_factory, bits, is_signed, slope, intercept, seed
):
    """The unused bits hold an overlay, and must not count."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2**bits, (4, 5))
    overlay = rng.integers(0, 2 ** (16 - bits), (4, 5)) << bits
    values = np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes) if is_signed else codes
    path = tmp_path_factory.getbasetemp() / "bits.dcm"
    write(
        path,
        (codes + overlay).astype(np.uint16),
        bits=bits,
        PixelRepresentation=int(is_signed),
        RescaleSlope=slope,
        RescaleIntercept=intercept,
    )
    frame = read_one(path)
    np.testing.assert_allclose(frame.pixels, values * slope + intercept, rtol=1e-5, atol=1e-2)
    lowest, highest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    expected = lowest * slope + intercept, highest * slope + intercept
    np.testing.assert_allclose(frame.limits, expected, rtol=1e-5)
    assert frame.about["bits"] == bits


def test_an_overlay_in_unused_bits_is_masked(tmp_path):
    stored = np.full((2, 2), 3780 + 4096, dtype=np.uint16)
    assert (read_one(write(tmp_path / "x", stored, bits=12)).pixels == 3780).all()


def test_signed_values_of_12_bits_may_have_zeros_above(tmp_path):
    stored = np.array([[4095, 2048, 5]], dtype=np.uint16)
    path = write(tmp_path / "x", stored, bits=12, PixelRepresentation=1)
    np.testing.assert_array_equal(read_one(path).pixels, [[-1, -2048, 5]])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_float_pixels(tmp_path, syntax, dtype):
    stored = np.array([[0.25, -1.5, 7.0], [np.nan, 3.0, -999.0]], dtype=dtype)
    padding = {"f4": "Float", "f8": "DoubleFloat"}[dtype] + "PixelPaddingValue"
    frame = read_one(write(tmp_path / "x", stored, syntax=syntax, **{padding: -999.0}))
    np.testing.assert_array_equal(frame.pixels, stored)
    np.testing.assert_array_equal(frame.valid, [[True] * 3, [False, True, False]])
    assert -1.5 <= frame.limits[0] < frame.limits[1] <= 7
    assert frame.about["scaling"] == "percentiles"
    assert frame.about["bits"] == 8 * stored.dtype.itemsize


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_modality_table_is_applied(tmp_path, syntax):
    values = [10, 20, 40, 4000]
    found = with_pixels(
        np.array([[0, 99, 100, 101], [102, 103, 104, 255]], dtype=np.uint8),
        syntax=syntax,
        ModalityLUTSequence=[table(values, start=100, bits=12)],
    )
    frame = read_one(save(found, tmp_path / "x"))
    np.testing.assert_array_equal(frame.pixels, [[10, 10, 10, 20], [40, 4000, 4000, 4000]])
    assert frame.limits == (0, 4095)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [8, 16])
def test_tables_in_words(tmp_path, syntax, bits):
    """Tables of VR OW stand in words of the file's order, two entries of 8 bits in each."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    values = np.array([7, 200, 3, 9], dtype=np.uint8) if bits == 8 else [7, 2000, 3, 65535]
    words = np.asarray(values).view("<u2") if bits == 8 else np.array(values)
    item = sequence_item(LUTDescriptor=[4, 0, bits])
    item.add_new("LUTData", "OW", words.astype(f"{order}u2").tobytes())
    stored = np.array([[0, 1], [2, 3]], dtype=np.uint16)
    found = with_pixels(stored, syntax=syntax, ModalityLUTSequence=[item])
    pixels = read_one(save(found, tmp_path / "x")).pixels
    np.testing.assert_array_equal(pixels.ravel(), values)


def test_a_table_may_start_below_zero(tmp_path):
    stored = np.array([[-3, -2, -1, 0]], dtype=np.int16)
    found = with_pixels(stored, ModalityLUTSequence=[table([5, 6, 7], start=2**16 - 2)])
    found.ModalityLUTSequence[0]["LUTDescriptor"].VR = "US"
    np.testing.assert_array_equal(read_one(save(found, tmp_path / "x")).pixels, [[5, 5, 6, 7]])


def test_the_caller_may_change_the_pixels(tmp_path):
    path = write(tmp_path / "x", np.stack([RAMP, RAMP]))
    for _ in range(2):
        for frame in read(path, frames="all"):
            np.testing.assert_array_equal(frame.pixels, RAMP)
            frame.pixels += 1


def test_a_negative_slope(tmp_path):
    path = write(tmp_path / "x", RAMP, bits=10, RescaleSlope=-2, RescaleIntercept=100)
    frame = read_one(path)
    np.testing.assert_array_equal(frame.pixels, 100 - 2.0 * RAMP)
    assert frame.limits == (100 - 2 * 1023, 100)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 1, "WindowWidth": 1}])
def test_pixels_without_a_number(tmp_path, window):
    path = write(tmp_path / "x", np.full((2, 2), np.nan, dtype=np.float32), **window)
    with pytest.raises(ValueError, match="no pixel has a finite value"):
        read(path)


# ---- Padding ----


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [12, 16])
def test_padding_counts_in_no_range(tmp_path, syntax, bits):
    stored = np.array([[-2000, -2000, 24], [1024, 1100, -2000]], dtype=np.int16)
    found = with_pixels(stored, syntax=syntax, bits=bits, Modality="CT", PixelPaddingValue=-2000)
    found.RescaleSlope, found.RescaleIntercept = 1, -1024
    frame = read_one(save(found, tmp_path / "x"))
    np.testing.assert_array_equal(frame.valid, stored != -2000)
    assert frame.limits[0] >= -1000
    assert frame.limits[1] <= 76


def test_padding_written_as_an_unsigned_number(tmp_path):
    stored = np.array([[-2000, 5]], dtype=np.int16)
    found = with_pixels(stored)
    found.add_new("PixelPaddingValue", "US", 2**16 - 2000)
    np.testing.assert_array_equal(read_one(save(found, tmp_path / "x")).valid, [[False, True]])


@pytest.mark.parametrize("ends", [(3, 7), (7, 3)])
def test_padding_may_be_a_range(tmp_path, ends):
    value, limit = ends
    path = write(tmp_path / "x", RAMP, PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
    np.testing.assert_array_equal(read_one(path).valid, (RAMP < 3) | (RAMP > 7))


def test_padding_that_leaves_nothing_counts_as_none(tmp_path):
    path = write(tmp_path / "x", np.full((3, 3), 7, np.uint16), PixelPaddingValue=7)
    assert read_one(path).valid is None


def test_a_window_is_judged_without_padding(tmp_path):
    """The window covers the padding alone: it would make the image white."""
    stored = np.array([[-2000, -2000, 100, 200]], dtype=np.int16)
    found = with_pixels(stored, PixelPaddingValue=-2000, WindowCenter=-1500, WindowWidth=1200)
    frame = read_one(save(found, tmp_path / "x"))
    assert frame.about["scaling"] == "percentiles"
    assert 100 <= frame.limits[0] < frame.limits[1] <= 200


# ---- Colours ----

COLORS = np.array([[10, 20, 30], [250, 0, 128], [0, 255, 7], [90, 91, 92]], dtype=np.uint8)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_rgb_in_pixels_or_planes(tmp_path, planar, dtype):
    colors = COLORS.astype(dtype).reshape(2, 2, 3)
    data = np.moveaxis(colors, -1, 0) if planar else colors
    path = write(
        tmp_path / "x",
        colors,
        color=True,
        PlanarConfiguration=planar,
        PixelData=data.tobytes(),
        WindowCenter=5,
        WindowWidth=3,
    )
    frame = read_one(path)
    np.testing.assert_array_equal(frame.pixels, colors)
    assert frame.limits == (0, 2 ** (8 * colors.itemsize) - 1)
    assert frame.about["scaling"] == "bits"


def test_ybr_becomes_rgb_once(tmp_path):
    """The formula of PS3.3, C.7.6.3.1.2."""
    rgb = COLORS.astype(float).reshape(2, 2, 3)
    matrix = [[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]]
    ybr = np.clip(np.round(rgb @ np.transpose(matrix) + [0, 128, 128]), 0, 255).astype(np.uint8)
    frame = read_one(write(tmp_path / "x", ybr, color=True, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_allclose(frame.pixels, rgb, atol=2)
    assert frame.about["photometric"] == "YBR_FULL"


def test_colours_of_other_kinds_are_refused(tmp_path):
    path = write(
        tmp_path / "x",
        COLORS.reshape(2, 2, 3),
        color=True,
        PhotometricInterpretation="YBR_PARTIAL_422",
    )
    with pytest.raises(ValueError, match="YBR_PARTIAL_422"):
        read(path)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("n", [5, 200, 256])
def test_an_index_of_a_palette_becomes_rgb(tmp_path, syntax, dtype, bits, n):
    rng = np.random.default_rng(0)
    start = {"u1": 0, "u2": 300, "i2": -3}[dtype]
    red, green, blue = rng.integers(0, 2**bits, (3, n))
    red[0] = 2**bits - 1
    stored = (
        (start + np.arange(-3, n + 4)[:, None])
        .clip(np.iinfo(dtype).min, 255 * (start < 300) + 9999 * (start == 300))
        .astype(dtype)
    )
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    tags = palette(red, green, blue, start=start % 2**16, bits=bits, order=order)
    found = with_pixels(stored, syntax=syntax, PhotometricInterpretation="PALETTE COLOR")
    for keyword, value in tags.items():
        if keyword.endswith("Data"):
            setattr(found, keyword, value)
        else:
            found.add_new(keyword, "US", value)
    frame = read_one(save(found, tmp_path / "x"))
    index = np.clip(stored.astype(int) - start, 0, n - 1)
    np.testing.assert_array_equal(frame.pixels, np.stack([red, green, blue], -1)[index])
    assert frame.limits == (0, 2**bits - 1)
    assert frame.pixels.dtype == f"u{bits // 8}"


def test_a_16_bit_index_of_colours_of_8_bits(tmp_path):
    colors = np.arange(1000) // 4
    found = with_pixels(
        np.array([[0, 255, 256, 999]], dtype=np.uint16),
        PhotometricInterpretation="PALETTE COLOR",
        **palette(colors, colors, colors, bits=8),
    )
    pixels = read_one(save(found, tmp_path / "x")).pixels
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 63, 64, 249])


@pytest.mark.parametrize(("bits", "declared", "white"), [(8, 16, 255), (16, 8, 4095)])
def test_a_palette_has_the_bits_that_its_entries_need(tmp_path, bits, declared, white):
    """Careless writers declare 16 bits for entries of one byte, or 8 bits for larger numbers."""
    colors = [0, white // 2, white]
    tags = palette(colors, colors, colors, bits=bits)
    for color in ("Red", "Green", "Blue"):
        tags[f"{color}PaletteColorLookupTableDescriptor"][2] = declared
    stored = np.array([[0, 1, 2]], dtype=np.uint8)
    frame = read_one(
        write(tmp_path / "x", stored, PhotometricInterpretation="PALETTE COLOR", **tags)
    )
    np.testing.assert_array_equal(frame.pixels[0, :, 0], colors)
    assert frame.limits == (0, white)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize(("bits", "start"), [(8, [7]), (8, [7, 8]), (16, [7])])
def test_a_palette_of_segments(tmp_path, syntax, bits, start):
    """10, 20, then a line to 60, then both again; the pointer is in bytes (PS3.3, C.7.9.2).

    A start of two entries of a byte makes the data odd, so that a byte of padding follows.
    """
    first = [0, 2, 10, 20, 1, 4, 60]  # discrete, linear
    again = [2, 2, 0, 0, 0, 0] if bits == 8 else [2, 2, 0, 0]
    begin = [0, len(start), *start]
    data = np.array([*begin, *first, *again], dtype=f"u{bits // 8}")
    data[-4 if bits == 8 else -2] = len(begin) * bits // 8  # the byte where the first starts
    if bits == 8:
        data = np.append(data, np.zeros(len(data) % 2, dtype=np.uint8)).view("<u2")
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    expected = [*start, *[10, 20, 30, 40, 50, 60] * 2]
    stored = np.arange(len(expected), dtype=np.uint8)[None]
    found = with_pixels(stored, syntax=syntax, PhotometricInterpretation="PALETTE COLOR")
    for color in ("Red", "Green", "Blue"):
        setattr(found, f"{color}PaletteColorLookupTableDescriptor", [len(expected), 0, bits])
        found.add_new(
            f"Segmented{color}PaletteColorLookupTableData",
            "OW",
            data.astype(f"{order}u2").tobytes(),
        )
    pixels = read_one(save(found, tmp_path / "x")).pixels
    np.testing.assert_array_equal(pixels[0], np.repeat(expected, 3).reshape(-1, 3))


@pytest.mark.parametrize(
    "segments",
    [
        [1, 4, 60],  # a line from nowhere
        [0, 1, 7, 5, 1, 1],  # a kind that does not exist
        [0, 1, 7, 2, 1, 6],  # a pointer that is cut
        [0, 1, 7, 2, 1, 900, 0],  # a pointer beyond the end
        [0, 1, 7, 2, 2, 6, 0],  # a pointer to the pointer
        [0, 1, 7, *[1, 65535, 9] * 9],  # longer than a palette can be
    ],
)
def test_segments_that_make_no_palette(tmp_path, segments):
    data = np.array(segments, dtype="<u2").tobytes()
    found = with_pixels(RAMP, PhotometricInterpretation="PALETTE COLOR")
    for color in ("Red", "Green", "Blue"):
        setattr(found, f"{color}PaletteColorLookupTableDescriptor", [9, 0, 16])
        setattr(found, f"Segmented{color}PaletteColorLookupTableData", data)
    with pytest.raises(ValueError, match="palette of segments that cannot be expanded"):
        read(save(found, tmp_path / "x"))


def test_an_index_without_a_palette_is_refused(tmp_path):
    path = write(tmp_path / "x", RAMP, PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(ValueError, match="no whole palette"):
        read(path)


# ---- Encodings ----


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 17), n=st.integers(1, 9))
def test_frames_of_one_bit_need_not_end_on_a_byte(tmp_path_factory, height, width, n):
    bits = np.random.default_rng(0).integers(0, 2, (n, height, width)).astype(np.uint8)
    found = with_pixels(
        bits, Modality="SEG", BitsAllocated=1, PixelData=bytes(pack_bits(bits)), bits=1
    )
    frames = read(save(found, tmp_path_factory.getbasetemp() / "bits.dcm"), frames="all")
    np.testing.assert_array_equal([frame.pixels for frame in frames], bits)
    assert {frame.limits for frame in frames} == {(0, 1)}


def test_bits_that_are_missing(tmp_path):
    found = with_pixels(np.zeros((4, 5, 5), np.uint8), BitsAllocated=1, PixelData=b"\0" * 8, bits=1)
    path = save(found, tmp_path / "x")
    with pytest.raises(ValueError, match="is truncated: frame 2 has 14 of 25 pixels"):
        read(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize(("dtype", "bits"), [("i2", 12), ("u2", 12), ("u2", 16), ("u1", 8)])
def test_compressed_pixels_are_those_before(tmp_path, syntax, dtype, bits):
    rng = np.random.default_rng(0)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if dtype[0] == "i" else (0, 2**bits)
    stored = rng.integers(low, high, (3, 64, 64)).astype(dtype)
    found = with_pixels(stored, bits=bits)
    found.compress(syntax)
    frames = read(save(found, tmp_path / "x"), frames="all")
    np.testing.assert_array_equal([frame.pixels for frame in frames], stored)


def test_a_missing_decoder_is_named(tmp_path, monkeypatch):
    found = with_pixels(np.zeros((64, 64), dtype=np.uint8))
    found.compress(JPEG2000Lossless)
    path = save(found, tmp_path / "x")
    monkeypatch.setattr(get_decoder(JPEG2000Lossless), "_available", {})
    with pytest.raises(ValueError, match=r"JPEG 2000.*no decoder.*sklearn_cae\[files\]"):
        read(path)


def test_a_decoder_that_panics_ends_nothing(tmp_path, monkeypatch):
    """Decoders in Rust raise PanicException, which is a BaseException alone."""

    class Panic(BaseException):
        pass

    def panic(source, runner):
        raise Panic("index out of bounds")

    found = with_pixels(RAMP)
    found.compress(RLELossless)
    path = save(found, tmp_path / "x")
    monkeypatch.setattr(get_decoder(RLELossless), "_available", {"rust": panic})
    with pytest.raises(ValueError, match=r"cannot be decoded .*RLE Lossless.*index out of bounds"):
        read(path)


def test_videos_are_refused_by_name(tmp_path):
    found = with_pixels(RAMP)
    found.compress(RLELossless)
    found.file_meta.TransferSyntaxUID = MPEG2MPML
    with pytest.raises(ValueError, match=r"compressed as MPEG2.*not supported"):
        read(save(found, tmp_path / "x"))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_missing_transfer_syntax_is_worked_out(tmp_path, syntax):
    found = with_pixels(RAMP, syntax=syntax)
    is_big = syntax == ExplicitVRBigEndian
    del found.file_meta.TransferSyntaxUID
    found.save_as(
        tmp_path / "x",
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=not is_big,
        enforce_file_format=False,
    )
    assert is_dicom(tmp_path / "x")
    np.testing.assert_array_equal(read_one(tmp_path / "x").pixels, RAMP)
