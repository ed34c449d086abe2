"""Read folders of image files into one array, and later files in the same way."""

import json
import tempfile
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from .._storage.files import written_whole
from .._utils.extras import import_extra
from ._chunks import FULL, chunk_path, read_images_of, read_rows, write_chunk
from ._files import find_files
from ._frames import Choices
from ._tables import join, read_table

#: Files per chunk: some seconds of work.
_CHUNK = 64
_FITS = ("stretch", "pad", "crop")
_DTYPES = {"uint8": 255, "uint16": 65535, "float32": 1}
#: Shares of red, green and blue in grey (ITU-R 601).
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
#: Columns of the metadata that are always there, in this order.
_COLUMNS = [
    *("file", "kind", "patient", "study", "series", "frame", "n_frames", "height", "width", "bits"),
    *("photometric", "modality", "manufacturer", "model", "station", "body_part"),
    *("view_position", "row_spacing", "column_spacing", "scaling", "black", "white", "mean"),
    *("contrast", "border"),
]


@dataclass(frozen=True)
class Reading:
    """Options of `read_images`, and what it found: all that is needed to read later files alike.

    Parameters
    ----------
    size, fit, spacing, frames, axis, window, color, dtype
        Options of `read_images`. `color` is "grey" or "rgb" after a reading.
    bits : int or None
        Depth in bits of pictures of more than 8 bits, found in the first reading.
    """

    size: tuple = (64, 64)
    fit: str = "stretch"
    spacing: tuple | None = None
    frames: str | int = "middle"
    axis: int = 2
    window: tuple | None = None
    color: str = "auto"
    dtype: str = "uint8"
    bits: int | None = None

    def __post_init__(self):
        _check_options(self)

    @property
    def choices(self):
        """Choices that readers of files need."""
        return Choices(self.frames, self.axis, self.window, len(self.size) == 3)

    def read(
        self, paths, *, metadata=None, patient=None, n_jobs=None, cache=None, verbose=0
    ) -> Bunch:
        """Read files with these options. Parameters and result are those of `read_images`."""
        table = read_table(metadata, patient)
        import_extra("pandas", "Metadata are returned with", "files")
        files, failures = find_files(paths)
        if table is not None and table.path is not None:
            files = {name: path for name, path in files.items() if path.resolve() != table.path}
        if not files:
            raise ValueError(f"paths must hold image files, got none in {paths!s}.{_why(failures)}")
        with ExitStack() as stack:
            folder = cache or stack.enter_context(tempfile.TemporaryDirectory())
            Path(folder).mkdir(parents=True, exist_ok=True)
            chunks = _make_chunks(files, folder, self)
            failures |= _write_chunks(chunks, self, n_jobs, verbose)
            rows = []
            for path in filter(Path.exists, chunks):
                found, failed = read_rows(path)
                rows += [row | {"chunk": path} for row in found]
                failures |= failed
            if not rows:
                raise ValueError(f"No image could be read from {paths!s}.{_why(failures)}")
            return _gather(self, rows, failures, table, cache)

    def to_json(self) -> str:
        """Return the options as JSON, for a file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Reading":
        """Return the options that `to_json` wrote."""
        values = json.loads(text)
        tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **tuples})


def read_images(
    paths,
    *,
    size=64,
    fit="stretch",
    spacing=None,
    frames="middle",
    axis=2,
    window=None,
    color="auto",
    dtype="uint8",
    metadata=None,
    patient=None,
    n_jobs=None,
    cache=None,
    verbose=0,
) -> Bunch:
    """Read DICOM, NIfTI, TIFF, PNG, JPEG and other image files into one array.

    Files are recognised by their content, whatever their suffix. A file that cannot be read is
    named in `failures`; it never ends the reading.

    Parameters
    ----------
    paths : str, path-like, or list of these
        Folder, which is searched with all its subfolders, or files and folders.
    size : int, (int, int) or (int, int, int), default=64
        Height and width of the images in pixels. Three sides read each file as one volume.
    fit : {"stretch", "pad", "crop"}, default="stretch"
        Way to the proportions of `size`: change them, add black borders, or cut off the ends of the
        longer side. Borders show the shape of the original, by which images would be grouped.
    spacing : float or tuple of float, default=None
        Millimetres per pixel of the result. If given, `fit` has no effect: images are brought to
        this spacing, and cropped or padded about their middle. None fits each image to `size`.
    frames : {"middle", "all"} or int, default="middle"
        Frames or slices to read from a file that has several: the middle one, all, or so many,
        evenly spaced.
    axis : {0, 1, 2}, default=2
        Axis along which NIfTI volumes are cut: sagittal, coronal or axial slices.
    window : (float, float), default=None
        Intensities that become black and white in DICOM and NIfTI files, in their unit: (-1000,
        400) Hounsfield units for a lung. None takes the window in the file. If there is none, it
        takes the range of the stored bits for projections such as X-rays, and the percentiles .5
        and 99.5 otherwise.
    color : {"auto", "grey", "rgb"}, default="auto"
        Channels of the result. "auto" is "rgb" if more than half of the images have colours.
    dtype : {"uint8", "uint16", "float32"}, default="uint8"
        Type of the result. Black is 0; white is 255, 65535 or 1.
    metadata : str, path-like or DataFrame, default=None
        Table about images or patients, such as a CSV file. Its rows are joined by file name, end of
        the path or patient, whichever matches most.
    patient : str, default=None
        Column of the table that names the patient. None keeps the patient that the files name.
    n_jobs : int, default=None
        Number of processes that read; -1 is one per core. None means 1.
    cache : str or path-like, default=None
        Folder that keeps what was read: a reading that was stopped goes on from there, and the
        result is memory-mapped. None keeps the images in memory.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    bunch : Bunch
        data : ndarray or memmap of shape (n_images, H, W), (n_images, H, W, 3) or \
