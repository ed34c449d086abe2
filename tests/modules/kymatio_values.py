"""Write the coefficients of kymatio 0.3.0 that `test_scattering.py` compares ours with.

kymatio is no dependency of this project, not even of its tests. Install it into a folder of its
own, and run this script in the repository:

    pip install --target build/kymatio --no-deps kymatio==0.3.0 configparser appdirs packaging
    PYTHONPATH=build/kymatio python tests/modules/kymatio_values.py

`import kymatio.torch` fails with scipy 1.15 and later. The class below is what it would return.
"""

import json
from pathlib import Path

import numpy as np
import torch

VALUES = Path(__file__).with_name("kymatio_values.json")

#: image_shape, scale, n_angles, max_order. Some sides are multiples of 2^scale,
#: some are not, and some are equal to it: these are reflected twice.
CASES = [
    ((1, 28, 28), 2, 4, 2),
    ((1, 28, 28), 2, 8, 1),
    ((1, 8, 9), 3, 4, 2),
    ((2, 30, 41), 2, 6, 2),
    ((1, 64, 50), 3, 5, 2),
    ((3, 33, 16), 1, 7, 2),
    ((1, 25, 40), 3, 7, 1),
    ((1, 100, 128), 4, 4, 2),
    ((1, 72, 72), 5, 4, 1),
]


def images(shape):
    """Make a batch of one image in [0, 1]: chirps, with white squares that have sharp edges."""
    channel, row, column = np.indices(shape)
    waves = np.sin(0.05 * row**2 + 0.4 * column + channel) + np.cos(0.9 * row - 0.03 * column**2)
    squares = (row // 4 + column // 5) % 3 == 0
    return torch.from_numpy(np.where(squares, 1.0, 0.5 + waves / 4)).float()[None]


def one_place_each(maps):
    """Return one coefficient of each map, (C * n_maps, h, w), at places that differ."""
    flat = maps.flatten(1)
    return flat.gather(1, (torch.arange(len(flat)) * 7 % flat.shape[1])[:, None])[:, 0]


def main():
    from kymatio.scattering2d.frontend.torch_frontend import ScatteringTorch2D

    records = []
    for shape, scale, n_angles, max_order in CASES:
        transform = ScatteringTorch2D(scale, shape[1:], L=n_angles, max_order=max_order)
        maps = transform(images(shape))[0].flatten(0, 1)
        records.append([round(float(value), 8) for value in one_place_each(maps)])
    VALUES.write_text("[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n")


if __name__ == "__main__":
    main()
