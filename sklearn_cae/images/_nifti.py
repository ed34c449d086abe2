"""Volumes in NIfTI and its relatives Analyze and MGH, read by nibabel."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from .._utils.extras import import_extra
from ._frames import Choices, Frame, limits_of_most
from ._pixels import damage_told

_GZIP = b"\x1f\x8b"
#: Bytes that hold the header of each format, and more of a file that gzip made smaller.
_HEAD = 4096
#: Magic texts of NIfTI 1, at byte 344, and of NIfTI 2, at byte 4; with the class of nibabel.
_NIFTI_1 = {b"n+1\x00": "Nifti1Image", b"ni1\x00": "Nifti1Pair"}
_NIFTI_2 = {b"n+2\x00": "Nifti2Image", b"ni2\x00": "Nifti2Pair"}
#: Classes whose header is a file of its own.
_PAIRS = ("Nifti1Pair", "Nifti2Pair", "Spm2AnalyzeImage")
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
#: First bytes of formats of volumes and tracks that are not read, and their names.
_UNREAD = {
    b"CDF\x01": "MINC 1 or netCDF",
    b"CDF\x02": "MINC 1 or netCDF",
    b"\x89HDF\r\n": "MINC 2 or another HDF5",
    b"# === DATA DESCRIPTION FILE": "Philips PAR",
    b"\ntype = ": "AFNI HEAD",
    b"type = ": "AFNI HEAD",
    b"MATRIX7": "ECAT",
    b"NRRD0": "NRRD",
    b"ObjectType": "MetaImage",
    b"TRACK\x00": "TrackVis",
    b"mrtrix tracks": "MRtrix tracks",
}


def is_nifti(path: Path) -> bool:
    """Return whether a file is NIfTI, Analyze or MGH by content, as it is or in gzip."""
    return _class_of(_head(path)) is not None


def has_header_beside(path: Path) -> bool:
    """Return whether a file holds the voxels of a header (.hdr) beside it, which reads both.

    Examples
    --------
    >>> has_header_beside(Path("brain.img"))
    False
    """
    if path.name.lower().removesuffix(".gz")[-4:] != ".img":
        return False
    return any(is_nifti(header) for header in _siblings(path, ".hdr"))


def unread_format(path: Path) -> str | None:
    """Return the name of the format of a volume that is known but not read, such as MINC."""
    head = _head(path)
    return next((name for start, name in _UNREAD.items() if head.startswith(start)), None)


def nifti_frames(path: Path, choices: Choices) -> Iterator[Frame]:
    """Yield slices of a NIfTI, Analyze or MGH volume as a radiologist sees them, or the volume.

    The array is brought to the closest canonical orientation, in which its axes grow to the right,
    to anterior and to superior. In axial slices anterior is at the top, in coronal and sagittal
    ones superior is. The left of the patient is at the right side of axial and coronal slices;
    anterior is at the left side of sagittal ones. Slices are counted from the left, from posterior
    or from inferior.

    The volume is scaled by slope and intercept; a slope of 0 or NaN means no scaling. In a series
    of volumes, (X, Y, Z, T), the first is read, also if the last axis could be one of colours.
    Analyze does not tell left from right: the voxels of one row are taken to run from right to
    left, as nibabel takes them.

    Parameters
    ----------
    path : Path
        File of the volume; of a pair, the header (.hdr).
    choices : Choices
        Choices of the user. A volume is (D, H, W), with slices along `axis` first.

    Yields
    ------
    frame : Frame
        Slice or volume, in the unit of the file, with millimetres as spacing. Limits are the window
        or those of most voxels of the whole volume. In `about`, `orientation` has the letters of
        the file's own axes, to which they grow, and `stored_axis` and `stored_slice` tell where
        in the file's own array the slice lies.

    Raises
    ------
    ValueError
        If the file is damaged, the image of a pair is missing, or the array is no volume of
        intensities.
    ImportError
        If nibabel is not installed.

    References
    ----------
    `NIfTI-1 data format <https://nifti.nimh.nih.gov/nifti-1>`_, 2004.

    Examples
    --------
    >>> import tempfile
    >>> import nibabel
    >>> from sklearn_cae.images._frames import Choices
    >>> volume = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "sub-01_T1w.nii.gz")
    ...     nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 2, 3, 1])), path)
    ...     (frame,) = nifti_frames(path, Choices())
    >>> bool((frame.pixels == volume[::-1, ::-1, 2].T).all()), frame.spacing
    (True, (2.0, 1.0))
    >>> frame.about["patient"], frame.about["frame"], frame.about["orientation"]
    ('sub-01', 2, 'RAS')
    """
    nibabel = import_extra("nibabel", "NIfTI files are read with", "files")
    of_nibabel = (nibabel.spatialimages.HeaderDataError, nibabel.filebasedimages.ImageFileError)
    with damage_told(*of_nibabel), ExitStack() as stack:
        image = _image(path, nibabel, stack)
        stored = _first_volume(image)
        _check_sums(image)
        yield from _frames(path, choices, image, stored, nibabel)


def _frames(path, choices, image, stored, nibabel):
    """Yield the frames of a stored volume, (X, Y, Z) or (X, Y, Z, 3)."""
    axis = choices.axis
    to_canonical = _orientation(image.affine, nibabel)
    slices = _as_seen(nibabel.apply_orientation(stored, to_canonical), axis)
    limits, scaling = _limits(slices, choices.window)
    spacing, positions = _geometry(image, stored.shape[:3], to_canonical, axis, nibabel)
    about = {
        **_names(path),
        "n_frames": len(slices),
        "bits": 8 if slices.ndim == 4 else 8 * image.get_data_dtype().itemsize,
        "scaling": scaling,
        "axis": axis,
        "orientation": "".join(nibabel.aff2axcodes(image.affine)),
        "n_volumes": int(np.prod(image.shape[3:])),
    }
    if choices.is_volume:
        if slices.ndim == 4:
            raise ValueError("the volume has colours: volumes must be grey")
        if min(slices.shape) == 1:
            raise ValueError("holds one slice, not a volume. Read slices (size=64)")
        yield _frame(slices, limits, spacing, about)
        return
    stored_axis = int(np.flatnonzero(to_canonical[:, 0] == axis)[0])
    is_flipped = to_canonical[stored_axis, 1] < 0
    for index in choices.of(len(slices)):
        own = {
            "frame": index,
            "position": float(positions[index]),
            "stored_axis": stored_axis,
            "stored_slice": len(slices) - 1 - index if is_flipped else index,
        }
        yield _frame(slices[index], limits, spacing[1:], about | own)


def _head(path):
    """Return the first bytes of a file, unpacked from gzip."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(_GZIP):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except zlib.error:
        return b""


