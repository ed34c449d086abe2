#!/usr/bin/env bash
# nibabel reads most damaged .nii.gz files without an error: the voxels are wrong.
#
# Versions: Python 3.11, nibabel 5.4.2, numpy 2.4.6.
# Guess: gzip holds a checksum of its content, so that a file with one wrong bit cannot be read
#   without an error.
# Seen: nibabel reads as many bytes as the header tells, and stops after the last voxel. Python's
#   gzip compares the checksum when it is asked for more, and nobody asks. Of 100 files with one
#   wrong bit each, `gzip.decompress` refuses all; get_fdata returns wrong voxels for most of them,
#   up to nearly all voxels of the file. In noise, which gzip stores as it is, nearly all are read.
# Way out: read the file to its end once, or `gzip -t` the files before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nibabel==5.4.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import gzip
import zlib
from importlib.metadata import version
from pathlib import Path

import nibabel
import numpy as np

for name in ("nibabel", "numpy"):
    print(name, version(name))

rng = np.random.RandomState(0)
x = np.linspace(-2, 2, 64)
bell = 1000 * np.exp(-(x[:, None, None] ** 2 + x[:, None] ** 2 + x**2))
VOLUMES = {
    "a smooth volume": (bell + rng.randint(0, 20, bell.shape)).astype(np.int16),
    "noise": rng.randint(0, 30000, (20, 20, 20)).astype(np.int16),
}
for name, volume in VOLUMES.items():
    path = Path("volume.nii.gz")
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)
    content = path.read_bytes()
    places = np.linspace(2000, len(content) - 9, 100).astype(int)
    refused_by_gzip = refused_by_nibabel = 0
    wrong = []
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 16
        try:
            gzip.decompress(bytes(damaged))
        except (OSError, EOFError, zlib.error):
            refused_by_gzip += 1
        path.write_bytes(damaged)
        try:
            found = np.asarray(nibabel.load(path).dataobj)
        except (OSError, EOFError, zlib.error):
            refused_by_nibabel += 1
        else:
            wrong.append((found != volume).mean())
    silent = np.count_nonzero(wrong)
    print(f"{name}: of 100 files with one wrong bit, gzip refuses {refused_by_gzip},")
    print(f"  nibabel refuses {refused_by_nibabel}, and reads {silent} with wrong voxels,")
    print(f"  up to {max(wrong):.1%} of the voxels")
    assert refused_by_gzip == 100, refused_by_gzip
    assert silent >= 70, silent
PY
echo "as stated"
