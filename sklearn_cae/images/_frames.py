"""A frame: one image of a file, as each reader returns it."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Choices:
    """Choices of the user that the readers of files need.

    Parameters
    ----------
    frames : "middle", "all" or int
        Frames or slices to read from a file that has several: the middle one, all, or so many,
        evenly spaced.
    axis : int
        Axis of a NIfTI volume along which slices are taken: 0 (sagittal), 1 (coronal) or 2 (axial).
    window : tuple of float or None
        Intensities (low, high) that become black and white, in the unit of the file (Hounsfield
        units for CT). None takes the window of the file.
    is_volume : bool
        Whether a file is one volume, (D, H, W), instead of frames.
    """

    frames: str | int = "middle"
    axis: int = 2
    window: tuple | None = None
    is_volume: bool = False

    def of(self, n_frames):
        """Return the indices of the frames to read from a file that has `n_frames`.

        The slices at the ends show least, so that `n` of them are the middles of `n` equal parts.
        """
        if self.frames == "all" or self.is_volume:
            return list(range(n_frames))
        n = 1 if self.frames == "middle" else min(self.frames, n_frames)
        return [int((part + 0.5) * n_frames / n) for part in range(n)]


@dataclass
class Frame:
    """One image of a file, in the unit of the file.

    Parameters
    ----------
    pixels : ndarray of shape (H, W), (H, W, 3) or (D, H, W)
        Real numbers or booleans in native byte order. They are not clipped to the limits.
    limits : tuple of float or None
        Intensities that become black and white. The first is the higher one if low values are
        white. None if the file names none: then the depth in bits of all such images decides.
    white_is_low : bool
        Whether low values are white, if there are no limits.
    valid : ndarray of bool of shape (H, W) or None
        False where a pixel is padding. None if the file declares no padding.
    spacing : tuple of float or None
        Millimetres from a row to the next and from a column to the next; slices first for volumes.
    about : dict
        Values of the columns of the metadata that this file knows, such as "patient".
    """

    pixels: np.ndarray
    limits: tuple | None
    white_is_low: bool = field(default=False, kw_only=True)
    valid: np.ndarray | None = None
    spacing: tuple | None = None
    about: dict = field(default_factory=dict)


def limits_of_most(pixels, valid=None):
    """Return the percentiles .5 and 99.5 of the finite valid pixels: limits if nothing names any.

    Outliers, such as markers of metal, then have no effect on the contrast.
    """
    known = np.isfinite(pixels) if valid is None else np.isfinite(pixels) & valid
    values = np.asarray(pixels[known], dtype=np.float64)
    if not values.size:
        raise ValueError("no pixel has a finite value")
    low, high = (float(value) for value in np.percentile(values, [0.5, 99.5]))
    if low == high:  # nearly all pixels are equal
        low, high = float(values.min()), float(values.max())
    return low, high if high > low else low + 1.0
