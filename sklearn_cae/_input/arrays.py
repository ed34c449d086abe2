"""Accept X if it is an array, a table or a list of images; otherwise raise an error.

The type is checked before anything is read, because a data set may be large and a generator
endless.
"""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Number
from os import PathLike

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from .labels import is_missing
from .pictures import is_picture, picture_to_array
from .tensors import is_tensor, to_numpy

_TEXT = (str, bytes, PathLike)


def as_samples(X, name="X"):
    """Return samples in a form that has a shape and that scikit-learn can check.

    Parameters
    ----------
    X : object
        Samples as the user passed them.
    name : str, default="X"
        Name of the parameter in messages.

    Returns
    -------
    X : ndarray, sparse matrix or table
        Samples. Tensors, lists and lazy arrays become arrays. Tables keep their column names, and
        their nullable columns get NumPy types.

    Raises
    ------
    TypeError
        If `X` is not an array or cannot be converted to one.
    ValueError
        If samples differ in shape, values are masked, or pictures contain no intensities.
    """
    check_kind(X, name)
    if is_table(X):
        X = _with_plain_columns(X)
        if getattr(X, "ndim", 2) == 1 or X.shape[1] == 1:
            _check_cells(np.asarray(X[:1]), name)  # a column of paths, or of images
        return X
    if isinstance(X, np.ma.MaskedArray):
        return _without_mask(X, name)
    if sparse.issparse(X):
        return X
    if not isinstance(X, np.ndarray):
        X = _stack(X, name) if isinstance(X, Sequence) else np.asarray(to_numpy(X))
    _check_cells(X, name)
    return X


def check_kind(X, name="X"):
    """Raise if X is not an array and cannot be converted to one, without reading it."""
    if is_picture(X):
        raise TypeError(f"{name} must hold several images, got a single picture. Pass [{name}].")
    if isinstance(X, _TEXT):
        raise TypeError(
            f"{name} must be an array, got the text {str(X)!r}. Names of files and folders are not "
            "read. Pass the result of numpy.load or sklearn_cae.datasets.to_memmap."
        )
    if isinstance(X, Mapping) and not sparse.issparse(X):  # old dok_arrays are dicts
        keys = [repr(key) for key in X][:5]
        way = f"one of its values, such as {name}[{keys[0]}]" if keys else "an array"
        raise TypeError(
            f"{name} must be an array, got a {type(X).__name__} with the keys {', '.join(keys)}. "
            f"Pass {way}."
        )
    if not _is_array_like(X):
        raise TypeError(f"{name} must be an array, got {_kind_and_way(X, name)}")


def _is_array_like(X):
    if isinstance(X, (Sequence, np.ndarray)) or is_tensor(X) or is_table(X) or sparse.issparse(X):
        return True
    is_class = isinstance(X, type)
    return not is_class and (hasattr(X, "__array__") or hasattr(X, "__array_interface__"))


def _kind_and_way(X, name):
    kind = f"the class {X.__name__}" if isinstance(X, type) else f"a {type(X).__name__}"
    if isinstance(X, type) or not (isinstance(X, Iterable) or gives_items(X)):
        return f"{kind}. Pass an array, a DataFrame or a tensor."
    if gives_items(X):
        return (
            f"the data set {type(X).__name__}, which reads items one by one. Write it into one "
            f"file with sklearn_cae.datasets.to_memmap({name}, 'images.npy')."
        )
    if hasattr(X, "dataset"):
        return (
            f"the loader {type(X).__name__}, which reads batches. Write its data set into one file "
            f"with sklearn_cae.datasets.to_memmap({name}.dataset, 'images.npy')."
        )
    return f"{kind}, which can be read only once. Pass numpy.stack(list({name}))."


def gives_items(X):
    """Return whether X has a length and an item per index."""
    return hasattr(X, "__len__") and hasattr(X, "__getitem__")


def is_table(X):
    """Return whether X is a DataFrame or a column of pandas, polars or pyarrow."""
    is_class = isinstance(X, type)
    return not is_class and (hasattr(X, "iloc") or hasattr(X, "columns"))


def _with_plain_columns(table):
    """Convert nullable pandas columns to NumPy types; integers with missing values to floats."""
    if not hasattr(table, "iloc") or table.ndim == 1:
        return table
    plain = {
        name: dtype.numpy_dtype
        for name, dtype in table.dtypes.items()
        if getattr(getattr(dtype, "numpy_dtype", None), "kind", "O") in "buif"
    }
    if not plain:
        return table
    for name in table.columns[table.isna().any()]:
        if name in plain and plain[name].kind != "f":
            plain[name] = np.dtype(np.float64)
    return table.astype(plain)


