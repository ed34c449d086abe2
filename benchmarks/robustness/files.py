"""Read each file that pydicom and nibabel ship for their own tests.

Run from the repository, with the extra ``files``:

    python -m benchmarks.robustness.files

`read_images` reads the middle frame or slice of each file. Prints a line per file and writes
``benchmarks/results/files.json``: what was read, or why not.
"""

from importlib import import_module
from pathlib import Path

from benchmarks._common import RESULTS, describe_run, write_records
from sklearn_cae.images import read_images

#: Package: its test files.
PACKAGES = {"pydicom": "data/**/*", "nibabel": "**/tests/data/**/*"}
CODE = {".py", ".pyc"}
TOLD = ("n_frames", "height", "width", "photometric", "modality", "scaling")


def find_files(package):
    """Return the test files of a package, without its code."""
    folder = Path(import_module(package).__file__).parent
    paths = folder.glob(PACKAGES[package])
    return sorted(path for path in paths if path.is_file() and path.suffix not in CODE)


def read(package):
    """Return a record per file, named by its path within the package."""
    files = find_files(package)
    found = read_images(files, size=64)
    records = [
        {"package": package, "file": row["file"], "reason": row["reason"]}
        for row in found.failures.to_dict("records")
    ]
    for row in found.metadata.to_dict("records"):
        told = {name: row[name] for name in TOLD if row[name] == row[name]}  # no NaN
        records.append({"package": package, "file": row["file"], "kind": row["kind"], **told})
    if len({record["file"] for record in records}) != len(files):
        raise AssertionError(f"{len(records)} results of {len(files)} files")
    return sorted(records, key=lambda record: record["file"])


def main():
    records = []
    for package in PACKAGES:
        for record in read(package):
            records.append(record)
            print(record, flush=True)
    made_by = describe_run("pydicom", "nibabel", "pillow", "tifffile", "pylibjpeg")
    write_records(RESULTS / "files.json", [{"made_by": made_by}, *records])


if __name__ == "__main__":
    main()
