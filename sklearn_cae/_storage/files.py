"""Files that are there as a whole or not at all, whatever stops their writer.

Any number of processes may write to one folder, and to one path. A file is written under a name of
its own, and is locked by its writer until it takes its place: one that is not locked was left by a
writer that is dead.
"""

import contextlib
import os
import secrets
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove or replace a file that is open
    fcntl = None  # type: ignore[assignment]

_ATTEMPTS = 5
#: In seconds, on Windows: a file that another process reads cannot be replaced until it is closed.
_PATIENCE = 5.0
_IS_WINDOWS = os.name == "nt"


def write_whole(path, content):
    """Write bytes to a path so that a reader finds all of them, or the file that was there."""
    _write_and_place(Path(path), content, _replace)


def write_first(path, content):
    """Write bytes to a path as `write_whole`, but leave a file that is there as it is."""
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
            # Somebody took the file for a dead writer's: before it was locked, or without locks.
            if not attempts_left:
                raise
        else:
            break
    _sync_folder(path.parent)


@contextlib.contextmanager
def written_whole(path):
    """Give a name beside a path; what is written under it takes the path's place at the end."""
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
        with contextlib.suppress(OSError):  # it is gone where it took the path's place
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
    except OSError:  # some file systems have no links
        if not path.exists():
            _replace(temporary, path)


def patiently(do, *args):
    """Call a function; on Windows again, while another process has a file of it open."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return do(*args)
        except PermissionError:
            if not _IS_WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def remove_unfinished(folder):
    """Remove what was being written when a process was killed, and nothing of a living one."""
    for temporary in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):  # it is being written, or gone
            if fcntl is None:
                temporary.unlink()
                continue
            with temporary.open("r+b") as file:
                _lock(file)
                temporary.unlink()


def _lock(file):
    """Lock an open file until it is closed, or raise OSError where another one has locked it."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try_to_lock(file):
    if fcntl is not None:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            _lock(file)


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
