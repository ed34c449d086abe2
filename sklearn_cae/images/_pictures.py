"""Pictures such as PNG and JPEG, read by Pillow."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .._input.pictures import picture_to_array
from .._utils.extras import import_extra
from ._frames import Choices, Frame
from ._pixels import damage_told, picture_frame, turned

#: Formats of Pillow that need no other program. TIFF has a reader of its own.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "WEBP")
_STARTS = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"),
    *(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),  # JPEG 2000
)
_AVIF = (b"ftypavif", b"ftypavis")
#: Sizes of the second header of BMP, which starts with two letters of text.
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
#: Raw modes of PNG whose high bytes Pillow keeps, and those that keep the low bytes. Pillow has
#: none for grey with alpha; as RGBA, the four bytes of a pixel come as they are.
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
_END_OF_JPEG_2000 = b"\xff\xd9"
#: Tag of EXIF.
_ORIENTATION = 0x0112


def is_picture(path: Path) -> bool:
    """Return whether a file is PNG, JPEG, GIF, BMP, WebP, JPEG 2000, AVIF or PNM by content."""
    with path.open("rb") as file:
        head = file.read(32)
    return (
        head.startswith(_STARTS)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or head[4:12] in _AVIF
        or (head[:1] == b"P" and head[1:2] in b"123456Ff" and head[2:3].isspace())
        or (head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS)
    )


def picture_frames(path: Path, choices: Choices) -> Iterator[Frame]:
    """Yield the frames of a picture.

    Pixels keep their depth: PNG of 16 bits are uint16, grey or in colours. JPEG 2000 and PNM of
    more than 8 bits are brought to 16 bits if they are grey, and to 8 in colours, as is AVIF; the
    column "bits" shows it. Palettes are looked up, and CMYK becomes RGB, as viewers show it.
    Pictures are turned as their EXIF tag asks. A JPEG file that holds several pictures, as phones
    write it, has one frame: the main picture.

    Parameters
    ----------
    path : Path
        File.
    choices : Choices
        Choices of the user. The window applies to grey pictures of more than 8 bits.

    Yields
    ------
    frame : Frame
        Picture, or frame of an animation. `photometric` in `about` is the mode of Pillow.

    Raises
    ------
    ValueError
        If the file is damaged, pixels are transparent, or a volume is asked for.
    ImportError
        If Pillow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from sklearn_cae.images._frames import Choices
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "grey")
    ...     Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3)).save(path, "PNG")
    ...     (frame,) = picture_frames(path, Choices())
    >>> frame.pixels.dtype, frame.limits, frame.about["bits"]
    (dtype('uint16'), None, 16)
    """
    pillow = import_extra("PIL.Image", "Pictures are read with", "files")
    if choices.is_volume:
        raise ValueError("a picture is no volume: a size with three sides needs NIfTI or TIFF")
    with damage_told(), pillow.open(path, formats=_formats(pillow)) as picture:
        # Pillow reads a JPEG 2000 file that ends in the mark of its first tile as black.
        if picture.format == "JPEG2000" and _END_OF_JPEG_2000 not in path.read_bytes():
            raise EOFError("its end is not there")
        n_frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        for index in choices.of(n_frames):
            picture.seek(index)
            about = {"frame": index, "n_frames": n_frames, "photometric": picture.mode}
            pixels, bits = _pixels(picture, path)
            window = choices.window if pixels.ndim == 2 else None
            yield picture_frame(pixels, bits, window=window, about=about)


def _formats(pillow):
    """Return the formats that this Pillow knows: it raises KeyError for another one."""
    pillow.init()
    return [name for name in _FORMATS if name in pillow.OPEN]


def _pixels(picture, path):
    """Return the upright pixels of the current frame, and their depth in bits."""
    raw_mode = _raw_mode_of_png(picture)
    picture.load()
    if picture.mode == "CMYK":
        picture = picture.convert("RGB")
    pixels = picture_to_array(picture, "this file")
    if raw_mode in _LOW_BYTES:
        pixels = _with_low_bytes(pixels, path, raw_mode)
    elif picture.mode == "I" and 0 <= pixels.min() and pixels.max() <= 65535:
        pixels = pixels.astype(np.uint16)  # PGM, and PNG in Pillow before 11.3
    bits = 1 if pixels.dtype == bool else 8 * pixels.itemsize
    return turned(pixels, _orientation(picture)), bits


def _raw_mode_of_png(picture):
    """Return how a PNG stores its pixels, or None if it is another format or an animation."""
    if picture.format != "PNG" or getattr(picture, "n_frames", 1) > 1:
        return None
    return picture.tile[0][3]


def _with_low_bytes(high, path, raw_mode):
    """Return the 16 bits of colours of which Pillow gives the high bytes, without alpha."""
    pillow = import_extra("PIL.Image", "Pictures are read with", "files")
    with pillow.open(path, formats=["PNG"]) as again:
        again.tile = [(*again.tile[0][:3], _LOW_BYTES[raw_mode])]
        low = np.asarray(again)
    if raw_mode == "LA;16B":
        return low.view(">u2")[..., 0]
    return (high.astype(np.uint16) << 8) | low[..., :3]


def _orientation(picture):
    """Return the orientation in EXIF or XMP; 1 if the tags cannot be read."""
    try:
        return picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged tags are no reason to lose the picture
        return 1
