"""PNG, JPEG and their like: depth, colours, alpha, turned and damaged files."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sklearn_cae.images._frames import Choices, limits_of_most
from sklearn_cae.images._pictures import is_picture, picture_frames
from sklearn_cae.images._pixels import picture_frame, turned

GREY = np.random.RandomState(0).randint(0, 256, (6, 8)).astype(np.uint8)
RGB = np.random.RandomState(1).randint(0, 256, (6, 8, 3)).astype(np.uint8)
DEEP = np.random.RandomState(2).randint(0, 65536, (6, 8)).astype(np.uint16)
#: Row and column at which the seven passes of an interlaced PNG start, and their steps.
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
PASSES += ((1, 0, 2, 1),)


def read(path, **choices):
    return list(picture_frames(path, Choices(**{"frames": "all", **choices})))


def save(path, pixels, kind="PNG", mode=None, **options):
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (picture if mode is None else picture.convert(mode)).save(path, kind, **options)
    return path


def chunk(name, content):
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def filtered(rows, width, kind):
    """Return rows of bytes as PNG filters them: 0 none, 1 sub, 2 up, 4 Paeth (PNG, section 9)."""
    before, lines = np.zeros_like(rows[0]), []
    for row in rows:
        left = np.r_[np.zeros(width, np.uint8), row[:-width]].astype(int)
        corner = np.r_[np.zeros(width, np.uint8), before[:-width]].astype(int)
        above = before.astype(int)
        near = np.abs([above - corner, left - corner, left + above - 2 * corner])
        paeth = np.choose(near.argmin(axis=0), [left, above, corner])
        lines.append(
            bytes([kind]) + (row - [0, left, above, 0, paeth][kind]).astype("u1").tobytes()
        )
        before = row
    return b"".join(lines)


def png(pixels, bits=16, kind=0, interlaced=False, chunks=b""):
    """Return a PNG of 8 or 16 bits: what Pillow cannot write."""
    height, width, n_samples = pixels.shape
    color = {1: 0, 2: 4, 3: 2, 4: 6}[n_samples]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    content = b""
    for row, column, down, right in PASSES if interlaced else ((0, 0, 1, 1),):
        part = np.ascontiguousarray(pixels[row::down, column::right], f">u{bits // 8}")
        if part.size:
            rows = part.view(np.uint8).reshape(len(part), -1)
            content += filtered(rows, n_samples * bits // 8, kind)
    chunks = chunk(b"IHDR", header) + chunks + chunk(b"IDAT", zlib.compress(content))
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IEND", b"")


@given(
    pixels=arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))),
    kind=st.sampled_from([0, 1, 2, 4]),
    interlaced=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_png_of_16_bits_is_read_whole(tmp_path_factory, pixels, kind, interlaced):
    """Grey and colours, with opaque alpha and without."""
    n_samples = pixels.shape[-1]
    if n_samples in (2, 4):
        pixels[..., -1] = 65535
    path = tmp_path_factory.mktemp("png") / "picture"
    path.write_bytes(png(pixels, kind=kind, interlaced=interlaced))
    (frame,) = read(path)
    expected = pixels[..., :3] if n_samples >= 3 else pixels[..., 0]
    assert frame.pixels.dtype == np.uint16
    np.testing.assert_array_equal(frame.pixels, expected)
    assert frame.limits is None
    assert (frame.about["bits"], frame.about["scaling"]) == (16, "bits")


def test_significant_bits_change_no_pixel(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(png(DEEP[..., None], chunks=chunk(b"sBIT", b"\x0c")))
    np.testing.assert_array_equal(read(path)[0].pixels, DEEP)


@pytest.mark.parametrize(
    ("mode", "pixels", "bits"),
    [
        ("1", GREY > 127, 1),
        ("L", GREY, 8),
        ("LA", GREY, 8),
        ("RGB", RGB, 8),
        ("RGBA", RGB, 8),
        ("I;16", DEEP, 16),
    ],
)
def test_png_of_each_mode(tmp_path, mode, pixels, bits):
    picture = Image.fromarray(pixels)
    path = save(tmp_path / "picture", picture if mode == "I;16" else picture.convert(mode))
    (frame,) = read(path)
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.limits == (None if bits == 16 else (0, 2**bits - 1))
    assert frame.about["bits"] == bits
    assert frame.about["photometric"] in (mode, mode.partition(";")[0])  # "I" in old Pillow
    assert frame.pixels.dtype == pixels.dtype


def test_a_palette_is_looked_up(tmp_path):
    picture = Image.fromarray(RGB).quantize(16)
    (frame,) = read(save(tmp_path / "picture", picture))
    np.testing.assert_array_equal(frame.pixels, np.asarray(picture.convert("RGB")))
    assert frame.about["photometric"] == "P"


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("n_samples", [2, 4])
def test_transparent_pixels_are_refused(tmp_path, bits, n_samples):
    path = tmp_path / "picture"
    path.write_bytes(png(np.zeros((4, 4, n_samples), int), bits=bits))
    with pytest.raises(ValueError, match="transparent"):
        read(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_turned(tmp_path, kind, orientation):
    """As ImageOps does, which the reader does not use."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "picture", RGB, kind, exif=exif)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    assert expected.shape[:2] == ((6, 8) if orientation < 5 else (8, 6))
    np.testing.assert_array_equal(read(path)[0].pixels, expected)


