"""One file for a header and tensors: safetensors, with a checksum over every byte, no pickle.

The header is JSON in the metadata of the file, which any reader of safetensors opens. Nothing in a
file is run, and nothing is believed before the checksum agrees.
"""

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path

import safetensors.torch
import torch

from .files import patiently, write_whole

FORMAT = 2
_OWN = "sklearn_cae"
_UNSIGNED = "0" * 64
#: In bytes: of the table of tensors, with the header in it; of a value of the header.
_MAX_HEADER = 2**22
_MAX_VALUE = 2**28
#: In characters: longer values of the header stand in tensors.
_LONG = 2**18
_WAY_OUT = "Use joblib.dump, whose files run code when they are loaded."


class LoadError(ValueError):
    """A file is not what it should be: damaged, of another kind or version, or forged."""


def write(path, header, tensors):
    """Write a file as a whole or not at all: a reader finds the old one or the new one.

    Parameters
    ----------
    path : path-like
    header : dict
        Of what JSON holds.
    tensors : dict of str to Tensor

    Raises
    ------
    ValueError
        If it would be too large for `reading`, or of a dtype that files cannot have.
    """
    write_whole(path, as_bytes(header, tensors))


def as_bytes(header, tensors):
    """Give the content of a file; see `write`."""
    header, long = _split(header)
    content = _sign(safetensors.torch.save({**tensors, **long}, _metadata(header)))
    if int.from_bytes(content[:8], "little") > _MAX_HEADER:
        raise ValueError(
            f"A file holds a table of at most {_MAX_HEADER} bytes, but that of {len(tensors)} "
            f"tensors would be longer. {_WAY_OUT}"
        )
    return content


def _split(header):
    """Give the header without its long values, and those as tensors of bytes."""
    short, long = {}, {}
    for name, value in header.items():
        text = json.dumps(value, allow_nan=False)
        if len(text) > _MAX_VALUE:
            raise ValueError(
                f"A file holds text of at most {_MAX_VALUE} characters, got {len(text)}. {_WAY_OUT}"
            )
        if len(text) > _LONG:
            content = bytearray(text.encode())
            long[f"{_OWN}.{name}"] = torch.frombuffer(content, dtype=torch.uint8)
        else:
            short[name] = value
    return ({**short, "long": sorted(set(header) - set(short))} if long else short), long


def _join(header, tensors):
    """Put the long values of a header back into it."""
    for name in header.pop("long", []):
        content = tensors.pop(f"{_OWN}.{name}").numpy()
        if len(content) > _MAX_VALUE:
            raise ValueError(f"its text has over {_MAX_VALUE} characters")
        header[name] = json.loads(content.tobytes())
    return header


@contextlib.contextmanager
def reading(path):
    """Open a file whose checksum agrees; give its header and a function from names to tensors.

    Raises
    ------
    LoadError
        If the file is damaged, of a newer format, or not of this package; also for what fails
        while it is read.
    """
    header, content = _check(Path(path))
    try:
        # From memory: safe_open opens a path several times, and it may be another file each time.
        tensors = safetensors.torch.load(content)
        del content
        yield _join(header, tensors), tensors.pop
    except LoadError:
        raise
    except Exception as error:  # whatever a forger thinks of
        raise LoadError(
            f"{path} is forged, or does not fit what was passed with it: {type(error).__name__}: "
            f"{error}."
        ) from error


def read_header(path):
    """Give the header of a file, whose checksum is not looked at; an empty one if there is none."""
    try:
        with Path(path).open("rb") as file:
            header = _parse(_read_raw_header(path, file))
    except (LookupError, OSError, RecursionError, TypeError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}


def _parse(raw):
    """Give the header of this package in that of safetensors."""
    return json.loads(json.loads(raw[8:])["__metadata__"][_OWN])


def _metadata(header):
    # One key, since safetensors writes several in any order, and equal files are to be equal.
    signed = {"sha256": _UNSIGNED, "format": FORMAT, **header}
    return {_OWN: json.dumps(signed, allow_nan=False)}


def _sign(content):
    return content.replace(
        _signature(_UNSIGNED), _signature(hashlib.sha256(content).hexdigest()), 1
    )


def _signature(digest):
    """Give the checksum as it stands in a file: JSON in a string of JSON."""
    return rf"\"sha256\": \"{digest}\"".encode()


def _check(path):
    """Give header and content of a file that is whole, of this package and of a known format."""
    with patiently(path.open, "rb") as file:
        raw = _read_raw_header(path, file)
        try:
            header = _parse(raw)
            digest, version = header.pop("sha256"), header.pop("format")
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise LoadError(
                f"{path} is not a file of {_OWN}, or its beginning is damaged: {error!r}."
            ) from error
        is_digest = isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)
        if not is_digest or raw.count(_signature(digest)) != 1:
            raise LoadError(f"{path} has no checksum where it should be. Take another copy.")
        hashed = hashlib.sha256(raw.replace(_signature(digest), _signature(_UNSIGNED)))
        content = raw + file.read()
        hashed.update(memoryview(content)[len(raw) :])
    if hashed.hexdigest() != digest:
        raise LoadError(
            f"{path} is damaged or cut off: its SHA-256 is not the one that was written with it. "
            "Take another copy."
        )
    if version not in range(1, FORMAT + 1):
        raise LoadError(
            f"{path} has format {version!r}; this version of {_OWN} reads formats 1 to {FORMAT}. "
            f"Load it with the version that wrote it, {header.get('version')!r}, or a newer one."
        )
    return header, content


def _read_raw_header(path, file):
    """Read the length of a safetensors header and the header, if they can be right."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise LoadError(
            f"{path} is not a file of {_OWN}, or cut off: of {size} bytes, {length} are said to be "
            f"the header (at most {_MAX_HEADER}). What joblib wrote is loaded by joblib.load, if "
            "it can be trusted."
        )
    file.seek(0)
    return file.read(8 + length)
