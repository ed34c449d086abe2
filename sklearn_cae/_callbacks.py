"""What watches a phase while it is trained: losses, learning rate, progress, numbers."""

import copy
import math

import numpy as np
import torch
from skorch.callbacks import Callback, LRScheduler
from tqdm.auto import tqdm


class EpochMeans(Callback):
    """Put the means of the recorded parts of the loss into the history of the epoch.

    Of an older epoch skorch's records of batches go but for the last one, which callbacks such as
    Checkpoint look at: all of them would outgrow the data.
    """

    def on_epoch_begin(self, net, **kwargs):
        net.sums_ = {}

    def on_epoch_end(self, net, **kwargs):
        n_views = sum(batch["train_batch_size"] for batch in net.history[-1, "batches"])
        for name, total in net.sums_.items():
            net.history.record(name, float(total) / n_views)
        for row in net.history[-2:-1]:
            del row["batches"][:-1]


class StopOnNaN(Callback):
    """End a fit that has left the numbers, at the end of that step; restore the epoch before.

    The last step of an epoch can leave weights that are no numbers behind a loss that was one: so
    they are looked at, too.
    """

    def on_train_begin(self, net, **kwargs):
        self.good_ = copy.deepcopy(net.module_.state_dict())

    def on_batch_end(self, net, **kwargs):
        if not math.isfinite(net.history[-1, "batches", -1, "train_loss"]):
            self._stop(net, "loss")

    def on_epoch_end(self, net, **kwargs):
        state = net.module_.state_dict()
        if not all(torch.isfinite(value).all() for value in state.values()):
            self._stop(net, "weights")
        self.good_ = copy.deepcopy(state)

    def on_train_end(self, net, **kwargs):
        del self.good_

    def _stop(self, net, what):
        net.module_.load_state_dict(self.good_)
        raise ValueError(
            f"The {what} became NaN or infinite in epoch {len(net.history)} of this phase; the "
            "networks are as they were after the epoch before. Lower learning_rate or "
            "reconstruction_weight, raise temperature, or pass precision='float32'."
        )


class ProgressBar(Callback):
    """One bar for a phase: epochs, losses, time left."""

    def __init__(self, phase):
        self.phase = phase

    def on_train_begin(self, net, **kwargs):
        self.bar_ = tqdm(
            total=net.max_epochs, initial=len(net.history), desc=self.phase, unit="epoch"
        )

    def on_epoch_end(self, net, **kwargs):
        losses = {key: f"{x:.4f}" for key, x in net.history[-1].items() if key.endswith("_loss")}
        self.bar_.set_postfix(losses)
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.bar_.close()


class KeepEpochs(Callback):
    """Keep, after every epoch, all that a phase needs to go on; and go on from it.

    Parameters
    ----------
    checkpoint : Checkpoint or None
    phase : str
    generator : torch.Generator
        Of the phase.
    kept : dict or None
        The state that was kept before, if there is one.
    user_callbacks : list
        Whose attributes with a trailing underscore are kept where they are plain values.
    is_seeded : bool
        Whether torch's global generators are the phase's own while it runs.
    """

    def __init__(self, checkpoint, phase, generator, kept, user_callbacks, is_seeded):
        self.checkpoint = checkpoint
        self.phase = phase
        self.generator = generator
        self.kept = kept
        self.user_callbacks = [one[1] if isinstance(one, tuple) else one for one in user_callbacks]
        self.is_seeded = is_seeded

    @property
    def n_kept(self):
        """Number of epochs that were kept."""
        return len(self.kept["history"]) if self.kept else 0

    @property
    def finished(self):
        """Whether the phase had come to its end."""
        return bool(self.kept) and self.kept["finished"]

    def restore(self, net):
        """Put an initialised net where the phase stood."""
        if not self.kept:
            return
        net.module_.load_state_dict(self.kept["module"])
        net.optimizer_.load_state_dict(self.kept["optimizer"])
        for weight, state in net.optimizer_.state.items():
            for name, value in state.items():
                if isinstance(value, torch.Tensor) and value.shape == weight.shape:
                    state[name] = torch.empty_like(weight).copy_(value)  # laid out as the weight
        self.generator.set_state(self.kept["generator"])
        if self.is_seeded:
            torch.set_rng_state(self.kept["global_generator"])
            if self._on_cuda(net):
                torch.cuda.set_rng_state(self.kept["cuda_generator"], net.device)
        for row in self.kept["history"]:
            net.history.append({**row, "batches": []})

    def on_train_begin(self, net, **kwargs):
        if self.kept:  # the callbacks' own beginnings come before this one
            for callback, state in zip(self.user_callbacks, self.kept["callbacks"], strict=True):
                vars(callback).update(state)

    def on_epoch_end(self, net, **kwargs):
        self._keep(net, finished=False)

    def finish(self, net):
        """Keep that the phase has come to its end, at its last epoch or by a callback."""
        if not self.finished:
            self._keep(net, finished=True)

    def _keep(self, net, *, finished):
        state = {
            "finished": finished,
            "module": dict(net.module_.state_dict()),
            "optimizer": net.optimizer_.state_dict(),
            "generator": self.generator.get_state(),
            "history": [
                {key: value for key, value in row.items() if key != "batches"}
                for row in net.history
            ],
            "callbacks": [_plain_attributes(callback) for callback in self.user_callbacks],
        }
        if self.is_seeded:
            state["global_generator"] = torch.get_rng_state()
            if self._on_cuda(net):
                state["cuda_generator"] = torch.cuda.get_rng_state(net.device)
        self.checkpoint.write(self.phase, state)

    def _on_cuda(self, net):
        return torch.device(net.device).type == "cuda"


def _plain_attributes(callback):
    """Give what a callback has learned, in attributes with a trailing underscore: plain values."""
    plain = (bool, int, float, str, type(None), np.generic, np.ndarray)
    return {
        key: value
        for key, value in vars(callback).items()
        if key.endswith("_") and isinstance(value, plain)
    }


def phase_callbacks(phase, *, schedule, verbose, user_callbacks):
    """Callbacks of one phase: the schedule, the history, the user's own.

    `schedule` gives the factor of the learning rate from the epoch of the phase.
    """
    callbacks = [
        ("stop_on_nan", StopOnNaN()),
        ("epoch_means", EpochMeans()),
        (
            "learning_rate",
            LRScheduler(
                torch.optim.lr_scheduler.LambdaLR,
                event_name="learning_rate",
                lr_lambda=schedule,
            ),
        ),
    ]
    if verbose:
        callbacks.append(("progress_bar", ProgressBar(phase)))
    return [*callbacks, *user_callbacks]


def check_callbacks(callbacks):
    """Raise where something is no skorch callback."""
    for callback in callbacks or []:
        own = callback[1] if isinstance(callback, tuple) else callback
        if not hasattr(own, "on_train_begin"):
            raise TypeError(
                "callbacks must be skorch callbacks, or tuples of a name and one, got "
                f"{callback!r}. See skorch.callbacks."
            )
