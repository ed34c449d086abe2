"""Pixels as files store them: turned upright, the limits of a picture, and damage told plainly."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ._frames import Frame, limits_of_most

#: Exceptions with which readers meet a file that was cut off or changed.
_DAMAGE: tuple[type[Exception], ...] = (
    *(AttributeError, EOFError, LookupError, MemoryError, OSError, OverflowError, SyntaxError),
    *(TypeError, struct.error, zlib.error),
)


@contextmanager
def damage_told(*errors: type[Exception]) -> Iterator[None]:
    """Turn what readers raise for a damaged file into a ValueError that says so.

    Parameters
    ----------
    *errors : type
        Exceptions of the reader, beside those of Python.

    Raises
    ------
    ValueError
        If the file is damaged.
    FileNotFoundError, PermissionError
        If the file cannot be opened.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except _DAMAGE + errors as error:
        text = str(error) or type(error).__name__
        if type(error).__name__ == "UnidentifiedImageError":  # whose text is the path
            text = "its header is not understood"
        raise ValueError(f"the file is truncated or damaged ({text})") from error


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image as the orientation tag of EXIF and TIFF 6.0 asks.

    Parameters
    ----------
    pixels : ndarray of shape (H, W) or (H, W, 3)
        Image as stored.
    orientation : int
        Value of the tag, from 1 to 8. Other values mean upright, as 1 does.

    Returns
    -------
    upright : ndarray of shape (H, W) or (W, H), and channels
        View of the image.

    Examples
    --------
    >>> import numpy as np
    >>> turned(np.array([[1, 2, 3]]), 6)
    array([[1],
           [2],
           [3]])
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def picture_frame(
    pixels: np.ndarray,
    bits: int,
    *,
    window: tuple | None = None,
    white_is_zero: bool = False,
    spacing: tuple | None = None,
    about: dict | None = None,
) -> Frame:
    """Return the frame of a picture, with the limits that its type of pixels implies.

    Unsigned integers of up to 8 bits reach from 0 to the highest number of these bits. Those of 9
    to 16 bits have no limits, since pictures of 12 bits are stored as 16. Floats from 0 to 1 keep
    this range. Other pixels have the limits of most of them.

    Parameters
    ----------
    pixels : ndarray of shape (H, W), (H, W, 3) or (D, H, W)
        Real numbers or booleans, in any byte order.
    bits : int
        Depth in bits.
    window : tuple of float, default=None
        Limits (low, high) of pictures of more than 8 bits. None leaves them to the pixels.
    white_is_zero : bool, default=False
        Whether low values are white.
    spacing : tuple of float, default=None
        Millimetres from a row to the next and from a column to the next.
    about : dict, default=None
        Metadata of the frame. Bits and scaling are added.

    Returns
    -------
    frame : Frame

    Raises
    ------
    ValueError
        If the pixels are complex, or none has a finite value.

    Examples
    --------
    >>> import numpy as np
    >>> frame = picture_frame(np.eye(2, dtype=">f8"), 64)
    >>> frame.limits, frame.pixels.dtype.isnative
    ((0.0, 1.0), True)
    """
    pixels = _native(pixels)
    finite = np.isfinite(pixels)
    limits, scaling = _limits(pixels, bits, window)
    if white_is_zero and limits is not None:
        limits = limits[::-1]
    about = {**(about or {}), "bits": bits, "scaling": scaling}
    valid = None if finite.all() else finite
    return Frame(pixels, limits, valid, spacing, about, white_is_low=white_is_zero)


def _native(pixels):
    """Return real pixels in one block and in native byte order, which torch and Pillow need."""
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"the pixels are of type {pixels.dtype}, not real numbers")
    dtype = np.float32 if pixels.dtype == np.float16 else pixels.dtype.newbyteorder("=")
    return np.ascontiguousarray(pixels, dtype=dtype)


def _limits(pixels, bits, window):
    """Return the limits of a picture, and where they come from."""
    unsigned = pixels.dtype.kind in "bu"
    if unsigned and bits <= 8:
        return (0, 2**bits - 1), "bits"
    if window is not None:
        return window, "window"
    if unsigned and bits <= 16:
        return None, "bits"
    if pixels.dtype.kind == "f" and _is_share(pixels):
        return (0.0, 1.0), "bits"
    return limits_of_most(pixels), "percentiles"


def _is_share(pixels):
    """Return whether some pixels are finite, and these lie between 0 and 1."""
    values = pixels[np.isfinite(pixels)]
    return values.size > 0 and 0 <= values.min() and values.max() <= 1
