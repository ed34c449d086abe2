"""Write images that do not fit into memory into one file, and map it."""

import errno
import shutil
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from .._input.arrays import as_image, check_alike, gives_items, is_table
from .._storage.files import written_whole


def to_memmap(dataset, path, *, n_jobs=None, verbose=0) -> tuple[np.memmap, np.ndarray | None]:
    """Write the images of a data set into one file, and map it.

    An estimator reads mapped images batch by batch, so that a folder of images may be larger than
    memory. The file is written once; ``numpy.load(path, mmap_mode="r")`` maps it again.

    Parameters
    ----------
    dataset : sequence
        Object with a length that returns, per index, an image or a tuple of an image and its label,
        such as a list or ``torchvision.datasets.ImageFolder``. Images are arrays, tensors or PIL
        images of two or three dimensions, all of the same shape and type, and are written
        unchanged. PIL images with a palette are written as its colours or grey values; an opaque
        alpha channel is dropped.
    path : str or path-like
        File to write in NumPy's format, usually ``.npy``. An existing file is replaced.
    n_jobs : int, default=None
        Number of threads that read, -1 for one per core. None means 1, unless
        ``joblib.parallel_config`` sets another number. The order of the images does not change.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    X : memmap of shape (n_samples, ...)
        Images, read-only.
    y : ndarray of shape (n_samples,) or None
        Labels of the images, or None if there are none.

    Raises
    ------
    TypeError
        If `dataset` has no length or no index, such as loaders and generators.
    ValueError
        If the data set is empty, images or labels differ in shape or type, or a PIL image is
        transparent or neither grey nor RGB. The message names the index.
    OSError
        If the file cannot be written, or the disk has no space for it. After any error an existing
        file is unchanged.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_cae.datasets import make_toy_images, to_memmap
    >>> images, labels = make_toy_images(60, random_state=0, return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X, y = to_memmap(list(zip(images, labels)), Path(folder) / "images.npy")
    ...     type(X).__name__, X.shape, bool((y == labels).all())
    ('memmap', (60, 16, 16), True)
    """
    _check_dataset(dataset)
    if len(dataset) == 0:
        raise ValueError("dataset must hold images, got none. Check the folder it was read from.")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"path must be a file, got the folder {str(path)!r}. Add a name, such as images.npy."
        )
    with written_whole(path) as temporary:
        y = _write(dataset, temporary, n_jobs, verbose)
    return np.load(path, mmap_mode="r"), y


def _write(dataset, path, n_jobs, verbose):
    """Write the images, and return the labels or None."""
    first, first_label = _read(dataset, 0)
    _check_image(first)
    X = np.lib.format.open_memmap(
        path, mode="w+", dtype=first.dtype, shape=(len(dataset), *first.shape)
    )
    _check_room(path)
    # Each thread writes the image it reads: images that wait for a slow disk would fill memory.
    items = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
        delayed(_copy)(dataset, index, X, first_label) for index in range(len(dataset))
    )
    labels = list(tqdm(items, total=len(dataset), unit="image", disable=not verbose))
    X.flush()
    return None if labels[0] is None else _as_target(labels)


def _check_room(path):
    """Raise if the disk has no space: writing to the map would then kill the process."""
    needed, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed, {free:,} are free", str(path))


def _copy(dataset, index, X, first_label):
    """Write one image into X, and return its label."""
    image, label = _read(dataset, index)
    check_alike(
        image,
        X.shape[1:],
        X.dtype,
        name="dataset",
        where=f"index {index}",
        way="Pass a data set with a transform that resizes, crops or converts them.",
    )
    if _kind_of(label) != _kind_of(first_label):
        raise ValueError(
            f"All labels of dataset must have the same shape and type, but the one at "
            f"index {index} is {label!r}, and the first is {first_label!r}. Set a target_transform "
            "on the data set, or leave labels out."
        )
    X[index] = image
    return label


def _kind_of(label):
    """Return the properties that all labels share: texts of any length, integers of any type."""
    if label is None:
        return None
    return label.shape, "whole" if label.dtype.kind in "bui" else label.dtype.kind


def _read(dataset, index):
    """Return one image as an array, and its label as an array or None."""
    item = dataset[index]
    if isinstance(item, Mapping):
        raise TypeError(
            "dataset must return an image, or a tuple of an image and its label, got a "
            f"{type(item).__name__} with the keys {', '.join(map(repr, item))} at index {index}. "
            "Pass a data set or a list of tuples."
        )
    image, label = (*item, None)[:2] if isinstance(item, (tuple, list)) else (item, None)
    return as_image(image, f"index {index}"), None if label is None else as_image(label, index)


def _check_dataset(dataset):
    """Raise if `dataset` has no images by index, before any is read."""
    kind = type(dataset).__name__
    if isinstance(dataset, (str, bytes, PathLike)):
        kind, way = f"the text {str(dataset)!r}", "torchvision.datasets.ImageFolder(dataset)"
    elif isinstance(dataset, Mapping) or is_table(dataset):
        way = "list(zip(images, labels))"
    elif gives_items(dataset):
        return
    elif hasattr(dataset, "dataset"):
        way = "dataset.dataset"
    else:
        way = "list(dataset)" if isinstance(dataset, Iterable) else "a torch Dataset or a list"
    raise TypeError(
        f"dataset must have a length and return an image per index, got {kind}. Pass {way}."
    )


def _check_image(image):
    if image.dtype.kind == "U":
        raise ValueError(
            f"dataset must return images, got the text {str(image.flat[0])!r} at index 0. Read the "
            "files, for example with torchvision.datasets.ImageFolder or PIL.Image.open."
        )
    if image.dtype.kind not in "buif" or image.ndim not in (2, 3, 4):
        raise ValueError(
            "dataset must return images, arrays of numbers with two to four dimensions, got "
            f"{image.dtype} of shape {image.shape} at index 0. Set a transform on it, such as "
            "torchvision.transforms.PILToTensor()."
        )


def _as_target(labels):
    """Stack labels; labels in arrays of length 1, as in MedMNIST, become scalars."""
    y = np.stack(labels)
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
