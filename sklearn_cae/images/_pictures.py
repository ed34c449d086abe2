"""Pictures such as PNG and JPEG."""

import numpy as np

from .._input.pictures import picture_to_array
from .._utils.extras import import_extra
from ._frames import Frame


def is_picture(path):
    with path.open("rb") as file:
        return file.read(8)[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0")


def picture_frames(path, choices):
    pillow = import_extra("PIL.Image", "Pictures are read with", "files")
    with pillow.open(path) as picture:
        pixels = picture_to_array(picture, "this file")
        limits = None if pixels.dtype == np.uint16 else (0, 255)
        yield Frame(pixels, limits, about={"photometric": picture.mode, "scaling": "bits"})
