"""Originals of samples, for the screen."""

import os

import numpy as np

from .._input.labels import check_length
from .._input.pictures import is_picture, picture_to_array
from .._input.slices import N_SLICES, middle_slices, stack
from .._utils.warnings import warn
from ..images import Reading
from ..images._frames import limits_of_most
from ..images._originals import read_original
from ._thumbnails import to_jpeg_uri

_SIDE = 384  # pixels of the long side
_OF_VOLUMES = Reading(size=(64, 64, 64))  # three sides: the size is that of `read_original`


class Originals:
    """Originals of the samples that are shown, as JPEG.

    Parameters
    ----------
    images : sequence of length n_samples
        Arrays of shape (H, W) or (H, W, 3), Pillow pictures, or paths of files. Only the items that
        are asked for are touched.
    n_samples : int
        Number of samples.
    of_volumes : bool
        Whether samples are volumes. Arrays may then be (D, H, W), too.

    Attributes
    ----------
    failures : dict
        {row: exception} of the originals that could not be read.
    """

    def __init__(self, images, n_samples, of_volumes):
        if not hasattr(images, "__getitem__") or not hasattr(images, "__len__"):
            raise TypeError(
                "images must be a sequence of arrays, Pillow pictures or paths, got "
                f"{type(images).__name__}. Pass a list, or sklearn_cae.images.Originals."
            )
        check_length("images", images, n_samples, "sample of X")
        self.images = getattr(images, "iloc", images)  # a column of paths may have any index
        self.of_volumes = of_volumes
        self.failures = {}

    def to_uri(self, row):
        """Return the original of a row as a data URI, or None if it cannot be read."""
        try:
            return to_jpeg_uri(self._draw(self.images[row]))
        except Exception as error:  # any reader, any file: the report is written all the same
            self.failures[row] = error
            return None

    def _draw(self, item):
        """Return an original as a Pillow picture of at most `_SIDE` pixels, or slices of them."""
        from PIL import Image

        if isinstance(item, (str, os.PathLike)):
            pixels = read_original(item, _OF_VOLUMES if self.of_volumes else None, side=_SIDE)
        else:
            pixels = picture_to_array(item, "images") if is_picture(item) else np.asarray(item)
            pixels = _to_bytes(pixels, self.of_volumes)
        picture = Image.fromarray(pixels)
        picture.thumbnail((_SIDE, N_SLICES * _SIDE if self.of_volumes else _SIDE))
        return picture

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


def _to_bytes(pixels, of_volumes):
    """Return pixels as uint8; those of other types between the percentiles .5 and 99.5."""
    is_plane = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not is_plane and not (of_volumes and pixels.ndim == 3):
        shapes = "(D, H, W), (H, W) or (H, W, 3)" if of_volumes else "(H, W) or (H, W, 3)"
        raise ValueError(f"originals must be {shapes}, got {pixels.shape}.")
    low, high = (0, 255) if pixels.dtype == np.uint8 else limits_of_most(pixels)
    if not is_plane:
        slices = middle_slices(pixels[None, ..., None])
        pixels = stack(slices)[0, ..., 0]
        pixels[np.isnan(pixels)] = high
    pixels = np.asarray(pixels, dtype=float)
    return np.nan_to_num(255 * ((pixels - low) / (high - low)).clip(0, 1)).round().astype(np.uint8)