(n_images, D, H, W)
            Images.
        metadata : DataFrame
            One row per image, in the order of `data`: file, patient, study, series, frame, original
            height and width, bits, photometric interpretation, modality, manufacturer, model,
            station, spacing, intensities at black and white, mean and contrast (the standard
            deviation, both as shares of white), share of border, and the columns of the table.
        failures : DataFrame
            File and reason, for each file that was not read.
        unmatched : DataFrame
            Images without a row of the table, and rows without an image.
        reading : Reading
            Options. ``reading.read(paths)`` reads later files in the same way.

    Raises
    ------
    ValueError
        If an option is invalid, or no image can be read.
    FileNotFoundError
        If a path does not exist.
    ImportError
        If a package of the extra ``files`` is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.images import read_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for index, image in enumerate(make_toy_images(3, random_state=0).data):
    ...         Image.fromarray(image).save(Path(folder) / f"{index}.png")
    ...     found = read_images(folder, size=16)
    >>> found.data.shape, found.data.dtype, len(found.failures)
    ((3, 16, 16), dtype('uint8'), 0)
    >>> list(found.metadata.file)
    ['0.png', '1.png', '2.png']
    """
    size = (size, size) if isinstance(size, Integral) else size
    spacing = (spacing,) * len(size) if isinstance(spacing, Real) else spacing
    reading = Reading(
        tuple(size),
        fit,
        None if spacing is None else tuple(spacing),
        frames,
        axis,
        None if window is None else tuple(window),
        color,
        dtype,
    )
    return reading.read(
        paths, metadata=metadata, patient=patient, n_jobs=n_jobs, cache=cache, verbose=verbose
    )


def _check_options(reading):
    """Raise if an option of a reading is invalid."""
    _check(
        len(reading.size) in (2, 3) and all(_is_whole(side, 4) for side in reading.size),
        "size must be a whole number from 4 on, or two or three of them",
        reading.size,
    )
    _check(reading.fit in _FITS, f"fit must be one of {_FITS}", reading.fit)
    _check(
        reading.spacing is None
        or (len(reading.spacing) == len(reading.size) and all(mm > 0 for mm in reading.spacing)),
        "spacing must be None, a positive number, or one for each side of size",
        reading.spacing,
    )
    _check(
        reading.frames in ("middle", "all") or _is_whole(reading.frames, 1),
        "frames must be 'middle', 'all' or a whole number from 1 on",
        reading.frames,
    )
    _check(reading.axis in (0, 1, 2), "axis must be 0, 1 or 2", reading.axis)
    _check(
        reading.window is None
        or (len(reading.window) == 2 and reading.window[0] < reading.window[1]),
        "window must be None or (low, high) with low < high",
        reading.window,
    )
    _check(
        reading.color in ("auto", "grey", "rgb"),
        "color must be 'auto', 'grey' or 'rgb'",
        reading.color,
    )
    _check(reading.dtype in _DTYPES, f"dtype must be one of {tuple(_DTYPES)}", reading.dtype)


def _check(holds, rule, value):
    if not holds:
        raise ValueError(f"{rule}, got {value!r}.")


def _is_whole(value, least):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= least


def _why(failures):
    """Return the commonest reasons of failures, for the end of a message."""
    counts = Counter(failures.values()).most_common(3)
    return "".join(f" {count} x {reason}." for reason, count in counts)


def _make_chunks(files, folder, reading):
    """Return {path of the chunk: {name: path of the file}}."""
    names = list(files)
    parts = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
    parts = [{name: files[name] for name in part} for part in parts]
    return {chunk_path(folder, part, reading): part for part in parts}


def _write_chunks(chunks, reading, n_jobs, verbose):
    """Read all chunks in processes; return {name: reason} of files that ended their process."""
    n_files = sum(map(len, chunks.values()))
    with tqdm(total=n_files, unit="file", disable=not verbose) as bar:
        try:
            _run(chunks, reading, n_jobs, bar)
        except BrokenProcessPool:
            return _run_one_by_one(chunks, reading, bar)
    return {}


def _run(chunks, reading, n_jobs, bar):
    done = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_write_and_count)(path, files, reading) for path, files in chunks.items()
    )
    for n_files in done:
        bar.update(n_files)


def _write_and_count(path, files, reading):
    write_chunk(path, files, reading)
    return len(files)


def _run_one_by_one(chunks, reading, bar):
    """Read the chunks that are missing, each file in a process that it may end."""
    failures = {}
    for path in [path for path in chunks if not path.exists()]:
        for name in list(chunks[path]):
            one = {name: chunks[path].pop(name)}
            target = chunk_path(path.parent, one, reading)
            try:
                _run({target: one}, reading, 2, bar)
            except BrokenProcessPool:
                failures[name] = "the decoder of this file ended the process"
            else:
                chunks[target] = one
    return failures


def _gather(reading, rows, failures, table, cache):
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
        data=data, metadata=metadata, failures=failed, unmatched=unmatched, reading=reading
    )


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
    image = image * _DTYPES[reading.dtype]
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
    white = _DTYPES[data.dtype.name]
    pairs = [(image.mean() / white, image.std(dtype=np.float64) / white) for image in data]
    return zip(*pairs, strict=True)
