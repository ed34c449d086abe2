"""Frames of a DICOM file: in real units, in order, with the limits that the file asks for."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .._utils.extras import import_extra
from . import _dicom_tags as tags
from ._dicom_pixels import (
    apply_palette,
    decode,
    look_up,
    not_padding,
    prepare,
    read_table,
    rescale,
)
from ._frames import Choices, Frame, limits_of_most

#: Modalities whose values use a small and unknown part of the range that the bits declare.
OPEN_RANGES = {"CT", "MR", "PT", "NM", "RTDOSE"}
#: Kinds of values in explicit encoding that files start with.
FIRST_KINDS = {b"UL", b"OB", b"UI", b"CS", b"LO", b"DA", b"TM", b"SH", b"AE", b"ST", b"SQ", b"DT"}


def is_dicom(path: Path) -> bool:
    """Return whether the content of a file, not its suffix, is that of DICOM.

    A file has "DICM" after 128 bytes. Old files start with a tag of group 2 or 8 instead.
    """
    with open(path, "rb") as file:
        head = file.read(512)
    return head[128:132] == b"DICM" or any(_starts(head, order) for order in ("little", "big"))


def _starts(head, order):
    """Return whether bytes start with two tags in rising order, the first of group 2 or 8."""
    group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
    if len(head) < 12 or group not in (2, 8):
        return False
    kind = head[4:6]
    if kind in FIRST_KINDS:
        return True
    length = int.from_bytes(head[4:8], order)
    after = head[8 + length : 12 + length]
    next_tag = tuple(int.from_bytes(after[i : i + 2], order) for i in (0, 2))
    is_tag = len(after) == 4 and next_tag[0] in (group, 8) and next_tag > (group, element)
    return order == "little" and length % 2 == 0 and is_tag


def dicom_frames(path: Path, choices: Choices) -> Iterator[Frame]:
    """Yield the chosen frames of a DICOM file.

    Pixels are in the unit of the file: after the modality table, or the slope and intercept of
    each frame. The limits are those of ``choices.window``, else of the first window of the file.
    Without a window, a table of the file is applied; without both, the limits are the range that
    the bits declare, or for CT, MR, PT, NM, doses and floats the percentiles .5 and 99.5. Frames
    of enhanced files come in the order of their positions.

    Parameters
    ----------
    path : Path
        A DICOM file, whatever its suffix.
    choices : Choices
        Frames to read, window, and whether the frames are one volume.

    Yields
    ------
    frame : Frame
        The low limit is the higher number if low values are white (MONOCHROME1).

    Raises
    ------
    ValueError
        If the file holds no image, if it is damaged, or if no decoder for it is installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from pydicom.data import get_testdata_file
    >>> from sklearn_cae.images._dicom import dicom_frames
    >>> from sklearn_cae.images._frames import Choices
    >>> path = Path(get_testdata_file("CT_small.dcm"))
    >>> (frame,) = dicom_frames(path, Choices(window=(-160, 240)))
    >>> frame.pixels.shape, frame.pixels.min(), frame.limits
    ((128, 128), np.float32(-896.0), (-160.0, 240.0))
    """
    with _without_warnings():
        dataset = _read(path)
        prepare(dataset)
        order = _order(dataset)
    for place in [None] if choices.is_volume else choices.of(len(order)):
        with _without_warnings():
            if place is None:
                frame = _volume(dataset, order, choices)
            else:
                frame = _frame(dataset, order[place], choices)
        yield frame


@contextmanager
def _without_warnings():
    """Silence pydicom, which warns of each tag that breaks a rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read(path):
    pydicom = import_extra("pydicom", "DICOM files are read with", "files")
    try:
        return pydicom.dcmread(path, force=True)
    except OSError:
        raise
    except Exception as error:  # damaged bytes make pydicom fail in any way
        raise ValueError(f"is a damaged DICOM file: {error}") from error


def _order(dataset):
    """Return the indices of the frames, by position if each has one."""
    indices = list(range(int(dataset.NumberOfFrames)))
    positions = _positions(dataset)
    return indices if positions is None else sorted(indices, key=positions.__getitem__)


def _positions(dataset):
    """Return where each frame of an enhanced file lies along its normal, or None."""
    if tags.item(dataset, "PerFrameFunctionalGroupsSequence") is None:
        return None
    positions = [tags.position(dataset, index) for index in range(int(dataset.NumberOfFrames))]
    return None if None in positions else positions


def _frame(dataset, index, choices):
    stored = decode(dataset, index)
    if stored.ndim == 3 or dataset.PhotometricInterpretation == "PALETTE COLOR":
        return _color_frame(stored, dataset, index)
    pixels, valid, declared = _real(stored, dataset, index)
    pixels, limits, scaling = _display(pixels, valid, declared, dataset, index, choices)
    about = _about(dataset, index, dataset.BitsStored, scaling)
    return Frame(pixels, limits, valid, tags.spacing(dataset, index), about)


def _color_frame(stored, dataset, index):
    bits = dataset.BitsStored
    if stored.ndim == 2:
        stored, bits = apply_palette(stored, dataset)
    about = _about(dataset, index, bits, "bits")
    return Frame(stored, (0.0, 2.0**bits - 1), None, tags.spacing(dataset, index), about)


