#!/usr/bin/env bash
# pydicom reads all frames of a segmentation of one bit a pixel, but not always one of them.
#
# Versions: Python 3.11, pydicom 3.0.2, numpy 2.4.6.
# Guess: pixel_array(ds, index=i) equals pixel_array(ds)[i], and needs less memory.
# Seen: frames of one bit a pixel follow each other without a gap, so that a frame may start within
#   a byte. For an index, pydicom takes as many bytes as a frame fills if it starts on a byte: its
#   end is missing if it needs one byte more. This raises "cannot reshape array", for frames of
#   3 x 5 pixels from the second one on. The whole array is right.
# Way out: pixel_array(ds)[i], or unpack the bits from i * Rows * Columns on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicom==3.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits, pixel_array
from pydicom.uid import ExplicitVRLittleEndian

for name in ("pydicom", "numpy"):
    print(name, version(name))


def failing(height, width):
    """Return the frames, of 4, that are not read by their index."""
    bits = np.random.default_rng(0).integers(0, 2, (4, height, width)).astype(np.uint8)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.NumberOfFrames = "MONOCHROME2", 1, 4
    ds.Rows, ds.Columns = height, width
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit, ds.PixelRepresentation = 0, 0
    ds.PixelData = pack_bits(bits)
    ds["PixelData"].VR = "OB"
    assert np.array_equal(pixel_array(ds), bits)
    found = {}
    for index in range(4):
        try:
            assert np.array_equal(pixel_array(ds, index=index), bits[index])
        except ValueError as error:
            found[index] = str(error)
    print(f"{height} x {width}:", found or "all frames right")
    return sorted(found)


assert failing(4, 4) == []
assert failing(3, 3) == []
assert failing(3, 5) == [1, 2, 3]
assert failing(5, 7) == [2]
PY
echo "as stated"
