"""Checkpoints: a folder with the description of a fit, and the last epoch of each phase.

A resumed fit starts again with the same random numbers. Saved phases are restored and not trained;
the steps between phases run again, with the same results.
"""

import json
import os
from pathlib import Path

from .._utils.random import set_state
from .._utils.warnings import warn
from . import container
from .files import patiently, remove_unfinished, write_first, write_whole
from .fingerprint import describe, digest
from .packing import Packer, Unpacker

_FIT = "fit.json"
#: Format of fits. Fits of older versions with the same format can be resumed.
_FORMAT = 1
#: Parameters that do not change the result of a fit.
_LEFT_OUT = {"checkpoint_dir", "device", "output", "verbose", "warm_start"}
#: Parameters that fits of older versions do not have, and the value that continues them.
ADDED_SINCE = {"spatial_dims": 2, "train_encoder": True}
#: The same for the environment.
_RAN_BEFORE = {"processes": 1}


class Checkpoint:
    """The folder of one fit.

    Parameters
    ----------
    directory : path-like
        Folder of checkpoints, in which each fit has a subfolder named by its fingerprint; or the
        checkpoint of this fit.
    params : dict
        Parameters of the estimator.
    data : str
        Fingerprint of the samples.
    start : str
        Fingerprint of the networks that the fit starts from, if these are not new.
    rng : RandomState
        Generator of the fit. If the fit is resumed, its state is set to that of the first start.
    ran_with : dict
        Environment of the fit, such as device and versions.

    Attributes
    ----------
    ran_with : dict
        Environment of the first start. If the fit is resumed and the environment differs, the
        differences are in "resumed_with".

    Raises
    ------
    ValueError
        If the folder is the checkpoint of another fit or cannot be written, or if the state of the
        generator cannot be saved.
    """

    def __init__(self, directory, params, data, start, rng, ran_with):
        if rng.get_state(legacy=False)["bit_generator"] != "MT19937":
            raise ValueError(
                "random_state must be an int or a RandomState of MT19937 with checkpoint_dir, got "
                f"{rng!r}. Pass an int."
            )
        about = {
            "format": _FORMAT,
            "parameters": {
                name: describe(value)
                for name, value in params.items()
                if name not in _LEFT_OUT and (name, value) not in ADDED_SINCE.items()
            },
            "data": data,
            "start": start,
        }
        directory = Path(directory)
        try:
            if (directory / _FIT).exists():
                self.folder = directory
                _check_same(about, _read_about(directory / _FIT), directory)
            else:
                self.folder = directory / digest(about)
                self.folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(self.folder)
            self._begin(about, rng, ran_with)
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir must be a writable folder, got {str(directory)!r}: {error}. Pass "
                "another folder, or None."
            ) from error

    def _begin(self, about, rng, ran_with):
        """Write the description of the fit, or restore the random state if there is one.

        If several processes start the fit at once, all use the random state of the first.
        """
        path = self.folder / _FIT
        self._about = _read_about(path)
        if self._about is None:
            name, keys, *rest = rng.get_state()
            random_state = [name, keys.tolist(), *rest]
            mine = {**about, "random_state": random_state, "ran_with": ran_with}
            write_first(path, _as_text(mine))
            self._about = _read_about(path)
            if self._about is None:  # the existing file is damaged
                write_whole(path, _as_text(mine))
                self._about = mine
        set_state(rng, self._about["random_state"])
        self.ran_with = begun = self._about["ran_with"]
        known = {**_RAN_BEFORE, **begun}
        new = {name: value for name, value in ran_with.items() if value != known.get(name)}
        if new:
            self.ran_with = {**begun, "resumed_with": new}
        if "processes" in new:
            warn(
                f"This fit was begun by {known['processes']} process(es), and goes on with "
                f"{new['processes']}. Its result is another one than without the stop.",
                UserWarning,
            )
        if "finished" in self._about:
            warn(
                f"This fit is already finished in {self.folder}. Its phases are loaded, not "
                "trained again.",
                UserWarning,
            )

    def check(self, state):
        """Raise ValueError if a checkpoint cannot hold a state."""
        try:
            packer = Packer({})
            container.as_bytes({"state": packer.pack(state, "networks")}, packer.tensors)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"checkpoint_dir must be None if a part of the fit cannot be saved, got "
                f"{str(self.folder)!r}: {error}"
            ) from error

    def read(self, phase, start):
        """Return the last saved state of a phase, a dict, or None.

        It is also None if the saved phase had another start: on another machine the embedding and
        the prototypes may differ in their last bits.
        """
        path = self._path(phase)
        if not path.exists() and "finished" not in self._about:
            return None
        try:
            with container.reading(path) as (header, get_tensor):
                state = Unpacker({}, get_tensor).unpack(header["state"])
                if self._is_of(header, start, state["start"]):
                    return state
            problem = "it started from other weights, prototypes or random numbers"
        except (container.LoadError, OSError) as error:
            problem = error
        warn(
            f"The phase {phase!r} saved in {self.folder} cannot be used and is trained again: "
            f"{problem}.",
            UserWarning,
        )
        return None

    def write(self, phase, state):
        """Save the state of a phase; if this fails, warn and keep the previous file.

        The file is also kept if another process has saved the same or a later epoch.

        Parameters
        ----------
        phase : str
            Name of the phase.
        state : dict
            State with "start", the fingerprint of the start of the phase; "finished", whether the
            phase is complete; and "history", a list with one item per epoch.
        """
        self._try(self._write_phase, phase, state)

    def _write_phase(self, phase, state):
        progress = [state["finished"], len(state["history"])]
        if self._is_kept(phase, state["start"], progress):
            return
        packer = Packer({})
        header = {
            "kind": "checkpoint",
            "begun": self._begun(),
            "start": state["start"],
            "progress": progress,
            "state": packer.pack(state, phase),
        }
        container.write(self._path(phase), header, packer.tensors)

    def _is_kept(self, phase, start, progress):
        """Return whether another process has saved a phase with at least this progress."""
        header = container.read_header(self._path(phase))
        if not (
            self._is_of(header, start, header.get("start"))
            and header.get("progress", []) >= progress
        ):
            return False
        try:
            with container.reading(self._path(phase)):
                return True
        except (container.LoadError, OSError):
            return False

    def _is_of(self, header, start, kept_start):
        """Return whether a file belongs to this start of the fit and of the phase."""
        return kept_start == start and header.get("begun", self._begun()) == self._begun()

    def _begun(self):
        """Return a digest of the random state, in which starts of a fit may differ."""
        return digest(self._about["random_state"])

    def read_embedding(self, key):
        """Return the embedding that a fit kept under a key, a dict, or None.

        It is beside the folders of the fits, because it does not depend on their parameters.
        """
        path = self._embedding_path(key)
        if not path.exists():
            return None
        try:
            with container.reading(path) as (header, get_tensor):
                return Unpacker({}, get_tensor).unpack(header["state"])
        except (container.LoadError, OSError) as error:
            warn(f"The embedding in {path} cannot be used, and is computed: {error}.", UserWarning)
            return None

    def write_embedding(self, key, state):
        """Save an embedding under a key; if this fails, warn."""
        packer = Packer({})
        header = {"kind": "embedding", "state": packer.pack(state, "embedding")}
        self._try(container.write, self._embedding_path(key), header, packer.tensors)

    def _embedding_path(self, key):
        return self.folder.parent / f"embedding_{key}.safetensors"

    def finish(self):
        """Write that the fit is finished."""
        about = {**self._about, "finished": True}
        self._try(write_whole, self.folder / _FIT, _as_text(about))

    def _try(self, write, *args):
        try:
            write(*args)
        except (OSError, TypeError, ValueError) as error:
            warn(
                f"No checkpoint could be written to {self.folder}: {error}. The fit continues; if "
                "it is stopped, it can be resumed only from the last checkpoint.",
                UserWarning,
            )

    def _path(self, phase):
        return self.folder / f"{phase}.safetensors"


def _read_about(path):
    """Return the description of a fit, or None if it is missing or damaged."""
    if not path.exists():
        return None
    try:
        about = json.loads(patiently(path.read_text))
        return about if about.pop("digest") == digest(about) else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _as_text(about):
    return (json.dumps({**about, "digest": digest(about)}, indent=1) + "\n").encode()


def _check_same(asked, kept, directory):
    """Raise if a folder is the checkpoint of another fit."""
    if kept is None:
        raise ValueError(
            f"checkpoint_dir={os.fspath(directory)!r} holds a {_FIT} that is damaged or does not "
            "describe a fit. Pass its parent folder, or another folder."
        )
    flat = [
        {**one, **ADDED_SINCE, **one["parameters"], "parameters": None} for one in (asked, kept)
    ]
    differing = [
        f"{name} was {flat[1].get(name)} and is {value}"
        for name, value in flat[0].items()
        if value != flat[1].get(name)
    ]
    if differing:
        raise ValueError(
            f"checkpoint_dir={os.fspath(directory)!r} is the checkpoint of another fit: "
            f"{'; '.join(differing)}. Pass its parent folder, where each fit has its own "
            "subfolder, or another folder."
        )
