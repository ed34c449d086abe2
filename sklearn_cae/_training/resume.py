"""Save the state of a phase after each epoch, and resume from it."""

from functools import wraps

import torch
from skorch.callbacks import Callback

from .._processes import on_first
from .._storage.packing import can_be_packed
from .._utils.warnings import warn


class KeepEpochs(Callback):
    """Save the state of a phase after each epoch, and resume from it.

    Parameters
    ----------
    checkpoint : Checkpoint
    phase : str
    generator : torch.Generator
        Generator of the phase.
    start : str
        Fingerprint of the state from which the phase starts.
    n_user_callbacks : int
        Number of callbacks of the user, directly before this one. Their attributes with a trailing
        underscore are saved, too.
    is_seeded : bool
        Whether only the phase uses torch's global generators while it runs.
    """

    def __init__(self, checkpoint, phase, generator, start, n_user_callbacks, is_seeded):
        self.checkpoint = checkpoint
        self.phase = phase
        self.generator = generator
        self.start = start
        self.n_user_callbacks = n_user_callbacks
        self.is_seeded = is_seeded

    def initialize(self):
        """Read the saved state, if that phase started from the same state."""
        self.kept_ = on_first(self.checkpoint.read, self.phase, self.start)
        return self

    @property
    def n_kept(self):
        """Number of epochs that were saved."""
        return len(self.kept_["history"]) if self.kept_ else 0

    @property
    def finished(self):
        """Whether the phase that was saved is complete."""
        return bool(self.kept_) and self.kept_["finished"]

    def restore(self, net):
        """Restore the saved state in an initialised net."""
        if not self.kept_:
            return
        self._restore_weights(net)
        for row in self.kept_["history"]:
            net.history.append({**row, "batches": []})

    def on_train_begin(self, net, **kwargs):
        if not self.kept_:
            return
        self._restore_weights(net)  # callbacks before this one may have changed them
        for callback, state in zip(self._of_user(net), self.kept_["callbacks"], strict=True):
            vars(callback).update(state)

    def _restore_weights(self, net):
        net.module_.load_state_dict(self.kept_["module"])
        for name, weight in net.module_.named_parameters():
            weight.requires_grad_(self.kept_["requires_grad"][name])
        net.optimizer_.load_state_dict(self.kept_["optimizer"])
        for weight, state in net.optimizer_.state.items():
            for name, value in state.items():
                if isinstance(value, torch.Tensor) and value.shape == weight.shape:
                    state[name] = torch.empty_like(weight).copy_(value)  # in the weight's order
        self.generator.set_state(self.kept_["generator"])
        if self.is_seeded:
            torch.set_rng_state(self.kept_["global_generator"])
            if "cuda_generator" in self.kept_ and self._on_cuda(net):
                torch.cuda.set_rng_state(self.kept_["cuda_generator"], net.device)

    def on_epoch_end(self, net, **kwargs):
        on_first(self._keep, net, False)

    def finish(self, net):
        """Save that the phase is complete, after its last epoch or because of a callback."""
        if not self.finished:
            on_first(self._keep, net, True)

    def _keep(self, net, finished):
        weights = net.module_.named_parameters()
        state = {
            "start": self.start,
            "finished": finished,
            "module": net.module_.state_dict(),
            "requires_grad": {name: weight.requires_grad for name, weight in weights},
            "optimizer": net.optimizer_.state_dict(),
            "generator": self.generator.get_state(),
            "history": [
                {key: value for key, value in row.items() if key != "batches"}
                for row in net.history
            ],
            "callbacks": [_learned(callback) for callback in self._of_user(net)],
        }
        if self.is_seeded:
            state["global_generator"] = torch.get_rng_state()
            if self._on_cuda(net):
                state["cuda_generator"] = torch.cuda.get_rng_state(net.device)
        self.checkpoint.write(self.phase, state)

    def _of_user(self, net):
        callbacks = [callback for _, callback in net.callbacks_]
        own = callbacks.index(self)
        return callbacks[own - self.n_user_callbacks : own]

    def _on_cuda(self, net):
        return torch.device(net.device).type == "cuda"


def _learned(callback):
    """Return the learned attributes of a callback; warn about those that cannot be saved."""
    learned = {name: value for name, value in vars(callback).items() if name.endswith("_")}
    lost = [name for name, value in learned.items() if not can_be_packed(value)]
    if lost:
        warn(
            f"{type(callback).__name__} has learned {', '.join(lost)}, which a checkpoint cannot "
            "save. A fit that resumes starts without it, and its result may differ.",
            UserWarning,
        )
    return {name: value for name, value in learned.items() if name not in lost}


def tells_what_is_kept(fit):
    """Add a note to each exception of `fit` after the first epoch: how to use the networks."""

    @wraps(fit)
    def fit_and_tell(self, X, y=None, **metadata):
        before = vars(self).get("history_")
        try:
            return fit(self, X, y, **metadata)
        except BaseException as error:  # also Ctrl-C in the search for clusters
            history = vars(self).get("history_")
            if history and history is not before:
                error.add_note(_what_is_kept(self, history[-1]["phase"]))
            raise

    return fit_and_tell


def _what_is_kept(estimator, phase):
    note = (
        f"This estimator keeps the networks, which were trained up to the phase {phase!r}. To "
        "start from their weights, call set_params(warm_start=True), and fit again."
    )
    if hasattr(estimator, "clustered_indices_"):  # the search for clusters had begun
        note += (
            " To cluster without training, call recluster(X), with another clusterer or n_clusters "
            "if these were the cause."
        )
    if estimator.checkpoint_dir is not None:
        note += (
            " checkpoint_dir keeps the epochs, too: with the same parameters and data, fit resumes "
            "from them."
        )
    return note
