"""Originals of samples, for the screen."""

import os

import numpy as np

from .._input.labels import check_length
from .._input.pictures import is_picture, picture_to_array
from .._utils.warnings import warn
from ..images._frames import limits_of_most
from ..images._originals import read_original
from ._thumbnails import to_jpeg_uri

_SIDE = 384  # pixels of the long side


class Originals:
    """Originals of the samples that are shown, as JPEG.

    Parameters
    ----------
    images : sequence of length n_samples
        Arrays of shape (H, W) or (H, W, 3), Pillow pictures, or paths of files. Only the items that
        are asked for are touched.
    n_samples : int
        Number of samples.

    Attributes
    ----------
    failures : dict
        {row: exception} of the originals that could not be read.
    """

    def __init__(self, images, n_samples):
        if not hasattr(images, "__getitem__") or not hasattr(images, "__len__"):
            raise TypeError(
                "images must be a sequence of arrays, Pillow pictures or paths, got "
                f"{type(images).__name__}. Pass a list, or sklearn_cae.images.Originals."
            )
        check_length("images", images, n_samples, "sample of X")
        self.images = getattr(images, "iloc", images)  # a column of paths may have any index
        self.failures = {}

    def to_uri(self, row):
        """Return the original of a row as a data URI, or None if it cannot be read."""
        try:
            return to_jpeg_uri(_to_picture(self.images[row]))
        except Exception as error:  # any reader, any file: the report is written all the same
            self.failures[row] = error
            return None

    def warn(self):
        """Warn if originals could not be read. The page does not tell why: paths may have names."""
        if self.failures:
            row, error = next(iter(self.failures.items()))
            warn(
                f"{len(self.failures)} of the originals in images could not be read, and the "
                f"report has a note in their place. The first is images[{row}]: "
                f"{str(error) or type(error).__name__}",
                UserWarning,
            )


def _to_picture(item):
    """Return an original as a Pillow picture of at most `_SIDE` pixels."""
    from PIL import Image

    if isinstance(item, (str, os.PathLike)):
        pixels = read_original(item, side=_SIDE)
    else:
        pixels = picture_to_array(item, "images") if is_picture(item) else np.asarray(item)
        if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
            raise ValueError(f"originals must be (H, W) or (H, W, 3), got {pixels.shape}.")
        pixels = _to_bytes(pixels)
    picture = Image.fromarray(pixels)
    picture.thumbnail((_SIDE, _SIDE))
    return picture


def _to_bytes(pixels):
    """Return pixels as uint8; those of other types between the percentiles .5 and 99.5."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    pixels = np.asarray(pixels, dtype=float)
    low, high = limits_of_most(pixels)
    return np.nan_to_num(255 * ((pixels - low) / (high - low)).clip(0, 1)).round().astype(np.uint8)