def _about(dataset, index, bits, scaling):
    about = {"frame": index, "n_frames": int(dataset.NumberOfFrames), "bits": int(bits)}
    return {**tags.describe(dataset, index), **about, "scaling": scaling}


def _real(stored, dataset, index):
    """Return pixels in the unit of the file, where they are valid, and their declared range.

    The range is None if the bits say little about the values.
    """
    valid = not_padding(stored, dataset)
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        valid = np.isfinite(stored) if valid is None else valid & np.isfinite(stored)
    pixels, declared = rescale(stored, dataset, index)
    is_open = tags.text(dataset, "Modality") in OPEN_RANGES or stored.dtype.kind == "f"
    return pixels, valid, None if is_open or dataset.BitsStored > 16 else declared


def _display(pixels, valid, declared, dataset, index, choices):
    """Return pixels, their limits, and the origin of the limits.

    The pixels change if the file shows them through a table or a curve.
    """
    pixels, limits, scaling = _shown(pixels, valid, declared, dataset, index, choices)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        limits = limits[::-1]
    return pixels, tuple(float(limit) for limit in limits), scaling


def _shown(pixels, valid, declared, dataset, index, choices):
    if choices.window is not None:
        return pixels, choices.window, "window"
    for place in tags.places(dataset, index, "FrameVOILUTSequence"):
        if (window := _window(place)) is not None:
            return _through_window(pixels, valid, *window)
    if (found := read_table(tags.item(dataset, "VOILUTSequence"), "LUT", dataset)) is not None:
        table, start, bits = found
        return look_up(pixels, table, start), (0, 2**bits - 1), "window"
    if declared is not None:
        return pixels, declared, "bits"
    return pixels, limits_of_most(pixels, valid), "percentiles"


def _through_window(pixels, valid, limits, is_curve):
    """Show pixels through a window, unless it makes different pixels all black or all white."""
    known = pixels if valid is None else pixels[valid]
    if not known.size:
        raise ValueError("no pixel has a finite value")
    low, high = known.min(), known.max()
    if low < high and (limits[1] <= low or high <= limits[0]):
        return pixels, limits_of_most(pixels, valid), "percentiles"
    if is_curve:
        return _sigmoid(pixels, limits), (0, 1), "window"
    return pixels, limits, "window"


def _window(place):
    """Return the limits of the first window, and whether it is a curve; None without one.

    References
    ----------
    DICOM PS3.3, C.11.2.1.2 "Window Center and Window Width" and C.11.2.1.3 "VOI LUT Function".
    """
    center, width = tags.number(place, "WindowCenter"), tags.number(place, "WindowWidth")
    if center is None or width is None or width <= 0:
        return None
    shape = (tags.text(place, "VOILUTFunction") or "LINEAR").upper()
    if shape not in ("LINEAR_EXACT", "SIGMOID") and width >= 1:
        center, width = center - 0.5, (width - 1) or 1.0  # whole numbers: a width of 1 has 1 step
    low, high = center - width / 2, center + width / 2
    return ((low, high), shape == "SIGMOID") if low < high else None


def _sigmoid(pixels, limits):
    low, high = limits
    exponent = -4 * (pixels - (low + high) / 2) / (high - low)
    return 1 / (1 + np.exp(np.clip(exponent, -80, 80)))  # float32 overflows at 89


def _volume(dataset, order, choices):
    """Return the frames of a file as one volume, (D, H, W), with the limits of the middle one."""
    order = _one_per_position(dataset, order)
    if len(order) == 1:
        raise ValueError(
            "holds one slice, not a volume. Read slices (size=64), or convert the series to NIfTI"
        )
    if dataset.SamplesPerPixel > 1 or dataset.PhotometricInterpretation == "PALETTE COLOR":
        raise ValueError("holds frames in colour, which cannot be a volume. Read frames (size=64)")
    middle = order[len(order) // 2]
    slices = [_real(decode(dataset, index), dataset, index) for index in order]
    pixels, valid, declared = _stack(slices)
    pixels, limits, scaling = _display(pixels, valid, declared, dataset, middle, choices)
    about = _about(dataset, middle, dataset.BitsStored, scaling)
    del about["frame"]
    return Frame(pixels, limits, valid, _volume_spacing(dataset, order), about)


def _one_per_position(dataset, order):
    """Return the first frame of each position: later ones are later times, or other echoes."""
    positions = _positions(dataset)
    if positions is None:
        return order
    found = {}
    for index in order:
        found.setdefault(positions[index], index)
    return list(found.values())


def _stack(slices):
    """Stack slices of (pixels, valid, declared range)."""
    pixels, valid, ranges = zip(*slices, strict=True)
    if any(part is not None for part in valid):
        whole = np.ones(pixels[0].shape, dtype=bool)
        valid = np.stack([whole if part is None else part for part in valid])
    else:
        valid = None
    lows, highs = zip(*ranges, strict=True) if None not in ranges else (None, None)
    return np.stack(pixels), valid, None if lows is None else (min(lows), max(highs))


def _volume_spacing(dataset, order):
    """Return the millimetres between slices, rows and columns, or None if one is unknown."""
    positions = _positions(dataset)
    if positions is None:
        between = tags.slice_spacing(dataset, order[0])
    else:
        between = float(np.median(np.diff([positions[index] for index in order])))
    in_plane = tags.spacing(dataset, order[0])
    return None if between is None or in_plane is None else (between, *in_plane)
