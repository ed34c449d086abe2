"""Values of DICOM tags: absent and odd ones are None, and never an error."""

import math

import numpy as np

TEXTS = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "photometric": "PhotometricInterpretation",
    "modality": "Modality",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "station": "StationName",
    "body_part": "BodyPartExamined",
    "view_position": "ViewPosition",
}


def get(dataset, keyword):
    """Return the value of a tag, or None if it is absent, empty or not readable."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom parses a value when it is asked for, and may fail in any way
        return None
    return None if value is None or value == "" else value


def put(dataset, keyword, value):
    """Set a tag, whose old value may be one that pydicom cannot read."""
    if keyword in dataset:
        delattr(dataset, keyword)
    setattr(dataset, keyword, value)


def text(dataset, keyword):
    """Return a text without spaces around it; several values are joined as in the file."""
    value = get(dataset, keyword)
    values = value if _is_list(value) else [value]
    joined = "\\".join(str(each) for each in values if each is not None)
    return joined.strip() or None


def numbers(dataset, keyword, n):
    """Return the first `n` values as floats, or None if one of them is not a finite number."""
    value = get(dataset, keyword)
    values = list(value) if _is_list(value) else [value]
    try:
        found = tuple(float(each) for each in values[:n])
    except (TypeError, ValueError):
        return None
    return found if len(found) == n and all(map(math.isfinite, found)) else None


def number(dataset, keyword):
    """Return the first value as a float, or None if it is not a finite number."""
    found = numbers(dataset, keyword, 1)
    return None if found is None else found[0]


def item(dataset, keyword, index=0):
    """Return an item of a sequence, or None if there is none."""
    value = get(dataset, keyword)
    if not _is_list(value) or index >= len(value) or not hasattr(value[index], "get"):
        return None
    return value[index]


def _is_list(value):
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)


def places(dataset, index, sequence):
    """Return the datasets in which a value of a frame may stand, the most special first.

    An enhanced file has a group of values for each frame and one that all frames share. Other
    files have the value at the top.
    """
    own = item(dataset, "PerFrameFunctionalGroupsSequence", index)
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    found = [item(group, sequence) for group in (own, shared) if group is not None]
    return [place for place in found if place is not None] + [dataset]


def first(found):
    """Return the first value that is not None."""
    return next((value for value in found if value is not None), None)


def numbers_of_frame(dataset, index, sequence, keyword, n):
    """Return `n` numbers from the first place of a frame that has them, or None."""
    return first(numbers(place, keyword, n) for place in places(dataset, index, sequence))


def position(dataset, index):
    """Return where a frame lies along its normal, in mm, or None.

    If a file with several frames has one position, this is no position of each frame.
    """
    own = item(dataset, "PerFrameFunctionalGroupsSequence", index)
    if own is None and (number(dataset, "NumberOfFrames") or 1) > 1:
        return None
    corner = numbers_of_frame(dataset, index, "PlanePositionSequence", "ImagePositionPatient", 3)
    axes = numbers_of_frame(
        dataset, index, "PlaneOrientationSequence", "ImageOrientationPatient", 6
    )
    if corner is None or axes is None:
        return None
    return float(np.dot(corner, np.cross(axes[:3], axes[3:])))


def spacing(dataset, index):
    """Return the millimetres between rows and between columns, or None.

    The spacing in the patient comes first, then that at the detector or on the scanned film.
    """
    group = "PixelMeasuresSequence"
    keywords = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    found = first(numbers_of_frame(dataset, index, group, keyword, 2) for keyword in keywords)
    return found if found is not None and min(found) > 0 else None


def slice_spacing(dataset, index):
    """Return the millimetres between slices that the file declares, or None."""
    group = "PixelMeasuresSequence"
    keywords = ("SpacingBetweenSlices", "SliceThickness")
    found = first(numbers_of_frame(dataset, index, group, keyword, 1) for keyword in keywords)
    return abs(found[0]) or None if found is not None else None


def describe(dataset, index):
    """Return what the file says about a frame: identifiers, the scanner, its position.

    Names and birth dates are never among it.
    """
    instance = number(dataset, "InstanceNumber")
    found = {name: text(dataset, keyword) for name, keyword in TEXTS.items()}
    found["position"] = position(dataset, index)
    found["instance"] = None if instance is None else int(instance)
    return {name: value for name, value in found.items() if value is not None}


def kind_of(dataset):
    """Name the kind of a file, such as "RT Plan Storage"."""
    meta = getattr(dataset, "file_meta", {})
    uid = first((get(dataset, "SOPClassUID"), get(meta, "MediaStorageSOPClassUID")))
    kind = getattr(uid, "name", None) or uid
    return str(first((kind, text(dataset, "Modality"), "a file of no named kind")))
