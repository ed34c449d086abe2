"""Files of a folder, their kind by content, and the frames of one file."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ._dicom import dicom_frames, is_dicom
from ._frames import Choices, Frame
from ._nifti import has_header_beside, is_nifti, nifti_frames, unread_format
from ._pictures import is_picture, picture_frames
from ._tiff import is_tiff, tiff_frames

#: Kind of file: whether a path is one, by its first bytes, and its reader.
READERS = {
    "dicom": (is_dicom, dicom_frames),
    "nifti": (is_nifti, nifti_frames),
    "tiff": (is_tiff, tiff_frames),
    "picture": (is_picture, picture_frames),
}
#: First bytes of archives, of which gzip is read if a volume is in it.
_ARCHIVES = {b"PK\x03\x04": "ZIP", b"\x1f\x8b": "gzip", b"Rar!": "RAR", b"7z\xbc\xaf": "7z"}


def find_files(paths):
    """Return {name: path} of all files, and {name: reason} of folders that cannot be listed.

    Names are relative to the folder in which a file was found, with "/", in the order in which
    people count: image 2 comes before image 10. Hidden files are left out.
    """
    single = isinstance(paths, (str, os.PathLike))
    if not single and not isinstance(paths, Iterable):
        raise TypeError(f"paths must be a path or a list of paths, got {type(paths).__name__}.")
    roots = [Path(os.path.abspath(root)) for root in ([paths] if single else paths)]
    missing = [str(root) for root in roots if not root.exists()]
    if missing:
        raise FileNotFoundError(
            f"paths must name files or folders, got {missing[0]!r}, which does not exist."
        )
    base = _shared_folder(roots)
    files, failures = {}, {}
    for root in roots:
        for path in [root] if root.is_file() else _walk(root, base, failures):
            if not has_header_beside(path):  # read with its header
                files[path.relative_to(base).as_posix()] = path
    return {name: files[name] for name in sorted(files, key=_as_people_count)}, failures


def _shared_folder(roots):
    """Return the deepest folder that holds all roots: several may hold files of one name."""
    folders = [root if root.is_dir() else root.parent for root in roots]
    return Path(os.path.commonpath(folders) if folders else ".")


def _walk(root, base, failures):
    def note(error):
        failures[Path(error.filename).relative_to(base).as_posix()] = error.strerror

    for folder, _, names in os.walk(root, onerror=note):
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _as_people_count(name):
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def read_file(path: Path, choices: Choices) -> tuple[str, Iterator[Frame]]:
    """Return the kind of a file, and its frames.

    Raises
    ------
    ValueError
        If the file is no image.
    """
    for kind, (is_one, frames) in READERS.items():
        if is_one(path):
            return kind, frames(path, choices)
    raise ValueError(_why_none(path))


def _why_none(path):
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        return "the file is empty"
    for start, name in _ARCHIVES.items():
        if head.startswith(start):
            return f"the file is a {name} archive: unpack it first"
    if (name := unread_format(path)) is not None:
        return f"{name} files are not read: convert them to NIfTI or PNG"
    return "no image: the content is neither DICOM, NIfTI, TIFF nor a picture such as PNG or JPEG"
