"""Images from files: DICOM, NIfTI, TIFF, PNG and JPEG of all sizes become one array.

Imports `_input`, `_utils`, and `_storage` for atomic writes. Readers import their package (extra
``files``) when they read.
"""

from ._check import ImageCheck, check_images
from ._findings import Finding
from ._originals import Originals
from ._read import Reading, read_images
from ._saved import load_reading

__all__ = [
    "Finding",
    "ImageCheck",
    "Originals",
    "Reading",
    "check_images",
    "load_reading",
    "read_images",
]
