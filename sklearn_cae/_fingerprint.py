"""What tells fits, and what they start from, apart: descriptions that two processes agree on."""

import dataclasses
import functools
import hashlib
import inspect
import json
import os
import re

import numpy as np
import torch
from scipy import sparse
from torch import nn

from ._packing import dotted_name


def digest(description):
    """Give a short name for a description: what JSON can hold."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe(value, depth=0):
    """Describe a parameter so that equal ones are described alike in every process."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth > _DEEPEST:
        return dotted_name(type(value))
    deeper = functools.partial(describe, depth=depth + 1)
    for types, parts in _DESCRIBED:
        if isinstance(value, types):
            return [dotted_name(type(value)), *map(deeper, parts(value))]
    if inspect.isroutine(value) or inspect.isclass(value):
        bound_to = getattr(value, "__self__", None)
        return [dotted_name(value), None if inspect.ismodule(bound_to) else deeper(bound_to)]
    if hasattr(value, "get_params"):
        return [dotted_name(type(value)), deeper(value.get_params(deep=False))]
    if type(value).__repr__ is not object.__repr__ and not dataclasses.is_dataclass(value):
        return steady_repr(value)
    return [dotted_name(type(value)), deeper(getattr(value, "__dict__", None))]


def steady_repr(value):
    """Give its repr without the places in memory that differ between processes."""
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))


_DEEPEST = 8
#: Types, and functions from a value to the parts that make it what it is.
_DESCRIBED = (
    ((list, tuple), list),
    (dict, lambda value: [list(pair) for pair in value.items()]),
    ((set, frozenset), lambda value: sorted(map(str, map(describe, value)))),
    (functools.partial, lambda value: [value.func, value.args, value.keywords]),
    (np.random.RandomState, lambda value: [value.get_state(legacy=False)]),
    (np.random.Generator, lambda value: [value.bit_generator.state]),
    (torch.Generator, lambda value: [value.get_state()]),
    (torch.Tensor, lambda value: [str(value.dtype), _as_bytes(value)]),
    (nn.Module, lambda value: [steady_repr(value), *value.state_dict().items()]),
    (np.ndarray, lambda value: [value.dtype.str, value.shape, _digest_array(value)]),
    (sparse.sparray, lambda value: [value.shape, *sparse.find(value)]),
    (sparse.spmatrix, lambda value: [value.shape, *sparse.find(value)]),
)


def _as_bytes(tensor):
    return tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy()


def _digest_array(array):
    if array.dtype == object:
        return array.tolist()
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


def fingerprint_start(*parts):
    """Digest of what a phase, or a fit, starts from: networks (or None) and arrays."""
    return digest(describe(parts))