def test_pictures_of_16_bits_are_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "picture", DEEP, exif=exif)
    np.testing.assert_array_equal(read(path)[0].pixels, np.rot90(DEEP, -1))


@pytest.mark.parametrize("orientation", [0, 9, "6", None])
def test_an_odd_orientation_is_upright(orientation):
    np.testing.assert_array_equal(turned(GREY, orientation), GREY)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_is_no_reason_to_lose_a_picture(tmp_path, kind):
    path = save(tmp_path / "picture", RGB, kind, exif=b"Exif\x00\x00garbage of some length")
    assert read(path)[0].pixels.shape == RGB.shape


def test_cmyk_becomes_rgb_as_viewers_show_it(tmp_path):
    flat = np.full((16, 16, 3), (200, 90, 30), np.uint8)
    path = save(tmp_path / "picture", flat, "JPEG", mode="CMYK", quality=100)
    (frame,) = read(path)
    assert frame.about["photometric"] == "CMYK"
    assert np.abs(frame.pixels - flat.astype(int)).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_frames_of_an_animation(tmp_path, kind):
    frames = [Image.new("L", (8, 6), 50 * index) for index in range(5)]
    options = {"lossless": True} if kind == "WEBP" else {}
    path = save(
        tmp_path / "picture", frames[0], kind, save_all=True, append_images=frames[1:], **options
    )
    assert [int(frame.pixels.max()) for frame in read(path)] == [0, 50, 100, 150, 200]
    (middle,) = read(path, frames="middle")
    assert (middle.about["frame"], middle.about["n_frames"], middle.pixels.max()) == (2, 5, 100)


def test_an_animation_of_16_bits_keeps_the_high_bytes(tmp_path):
    """Its second frame has no low bytes of its own in the way that the reader takes them."""
    frames = np.random.RandomState(0).randint(0, 65536, (2, 4, 5, 3)).astype(np.uint16)
    path = tmp_path / "picture"
    path.write_bytes(png(frames[0], chunks=chunk(b"acTL", struct.pack(">II", 2, 0)) + shown(0)))
    other = png(frames[1])
    start = other.index(b"IDAT")
    size = int.from_bytes(other[start - 4 : start], "big")
    moved = chunk(b"fdAT", struct.pack(">I", 2) + other[start + 4 : start + 4 + size])
    path.write_bytes(path.read_bytes()[:-12] + shown(1) + moved + chunk(b"IEND", b""))
    found = read(path)
    np.testing.assert_array_equal([frame.pixels for frame in found], frames >> 8)
    assert [frame.about["bits"] for frame in found] == [8, 8]


def shown(number):
    """Return the chunk of APNG that shows a whole frame of 4 x 5 pixels."""
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 5, 4, 0, 0, 1, 1, 0, 0))


