"""Frames of some files at one size, and the files in which they wait for the others.

A chunk is read by one process and written at once, so that a reading that was stopped goes on from
its last chunk, and memory holds one chunk at a time.
"""

import hashlib
import io
import json
import logging
import warnings
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import __version__
from .._storage.files import write_whole
from ._files import read_file
from ._resize import scale, share_of_border, to_size

#: Depths in bits of pictures.
_DEPTHS = (8, 10, 12, 14, 16)
#: Images wait as integers of this range, which keeps 16 bits.
FULL = 65535


def chunk_path(folder, files, reading):
    """Return the path of the chunk of some files: another one if a file or an option changes."""
    content = {name: [path.stat().st_size, path.stat().st_mtime_ns] for name, path in files.items()}
    key = json.dumps([__version__, content, asdict(reading)])
    return Path(folder, hashlib.sha256(key.encode()).hexdigest()[:24] + ".npz")


def write_chunk(path, files, reading):
    """Read some files, and write their images, rows and failures, unless they are there."""
    if path.exists():
        return
    images, rows, failures = [], [], {}
    for name, file in files.items():
        try:
            frames = list(_read(name, file, reading))
        except Exception as error:  # any reader, any file: the others are read all the same
            failures[name] = _reason(error)
            continue
        images += [image for image, _ in frames]
        rows += [row for _, row in frames]
    content = io.BytesIO()
    texts = {"rows": np.array(json.dumps(rows)), "failures": np.array(json.dumps(failures))}
    arrays = {f"image_{index}": image for index, image in enumerate(images)}
    np.savez(content, **texts, **arrays)
    write_whole(path, content.getvalue())


def read_rows(path):
    """Return the rows and the failures of a chunk."""
    with np.load(path) as file:
        return json.loads(file["rows"].item()), json.loads(file["failures"].item())


def read_images_of(path):
    """Yield the images of a chunk, uint16 in [0, `FULL`]."""
    with np.load(path) as file:
        for index in range(len(file.files) - 2):
            yield file[f"image_{index}"]


def _reason(error):
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    return " ".join(str(error).split()) or type(error).__name__


def _read(name, path, reading):
    """Yield each frame of a file at its size, and its row of metadata."""
    with quiet():
        kind, frames = read_file(path, reading.choices)
        for frame in frames:
            row = {"file": name, "kind": kind, **frame.about}
            row |= zip(
                ("height", "width"), frame.pixels.shape[len(reading.size) - 2 :], strict=False
            )
            yield _to_size(frame, reading, row), row


@contextmanager
def quiet():
    """Silence the warnings and loggers of readers: each odd tag of each file has a line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def find_depth(pixels):
    """Return the usual depth in bits that holds the brightest of some pixels."""
    brightest = float(np.max(pixels))
    return next((bits for bits in _DEPTHS if brightest < 2**bits), 16)


def _to_size(frame, reading, row):
    """Return a frame at its size; note what its row tells about spacing, limits and borders."""
    if frame.spacing is not None:
        names = ("row_spacing", "column_spacing") if len(frame.spacing) == 2 else ()
        names = names or ("slice_spacing", "row_spacing", "column_spacing")
        row |= zip(names, map(float, frame.spacing), strict=True)
    limits = frame.limits
    if limits is None:
        row["bits_used"] = find_depth(frame.pixels)
        limits = (0.0, 2.0 ** row["bits_used"] - 1)[:: -1 if frame.white_is_low else 1]
    row["black"], row["white"] = map(float, limits)
    image = scale(frame, limits)
    if image.ndim == 3 and len(reading.size) == 2 and (image == image[..., :1]).all():
        image = image[..., 0]
    row["has_color"] = image.ndim == 3 and len(reading.size) == 2
    row["border"] = share_of_border(image if len(reading.size) == 2 else image[len(image) // 2])
    if reading.spacing is not None and frame.spacing is None:
        raise ValueError("the file does not tell the spacing of its pixels, which spacing= needs")
    image = to_size(image, reading.size, reading.fit, frame.spacing, reading.spacing)
    return (image * FULL).round().astype(np.uint16)
