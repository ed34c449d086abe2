"""TIFF files, read by tifffile, or by Pillow if their compression needs it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from struct import unpack

import numpy as np

from .._input.pictures import picture_to_array
from .._utils.extras import import_extra
from ._frames import Choices, Frame
from ._pixels import damage_told, picture_frame, turned

_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
#: Names of TIFF 6.0 for the kinds of pixels that are read.
_PHOTOMETRIC = {
    0: "WhiteIsZero",
    1: "BlackIsZero",
    2: "RGB",
    3: "Palette",
    5: "CMYK",
    6: "YCbCr",
}
_WHITE_IS_ZERO, _PALETTE, _CMYK, _YCBCR = 0, 3, 5, 6
#: Values of the tags SampleFormat, Compression and ResolutionUnit.
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_UNCOMPRESSED = 1
_INCH = 2
#: Kinds of extra samples that are alpha: associated and unassociated.
_ALPHA = (1, 2)
#: Millimetres in the units of resolution: inch, and centimetre to micrometre.
_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
#: Pixels of a page, from which on Pillow calls a picture a bomb, too.
_MOST_PIXELS = 178_956_970


@dataclass
class _Decoded:
    """Pixels of a page, (H, W) or (H, W, 3), and their meaning."""

    pixels: np.ndarray
    bits: int
    white_is_zero: bool
    photometric: str


def is_tiff(path: Path) -> bool:
    """Return whether a file is TIFF or BigTIFF by content."""
    with path.open("rb") as file:
        return file.read(4) in _STARTS


def tiff_frames(path: Path, choices: Choices) -> Iterator[Frame]:
    """Yield the frames of a TIFF file.

    Each page is a frame, in the order of the file, also if pages have several sizes. Reduced pages,
    masks and the lower levels of pyramids are left out. In a stack with channels (ImageJ, OME),
    three channels are red, green and blue, and the first of any other number is read. In pages,
    too, three samples are colours, and the first of another number is read.

    WhiteIsZero reverses the limits at every depth, palettes become RGB of 8 bits, and pages are
    turned as their orientation asks. Limits of floats and signed numbers are those of each page,
    unless it is a volume.

    Parameters
    ----------
    path : Path
        File.
    choices : Choices
        Choices of the user. The window applies to grey pages of more than 8 bits. As a volume, all
        pages are read, and must be grey and of one size.

    Yields
    ------
    frame : Frame
        Page, with its spacing if the file tells the unit of its resolution. `photometric` in
        `about` is the name of TIFF 6.0.

    Raises
    ------
    ValueError
        If the file is damaged, pixels are transparent, a page is too large, or its pixels are no
        intensities, as in CIELab.
    ImportError
        If tifffile is not installed, or the compression needs imagecodecs.

    References
    ----------
    `TIFF revision 6.0 <https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf>`_, 1992.

    Examples
    --------
    >>> import tempfile
    >>> import tifffile
    >>> from sklearn_cae.images._frames import Choices
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "stack")
    ...     tifffile.imwrite(path, np.zeros((5, 4, 6), "uint16"), photometric="minisblack")
    ...     frames = list(tiff_frames(path, Choices(frames=2)))
    >>> [frame.about["frame"] for frame in frames], frames[0].pixels.shape
    ([1, 3], (4, 6))
    """
    tifffile = import_extra("tifffile", "TIFF files are read with", "files")
    # OME files may name others, which are read on their own.
    with damage_told(tifffile.TiffFileError), tifffile.TiffFile(path, _multifile=False) as file:
        _require_all_pages(file)
        planes = [plane for series in file.series for plane in _planes(series)]
        if not planes:
            raise ValueError("the file holds no page of full size")
        planes.sort(key=lambda plane: plane[0].index)
        if choices.is_volume:
            yield _volume(planes, path, choices)
        else:
            for index in choices.of(len(planes)):
                yield _frame(planes, index, path, choices)


def _require_all_pages(file):
    """Raise if the last page found names a next one: tifffile passes over what it cannot find."""
    if not len(file.pages):
        raise EOFError("no page is there")
    last, layout, handle = file.pages[-1], file.tiff, file.filehandle
    handle.seek(last.offset)
    (n_tags,) = unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(n_tags * layout.tagsize, 1)
    (next_page,) = unpack(layout.offsetformat, handle.read(layout.offsetsize))
    if next_page:
        raise EOFError(f"the page after {len(file.pages)} pages is not there")


def _planes(series):
    """Return the pages of each plane of a series: one, or those of three channels."""
    page = series.keyframe
    if page.is_reduced or page.is_mask:
        return []
    n_axes = len(series.shape) - len(page.shape)
    axes, shape = series.axes[:n_axes], series.shape[:n_axes]
    pages = list(series.pages)
    if series.shape[n_axes:] != page.shape or len(pages) != prod(shape):
        raise ValueError(f"axes {series.axes} of shape {series.shape} do not match the pages")
    order = np.arange(len(pages)).reshape(shape)
    order = np.moveaxis(order, axes.index("C"), -1) if "C" in axes else order[..., None]
    n_channels = 3 if order.shape[-1] == 3 and "S" not in page.axes else 1
    planes = order.reshape(-1, order.shape[-1])[:, :n_channels]
    planes = [[pages[index] for index in plane] for plane in planes]
    return [plane for plane in planes if None not in plane]  # OME files may lack planes


def _frame(planes, index, path, choices):
    plane = _joined(planes[index], path)
    about = {"frame": index, "n_frames": len(planes), "photometric": plane.photometric}
    spacing = _spacing(planes[index][0].keyframe)
    return _to_frame(plane, plane.pixels.ndim == 2, choices, spacing, about)


def _volume(planes, path, choices):
    """Return grey pages of one size as one volume."""
    found = [_joined(plane, path) for plane in planes]
    shapes = {plane.pixels.shape for plane in found}
    if len(found) == 1 or len(shapes) > 1 or len(shapes.pop()) == 3:
        raise ValueError("a volume needs several grey pages of one size")
    volume = replace(found[0], pixels=np.stack([plane.pixels for plane in found]))
    about = {"n_frames": len(found), "photometric": volume.photometric}
    return _to_frame(volume, True, choices, None, about)


def _to_frame(plane, is_grey, choices, spacing, about):
    return picture_frame(
        plane.pixels,
        plane.bits,
        window=choices.window if is_grey else None,
        white_is_zero=plane.white_is_zero,
        spacing=spacing,
        about=about,
    )


def _joined(pages, path):
    """Return the upright pixels of one page, or of three that are red, green and blue."""
    decoded = [_decoded(page, path) for page in pages]
    if len(decoded) == 1:
        return decoded[0]
    return replace(decoded[0], pixels=np.stack([each.pixels for each in decoded], axis=-1))


def _decoded(page, path):
    """Return the upright pixels of a page."""
    kind = page.keyframe
    _require_readable(page, kind)
    if kind.photometric in (_CMYK, _YCBCR):
        return _decoded_by_pillow(page, path)
    try:
        pixels = _samples(page.asarray(), kind)
    except (ImportError, NotImplementedError, ValueError) as error:
        if not _lacks_codec(error):
            raise
        return _decoded_by_pillow(page, path)
    bits = kind.bitspersample
    if kind.photometric == _PALETTE:
        pixels, bits = np.moveaxis(kind.colormap >> 8, 0, -1).astype(np.uint8)[pixels], 8
    is_reversed = kind.photometric == _WHITE_IS_ZERO
    return _Decoded(turned(pixels, _orientation(kind)), bits, is_reversed, _name_of(kind))


def _require_readable(page, kind):
    """Raise if a page is too large, of a kind without intensities, or cut off."""
    if kind.imagelength * kind.imagewidth > _MOST_PIXELS:
        size = f"{kind.imagelength} x {kind.imagewidth}"
        raise ValueError(f"the page has {size} pixels: cut it into tiles, or export a lower level")
    if int(kind.photometric) not in _PHOTOMETRIC:
        name = getattr(kind.photometric, "name", kind.photometric)
        raise ValueError(f"the pixels are of kind {name}, not grey or RGB")
    ends = np.add(page.dataoffsets, page.databytecounts)
    if len(ends) and ends.max() > page.parent.filehandle.size:
        raise ValueError("the file is truncated: it ends before its pixels")


def _lacks_codec(error):
    words = ("imagecodecs", "not supported")
    return isinstance(error, ImportError) or any(word in str(error).lower() for word in words)


def _samples(pixels, kind):
    """Return the one or three colours among the samples of a page."""
    if kind.axes == "YX":
        return pixels
    if kind.axes not in ("YXS", "SYX"):
        raise ValueError(f"pages with axes {kind.axes} are not read")
    pixels = np.moveaxis(pixels, kind.axes.index("S"), -1)
    extra = [int(each) for each in kind.extrasamples]
    n_colors = pixels.shape[-1] - len(extra)
    for place, meaning in enumerate(extra, start=n_colors):
        if meaning in _ALPHA and not _is_opaque(pixels[..., place]):
            raise ValueError("the picture has transparent pixels, and alpha is no intensity")
    return pixels[..., :3] if n_colors == 3 else pixels[..., 0]


def _is_opaque(alpha):
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1
    return (alpha == full).all()


def _decoded_by_pillow(page, path):
    """Return the pixels of a page that Pillow decodes. It turns pages by their orientation.

    Up to 8 bits, it inverts pages in which white is zero.
    """
    pillow = import_extra("PIL.Image", "TIFF files are read with", "files")
    kind = page.keyframe
    # Opened by name, oblong pages without compression would be turned wrongly.
    with path.open("rb") as file, pillow.open(file, formats=["TIFF"]) as picture:
        picture.seek(page.index)
        if not _is_whole_in_pillow(picture.mode, kind):
            raise ValueError(
                f"{_name_of(kind)} of {kind.bitspersample} bits in {kind.compression.name} is not "
                "read, or needs another package: pip install imagecodecs"
            )
        picture.load()
        if picture.mode in ("CMYK", "YCbCr"):
            picture = picture.convert("RGB")
        pixels = picture_to_array(picture, "this file")
    is_deep = kind.bitspersample > 8
    bits = 1 if pixels.dtype == bool else kind.bitspersample if is_deep else 8
    return _Decoded(pixels, bits, is_deep and kind.photometric == _WHITE_IS_ZERO, _name_of(kind))


def _is_whole_in_pillow(mode, kind):
    """Return whether a mode of Pillow holds the numbers of a page as they are."""
    if kind.photometric == _YCBCR and kind.compression == _UNCOMPRESSED:
        return False
    if kind.sampleformat != _UNSIGNED:
        return mode == {_SIGNED: "I", _FLOAT: "F"}.get(kind.sampleformat)
    return kind.bitspersample <= 8 or mode.startswith("I;16")


def _name_of(kind):
    return _PHOTOMETRIC[int(kind.photometric)]


def _orientation(kind):
    return int(kind.tags.valueof("Orientation", default=1))


def _spacing(kind):
    """Return the millimetres per row and column of the upright page, or None."""
    unit = _MILLIMETRES.get(int(kind.tags.valueof("ResolutionUnit", default=_INCH)))
    row, column = (kind.tags.valueof(f"{axis}Resolution", default=(0, 1)) for axis in "YX")
    if unit is None or 0 in (*row, *column):
        return None
    spacing = unit * row[1] / row[0], unit * column[1] / column[0]
    return spacing[::-1] if _orientation(kind) in (5, 6, 7, 8) else spacing
