"""Image data sets: chest X-rays and other MedMNIST sets, MNIST, small digits, toy shapes.

The loaders return what scikit-learn's loaders return, a `Bunch`, with images as they are
stored: unsigned 8-bit integers, nothing scaled. Files are looked for in `root`, then in the
folder that the environment variable ``SKLEARN_CAE_DATA`` names. Files that are there are read
as they are, whatever their checksum, and never written over; missing ones are downloaded.

Imports `_input`, `_utils`, and `_storage` for files that are there as a whole or not at all.
"""

from ._loaders import load_digit_images, load_medmnist, load_mnist, load_pneumoniamnist
from ._memmap import to_memmap
from ._toy import make_toy_images

__all__ = [
    "load_digit_images",
    "load_medmnist",
    "load_mnist",
    "load_pneumoniamnist",
    "make_toy_images",
    "to_memmap",
]