def _class_of(head):
    """Return the name of nibabel's class for a header, or None."""
    name = _NIFTI_1.get(head[344:348]) or _NIFTI_2.get(head[4:8])
    if name is None and _is_analyze(head):
        return "Spm2AnalyzeImage"
    if name is None and _is_mgh(head):
        return "MGHImage"
    return name


def _is_analyze(head):
    """Return whether a header has the size and the number of dimensions of Analyze 7.5."""
    for order in ("<", ">"):
        if len(head) >= 348 and np.frombuffer(head, f"{order}i4", 1) == 348:
            return 1 <= np.frombuffer(head, f"{order}i2", 1, offset=40)[0] <= 7
    return False


def _is_mgh(head):
    """Return whether a header has version 1, sides and type of MGH, which has no magic text."""
    if len(head) < 28:
        return False
    version, *sides, kind = np.frombuffer(head, ">i4", 6)
    return version == 1 and all(0 < side < 2**15 for side in sides) and kind in (0, 1, 3, 4)


def _image(path, nibabel, stack):
    """Open a file, and of a pair both, as an image of nibabel."""
    name = _class_of(_head(path))
    if name in _PAIRS:
        voxels = _siblings(path, ".img")
        if not voxels:
            raise ValueError(f"the header has no image: {_stem(path)}.img is not beside it")
        files = {"header": path, "image": voxels[0]}
    else:
        files = {"image": path}
    holders = {
        part: nibabel.FileHolder(fileobj=stack.enter_context(_opened(file)))
        for part, file in files.items()
    }
    if name == "Spm2AnalyzeImage":  # the affine of SPM, if there is one
        holders["mat"] = nibabel.FileHolder(filename=path.with_name(f"{_stem(path)}.mat"))
    return getattr(nibabel, name).from_file_map(holders, mmap=False)


