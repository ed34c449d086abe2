"""Columns of a table that a user passes: numbers, or categories with codes."""

import numpy as np

from .._utils.extras import import_extra
from .labels import check_length

#: More different whole numbers are no codes of categories.
MOST_CODES = 12


def read_columns(metadata, n_samples, name="metadata"):
    """Return per column: name, numbers or category codes, and names of categories or None.

    Parameters
    ----------
    metadata : pandas DataFrame of n_samples rows
        Table; its index is ignored.
    n_samples : int
        Number of samples.
    name : str, default="metadata"
        Name of the table in messages.

    Returns
    -------
    columns : list of (str, ndarray, list of str or None)
        Numbers are floats, NaN if missing. Codes are integers, -1 if missing.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If `metadata` is no DataFrame.
    ValueError
        If it has another number of rows.
    """
    pandas = import_extra("pandas", "A table of metadata needs", "report")
    if not isinstance(metadata, pandas.DataFrame):
        raise TypeError(
            f"{name} must be a pandas DataFrame, got {type(metadata).__name__}. Pass "
            f"pandas.DataFrame({name}) or {name}.to_pandas()."
        )
    check_length(name, metadata, n_samples, "sample of X")
    return [(str(column), *_read_column(values)) for column, values in metadata.items()]


def _read_column(column):
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    column = column.infer_objects()  # numbers may be objects if the frame also had text
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan), None
    if column.dtype != "category":
        column = column.map(str, na_action="ignore")
    column = column.astype("category").cat.remove_unused_categories()
    return column.cat.codes.to_numpy(), [str(name) for name in column.cat.categories]
