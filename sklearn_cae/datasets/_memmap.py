"""Images that do not fit into memory: written once into one file, and mapped."""

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

    An estimator that is fitted to the mapped images reads a batch at a time: a folder of images may
    be larger than memory. The file is written once; ``numpy.load(path, mmap_mode="r")`` maps it
    again.

    Parameters
    ----------
    dataset : sequence
        What has a length and gives an image, or a tuple of an image and, if any, its label, for an
        index: a torch `Dataset` such as ``torchvision.datasets.ImageFolder``, or a list. Images are
        arrays, tensors or PIL images of two or three dimensions, all of one shape and one type, and
        are written as they are. Of PIL images, those with a palette are written as the colours, or
        the grey values, that it holds; an opaque alpha channel is left out.
    path : str or path-like
        The file to write, in NumPy's format; one that is there is replaced. ``.npy`` is its usual
        ending.
    n_jobs : int, default=None
        Number of threads that read, -1 for one on each core. None is 1, unless
        ``joblib.parallel_config`` says otherwise. The order is that of the data set.
    verbose : int, default=0
        Whether a bar shows the progress.

    Returns
    -------
    X : memmap of shape (n_samples, ...)
        The images, read-only.
    y : ndarray of shape (n_samples,) or None
        Their labels, if there are any.

    Raises
    ------
    TypeError
        If `dataset` has no length, or gives nothing for an index, as loaders and generators do.
    ValueError
        If the data set is empty, images or labels differ in shape or type, or PIL images are
        transparent, or of a mode that is neither grey nor RGB: the index is named.
    OSError
        If the file cannot be written, or the disk has no room for it. A file that was there is left
        as it was, whatever happens.

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
    """Write the images; give the labels, or None."""
    first, first_label = _read(dataset, 0)
    _check_image(first)
    X = np.lib.format.open_memmap(
        path, mode="w+", dtype=first.dtype, shape=(len(dataset), *first.shape)
    )
    _check_room(path)
    # Who reads an image writes it: images that wait for a slow disk would fill the memory.
    items = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
        delayed(_copy)(dataset, index, X, first_label) for index in range(len(dataset))
    )
    labels = list(tqdm(items, total=len(dataset), unit="image", disable=not verbose))
    X.flush()
    return None if labels[0] is None else _as_target(labels)


def _check_room(path):
    """Raise where the disk has no room: to write what is mapped would kill the process there."""
    needed, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed, and {free:,} free", str(path))


def _copy(dataset, index, X, first_label):
    """Write one image to its place; give its label."""
    image, label = _read(dataset, index)
    check_alike(
        image,
        X.shape[1:],
        X.dtype,
        name="dataset",
        where=f"index {index}",
        way="Give the data set a transform that resizes, crops or converts them.",
    )
    if _kind_of(label) != _kind_of(first_label):
        raise ValueError(
            f"The labels of dataset must be alike, but that at index {index} is {label!r}, and the "
            f"first {first_label!r}. Give the data set a target_transform, or leave labels out."
        )
    X[index] = image
    return label


def _kind_of(label):
    """Tell what labels have to share; texts may differ in length, whole numbers in type."""
    if label is None:
        return None
    return label.shape, "whole" if label.dtype.kind in "bui" else label.dtype.kind


def _read(dataset, index):
    """Read one image, an array, and its label, an array or None."""
    item = dataset[index]
    if isinstance(item, Mapping):
        raise TypeError(
            "dataset must give an image, or a tuple of an image and its label, got at index "
            f"{index} a {type(item).__name__} with the keys {', '.join(map(repr, item))}. Pass a "
            "data set, or a list, of tuples."
        )
    image, label = (*item, None)[:2] if isinstance(item, (tuple, list)) else (item, None)
    return as_image(image, f"index {index}"), None if label is None else as_image(label, index)


def _check_dataset(dataset):
    """Raise where there is no image for an index, before any is read."""
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
        way = "list(dataset)" if isinstance(dataset, Iterable) else "a torch Dataset, or a list"
    raise TypeError(
        f"dataset must have a length and give an image for an index, got {kind}. Pass {way}."
    )


def _check_image(image):
    if image.dtype.kind == "U":
        raise ValueError(
            f"dataset must give images, got at index 0 the text {str(image.flat[0])!r}. Read the "
            "files, as torchvision.datasets.ImageFolder or PIL.Image.open do."
        )
    if image.dtype.kind not in "buif" or image.ndim not in (2, 3):
        raise ValueError(
            "dataset must give images, arrays of numbers with two or three dimensions, got at "
            f"index 0 {image.dtype} of shape {image.shape}. Give it a transform, such as "
            "torchvision.transforms.PILToTensor()."
        )


def _as_target(labels):
    """Stack labels; those in arrays of one, as MedMNIST's are, become one column."""
    y = np.stack(labels)
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