def _opened(path):
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    return gzip.open(path) if is_packed else path.open("rb")


def _siblings(path, suffix):
    """Return the files beside a path that have its name and another suffix, as it is or packed."""
    names = [_stem(path) + each for each in (suffix, suffix.upper(), f"{suffix}.gz")]
    return [path.with_name(name) for name in names if path.with_name(name).is_file()]


def _first_volume(image):
    """Return the first volume of an image as stored: (X, Y, Z), or (X, Y, Z, 3) for colours."""
    shape = image.shape
    if len(shape) < 2 or 0 in shape or np.prod(shape[4:]) > 1:
        raise ValueError(f"the array of shape {shape} is no volume of intensities")
    volume = np.asarray(image.dataobj[(slice(None),) * min(3, len(shape)) + (0,) * len(shape[3:])])
    volume = volume.reshape((*shape[:3], 1)[:3])
    if volume.dtype.names:
        return _colors(volume)
    if volume.dtype.kind not in "buif":
        raise ValueError(f"the voxels are of type {volume.dtype}, not real numbers")
    too_wide = volume.dtype.itemsize > 8
    return volume.astype(np.float64 if too_wide else volume.dtype.newbyteorder("="), copy=False)


def _check_sums(image):
    """Read packed files to their end, where gzip compares its checksum.

    nibabel stops after the last voxel. Voxels of a damaged file are then wrong in silence.
    """
    for holder in image.file_map.values():
        if isinstance(holder.fileobj, gzip.GzipFile):
            while holder.fileobj.read(2**20):
                pass


def _colors(volume):
    """Return RGB of a structured array with or without alpha."""
    if "A" in volume.dtype.names and np.ptp(volume["A"]):
        raise ValueError("the voxels are transparent in part, and alpha is no intensity")
    return np.stack([volume[name] for name in "RGB"], axis=-1)


def _orientation(affine, nibabel):
    """Return the canonical axis of each stored axis, and the sign of its direction."""
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise ValueError("the affine is not invertible, so that the orientation is unknown")
    return nibabel.io_orientation(affine)


def _as_seen(volume, axis):
    """Return a canonical volume, (X, Y, Z), as slices along an axis, in the usual view."""
    return np.moveaxis(volume, axis, 0)[:, ::-1, ::-1].swapaxes(1, 2)


def _limits(slices, window):
    if slices.ndim == 4:
        return (0, 255), "bits"
    if window is not None:
        return window, "window"
    return limits_of_most(slices), "percentiles"


def _geometry(image, shape, to_canonical, axis, nibabel):
    """Return the spacing of slices, rows and columns, and the position of each slice, in mm."""
    affine = image.affine @ nibabel.orientations.inv_ornt_aff(to_canonical, shape)
    units = getattr(image.header, "get_xyzt_units", lambda: ("mm",))
    affine = affine[:3] * _MILLIMETRES[units()[0]]
    sides = np.linalg.norm(affine[:, :3], axis=0)
    columns, rows = (other for other in range(3) if other != axis)
    normal = affine[:, axis] / sides[axis]
    n_slices = shape[int(np.flatnonzero(to_canonical[:, 0] == axis)[0])]
    positions = normal @ affine[:, 3] + sides[axis] * np.arange(n_slices)
    return tuple(float(sides[each]) for each in (axis, rows, columns)), positions


def _stem(path):
    return re.sub(r"\.(nii|hdr|img|mgh|mgz)?(\.gz)?$", "", path.name, flags=re.IGNORECASE)


def _names(path):
    """Return the series, the name of the file, and the patient, by BIDS the nearest "sub-"."""
    found = re.findall(r"(?:^|[/_])(sub-[A-Za-z0-9]+)", path.as_posix())
    return {"series": _stem(path), **({"patient": found[-1]} if found else {})}


def _frame(pixels, limits, spacing, about):
    pixels = np.ascontiguousarray(pixels)
    finite = np.isfinite(pixels)
    return Frame(pixels, limits, None if finite.all() else finite, spacing, about)
