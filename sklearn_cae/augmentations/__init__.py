"""Random views of a batch, drawn per sample and computed on the device of the batch.

All random numbers come from one CPU generator. A seed therefore leads to the same views on every
device, and a training step never waits for the device.

Imports `_utils` alone.
"""

from ._choose import PRESETS
from ._images import DrawnViews, ImageViews
from ._vectors import DrawnVectorViews, VectorViews
from ._volumes import DrawnVolumeViews, VolumeViews

__all__ = [
    "PRESETS",
    "DrawnVectorViews",
    "DrawnViews",
    "DrawnVolumeViews",
    "ImageViews",
    "VectorViews",
    "VolumeViews",
]
