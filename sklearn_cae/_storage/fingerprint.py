"""Fingerprints of fits and their starts, from descriptions that are equal in every process."""

import copy
import dataclasses
import functools
import hashlib
import inspect
import json
import logging
import os
import re
import types

import numpy as np
import torch
from scipy import sparse
from torch import nn

from .packing import dotted_name


def digest(description):
    """Return a short hash of a description that JSON can represent."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe(value, within=()):
    """Describe a parameter, equal ones equally in every process.

    Parameters
    ----------
    value : object
        Parameter or a part of one.
    within : tuple of object
        Objects that contain `value`, the outermost first.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if any(value is each for each in within):
        return dotted_name(type(value))  # circular: it is described further out
    if len(within) > _DEEPEST:
        raise ValueError(
            f"checkpoint_dir needs parameters with at most {_DEEPEST} levels of nesting, but "
            f"{within[0]!r} has more. Pass checkpoint_dir=None, or a simpler parameter."
        )
    deeper = functools.partial(describe, within=(*within, value))
    if isinstance(value, (set, frozenset)):
        return [dotted_name(type(value)), *sorted(map(str, map(deeper, value)))]
    for kinds, parts in _DESCRIBED:
        if isinstance(value, kinds):
            return [dotted_name(type(value)), *map(deeper, parts(value))]
    if inspect.isroutine(value) or inspect.isclass(value):
        bound_to = getattr(value, "__self__", None)
        return [dotted_name(value), None if inspect.ismodule(bound_to) else deeper(bound_to)]
    if hasattr(value, "set_random_state"):  # a fit seeds it, so its state does not count
        value = copy.deepcopy(value)
        value.set_random_state(seed=0)
    if hasattr(value, "get_params"):
        name, params = dotted_name(type(value)), value.get_params(deep=False)
        added = _ADDED_SINCE.get(name, {}).items()
        return [
            name,
            deeper({key: each for key, each in params.items() if (key, each) not in added}),
        ]
    if type(value).__repr__ is not object.__repr__ and not dataclasses.is_dataclass(value):
        # A digest, because attributes may be secret and descriptions are written to a file.
        return [steady_repr(value), digest(deeper(getattr(value, "__dict__", None)))]
    return [dotted_name(type(value)), deeper(getattr(value, "__dict__", None))]


def steady_repr(value):
    """Return the repr without memory addresses, which differ between processes."""
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))


_DEEPEST = 50
#: Parameters of parts that fits of older versions do not have, and the value that continues them.
_ADDED_SINCE = {"sklearn_cae.clusterers.CommunityClusterer": {"n_init": 1}}
#: Types, and functions that return the parts of a value to describe.
_DESCRIBED = (
    ((list, tuple), list),
    (dict, lambda value: [list(pair) for pair in value.items()]),
    (logging.Logger, lambda value: [value.name]),
    (types.ModuleType, lambda value: [value.__name__]),
    (functools.partial, lambda value: [value.func, value.args, value.keywords]),
    (np.random.RandomState, lambda value: [value.get_state(legacy=False)]),
    (np.random.Generator, lambda value: [value.bit_generator.state]),
    (torch.Generator, lambda value: [value.get_state()]),
    (torch.Tensor, lambda value: [str(value.dtype), list(value.shape), _as_bytes(value)]),
    (nn.Module, lambda value: [*_weights(value), *map(_attributes, value.modules())]),
    (np.ndarray, lambda value: [value.dtype.str, value.shape, _digest_array(value)]),
    (sparse.sparray, lambda value: [value.shape, *sparse.find(value)]),
    (sparse.spmatrix, lambda value: [value.shape, *sparse.find(value)]),
)


def _weights(module):
    return [steady_repr(module), *module.state_dict().items()]


def _attributes(module):
    """Return the attributes of a module except weights, submodules and mode."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training"
    }


def _as_bytes(tensor):
    return tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy()


def _digest_array(array):
    if array.dtype == object:
        return array.tolist()
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


def fingerprint_start(*parts):
    """Return a digest of the start of a phase or fit: networks (or None) and arrays.

    Networks count by their repr and weights; checkpoints contain no other state of a module.
    """
    return digest(
        describe([_weights(part) if isinstance(part, nn.Module) else part for part in parts])
    )
