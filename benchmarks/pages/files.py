"""Tables of ``docs/measured/files.md``, from the results of ``benchmarks.robustness.files``."""

from pathlib import PurePosixPath

from benchmarks.pages._tables import read, table

MAX_NAMES = 5


def render_counts():
    """Show how many files of each package were read, and how many refused."""
    rows = []
    for package in dict.fromkeys(record["package"] for record in read("files")[1:]):
        found = _records(package)
        n_read = sum("kind" in record for record in found)
        rows.append([package, len(found), n_read, len(found) - n_read])
    return table(["package", "files", "read", "refused"], rows)


def render_files(package):
    """Show the files of a package; those of one folder with one result share a row."""
    groups = {}
    for record in _records(package):
        path = PurePosixPath(record["file"])
        groups.setdefault((str(path.parent), _result(record)), []).append(path.name)
    rows = [[folder, _shorten(names), result] for (folder, result), names in groups.items()]
    return table(["folder", "files", "result"], rows)


def _records(package):
    return [record for record in read("files") if record.get("package") == package]


def _result(record):
    if "kind" not in record:
        return f"refused: {record['reason']}".replace("|", "/")
    frames = record.get("n_frames", 1)
    parts = [
        record["kind"],
        record.get("modality"),
        record.get("photometric"),
        f"{frames} frames of {record['height']} × {record['width']}"
        if frames > 1
        else f"{record['height']} × {record['width']}",
        f"limits: {record['scaling']}" if "scaling" in record else None,
    ]
    return ", ".join(part for part in parts if part)


def _shorten(names):
    if len(names) <= MAX_NAMES:
        return ", ".join(f"`{name}`" for name in names)
    return f"`{names[0]}` to `{names[-1]}` ({len(names)} files)"


TABLES = {
    "counts": render_counts,
    "pydicom": lambda: render_files("pydicom"),
    "nibabel": lambda: render_files("nibabel"),
}
