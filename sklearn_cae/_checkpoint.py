"""Where a fit stands, in a folder: what it is a fit of, and the last epoch of each phase.

A fit that is taken up is run again from its start, by the same random numbers; a phase that is kept
is not trained but restored, and what lies between the phases comes out as it did.
"""

import functools
import hashlib
import inspect
import json
import os
import warnings
from pathlib import Path

import numpy as np

from . import _container
from ._packing import Packer, Unpacker, dotted_name

_FIT = "fit.json"
#: Parameters that do not change what a fit comes to.
_LEFT_OUT = {"checkpoint_dir", "device", "output", "verbose", "warm_start"}


class Checkpoint:
    """The folder of one fit.

    Parameters
    ----------
    directory : path-like
        A subfolder is named by the fit's fingerprint; a folder that is a checkpoint itself has to
        be this fit's.
    params : dict
        The estimator's.
    data : str
        Fingerprint of the samples.
    start : str
        Fingerprint of the weights that the fit starts from, "" for new ones.
    rng : RandomState
        Of the fit, at its start. Goes back to where the fit began that is taken up.

    Raises
    ------
    ValueError
        If the folder is the checkpoint of another fit, or cannot be written.
    """

    def __init__(self, directory, params, data, start, rng):
        about = {
            "format": _container.FORMAT,
            "parameters": {
                name: describe(value) for name, value in params.items() if name not in _LEFT_OUT
            },
            "data": data,
            "start": start,
        }
        directory = Path(directory)
        try:
            if (directory / _FIT).exists():
                self.folder = directory
                _check_same(about, json.loads((directory / _FIT).read_text()), directory)
            else:
                self.folder = directory / _digest(about)
                self.folder.mkdir(parents=True, exist_ok=True)
            _container.remove_unfinished(self.folder)
            self._begin(about, rng)
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir must be a folder that can be written, got {str(directory)!r}: "
                f"{error}. Pass another one, or None."
            ) from error

    def _begin(self, about, rng):
        """Note what the fit is of; or, if it was begun before, go back to its random numbers."""
        path = self.folder / _FIT
        if path.exists():
            self._about = json.loads(path.read_text())
            name, keys, *rest = self._about["random_state"]
            rng.set_state((name, np.array(keys, dtype=np.uint32), *rest))
        else:
            for stale in self.folder.glob("*.safetensors"):
                stale.unlink()
            name, keys, *rest = rng.get_state()
            self._about = {**about, "random_state": [name, keys.tolist(), *rest]}
            _container.write_whole(path, _as_text(self._about))
        if "finished" in self._about:
            warnings.warn(
                f"This fit had come to its end in {self.folder}: it is loaded, not trained again.",
                UserWarning,
                stacklevel=2,
            )

    def read(self, phase):
        """Give the state of a phase as it was last kept, a dict, or None."""
        path = self._path(phase)
        if not path.exists():
            return None
        try:
            with _container.reading(path) as (header, get_tensor):
                return Unpacker({}, get_tensor).unpack(header["state"])
        except (_container.LoadError, OSError) as error:
            warnings.warn(
                f"A checkpoint cannot be read, and its phase {phase!r} is trained anew: {error}",
                UserWarning,
                stacklevel=2,
            )
            return None

    def write(self, phase, state):
        """Keep the state of a phase; where that fails the one before stays, and the fit goes on."""
        packer = Packer({})
        header = {"kind": "checkpoint", "state": packer.pack(state, phase)}
        self._try(_container.write, self._path(phase), header, packer.tensors)

    def finish(self):
        """Note that the fit has come to its end."""
        about = {**self._about, "finished": True}
        self._try(_container.write_whole, self.folder / _FIT, _as_text(about))

    def _try(self, write, *args):
        try:
            write(*args)
        except OSError as error:
            warnings.warn(
                f"No checkpoint could be written to {self.folder}: {error}. The fit goes on; if it "
                "is stopped, it can be taken up only from the last one that was written.",
                UserWarning,
                stacklevel=3,
            )

    def _path(self, phase):
        return self.folder / f"{phase}.safetensors"


def describe(value):
    """Describe a parameter so that equal ones are described alike in every process."""
    if isinstance(value, functools.partial):
        return ["partial", describe(value.func), describe(value.args), describe(value.keywords)]
    if hasattr(value, "get_params") and not inspect.isclass(value):
        return [dotted_name(type(value)), describe(value.get_params(deep=False))]
    if isinstance(value, dict):
        return {str(key): describe(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(each) for each in value]
    if isinstance(value, np.random.RandomState):
        return describe(value.get_state())
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value)).hexdigest()
    if inspect.isroutine(value) or inspect.isclass(value):
        return dotted_name(value)
    has_no_words = type(value).__repr__ is object.__repr__
    return dotted_name(type(value)) if has_no_words else repr(value)


def fingerprint_weights(networks):
    """Digest of the weights and buffers of networks, those that are there."""
    digest = hashlib.sha256()
    for network in filter(None, networks):
        for value in network.state_dict().values():
            digest.update(np.ascontiguousarray(value.cpu().numpy()))
    return digest.hexdigest()


def _as_text(about):
    return (json.dumps(about, indent=1) + "\n").encode()


def _digest(about):
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _check_same(asked, kept, directory):
    """Raise where a folder is the checkpoint of another fit."""
    flat = [{**one, **one["parameters"], "parameters": None} for one in (asked, kept)]
    differing = [
        f"{name} was {flat[1].get(name)} and is {value}"
        for name, value in flat[0].items()
        if value != flat[1].get(name)
    ]
    if differing:
        raise ValueError(
            f"checkpoint_dir={os.fspath(directory)!r} is the checkpoint of another fit: "
            f"{'; '.join(differing)}. Pass the folder above it, where each fit has its own, or "
            "another one."
        )
