"""Loaders of public data sets: MedMNIST, MNIST, and the digits of scikit-learn."""

import os
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import get_data_home, load_digits

from .._storage.files import patiently
from .._utils.extras import import_extra
from ._results import Result, as_result, check_option

#: Sizes of the sets of images, and of those of volumes.
_MEDMNIST_SIZES = {2: (28, 64, 128, 224), 3: (28, 64)}
_MEDMNIST_DESCR = """{python_class} (MedMNIST v2), {split} split, {sides}.

{description}

Source: https://medmnist.com, {url}. Licence: {license}.
"""
_MNIST_FILES = [
    f"MNIST/raw/{part}-ubyte"
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
]
_MNIST_DESCR = """MNIST, {split} split: {n} handwritten digits, 28x28, gray.

Source: LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist/. Licence: CC BY-SA 3.0.
"""
_DIGITS_DESCR = """Handwritten digits bundled with scikit-learn: 1797 images, 8x8, gray, 0 to 255.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", test set, UCI Machine
Learning Repository, https://archive.ics.uci.edu/dataset/80. Licence: CC BY 4.0.
"""


def load_medmnist(
    name, split="train", *, size=28, root=None, download_if_missing=True, return_X_y=False
) -> Result:
    """Load one split of a MedMNIST data set, of images or of volumes.

    The package `medmnist` is required: ``pip install 'sklearn_cae[datasets]'``.

    Parameters
    ----------
    name : str
        Name of a MedMNIST set, such as ``"pneumoniamnist"``, ``"bloodmnist"`` or
        ``"adrenalmnist3d"``; case is ignored. The six sets of volumes end in ``"3d"``: pass
        ``spatial_dims=3`` to the clusterer.
    split : {"train", "val", "test"}, default="train"
        Split to load.
    size : {28, 64, 128, 224}, default=28
        Height and width of the images. Volumes have 28 or 64 voxels per side.
    root : str or path-like, default=None
        Folder of the file ``<name>.npz`` (``<name>_<size>.npz`` for sizes other than 28). If the
        file is not in it, the folder named by the environment variable ``SKLEARN_CAE_DATA`` is
        searched; a missing file is downloaded into `root`. If `root` is None, the variable's folder
        is searched first, then ``sklearn_cae`` in :func:`sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        Whether to download a file that is in neither folder.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``data``: uint8, 0 to 255, of shape (n_samples, size, size) for gray images and
        (n_samples, size, size, 3) for colour images, (n_samples, size, size, size) for
        volumes. ``target``: int of shape (n_samples,), indices into ``target_names``; for the
        multi-label set ``"chestmnist"``, 0 and 1 of shape (n_samples, n_labels).
        ``target_names``: names of the labels. ``DESCR``: description, source and licence.
        ``spatial_dims``: 2 for images, 3 for volumes, as for the estimator.
    (data, target) : tuple of ndarray
        Returned if ``return_X_y=True``.

    Raises
    ------
    ImportError
        If `medmnist` is not installed.
    OSError
        If the file is missing and is not downloaded, or cannot be read.
    TypeError
        If `name` is not a string.
    ValueError
        If `name`, `split` or `size` is not one of the values above.

    Examples
    --------
    >>> from sklearn_cae.datasets import load_medmnist
    >>> blood = load_medmnist("bloodmnist", split="test")  # doctest: +SKIP
    >>> blood.data.shape  # doctest: +SKIP
    (3421, 28, 28, 3)
    """
    info_of, classes = _import_medmnist()
    name = _check_medmnist_name(name, info_of)
    check_option("split", split, ("train", "val", "test"))
    spatial_dims = 3 if name.endswith("3d") else 2
    check_option("size", size, _MEDMNIST_SIZES[spatial_dims])
    info = info_of[name]
    cls = getattr(classes, info["python_class"])

    def make(folder, download):
        return cls(split, root=str(folder), size=size, download=download)

    file = f"{name}.npz" if size == 28 else f"{name}_{size}.npz"
    stored = _obtain(make, [file], root, download_if_missing)
    target = stored.labels.astype(np.intp)
    names = [info["label"][key] for key in sorted(info["label"], key=int)]
    sides = "x".join([str(size)] * spatial_dims)
    descr = _MEDMNIST_DESCR.format(split=split, sides=sides, **info)
    target = target[:, 0] if target.shape[1] == 1 else target
    return as_result(stored.imgs, target, names, descr, return_X_y, spatial_dims=spatial_dims)


def load_pneumoniamnist(
    split="train", *, size=28, root=None, download_if_missing=True, return_X_y=False
) -> Result:
    """Load one split of PneumoniaMNIST: chest X-rays of children, normal or pneumonia.

    There are 4708 training, 524 validation and 624 test images. About three quarters of the
    training images and five eighths of the test images show pneumonia. 18 training images occur
    twice, and 8 images are in both the training and the validation split. If you split the images
    yourself, keep duplicates in the same split. Errors are those of :func:`load_medmnist`.

    Parameters
    ----------
    split : {"train", "val", "test"}, default="train"
        Split to load.
    size, root, download_if_missing, return_X_y : see :func:`load_medmnist`
        Size of the images, folder of the file, whether to download it, form of the result.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``data``: uint8 of shape (n_samples, size, size), 0 to 255. ``target``: int of shape
        (n_samples,), 0 for normal and 1 for pneumonia. ``target_names`` and ``DESCR``.
    (data, target) : tuple of ndarray
        Returned if ``return_X_y=True``.

    Examples
    --------
    >>> from sklearn_cae.datasets import load_pneumoniamnist
    >>> X, y = load_pneumoniamnist("test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape, y.mean()  # doctest: +SKIP
    ((624, 28, 28), 0.625)
    """
    return load_medmnist(
        "pneumoniamnist",
        split,
        size=size,
        root=root,
        download_if_missing=download_if_missing,
        return_X_y=return_X_y,
    )


