"""Bring the images of all chunks into one array, and their rows into one table."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from .._storage.files import written_whole
from ._chunks import FULL, read_images_of
from ._tables import as_text, join

#: Types of the images, and their white.
DTYPES = {"uint8": 255, "uint16": 65535, "float32": 1}
#: Shares of red, green and blue in grey (ITU-R 601).
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
#: Columns of the metadata that are always there, in this order.
_COLUMNS = [
    *("file", "kind", "patient", "study", "series", "frame", "n_frames", "height", "width", "bits"),
    *("photometric", "modality", "manufacturer", "model", "station", "body_part"),
    *("view_position", "row_spacing", "column_spacing", "scaling", "black", "white", "mean"),
    *("contrast", "border"),
]


def gather(reading, rows, failures, table, cache):
    """Bring the images of all chunks into one array, in the order of their rows."""
    import pandas as pd

    reading = _with_found(reading, rows)
    order = _order(rows)
    data = _collect(rows, order, reading, cache)
    metadata = pd.DataFrame([rows[index] for index in order], columns=_columns(rows))
    metadata["mean"], metadata["contrast"] = _brightness(data)
    metadata, unmatched = join(metadata, table)
    failed = pd.DataFrame({"file": list(failures), "reason": list(failures.values())})
    return Bunch(
        data=data,
        metadata=metadata,
        groups=_groups(metadata),
        failures=failed,
        unmatched=unmatched,
        reading=reading,
    )


def _groups(metadata):
    """Return the patient of each image; the file, if the patient is not known."""
    patients = metadata["patient"].map(as_text, na_action="ignore")
    known = patients.notna() & (patients != "")
    return patients.where(known, metadata["file"]).to_numpy(dtype=str)


def _with_found(reading, rows):
    """Return the reading with the depth of its pictures, and whether it has colours."""
    bits, color = reading.bits, reading.color
    if bits is None:
        bits = max((row["bits_used"] for row in rows if "bits_used" in row), default=None)
    if color == "auto":
        color = "rgb" if 2 * sum(row["has_color"] for row in rows) > len(rows) else "grey"
    return replace(reading, bits=bits, color=color)


def _order(rows):
    """Return the order of the rows: that of the files, but by position within a series."""
    first, keys = {}, []
    for index, row in enumerate(rows):
        start, place = index, 0.0
        if row["kind"] == "dicom" and "series" in row and row.get("n_frames", 1) == 1:
            start = first.setdefault(row["series"], index)
            place = row.get("position", row.get("instance", 0.0))
        keys.append((start, place, index))
    return sorted(range(len(rows)), key=keys.__getitem__)


def _collect(rows, order, reading, cache):
    """Return the images in an order, in memory or mapped in the folder `cache`."""
    shape = (len(rows), *reading.size, *([3] if reading.color == "rgb" else []))
    with ExitStack() as stack:
        if cache is None:
            data = np.empty(shape, reading.dtype)
        else:
            path = Path(cache, "images.npy")
            temporary = stack.enter_context(written_whole(path))
            data = np.lib.format.open_memmap(temporary, "w+", reading.dtype, shape)
        place = np.argsort(order)
        index = 0
        for chunk in dict.fromkeys(row["chunk"] for row in rows):
            for image in read_images_of(chunk):
                data[place[index]] = _finish(image, rows[index], reading)
                index += 1
        if cache is None:
            return data
        data.flush()
        del data
    return np.load(path, mmap_mode="r")


def _finish(image, row, reading):
    """Bring a waiting image to the depth, colour and type of the reading."""
    image = image.astype(np.float32) / FULL
    if "bits_used" in row:
        image = _to_depth(image, row, 2.0**reading.bits - 1)
    if len(reading.size) == 2:
        if reading.color == "rgb" and image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=-1)
        elif reading.color == "grey" and image.ndim == 3:
            image = image @ _LUMA
    image = image * DTYPES[reading.dtype]
    return image if reading.dtype == "float32" else image.round()


def _to_depth(image, row, highest):
    """Bring an image from its own depth to that of all, whose limits its row then tells."""
    own = max(row["black"], row["white"])
    if row["black"] == 0:
        row["white"] = highest
        return np.minimum(image * (own / highest), 1)
    row["black"] = highest  # white is 0
    return np.maximum(1 - (1 - image) * (own / highest), 0)


def _columns(rows):
    """Return the columns that are always there, then those that some readers add."""
    own = ("chunk", "bits_used")
    names = [*_COLUMNS, *(name for row in rows for name in row)]
    return [name for name in dict.fromkeys(names) if name not in own]


def _brightness(data):
    """Return mean and standard deviation of each image, as shares of white."""
    white = DTYPES[data.dtype.name]
    pairs = [(image.mean() / white, image.std(dtype=np.float64) / white) for image in data]
    return zip(*pairs, strict=True)
