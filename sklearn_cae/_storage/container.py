"""Files with a header and tensors: safetensors with a checksum over every byte, no pickle.

The header is JSON in the metadata of the file, which any safetensors reader can open. No code in a
file is run, and its content is used only after the checksum is verified.
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
#: Limits in bytes: for the table of tensors, which contains the header; for a header value.
_MAX_HEADER = 2**22
_MAX_VALUE = 2**28
#: Limit in characters; longer header values are stored as tensors.
_LONG = 2**18
_WAY_OUT = "Use joblib.dump, whose files run code when they are loaded."


class LoadError(ValueError):
    """A file cannot be loaded: it is damaged, forged, or of another kind or version."""


def write(path, header, tensors):
    """Write a file atomically: a reader finds the old file or the new one.

    Parameters
    ----------
    path : path-like
        File to write.
    header : dict
        Header that JSON can represent.
    tensors : dict of str to Tensor
        Tensors by name.

    Raises
    ------
    ValueError
        If the file would be too large for `reading`, or a dtype cannot be stored.
    """
    write_whole(path, as_bytes(header, tensors))


def as_bytes(header, tensors):
    """Return the content of a file; see `write`."""
    header, long = _split(header)
    content = _sign(safetensors.torch.save({**tensors, **long}, _metadata(header)))
    if int.from_bytes(content[:8], "little") > _MAX_HEADER:
        raise ValueError(
            f"The table of tensors of a file must have at most {_MAX_HEADER} bytes, but the table "
            f"of {len(tensors)} tensors is longer. {_WAY_OUT}"
        )
    return content


def _split(header):
    """Return the header without long values, and the long values as tensors of bytes."""
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
    """Insert the long values into the header again."""
    for name in header.pop("long", []):
        content = tensors.pop(f"{_OWN}.{name}").numpy()
        if len(content) > _MAX_VALUE:
            raise ValueError(f"its text has more than {_MAX_VALUE} characters")
        header[name] = json.loads(content.tobytes())
    return header


@contextlib.contextmanager
def reading(path):
    """Open and verify a file; yield its header and a function from names to tensors.

    Raises
    ------
    LoadError
        If the file is damaged, of a newer format or not of this package, or if reading it fails.
    """
    header, content = _check(Path(path))
    try:
        # Loaded from memory: safe_open opens the path several times, and the file may change.
        tensors = safetensors.torch.load(content)
        del content
        yield _join(header, tensors), tensors.pop
    except LoadError:
        raise
    except Exception as error:  # a forged file may cause any error
        raise LoadError(
            f"{path} is forged, or does not match the callables passed with it: "
            f"{type(error).__name__}: {error}."
        ) from error


def read_header(path):
    """Return the header of a file without verifying it; an empty dict if there is none."""
    try:
        with Path(path).open("rb") as file:
            header = _parse(_read_raw_header(path, file))
    except (LookupError, OSError, RecursionError, TypeError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}


def _parse(raw):
    """Return the header of this package from the safetensors header."""
    return json.loads(json.loads(raw[8:])["__metadata__"][_OWN])


def _metadata(header):
    # One key, because safetensors writes several keys in any order; equal content should give
    # equal files.
    signed = {"sha256": _UNSIGNED, "format": FORMAT, **header}
    return {_OWN: json.dumps(signed, allow_nan=False)}


def _sign(content):
    return content.replace(
        _signature(_UNSIGNED), _signature(hashlib.sha256(content).hexdigest()), 1
    )


def _signature(digest):
    """Return the checksum as written in a file: JSON in a JSON string."""
    return rf"\"sha256\": \"{digest}\"".encode()


def _check(path):
    """Verify checksum, package and format of a file; return its header and content."""
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
            raise LoadError(f"{path} has no valid checksum in its header. Use another copy.")
        hashed = hashlib.sha256(raw.replace(_signature(digest), _signature(_UNSIGNED)))
        content = raw + file.read()
        hashed.update(memoryview(content)[len(raw) :])
    if hashed.hexdigest() != digest:
        raise LoadError(
            f"{path} is damaged or cut off: its SHA-256 differs from the one in its header. Use "
            "another copy."
        )
    if version not in range(1, FORMAT + 1):
        raise LoadError(
            f"{path} has format {version!r}; this version of {_OWN} reads formats 1 to {FORMAT}. "
            f"Load it with the version that wrote it, {header.get('version')!r}, or a newer one."
        )
    return header, content


def _read_raw_header(path, file):
    """Read the length of the safetensors header and the header, if the length is plausible."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise LoadError(
            f"{path} is not a file of {_OWN}, or is cut off: it has {size} bytes, and its header "
            f"should have {length} (at most {_MAX_HEADER}). If joblib wrote it and you trust its "
            "source, use joblib.load."
        )
    file.seek(0)
    return file.read(8 + length)