def _without_mask(X, name):
    if np.ma.is_masked(X):
        raise ValueError(
            f"{name} must have no masked values, got an array in which "
            f"{np.ma.count_masked(X)} are masked. Pass {name}.filled(value), or leave out the "
            "samples that contain them."
        )
    return X.data


def _stack(X, name):
    """Stack a list of images, pictures, tensors, rows or numbers into one array."""
    first = X[0] if len(X) else None
    if isinstance(first, _TEXT):
        _refuse_text(first, name)
    if isinstance(first, Mapping):
        keys = list(first)
        raise TypeError(
            f"{name} must be an array, got a list of {type(first).__name__}. Pass numpy.stack([item"
            f"[{keys[0] if keys else 'image'!r}] for item in {name}])."
        )
    if _is_pair(first):
        raise TypeError(
            f"{name} must hold images only, got a list of pairs of an image and its label. Pass "
            f"numpy.stack([pair[0] for pair in {name}]), or the result of "
            f"sklearn_cae.datasets.to_memmap({name}, 'images.npy')."
        )
    if is_picture(first) or getattr(first, "ndim", 0) > 1:
        images = [as_image(image, f"{name}[{index}]") for index, image in enumerate(X)]
        for index, image in enumerate(images):
            check_alike(
                image, images[0].shape, images[0].dtype, name=name, where=f"{name}[{index}]"
            )
        return np.stack(images)
    try:
        array = np.asarray([to_numpy(row) for row in X] if is_tensor(first) else X)
    except ValueError as error:
        raise ValueError(
            f"{name} must hold samples of one shape, got a list with several shapes. Resize or "
            f"crop images to one size. ({error})"
        ) from error
    if array.dtype.kind == "U":
        _refuse_text(array.flat[0], name)
    return array


def _is_pair(item):
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        return False
    return is_picture(item[0]) or getattr(item[0], "ndim", 0) > 1 >= np.ndim(to_numpy(item[1]))


def as_image(image, where):
    """Convert one image (an array, a tensor or a picture) to an array."""
    if is_picture(image):
        return picture_to_array(image, where)
    return np.asarray(to_numpy(image))


def check_alike(image, shape, dtype, *, name, where, way="Resize, crop or convert them."):
    """Raise if an image differs from the first one in shape or type."""
    if (image.shape, image.dtype) != (shape, dtype):
        raise ValueError(
            f"All images of {name} must have the same shape and type, but the one at {where} is "
            f"{image.shape} of {image.dtype}, and the first is {shape} of {dtype}. {way}"
        )


def _check_cells(X, name):
    """Raise if an array holds file names or arrays in place of numbers."""
    if X.dtype.kind not in "OUST" or X.size == 0:
        return
    first = X.flat[0]
    if isinstance(first, _TEXT) and (X.ndim == 1 or X.shape[1:] == (1,)):
        _refuse_text(first, name)
    if is_picture(first) or np.ndim(to_numpy(first)) > 0:
        raise TypeError(
            f"{name} must hold numbers, got an array of objects that are images. Pass "
            f"numpy.stack(list({name})), where {name} is the column of images."
        )


def _refuse_text(text, name):
    raise TypeError(
        f"{name} must hold the images themselves, got text such as {str(text)!r}. Read the files: "
        f"pass [PIL.Image.open(file) for file in {name}], one array of them, (n, H, W) or (n, C, "
        "H, W), or the result of sklearn_cae.datasets.to_memmap."
    )


def check_numbers(X, name="X"):
    """Raise if an array holds anything except numbers, with an example in the message."""
    if X.dtype.kind in "buif":
        return
    if X.dtype == object:
        other = next((value for value in X.flat if not isinstance(value, (Number, np.bool_))), 0)
        if any(map(is_missing, X.flat)):
            raise ValueError(f"Input {name} contains NaN. Impute or drop the images that do.")
        if not isinstance(other, Number):
            raise TypeError(
                f"{name} must hold numbers, got {other!r}. Drop columns that are not pixels."
            )
    raise TypeError(
        f"{name} must hold numbers, got dtype {X.dtype}. Convert it with {name}.astype."
    )


def check_image_array(X, estimator, *, minimum):
    """Check that images are numeric, at least `minimum` many, with two to five dimensions."""
    X = check_array(
        X,
        dtype=None,
        allow_nd=True,
        ensure_all_finite=False,  # scan_values checks this without a copy
        ensure_min_samples=minimum,
        estimator=estimator,
        input_name="X",
    )
    check_numbers(X)
    if X.ndim > 5:
        raise ValueError(
            f"X must have 2 to 5 dimensions, got {X.ndim}: shape {X.shape}. Pass images or volumes "
            "of one channel or of several."
        )
    return X
