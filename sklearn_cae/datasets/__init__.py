"""Image data sets: chest X-rays and other MedMNIST sets, MNIST, small digits, toy shapes.

Like scikit-learn's loaders, the loaders return a `Bunch`. Images are unscaled unsigned 8-bit
integers, as stored. Files are searched in `root`, then in the folder that the environment variable
``SKLEARN_CAE_DATA`` names. Existing files are read whatever their checksum, and never overwritten;
missing files are downloaded.

Imports `_input`, `_utils`, and `_storage` for atomic writes.
"""

from ._loaders import load_digit_images, load_medmnist, load_mnist, load_pneumoniamnist
from ._memmap import to_memmap
from ._toy import make_toy_images, make_toy_volumes

__all__ = [
    "load_digit_images",
    "load_medmnist",
    "load_mnist",
    "load_pneumoniamnist",
    "make_toy_images",
    "make_toy_volumes",
    "to_memmap",
]
