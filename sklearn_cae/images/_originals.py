"""Original files at the size of a screen, read when they are looked at."""

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import check_scalar

from .._input.labels import is_missing
from .._input.slices import middle_slices, stack
from ._chunks import find_depth, quiet
from ._files import read_file
from ._read import Reading
from ._resize import resize, scale


class Originals(Sequence):
    """Originals of images that `read_images` returned, for a screen. Each is read when it is asked.

    They have the proportions of the patient (if the file names the spacing of pixels), and the same
    window as the images that were read, but not their size. The original of a volume is a picture
    of its three middle slices, one below the other.

    Parameters
    ----------
    metadata : DataFrame
        ``metadata`` of `read_images`, or some of its rows, with the columns "file" and "frame".
    folder : str or path-like
        Folder that was passed to `read_images`. If it got several paths, the deepest folder that
        holds all of them.
    reading : Reading, default=None
        ``reading`` of `read_images`. None takes the defaults.
    side : int, default=384
        Longest side in pixels, at least 16; of a volume, that of each slice. Smaller images keep
        their size.

    Raises
    ------
    ValueError
        If `metadata` has no column "file", or `folder` is no folder.

    See Also
    --------
    sklearn_cae.cluster_report : Show originals beside the images that the network saw.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.images import Originals, read_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for index, image in enumerate(make_toy_images(3, image_size=64, random_state=0).data):
    ...         Image.fromarray(image).save(Path(folder) / f"{index}.png")
    ...     found = read_images(folder, size=16)
    ...     originals = Originals(found.metadata, folder, found.reading)
    ...     len(originals), originals[2].shape, found.data[2].shape
    (3, (64, 64), (16, 16))
    """

    def __init__(self, metadata, folder, reading=None, side=384):
        if "file" not in getattr(metadata, "columns", ()):
            raise ValueError(
                "metadata must be the table of read_images with its column 'file', got "
                f"{type(metadata).__name__} without it. Pass read_images(...).metadata."
            )
        if not Path(folder).is_dir():
            raise ValueError(
                f"folder must be the folder of the files, got {str(folder)!r}, which is none. Pass "
                "the folder that read_images was given."
            )
        check_scalar(side, "side", Integral, min_val=16)
        self.metadata, self.folder, self.side = metadata, Path(folder), side
        self.reading = reading or Reading()

    def __len__(self):
        """Return the number of images."""
        return len(self.metadata)

    def __getitem__(self, row):
        """Read the original of a row.

        Parameters
        ----------
        row : int
            Position of the row in `metadata`.

        Returns
        -------
        image : ndarray of uint8 of shape (H, W) or (H, W, 3)

        Raises
        ------
        IndexError
            If there is no such row.
        ValueError, OSError
            If its file cannot be read.
        """
        if not isinstance(row, Integral):
            raise TypeError(f"row must be a whole number, got {row!r}. Read rows one by one.")
        about = self.metadata.iloc[row]
        frame = about.get("frame")
        frame = None if is_missing(frame) else int(frame)
        return read_original(self.folder / about["file"], self.reading, frame, self.side)


def read_original(path, reading=None, number=None, side=384):
    """Read a frame of a file at the size of a screen.

    Parameters
    ----------
    path : path-like
        File of any kind that `read_images` reads.
    reading : Reading, default=None
        Frames, axis, window and depth. None takes the defaults.
    number : int, default=None
        Number of the frame in the file. None takes the first of the frames that `reading` chooses.
    side : int, default=384
        Longest side in pixels.

    Returns
    -------
    image : ndarray of uint8 of shape (H, W) or (H, W, 3)
    """
    reading = reading or Reading()
    with quiet():
        _, frames = read_file(Path(path), reading.choices)
        frame = next((f for f in frames if number in (None, f.about.get("frame", number))), None)
    if frame is None:
        raise ValueError(f"the file has no frame {number} among those that the reading chooses")
    image = scale(frame, frame.limits or _limits(frame, reading.bits))
    if len(reading.size) == 3:
        image = _draw_slices(image, frame.spacing or (1, 1, 1), side)
    else:
        if image.ndim == 3 and (image == image[..., :1]).all():
            image = image[..., 0]
        image = resize(image, _sides(image.shape[:2], frame.spacing or (1, 1), side))
    return (255 * image.clip(0, 1)).round().astype(np.uint8)


def _sides(shape, spacing, side):
    """Return the sides in the proportions of the patient: at most `side`, or as long as before."""
    lengths = np.multiply(shape, spacing)
    sides = lengths / lengths.max() * min(side, max(shape))
    return np.maximum(1, sides.round()).astype(int)


def _draw_slices(volume, spacing, side):
    """Return the three middle slices of a volume (D, H, W) as one picture, at one scale."""
    depth, height, width = _sides(volume.shape, spacing, side)
    sides = [(height, width), (depth, width), (depth, height)]
    slices = middle_slices(volume[None, ..., None])
    slices = [resize(each[0, ..., 0], to) for each, to in zip(slices, sides, strict=True)]
    return np.nan_to_num(stack([each[None, ..., None] for each in slices])[0, ..., 0], nan=1)


def _limits(frame, bits):
    """Return black and white of a picture of which the file names none, by the depth of all."""
    highest = 2.0 ** (bits or find_depth(frame.pixels)) - 1
    return (highest, 0.0) if frame.white_is_low else (0.0, highest)
