"""Join a table about images or patients to the metadata of images."""

from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path, PurePosixPath

from .._utils.extras import import_extra
from .._utils.warnings import warn


@dataclass
class Table:
    """A table, its file if it has one, and its column of patients if it is known."""

    rows: object
    path: Path | None
    patient: str | None


def read_table(metadata, patient):
    """Return the table of the user, or None; raise if it cannot be read."""
    if metadata is None:
        if patient is not None:
            raise ValueError(
                f"patient names a column of the table metadata, got {patient!r} and no table."
            )
        return None
    path = None
    if isinstance(metadata, (str, PathLike)):
        path = Path(metadata)
        metadata = _read(path)
    if not hasattr(metadata, "columns") or not hasattr(metadata, "iloc"):
        raise TypeError(
            f"metadata must be a DataFrame or the path of a table, got {type(metadata).__name__}."
        )
    if not len(metadata):
        raise ValueError("metadata must have rows, got an empty table.")
    if patient is not None and patient not in metadata.columns:
        raise ValueError(
            f"patient must name a column of metadata, got {patient!r}. Columns are: "
            f"{', '.join(map(str, metadata.columns))}."
        )
    return Table(metadata.reset_index(drop=True), path and path.resolve(), patient)


def _read(path):
    pandas = import_extra("pandas", "Tables are read with", "files")
    if not path.is_file():
        raise FileNotFoundError(f"metadata must be a table, got {str(path)!r}, which is no file.")
    if path.suffix.lower() in (".xlsx", ".xls"):
        raise ValueError(
            f"metadata must be a text table such as CSV, got {path.name!r}. Save it as CSV."
        )
    try:
        # The separator of the text: comma, semicolon or tab.
        return pandas.read_csv(path, sep=None, engine="python")
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"metadata must be a table, but {path.name!r} is not: {error}") from error


def join(metadata, table):
    """Return the metadata with the columns of the table, and a table of what did not match."""
    import pandas as pd

    nothing = pd.DataFrame({"where": [], "what": [], "reason": []}, dtype=str)
    if table is None:
        return metadata, nothing
    column, by, row_of, reasons = _best_match(metadata, table)
    if not row_of:
        warn(
            "No row of the table matches an image by file name or patient, so that its columns "
            f"are left out. Files are such as {metadata.file[0]!r}, rows such as "
            f"{table.rows.iloc[0].to_dict()}.",
            UserWarning,
        )
        return metadata, _unmatched(metadata, table, column, row_of, reasons)
    found = pd.Series(row_of, dtype="Int64").reindex(range(len(metadata)))
    extra = table.rows.reindex(found.astype("float").to_numpy()).reset_index(drop=True)
    joined = _with_columns(metadata, extra.drop(columns=[column] if by == "file" else []), table)
    unmatched = _unmatched(metadata, table, column, row_of, reasons)
    if len(unmatched):
        counts = unmatched["where"].value_counts()
        warn(
            f"{counts.get('images', 0)} of {len(metadata)} images have no row of the table, and "
            f"{counts.get('table', 0)} of {len(table.rows)} rows no image (joined by {by} through "
            f"the column {column!r}). They are listed in `unmatched`.",
            UserWarning,
        )
    return joined, unmatched


def _best_match(metadata, table):
    """Return the column that matches most images, what it matches, and the row of each image."""
    best = None, "file", {}, {}
    at = _index_ends(metadata.file)
    for by, match in (("file", partial(_by_file, at)), ("patient", _by_patient)):
        for column in table.rows.columns:
            row_of, reasons = match(metadata, table.rows[column].dropna().map(as_text))
            if len(row_of) > len(best[2]):
                best = column, by, row_of, reasons
    return best


def as_text(value):
    return (
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    )


def _index_ends(names):
    """Return {end of a path: rows of the files that have it}."""
    at = {}
    for index, name in enumerate(names):
        for end in _ends(name):
            at.setdefault(end, []).append(index)
    return at


def _by_file(at, metadata, values):
    """Match values to files: the whole name, its end, or its end without the suffix."""
    row_of, reasons = {}, {}
    for row, value in values.items():
        value = value.replace("\\", "/").removeprefix("./")
        images = at.get(value) or at.get(_longest_end(value, at), [])
        names = sorted({metadata.file[index] for index in images})
        if len(names) > 1:
            reasons["table", row] = f"matches {len(names)} files: {', '.join(names[:3])}"
            continue
        for index in images:  # several frames of a file
            row_of.setdefault(index, row)
    return row_of, reasons


def _ends(name):
    """Return a file name and its ends, each also without its last suffix, and without all.

    A volume has two suffixes (.nii.gz); the dots of an identifier (1.2.840.1.dcm) start none.
    """
    parts = PurePosixPath(name).parts
    ends = ["/".join(parts[start:]) for start in range(len(parts))]
    suffixes = PurePosixPath(name).suffixes
    bare = {end.removesuffix("".join(suffixes[-n:])) for end in ends for n in (1, len(suffixes))}
    return {*ends, *bare}


def _longest_end(value, at):
    """Return the longest end of a path in the table that is the end of a file."""
    parts = PurePosixPath(value).parts
    ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
    return next((end for end in ends if end in at), None)


def _by_patient(metadata, values):
    """Match values to the patients that the files name."""
    rows = {}
    for row, value in values.items():
        rows.setdefault(value, []).append(row)
    row_of, reasons = {}, {}
    for index, patient in metadata["patient"].dropna().items():
        found = rows.get(as_text(patient), [])
        if len(found) > 1:
            reasons["images", index] = f"its patient has {len(found)} rows"
        elif found:
            row_of[index] = found[0]
    return row_of, reasons


def _with_columns(metadata, extra, table):
    """Add the columns of the table; one that files have too gets the end "_table"."""
    if table.patient is not None:
        patient = extra[table.patient].astype(object)
        metadata = metadata.assign(patient=patient.where(patient.notna(), metadata["patient"]))
    taken = {name: f"{name}_table" for name in extra.columns if name in metadata.columns}
    return metadata.join(extra.rename(columns=taken))


def _unmatched(metadata, table, column, row_of, reasons):
    """Return images without a row, and rows without an image, with the reason."""
    import pandas as pd

    used = set(row_of.values())
    listed = [
        ("images", metadata.file[index], reasons.get(("images", index), "no row of the table"))
        for index in range(len(metadata))
        if index not in row_of
    ]
    listed += [
        (
            "table",
            as_text(table.rows[column][row]) if column is not None else str(row),
            reasons.get(("table", row), "no image"),
        )
        for row in range(len(table.rows))
        if row not in used
    ]
    return pd.DataFrame(listed, columns=["where", "what", "reason"], dtype=str)
