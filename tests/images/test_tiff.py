"""TIFF: types of numbers, white is zero, turned pages, pages of several sizes, channels."""

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sklearn_cae.images._frames import Choices, limits_of_most
from sklearn_cae.images._tiff import is_tiff, tiff_frames

GREY = np.random.RandomState(0).randint(0, 256, (6, 8)).astype(np.uint8)
RGB = np.random.RandomState(1).randint(0, 256, (6, 8, 3)).astype(np.uint8)
DEEP = np.random.RandomState(2).randint(0, 65536, (6, 8)).astype(np.uint16)
SHARES = np.random.RandomState(3).rand(6, 8)
#: Compressions that tifffile decodes alone, but for the last, which it leaves to imagecodecs.
COMPRESSIONS = ["raw", "tiff_deflate", "packbits", "tiff_lzw"]
#: What each value of the orientation tag asks to do to the stored pixels (TIFF 6.0, page 36).
TURNS = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored.swapaxes(0, 1), 2),
    8: np.rot90,
}


def read(path, **choices):
    return list(tiff_frames(path, Choices(**{"frames": "all", **choices})))


def write(path, *pages, **options):
    with tifffile.TiffWriter(path, byteorder=options.pop("byteorder", "<")) as file:
        for page in pages:
            file.write(page, **{"photometric": "minisblack", **options})
    return path


def save(path, pixels, compression, mode=None, **options):
    picture = Image.fromarray(pixels)
    picture = picture if mode is None else picture.convert(mode)
    picture.save(path, "TIFF", compression=compression, **options)
    return path


