"""Read folders of image files into one array, and later files in the same way."""

import json
import tempfile
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from pathlib import Path

from joblib import Parallel, delayed
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from .._utils.extras import import_extra
from ._chunks import chunk_path, read_rows, write_chunk
from ._files import find_files
from ._frames import Choices
from ._gather import DTYPES, gather
from ._tables import read_table

#: Files per chunk: some seconds of work.
_CHUNK = 64
_FITS = ("stretch", "pad", "crop")


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
            return gather(self, rows, failures, table, cache)

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
        groups : ndarray of str of shape (n_images,)
            Patient of each image, from the table or the file. If it is not known, the file, so that
            slices of a volume and frames of a file are one patient. Pass it as ``groups=``.
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
    _check(reading.dtype in DTYPES, f"dtype must be one of {tuple(DTYPES)}", reading.dtype)


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
