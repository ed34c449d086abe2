#!/usr/bin/env bash
# ImageHash gives all 16-bit gray PNG files the same hash, so that all look like duplicates.
#
# Versions: Python 3.11, ImageHash 4.3.2, Pillow 13.0.0, numpy 2.4.6, scipy 1.17.1, PyWavelets 1.9.0.
# Guess: a perceptual hash shrinks the image and compares its parts with each other, so the bit depth
#   makes no difference: 20 different X-rays of 12 bits, stored in PNG files of 16 bits, have about as
#   many hashes as the same X-rays in files of 8 bits.
# Seen: phash, dhash, average_hash and whash first call convert("L"), and Pillow clips all values above
#   255 instead of scaling them. What is left is a mask of the pixels of at most 255. If there are
#   none, as within the field of an X-ray, all images have one hash, without an error or a warning.
#   Who removes duplicates by these hashes keeps one image of 20.
# Way out: scale the pixels to 8 bits before, such as (pixels / pixels.max() * 255).astype("uint8").
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ImageHash==4.3.2 pillow==13.0.0 numpy==2.4.6 scipy==1.17.1 \
    PyWavelets==1.9.0
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import imagehash
import numpy as np
from PIL import Image

for name in ("ImageHash", "pillow", "numpy", "scipy", "PyWavelets"):
    print(name, version(name))

HASHES = ("phash", "dhash", "average_hash", "whash")
N_IMAGES = 20
rng = np.random.default_rng(1)
y, x = np.mgrid[:64, :64]


def draw():
    """Draw a bright spot somewhere on a ground that is not black, in the range 0.2 to 1."""
    center_y, center_x = rng.uniform(10, 54, 2)
    return 0.2 + 0.8 * np.exp(-((y - center_y) ** 2 + (x - center_x) ** 2) / 200)


def count_hashes(images, dtype, largest):
    """Write the images into PNG files, read them, and count the different hashes of each kind."""
    found = {name: set() for name in HASHES}
    for image in images:
        Image.fromarray((image * largest).astype(dtype)).save("image.png")
        with Image.open("image.png") as read:
            assert np.asarray(read).max() > 0.9 * largest  # the file is right
            for name in HASHES:
                found[name].add(str(getattr(imagehash, name)(read)))
    return {name: len(each) for name, each in found.items()}


images = [draw() for _ in range(N_IMAGES)]
in_8_bits = count_hashes(images, np.uint8, 255)
in_16_bits = count_hashes(images, np.uint16, 4095)
print(f"different hashes of {N_IMAGES} different images,  8-bit files: {in_8_bits}")
print(f"different hashes of {N_IMAGES} different images, 16-bit files: {in_16_bits}")
assert min(in_8_bits.values()) > 0.9 * N_IMAGES, "files of 8 bits have other hashes now"
assert set(in_16_bits.values()) == {1}, "files of 16 bits have hashes of their own now"
PY