def with_tag(path, tag, value):
    """Change a tag of the first page: what writers do not write."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags[tag].overwrite(value)
    return path


@pytest.mark.parametrize(
    "dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
)
@pytest.mark.parametrize("order", "<>")
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_numbers_of_all_types_are_as_they_are(tmp_path_factory, dtype, order, data):
    pixels = data.draw(arrays(dtype, (3, 5)).filter(lambda pixels: np.isfinite(pixels).any()))
    path = write(tmp_path_factory.mktemp("tiff") / "picture", pixels, byteorder=order)
    (frame,) = read(path)
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.pixels.dtype == ("f4" if dtype == "f2" else dtype)
    assert frame.pixels.dtype.isnative
    assert frame.about["bits"] == (1 if dtype == "?" else 8 * np.dtype(dtype).itemsize)
    assert (frame.limits is None) == (dtype == "u2")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize(
    ("pixels", "limits"),
    [
        (GREY > 127, (1, 0)),
        (GREY, (255, 0)),
        (DEEP, None),  # the depth of all images decides
        (SHARES, (1.0, 0.0)),
        (100 * SHARES, limits_of_most(100 * SHARES)[::-1]),
    ],
)
def test_white_is_zero_at_every_depth(tmp_path, pixels, limits, compression):
    path = tmp_path / "picture"
    compression = None if pixels.dtype == bool else compression
    tifffile.imwrite(path, pixels, photometric="miniswhite", compression=compression)
    (frame,) = read(path)
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.limits == limits
    assert frame.white_is_low
    assert frame.about["photometric"] == "WhiteIsZero"
    if limits is None:
        assert read(path, window=(10, 20))[0].limits == (20, 10)


@pytest.mark.parametrize("pixels", [GREY > 127, GREY, DEEP], ids=["bool", "8 bits", "16 bits"])
def test_white_is_zero_in_what_pillow_decodes(tmp_path, pixels):
    path = save(tmp_path / "picture", pixels, "tiff_lzw")
    (upright,) = read(path)
    np.testing.assert_array_equal(upright.pixels, pixels)
    (frame,) = read(with_tag(path, "PhotometricInterpretation", 0))
    shown = frame.pixels.astype(int)
    low, high = frame.limits or (65535, 0)
    assert frame.limits or frame.white_is_low
    white = 1 if pixels.dtype == bool else 2 ** frame.about["bits"] - 1
    np.testing.assert_array_equal((shown - low) * white // (high - low), white - pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("pixels", [GREY, RGB, DEEP], ids=["grey", "rgb", "deep"])
def test_pages_are_turned(tmp_path, pixels, compression, orientation):
    path = tmp_path / "picture"
    save(path, pixels, compression, tiffinfo={0x0112: orientation}, dpi=(254, 127))
    (frame,) = read(path)
    np.testing.assert_array_equal(frame.pixels, TURNS[orientation](pixels))
    assert frame.spacing == pytest.approx((0.2, 0.1) if orientation < 5 else (0.1, 0.2))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_palette_is_looked_up(tmp_path, compression):
    picture = Image.fromarray(RGB).quantize(16)
    path = tmp_path / "picture"
    picture.save(path, "TIFF", compression=compression)
    (frame,) = read(path)
    np.testing.assert_array_equal(frame.pixels, np.asarray(picture.convert("RGB")))
    assert (frame.about["photometric"], frame.about["bits"]) == ("Palette", 8)


def test_a_palette_of_16_bits_has_8_in_each_colour(tmp_path):
    palette = np.stack([np.arange(65536), np.zeros(65536), np.full(65536, 65535)])
    path = write(tmp_path / "deep", DEEP, photometric="palette", colormap=palette.astype(np.uint16))
    (frame,) = read(path)
    np.testing.assert_array_equal(frame.pixels[..., 0], DEEP >> 8)
    assert (frame.pixels.dtype, frame.about["bits"], frame.limits) == (np.uint8, 8, (0, 255))


def test_pages_of_several_sizes_in_the_order_of_the_file(tmp_path):
    shapes = [(6, 8), (7, 3), (6, 8), (9, 9)]
    pages = [np.full(shape, index, np.uint8) for index, shape in enumerate(shapes)]
    frames = read(write(tmp_path / "pages", *pages, metadata=None))
    assert [frame.pixels.shape for frame in frames] == shapes
    assert [int(frame.pixels.max()) for frame in frames] == [0, 1, 2, 3]
    assert [frame.about["frame"] for frame in frames] == [0, 1, 2, 3]
    (middle,) = read(tmp_path / "pages", frames="middle")
    assert (middle.pixels.shape, middle.about["n_frames"]) == ((6, 8), 4)


def test_reduced_pages_are_left_out(tmp_path):
    """A pyramid in sub-pages, a thumbnail, and a mask."""
    with tifffile.TiffWriter(tmp_path / "pages") as file:
        file.write(np.zeros((64, 64), np.uint8), subifds=1)
        file.write(np.zeros((32, 32), np.uint8), subfiletype=1)
        file.write(np.zeros((16, 20), np.uint8), subfiletype=1)
        file.write(np.zeros((64, 64), bool), subfiletype=4)
        file.write(np.zeros((50, 64), np.uint8))
    shapes = [frame.pixels.shape for frame in read(tmp_path / "pages")]
    assert shapes == [(64, 64), (50, 64)]
    write(tmp_path / "reduced", GREY, subfiletype=1)
    with pytest.raises(ValueError, match="no page of full size"):
        read(tmp_path / "reduced")


@pytest.mark.parametrize("kind", ["ome", "imagej"])
@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_axes_are_those_of_the_file(tmp_path, kind, n_channels):
    """Three channels are colours, and the first of another number is read."""
    stack = np.random.RandomState(0).randint(0, 60000, (2, 5, n_channels, 6, 8)).astype(np.uint16)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, metadata={"axes": "TZCYX"}, **{kind: True})
    frames = read(path)
    planes = np.moveaxis(stack, 2, -1).reshape(10, 6, 8, n_channels)
    expected = planes if n_channels == 3 else planes[..., 0]
    np.testing.assert_array_equal([frame.pixels for frame in frames], expected)


def test_channels_before_depth(tmp_path):
    stack = np.random.RandomState(0).randint(0, 255, (2, 5, 6, 8)).astype(np.uint8)
    path = tmp_path / "stack"
    tifffile.imwrite(path, stack, metadata={"axes": "CZYX"}, ome=True, compression="zlib")
    np.testing.assert_array_equal([frame.pixels for frame in read(path)], stack[0])


def test_planes_that_an_ome_file_lacks_are_passed_over(tmp_path):
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.stack([GREY, GREY + 1]), metadata={"axes": "ZYX"})
    more = tifffile.tiffcomment(path).replace('SizeZ="2"', 'SizeZ="3"')
    tifffile.tiffcomment(path, more)
    np.testing.assert_array_equal([frame.pixels for frame in read(path)], [GREY, GREY + 1])


def test_files_that_ome_names_are_read_on_their_own(tmp_path):
    """Else each image would be read once per file."""
    metadata = {
        "axes": "ZYX",
        "UUID": "urn:uuid:00000000-0000-0000-0000-000000000001",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([GREY, GREY + 1]), metadata=metadata)
    xml = tifffile.tiffcomment(tmp_path / "a.ome.tif")
    ifd = (
        '<TiffData IFD="0" FirstZ="{0}" PlaneCount="1">'
        '<UUID FileName="{1}.ome.tif">urn:uuid:00000000-0000-0000-0000-00000000000{2}</UUID>'
        "</TiffData>"
    )
    start, end = xml.index("<TiffData"), xml.index("</Pixels>")
    xml = xml[:start] + ifd.format(0, "a", 1) + ifd.format(1, "b", 2) + xml[end:]
    for name, number, pixels in (("a", 1, GREY), ("b", 2, GREY + 1)):
        own = xml.replace(
            'UUID="urn:uuid:00000000-0000-0000-0000-000000000001"',
            f'UUID="urn:uuid:00000000-0000-0000-0000-00000000000{number}"',
        )
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", pixels, description=own, metadata=None)
    for name, pixels in (("a", GREY), ("b", GREY + 1)):
        (frame,) = read(tmp_path / f"{name}.ome.tif")
        np.testing.assert_array_equal(frame.pixels, pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("n_pages", [1, 3])
def test_samples_are_colours(tmp_path, planar, n_pages):
    pages = np.random.RandomState(0).randint(0, 65536, (n_pages, 6, 8, 3)).astype(np.uint16)
    stored = np.moveaxis(pages, -1, 1) if planar == "separate" else pages
    path = write(tmp_path / "pages", *stored, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal([frame.pixels for frame in read(path)], pages)


@pytest.mark.parametrize("alpha", [0, 65535])
@pytest.mark.parametrize("n_colors", [1, 3])
def test_alpha_must_be_opaque(tmp_path, n_colors, alpha):
    pixels = np.dstack([DEEP] * n_colors + [np.full_like(DEEP, alpha)])
    kind = "rgb" if n_colors == 3 else "minisblack"
    options = {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
    path = write(tmp_path / "picture", pixels, photometric=kind, **options)
    if alpha:
        expected = pixels[..., 0] if n_colors == 1 else pixels[..., :3]
        np.testing.assert_array_equal(read(path)[0].pixels, expected)
    else:
        with pytest.raises(ValueError, match="transparent"):
            read(path)


def test_the_first_of_other_samples_is_read(tmp_path):
    pixels = np.dstack([DEEP + index for index in range(5)])
    path = write(tmp_path / "picture", pixels, planarconfig="contig")
    np.testing.assert_array_equal(read(path)[0].pixels, DEEP)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_cmyk_becomes_rgb(tmp_path, compression):
    flat = np.full((6, 8, 3), (200, 90, 30), np.uint8)
    (frame,) = read(save(tmp_path / "picture", flat, compression, mode="CMYK"))
    assert np.abs(frame.pixels - flat.astype(int)).max() <= 1
    assert frame.about["photometric"] == "CMYK"


def test_ycbcr_without_compression_is_refused(tmp_path):
    """Its samples do not lie side by side, and Pillow reads them as if they did."""
    path = write(tmp_path / "picture", RGB, photometric="rgb")
    with pytest.raises(ValueError, match="YCbCr of 8 bits in NONE is not read"):
        read(with_tag(path, "PhotometricInterpretation", 6))


def test_jpeg_in_tiff(tmp_path):
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    for pixels in (smooth, np.dstack([smooth, smooth // 2, smooth[::-1]])):
        (frame,) = read(save(tmp_path / "picture", pixels, "jpeg", quality=100))
        assert frame.pixels.shape == pixels.shape
        assert np.abs(frame.pixels - pixels.astype(int)).mean() < 2


def test_zstandard_in_tiff(tmp_path):
    """tifffile decodes it from Python 3.14 on, Pillow if it was built so."""
    try:
        path = save(tmp_path / "picture", DEEP, "zstd")
    except OSError:
        pytest.skip("this Pillow knows no Zstandard")
    np.testing.assert_array_equal(read(path)[0].pixels, DEEP)


def test_fax_in_tiff(tmp_path):
    (frame,) = read(save(tmp_path / "picture", GREY > 127, "group4"))
    np.testing.assert_array_equal(frame.pixels, GREY > 127)


@pytest.mark.parametrize(("bits", "compression"), [(4, "raw"), (12, "raw")])
def test_packed_bits(tmp_path, bits, compression):
    """Pixels that share bytes, which tifffile leaves to imagecodecs."""
    values = np.random.RandomState(0).randint(0, 2**bits, (6, 8))
    texts = "".join(f"{value:0{bits}b}" for value in values.ravel())
    content = int(texts, 2).to_bytes(len(texts) // 8, "big")
    path = save(tmp_path / "picture", np.zeros((6, bits), np.uint8), compression)
    with tifffile.TiffFile(path) as file:
        (offset,) = file.pages.first.dataoffsets
    data = bytearray(path.read_bytes())
    data[offset : offset + len(content)] = content
    path.write_bytes(data)
    for tag, value in (("BitsPerSample", bits), ("ImageWidth", 8)):
        with_tag(path, tag, value)
    (frame,) = read(with_tag(path, "StripByteCounts", len(content)))
    scale = 17 if bits == 4 else 1  # Pillow brings 4 bits to 8
    np.testing.assert_array_equal(frame.pixels, values * scale)
    assert frame.limits == ((0, 255) if bits == 4 else None)


@pytest.mark.parametrize("dtype", ["u4", "i1", "u2"])
def test_what_pillow_would_change_needs_imagecodecs(tmp_path, dtype):
    """Unsigned 32 bits and signed 8 bits, and colours of 16 bits, in LZW."""
    if dtype == "u2":
        pixels, kind = np.dstack([DEEP] * 3), "rgb"
    else:
        pixels, kind = np.full((6, 8), 200).astype(dtype), "minisblack"
    path = write(tmp_path / "picture", pixels, photometric=kind, compression="zlib")
    with_tag(path, "Compression", 5)
    with pytest.raises(ValueError, match="pip install imagecodecs"):
        read(path)


@pytest.mark.parametrize("photometric", [8, 32803, 34892])
def test_pixels_without_intensities_are_refused(tmp_path, photometric):
    path = write(tmp_path / "picture", DEEP)
    with pytest.raises(ValueError, match="not grey or RGB"):
        read(with_tag(path, "PhotometricInterpretation", photometric))


def test_complex_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="complex64, not real"):
        read(write(tmp_path / "picture", SHARES.astype(np.complex64)))


def test_a_page_of_a_whole_slide_is_refused(tmp_path):
    path = with_tag(write(tmp_path / "slide", GREY), "ImageWidth", 2**16)
    with pytest.raises(ValueError, match="65536 x 65536 pixels: cut it into tiles"):
        read(with_tag(path, "ImageLength", 2**16))


@pytest.mark.parametrize(
    ("unit", "spacing"), [("INCH", 2.54), ("CENTIMETER", 1.0), ("MILLIMETER", 0.1), ("NONE", None)]
)
def test_resolution_is_spacing_if_its_unit_is_known(tmp_path, unit, spacing):
    path = write(tmp_path / "picture", GREY, resolution=(5, 10), resolutionunit=unit)
    found = read(path)[0].spacing
    assert found == (spacing and pytest.approx((spacing, 2 * spacing)))
    assert read(write(tmp_path / "none", GREY))[0].spacing is None


def test_the_window_is_for_grey_pages_of_more_than_8_bits(tmp_path):
    window = (100, 300)
    for pixels, limits in ((DEEP, window), (SHARES, window), (GREY, (0, 255))):
        assert read(write(tmp_path / "picture", pixels), window=window)[0].limits == limits
    path = write(tmp_path / "colors", np.dstack([DEEP] * 3), photometric="rgb")
    assert read(path, window=window)[0].limits is None


def test_a_volume_has_one_range(tmp_path):
    stack = np.random.RandomState(0).randn(4, 6, 8)
    stack[0] = np.nan
    (frame,) = read(write(tmp_path / "stack", *stack), is_volume=True)
    np.testing.assert_array_equal(frame.pixels, stack)
    assert frame.limits == limits_of_most(stack)
    assert frame.about["n_frames"] == 4
    for pages in ([GREY], [GREY, GREY[1:]], [RGB, RGB]):
        with pytest.raises(ValueError, match="several grey pages of one size"):
            read(write(tmp_path / "other", *pages, photometric=None), is_volume=True)


def test_the_content_counts_not_the_suffix(tmp_path):
    for order, big in (("<", False), (">", False), ("<", True), (">", True)):
        path = tmp_path / "IM0001"
        tifffile.imwrite(path, DEEP, byteorder=order, bigtiff=big)
        assert is_tiff(path)
        np.testing.assert_array_equal(read(path)[0].pixels, DEEP)
    for content in (b"", b"II", b"II*", b"II\x00*"):
        path.write_bytes(content)
        assert not is_tiff(path)


@pytest.mark.parametrize("compression", [*COMPRESSIONS, "jpeg"])
@settings(deadline=None, max_examples=25)
@given(share=st.floats(0, 0.98))
def test_a_file_that_was_cut_off_is_told(tmp_path_factory, compression, share):
    path = save(tmp_path_factory.mktemp("cut") / "picture", GREY, compression)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    if is_tiff(path):
        with pytest.raises(ValueError, match=r"truncated|corrupted"):
            read(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_pages_that_were_cut_off_are_told(tmp_path, share):
    """tifffile alone reads the pages that are left."""
    first, *others = [Image.fromarray(GREY + index) for index in range(10)]
    path = tmp_path / "pages"
    first.save(path, "TIFF", save_all=True, append_images=others)
    content = path.read_bytes()
    assert len(read(path)) == 10
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"the page after . pages is not there|ends before"):
        read(path)
