"""Where a fit stands, in a folder: what it is a fit of, and the last epoch of each phase.

A fit that is taken up is run again from its start, by the same random numbers; a phase that is kept
is not trained but restored, and what lies between the phases comes out as it did.
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
#: Of fits, which are those of older versions while it stays.
_FORMAT = 1
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
        Fingerprint of the networks that the fit starts from, if not from new ones.
    rng : RandomState
        Of the fit, at its start. Goes back to where the fit began that is taken up.
    ran_with : dict
        What the fit runs with: device, versions and the like.

    Attributes
    ----------
    ran_with : dict
        Of the fit's beginning; "taken_up_with" tells, if it was begun before, what differs now.

    Raises
    ------
    ValueError
        If the folder is the checkpoint of another fit, or cannot be written, or the random numbers
        come from a generator whose state cannot be kept.
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
                name: describe(value) for name, value in params.items() if name not in _LEFT_OUT
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
                f"checkpoint_dir must be a folder that can be written, got {str(directory)!r}: "
                f"{error}. Pass another one, or None."
            ) from error

    def _begin(self, about, rng, ran_with):
        """Note what the fit is of; or, if it was begun before, go back to its random numbers.

        Where several processes begin it at once, the random numbers are those of the first.
        """
        path = self.folder / _FIT
        self._about = _read_about(path)
        if self._about is None:
            name, keys, *rest = rng.get_state()
            random_state = [name, keys.tolist(), *rest]
            mine = {**about, "random_state": random_state, "ran_with": ran_with}
            write_first(path, _as_text(mine))
            self._about = _read_about(path)
            if self._about is None:  # what is there is damaged
                write_whole(path, _as_text(mine))
                self._about = mine
        set_state(rng, self._about["random_state"])
        self.ran_with = begun = self._about["ran_with"]
        new = {name: value for name, value in ran_with.items() if value != begun.get(name)}
        if new:
            self.ran_with = {**begun, "taken_up_with": new}
        if "finished" in self._about:
            warn(
                f"This fit had come to its end in {self.folder}: what was kept is loaded, not "
                "trained again.",
                UserWarning,
            )

    def check(self, state):
        """Raise ValueError where no checkpoint could hold a state."""
        try:
            packer = Packer({})
            container.as_bytes({"state": packer.pack(state, "networks")}, packer.tensors)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"checkpoint_dir must be None for what no checkpoint can hold, got "
                f"{str(self.folder)!r}: {error}"
            ) from error

    def read(self, phase, start):
        """Give the state of a phase as it was last kept, a dict, or None.

        None, too, if the phase that was kept had another start: on another machine the embedding
        may differ in its last bits, and so may the prototypes.
        """
        path = self._path(phase)
        if not path.exists() and "finished" not in self._about:
            return None
        try:
            with container.reading(path) as (header, get_tensor):
                state = Unpacker({}, get_tensor).unpack(header["state"])
                if self._is_of(header, start, state["start"]):
                    return state
            problem = "it had started from other weights, prototypes or random numbers"
        except (container.LoadError, OSError) as error:
            problem = error
        warn(
            f"The phase {phase!r} that was kept in {self.folder} is trained anew: {problem}.",
            UserWarning,
        )
        return None

    def write(self, phase, state):
        """Keep the state of a phase; where that fails the one before stays, and the fit goes on.

        One that another process has brought as far, or further, stays, too.

        Parameters
        ----------
        phase : str
        state : dict
            Has "start", what the phase started from; "finished", whether it is at its end; and
            "history", a list with an item for each epoch.
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
        """Whether a phase is kept as far as that: by another process, since this one is here."""
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
        """Whether a file is of this beginning of the fit, and of a phase with that start."""
        return kept_start == start and header.get("begun", self._begun()) == self._begun()

    def _begun(self):
        """Tell beginnings of a fit apart, which may differ in their random numbers."""
        return digest(self._about["random_state"])

    def finish(self):
        """Note that the fit has come to its end."""
        about = {**self._about, "finished": True}
        self._try(write_whole, self.folder / _FIT, _as_text(about))

    def _try(self, write, *args):
        try:
            write(*args)
        except (OSError, TypeError, ValueError) as error:
            warn(
                f"No checkpoint could be written to {self.folder}: {error}. The fit goes on; if it "
                "is stopped, it can be taken up only from the last one that was written.",
                UserWarning,
            )

    def _path(self, phase):
        return self.folder / f"{phase}.safetensors"


def _read_about(path):
    """Give what a folder is the fit of; None where that is not there, or is damaged."""
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
    """Raise where a folder is the checkpoint of another fit."""
    if kept is None:
        raise ValueError(
            f"checkpoint_dir={os.fspath(directory)!r} holds a {_FIT} that is damaged, or not of a "
            "fit. Pass the folder above it, or another one."
        )
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
