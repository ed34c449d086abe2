"""Files that are there as a whole or not at all, whatever stops their writer."""

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path, content):
    """Write bytes to a path so that a reader finds all of them, or the file that was there."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def written_whole(path):
    """Give a name beside a path; what is written under it takes the path's place at the end."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # it is gone where it took the path's place
            temporary.unlink()
    _sync_folder(path.parent)


def remove_unfinished(folder):
    """Remove what was being written when a process was killed."""
    for temporary in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            temporary.unlink()


def _sync_folder(folder):
    """Have the new name on the disk, where the system can be asked for it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(handle)
    finally:
        os.close(handle)
