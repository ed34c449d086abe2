"""Columns that are compared with the clusters: those of the user, and how images were taken."""

from dataclasses import dataclass, field

import numpy as np

from .._input.columns import read_columns
from .._input.looks import gray_blocks
from ..images._resize import share_of_border

#: Names of columns that tell a file or a patient, as lower case letters: those of `read_images`, of
#: DICOM, and usual ones in tables of hospitals.
_IDENTIFIERS = {
    *("file", "filename", "filepath", "path", "id", "name", "firstname", "lastname", "surname"),
    *("patient", "patientid", "patientname", "patientsname", "patientnumber", "mrn", "subject"),
    *("subjectid", "participant", "participantid", "dob", "birthdate", "dateofbirth"),
    *("patientbirthdate", "patientsbirthdate", "study", "studyid", "studyuid", "studyinstanceuid"),
    *("series", "seriesid", "seriesuid", "seriesinstanceuid", "sopinstanceuid", "accession"),
    *("accessionnumber",),
}
#: Share of the categories that belong to one patient, if they are names.
_OWN = 0.9
#: Columns that tell how an image was taken or stored, in lower case: those of `read_images`, and
#: usual names in tables of hospitals.
TECHNICAL = {
    *("kind", "frame", "n_frames", "height", "width", "aspect", "bits", "photometric", "modality"),
    *("manufacturer", "model", "station", "view_position", "row_spacing", "column_spacing"),
    *("slice_spacing", "slice_thickness", "position", "instance", "orientation", "scaling"),
    *("black", "white", "mean", "brightness", "contrast", "border", "has_color"),
    *("scanner", "site", "hospital", "center", "centre", "device", "detector", "vendor"),
    *("clinic", "institution", "exposure", "kvp", "kernel"),
}
#: What is measured in X if the metadata do not have it, and its name in `read_images`.
_MEASURED = ("brightness", "contrast", "border")
_ALSO = {"brightness": "mean"}


@dataclass
class Columns:
    """Columns, each as its name, its numbers or codes, and names of categories (None for numbers).

    Parameters
    ----------
    own : list of (str, ndarray, list of str or None)
        Columns of the user.
    technical : list of (str, ndarray, list of str or None)
        Columns that tell how images were taken.
    left_out : list of str
        Columns that name patients or files.
    """

    own: list = field(default_factory=list)
    technical: list = field(default_factory=list)
    left_out: list = field(default_factory=list)

    @property
    def all(self):
        """All columns, those of the user first."""
        return self.own + self.technical


def check_metadata(metadata, n_samples, patients) -> Columns:
    """Return the columns of the metadata; raise if they do not match the samples."""
    if metadata is None:
        return Columns()
    columns = Columns()
    for name, values, categories in read_columns(metadata, n_samples):
        if name.lower() in TECHNICAL:
            columns.technical.append((name, values, categories))
        elif _letters(name) in _IDENTIFIERS or _names_patients(values, categories, patients):
            columns.left_out.append(name)
        else:
            columns.own.append((name, values, categories))
    return columns


def _letters(name):
    return "".join(each for each in name.lower() if each.isalpha())


def _names_patients(values, categories, patients):
    """Return whether a column tells who a patient is.

    That is, nearly each category belongs to one patient, as names and numbers of studies do. Or
    each patient has a whole number of its own.
    """
    if patients is None:
        return False
    known = np.isfinite(values) if categories is None else values >= 0
    values, numbers = values[known], patients.numbers[known]
    pairs = np.unique(np.column_stack([values, numbers]), axis=0)
    found, n_owners = np.unique(pairs[:, 0], return_counts=True)
    n_patients = len(np.unique(numbers))
    if n_patients < 2:
        return False
    if categories is not None:  # a few patients may have the same name
        return (n_owners == 1).mean() >= _OWN and len(found) > n_patients / 2
    return len(found) == len(pairs) == n_patients and bool((values % 1 == 0).all())


def add_measured(columns, samples, intensity_range):
    """Add brightness, contrast, border and proportions, if the metadata do not have them.

    Parameters
    ----------
    columns : Columns
        Columns of the metadata; new ones are added to the technical ones.
    samples : Samples
        Checked images.
    intensity_range : (float, float)
        Intensities of black and white.
    """
    given = {name for name, *_ in columns.technical}
    sides = {name: values for name, values, categories in columns.technical if categories is None}
    if {"height", "width"} <= set(sides) and "aspect" not in given:
        columns.technical.append(("aspect", sides["width"] / sides["height"], None))
    wanted = [name for name in _MEASURED if name not in given and _ALSO.get(name) not in given]
    if wanted:
        measured = _measure(samples, intensity_range)
        columns.technical += [(name, measured[name], None) for name in wanted]


def _measure(samples, intensity_range):
    low, high = intensity_range
    format, parts = samples.format, []
    for block in gray_blocks(samples.X, format.image_shape, format.channels_last):
        images = (block - low) / (high - low)
        axes = tuple(range(1, images.ndim))
        slices = images[:, images.shape[1] // 2] if images.ndim == 4 else images
        borders = [share_of_border(each) for each in slices]
        parts.append([images.mean(axis=axes), images.std(axis=axes), borders])
    values = np.concatenate(parts, axis=1)
    return dict(zip(_MEASURED, values.astype(float), strict=True))
