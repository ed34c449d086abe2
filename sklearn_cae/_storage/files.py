"""Atomic writes: a file is complete or not there, even if its writer is stopped.

Several processes may write to the same folder or path. `write_whole` and `write_first` write a
temporary file and lock it until it replaces the path. In a folder where only they write, temporary
files without a lock were left by processes that died.
"""

import contextlib
import os
import secrets
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed or replaced
    fcntl = None  # type: ignore[assignment]

_ATTEMPTS = 5
#: Seconds to wait on Windows, where a file that is being read cannot be replaced.
_PATIENCE = 5.0
_IS_WINDOWS = os.name == "nt"


def write_whole(path, content):
    """Write bytes to a path atomically: a reader finds the new file or the old one."""
    _write_and_place(Path(path), content, _replace)


def write_first(path, content):
    """Write bytes to a path as `write_whole` does, unless the file exists."""
    _write_and_place(Path(path), content, _place_where_none_is)


def _write_and_place(path, content, place):
    for attempts_left in reversed(range(_ATTEMPTS)):
        temporary = _name_beside(path)
        try:
            with _removed_at_end(temporary):
                with temporary.open("xb") as file:
                    _try_to_lock(file)
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    if not _IS_WINDOWS:
                        place(temporary, path)  # locked until then
                if _IS_WINDOWS:
                    place(temporary, path)
        except FileNotFoundError:
            # Another process removed the file as left over: it was not locked yet, or not at all.
            if not attempts_left:
                raise
        else:
            break
    _sync_folder(path.parent)


@contextlib.contextmanager
def written_whole(path):
    """Yield a temporary path; on success, the file written there replaces `path`."""
    path = Path(path)
    temporary = _name_beside(path)
    with _removed_at_end(temporary):
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        _replace(temporary, path)
    _sync_folder(path.parent)


def _name_beside(path):
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


@contextlib.contextmanager
def _removed_at_end(temporary):
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it does not exist if it replaced the path
            temporary.unlink()


def _replace(temporary, path):
    patiently(temporary.replace, path)


def _place_where_none_is(temporary, path):
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise
    except OSError:  # some file systems have no hard links
        if not path.exists():
            _replace(temporary, path)


def patiently(do, *args):
    """Call a function; on Windows, retry while another process has its file open."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return do(*args)
        except PermissionError:
            if not _IS_WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def remove_unfinished(folder):
    """Remove temporary files of killed processes, but not those of running ones."""
    for temporary in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):  # it is locked by its writer, or does not exist
            if fcntl is None:
                temporary.unlink()
                continue
            with temporary.open("r+b") as file:
                _lock(file)
                temporary.unlink()


def _lock(file):
    """Lock an open file until it is closed; raise OSError if it is locked already."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try_to_lock(file):
    if fcntl is not None:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            _lock(file)


def _sync_folder(folder):
    """Flush the folder, and so the new name, to the disk, if the system supports it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems do not support it
            os.fsync(handle)
    finally:
        os.close(handle)