def load_mnist(split="train", *, root=None, download_if_missing=True, return_X_y=False) -> Result:
    """Load one split of MNIST: handwritten digits, 60 000 for training and 10 000 for testing.

    The package `torchvision` is required: ``pip install 'sklearn_cae[datasets]'``.

    Parameters
    ----------
    split : {"train", "test"}, default="train"
        Split to load.
    root : str or path-like, default=None
        Folder of the four files ``MNIST/raw/*-ubyte`` of `torchvision`. If they are not in it,
        they are searched and downloaded as in :func:`load_medmnist`.
    download_if_missing : bool, default=True
        Whether to download files that are in neither folder.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``data``: uint8 of shape (n_samples, 28, 28), 0 to 255; ``target``: int of shape
        (n_samples,), 0 to 9; ``target_names`` and ``DESCR``.
    (data, target) : tuple of ndarray
        Returned if ``return_X_y=True``.

    Raises
    ------
    ImportError
        If `torchvision` is not installed.
    OSError
        If files are missing and are not downloaded, or cannot be read.
    ValueError
        If `split` is not one of the values above.

    Examples
    --------
    >>> from sklearn_cae.datasets import load_mnist
    >>> load_mnist("test").data.shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    MNIST = _import_reader("torchvision.datasets").MNIST
    check_option("split", split, ("train", "test"))

    def make(folder, download):
        return MNIST(folder, train=split == "train", download=download)

    stored = _obtain(make, _MNIST_FILES, root, download_if_missing)
    data, target = stored.data.numpy(), stored.targets.numpy().astype(np.intp)
    descr = _MNIST_DESCR.format(split=split, n=len(data))
    return as_result(data, target, list("0123456789"), descr, return_X_y)


def load_digit_images(*, return_X_y=False) -> Result:
    """Load the small handwritten digits of scikit-learn as images.

    The values 0..16 of :func:`sklearn.datasets.load_digits` become
    ``round(255 / 16 * value)``, so that the images use the full range of uint8.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``data``: uint8 of shape (1797, 8, 8), 0 to 255; ``target``: int of shape (1797,),
        0 to 9; ``target_names`` and ``DESCR``.
    (data, target) : tuple of ndarray
        Returned if ``return_X_y=True``.

    Examples
    --------
    >>> from sklearn_cae.datasets import load_digit_images
    >>> X, y = load_digit_images(return_X_y=True)
    >>> X.shape, X.dtype, X.max()
    ((1797, 8, 8), dtype('uint8'), np.uint8(255))
    """
    digits = load_digits()
    data = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    target = digits.target.astype(np.intp)
    return as_result(data, target, list("0123456789"), _DIGITS_DESCR, return_X_y)


def _obtain(make, files, root, download_if_missing):
    """Find or download `files`, and return ``make(folder, download=False)`` of their folder."""
    folder = _find_folder(files, root)
    if not _holds(folder, files):
        if not download_if_missing:
            raise OSError(f"Not found, and download_if_missing=False. {_way_out(files, folder)}")
        try:
            _download(make, folder)
        except (OSError, RuntimeError) as error:
            raise OSError(f"The download failed. {_way_out(files, folder)}") from error
    try:
        return make(folder, download=False)
    except Exception as error:
        raise OSError(
            f"{', '.join(files)} in {folder} cannot be read ({error}). Delete broken files to "
            "download them again, or replace them by valid ones."
        ) from error


def _find_folder(files, root):
    """Return the first folder that holds all `files`, or the one to download them into."""
    for named in (root, os.environ.get("SKLEARN_CAE_DATA")):
        if named and _holds(Path(named).expanduser(), files):
            return Path(named).expanduser()
    return Path(root).expanduser() if root else Path(get_data_home()) / "sklearn_cae"


def _holds(folder, files):
    return all((folder / file).is_file() for file in files)


def _way_out(files, folder):
    return (
        f"Put {', '.join(files)} into {folder}, pass the folder that holds it as root=, "
        "or set the environment variable SKLEARN_CAE_DATA to that folder."
    )


def _download(make, folder):
    # The libraries write directly to the final path: a broken download would stay there and be
    # read the next time, and a file with another checksum would be overwritten.
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        make(Path(empty), download=True)
        for source in [path for path in Path(empty).rglob("*") if path.is_file()]:
            final = folder / source.relative_to(empty)
            final.parent.mkdir(parents=True, exist_ok=True)
            if not final.exists():
                patiently(source.replace, final)


def _import_medmnist():
    return _import_reader("medmnist.info").INFO, _import_reader("medmnist.dataset")


def _import_reader(module):
    return import_extra(module, "This data set is read with", "datasets")


def _check_medmnist_name(name, info_of):
    if not isinstance(name, str):
        raise TypeError(f"name must be a string such as 'pneumoniamnist', got {name!r}.")
    if name.lower() not in info_of:
        raise ValueError(
            f"name must be a MedMNIST set, but {name!r} is unknown. Choose one of: "
            f"{', '.join(info_of)}."
        )
    return name.lower()