def test_a_jpeg_of_several_pictures_is_its_main_picture(tmp_path):
    """The second is a small copy, or a map of depth."""
    small = Image.new("RGB", (4, 3))
    path = save(tmp_path / "picture", RGB, "MPO", save_all=True, append_images=[small])
    with Image.open(path) as picture:
        assert picture.n_frames == 2
    assert [frame.pixels.shape for frame in read(path, frames="middle")] == [RGB.shape]


@pytest.mark.parametrize("maxval", [15, 255, 4095, 65535])
def test_pgm_of_each_depth(tmp_path, maxval):
    """Pillow brings them to 8 or 16 bits."""
    values = np.array([[0, 1, maxval]])
    content = values.astype("u1" if maxval < 256 else ">u2").tobytes()
    (tmp_path / "picture").write_bytes(b"P5 3 1 %d\n" % maxval + content)
    (frame,) = read(tmp_path / "picture")
    full = 255 if maxval < 256 else 65535
    np.testing.assert_allclose(frame.pixels, values * full / maxval, atol=1)
    assert frame.pixels.dtype == (np.uint8 if maxval < 256 else np.uint16)
    assert frame.about["bits"] == (8 if maxval < 256 else 16)


def test_jpeg_2000_of_16_bits(tmp_path):
    (frame,) = read(save(tmp_path / "picture", DEEP, "JPEG2000"))
    np.testing.assert_array_equal(frame.pixels, DEEP)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "WEBP"])
def test_the_content_counts_not_the_suffix(tmp_path, kind):
    path = save(tmp_path / "IM0001.dcm", RGB, kind)
    assert is_picture(path)
    assert read(path)[0].pixels.shape == RGB.shape


@pytest.mark.parametrize(
    "content", [b"", b"P", b"BM is a text", b"P3", b"II*\x00", b"%PDF-1.4", b"RIFF1234WAVE"]
)
def test_what_is_no_picture(tmp_path, content):
    (tmp_path / "picture.png").write_bytes(content)
    assert not is_picture(tmp_path / "picture.png")


def test_the_window_is_for_grey_pictures_of_more_than_8_bits(tmp_path):
    window = (100, 300)
    assert read(save(tmp_path / "deep", DEEP), window=window)[0].limits == window
    assert read(save(tmp_path / "grey", GREY), window=window)[0].limits == (0, 255)
    (tmp_path / "colors").write_bytes(png(np.dstack([DEEP] * 3)))
    assert read(tmp_path / "colors", window=window)[0].limits is None


@pytest.mark.parametrize(
    ("pixels", "limits", "scaling"),
    [
        (np.array([[0.2, 0.7]]), (0.0, 1.0), "bits"),
        (np.array([[0.2, np.nan]]), (0.0, 1.0), "bits"),
        (np.array([[0.2, 1.7]]), None, "percentiles"),
        (np.array([[-0.2, 0.7]]), None, "percentiles"),
        (np.array([[-5, 7]], np.int8), None, "percentiles"),
        (np.array([[5, 2**31 + 7]], np.uint32), None, "percentiles"),
    ],
)
def test_limits_by_type(pixels, limits, scaling):
    frame = picture_frame(pixels, 8 * pixels.itemsize)
    assert frame.limits == (limits or limits_of_most(pixels))
    assert frame.about["scaling"] == scaling
    assert (frame.valid is None) == np.isfinite(pixels).all()


def test_a_picture_is_no_volume(tmp_path):
    with pytest.raises(ValueError, match="no volume"):
        read(save(tmp_path / "picture", GREY), is_volume=True)


def test_jpeg_2000_that_ends_in_the_mark_of_a_tile_is_told(tmp_path):
    """Pillow alone reads it as black."""
    path = save(tmp_path / "picture", RGB, "JPEG2000")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\xff\x90") + 2])
    with pytest.raises(ValueError, match="truncated"):
        read(path)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "WEBP"])
@settings(deadline=None, max_examples=25)
@given(share=st.floats(0, 0.9))
def test_a_file_that_was_cut_off_is_told(tmp_path_factory, kind, share):
    path = save(tmp_path_factory.mktemp("cut") / "picture", RGB, kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    if is_picture(path):
        with pytest.raises(ValueError, match=r"truncated|EOF|not enough") as raised:
            read(path)
        assert str(path.parent) not in str(raised.value)  # the table names the file
