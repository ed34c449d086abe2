#!/usr/bin/env bash
# pydicom's apply_color_lut gives wrong colours for two kinds of valid palettes, without a word, and
# refuses a third kind or gets it wrong.
#
# Versions: Python 3.11, pydicom 3.0.2, numpy 2.4.6.
# Guess: the colour of index i is entry i of the palette, whatever the bits of the index and of the
#   entries, the byte order of the file, and the way in which the palette is stored.
# Seen: with entries of 8 bits, an index of 16 bits is taken modulo 256: index 256 has the colour of
#   index 0. In a file of explicit VR big endian, entries of 16 bits have their bytes swapped. In a
#   segmented palette of 16 bits, the pointer of an indirect segment counts bytes (PS3.3,
#   C.7.9.2.3; GDCM divides it by the size of an entry), but is used as a count of entries: here
#   this ends in a ValueError.
# Way out: decode the three tables in the byte order of the file, and look up clipped indices.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicom==3.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import io
from importlib.metadata import version

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_color_lut
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

for name in ("pydicom", "numpy"):
    print(name, version(name))


def colors(index, data, n, bits, syntax=ExplicitVRLittleEndian, prefix=""):
    """Write a file of palette indices, read it, and return the red of its colours."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.PhotometricInterpretation, ds.SamplesPerPixel = "PALETTE COLOR", 1
    ds.Rows, ds.Columns = 1, len(index)
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    for color in ("Red", "Green", "Blue"):
        setattr(ds, f"{color}PaletteColorLookupTableDescriptor", [n, 0, bits])
        setattr(ds, f"{prefix}{color}PaletteColorLookupTableData", data)
    ds.PixelData = np.array(index, dtype=f"{order}u2").tobytes()
    ds["PixelData"].VR = "OW"
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    file.seek(0)
    ds = pydicom.dcmread(file)
    return apply_color_lut(ds.pixel_array, ds)[0, :, 0].tolist()


def tell(what, found, right):
    print(f"{what}: {found}, right: {right}")
    assert found != right, what


index = [0, 255, 256, 299]
table = (np.arange(300) // 2).astype(np.uint8)
tell("16-bit index, entries of 8 bits", colors(index, table.tobytes(), 300, 8), [0, 127, 128, 149])

index, table = [0, 1, 2, 3], [0, 256, 3000, 65535]
little = colors(index, np.array(table, "<u2").tobytes(), 4, 16)
assert little == table, little
big = colors(index, np.array(table, ">u2").tobytes(), 4, 16, ExplicitVRBigEndian)
tell("big endian, entries of 16 bits", big, table)

# Discrete: 7. Discrete: 10, 20 (starts at word 3, which is byte 6). Indirect: the segment at byte 6.
segments = np.array([0, 1, 7, 0, 2, 10, 20, 2, 1, 6, 0], "<u2").tobytes()
try:
    found = colors([0, 1, 2, 3, 4], segments, 5, 16, prefix="Segmented")
except Exception as error:
    found = repr(error)
tell("indirect segment of 16 bits", found, [7, 10, 20, 10, 20])
PY
echo "as stated"
