"""What watches a phase while it is trained: losses, learning rate, progress, numbers."""

import copy
import math
import signal
import threading
from contextlib import contextmanager
from functools import partial

import torch
from skorch.callbacks import Callback, LRScheduler
from tqdm.auto import tqdm

from ._packing import can_be_packed
from ._utils.warnings import warn

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn below 1.9

    class CallbackSupportMixin:
        """Nothing: without scikit-learn's callbacks there is nobody to tell."""


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


_WAYS_OUT = {
    "warm_up": "Lower learning_rate or reconstruction_weight, raise temperature",
    "refinement": "Raise assignment_temperature",
    "conditioning": "Lower learning_rate",
}


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
        # Buffers of a user's own may hold infinities, as masks do.
        if not all(torch.isfinite(weight).all() for weight in net.module_.parameters()):
            self._stop(net, "weights")
        self.good_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net, **kwargs):
        del self.good_

    def _stop(self, net, what):
        net.module_.load_state_dict(self.good_)
        raise ValueError(
            f"The {what} became NaN or infinite in epoch {len(net.history)} of this phase; the "
            f"networks are as they were after the epoch before. {_WAYS_OUT[net.phase]}, or pass "
            "precision='float32'."
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
    checkpoint : Checkpoint
    phase : str
    generator : torch.Generator
        Of the phase.
    start : str
        Fingerprint of all that the phase starts from.
    n_user_callbacks : int
        So many callbacks before this one are the user's. What they have learned, in attributes with
        a trailing underscore, is kept.
    is_seeded : bool
        Whether torch's global generators are the phase's own while it runs.
    """

    def __init__(self, checkpoint, phase, generator, start, n_user_callbacks, is_seeded):
        self.checkpoint = checkpoint
        self.phase = phase
        self.generator = generator
        self.start = start
        self.n_user_callbacks = n_user_callbacks
        self.is_seeded = is_seeded

    def initialize(self):
        """Look for what was kept; not of a phase that started from something else."""
        self.kept_ = self.checkpoint.read(self.phase, self.start)
        return self

    @property
    def n_kept(self):
        """Number of epochs that were kept."""
        return len(self.kept_["history"]) if self.kept_ else 0

    @property
    def finished(self):
        """Whether the phase had come to its end."""
        return bool(self.kept_) and self.kept_["finished"]

    def restore(self, net):
        """Put an initialised net where the phase stood."""
        if not self.kept_:
            return
        self._restore_weights(net)
        for row in self.kept_["history"]:
            net.history.append({**row, "batches": []})

    def on_train_begin(self, net, **kwargs):
        if not self.kept_:
            return
        self._restore_weights(net)  # which the callbacks before this one may have changed
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
                    state[name] = torch.empty_like(weight).copy_(value)  # laid out as the weight
        self.generator.set_state(self.kept_["generator"])
        if self.is_seeded:
            torch.set_rng_state(self.kept_["global_generator"])
            if "cuda_generator" in self.kept_ and self._on_cuda(net):
                torch.cuda.set_rng_state(self.kept_["cuda_generator"], net.device)

    def on_epoch_end(self, net, **kwargs):
        self._keep(net, finished=False)

    def finish(self, net):
        """Keep that the phase has come to its end, at its last epoch or by a callback."""
        if not self.finished:
            self._keep(net, finished=True)

    def _keep(self, net, *, finished):
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


class FitTasks:
    """The tasks of a fit, of which scikit-learn's callbacks are told: itself, phases, epochs.

    Parameters
    ----------
    estimator : ContrastiveAutoencoderClusterer
    X, y
        As `fit` got them.
    n_phases : int
    """

    def __init__(self, estimator, X, y, n_phases):
        self.told = {"estimator": estimator, "X": X, "y": y}
        self.fit = None
        if getattr(estimator, "_skl_callbacks", None):
            self.fit = estimator._init_callback_context(max_subtasks=n_phases)
            self.fit.call_on_fit_task_begin(**self.told)

    def of_phase(self, phase, n_epochs, as_if_stopped):
        """Give the skorch callbacks, one or none, that tell of a phase."""
        if self.fit is None:
            return []
        task = self.fit.subcontext(task_name=phase, max_subtasks=n_epochs)
        return [("tell_epochs", TellEpochs(task, self.told, as_if_stopped))]

    def end(self):
        """Tell that the fit has come to its end: the estimator is the fitted one itself."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(**self.told, reconstruction_attributes={})


class TellEpochs(Callback):
    """Tell scikit-learn's callbacks of a phase and its epochs; end it where one asks for that.

    Parameters
    ----------
    task : CallbackContext
        Of the phase.
    told : dict
        What all of them are told.
    as_if_stopped : callable
        Gives, for a net, the attributes of the model that the fit would come to if its phase ended
        now. Only called where a callback asks for that model.
    """

    def __init__(self, task, told, as_if_stopped):
        self.task = task
        self.told = told
        self.as_if_stopped = as_if_stopped

    def initialize(self):
        """Nothing has been asked for yet."""
        self.stopped_ = False
        return self

    def on_train_begin(self, net, **kwargs):
        self.task.call_on_fit_task_begin(**self.told)
        for _ in net.history:  # epochs that were kept
            self._begin()
            self.epoch_.call_on_fit_task_end(**self.told)

    def on_epoch_begin(self, net, **kwargs):
        self._begin()

    def on_epoch_end(self, net, **kwargs):
        self.stopped_ = self.epoch_.call_on_fit_task_end(
            **self.told, reconstruction_attributes=partial(self.as_if_stopped, net)
        )
        if self.stopped_:
            raise KeyboardInterrupt  # as skorch's own callbacks end a phase

    def on_train_end(self, net, **kwargs):
        self.task.call_on_fit_task_end(**self.told)

    def _begin(self):
        self.epoch_ = self.task.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(**self.told)


def _learned(callback):
    """Give what a callback has learned; warn of what cannot be kept."""
    learned = {name: value for name, value in vars(callback).items() if name.endswith("_")}
    lost = [name for name, value in learned.items() if not can_be_packed(value)]
    if lost:
        warn(
            f"{type(callback).__name__} has learned {', '.join(lost)}, which no checkpoint can "
            "hold: a fit that is taken up starts without it, and may come to another result.",
            UserWarning,
        )
    return {name: value for name, value in learned.items() if name not in lost}


@contextmanager
def noted_interrupts():
    """Note the user's Ctrl-C in a list: a callback that stops a phase raises the same exception.

    One that a handler of the user's own does not raise for interrupts nothing.
    """
    seen, before = [], signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield seen
        return

    def note(number, frame):
        try:
            before(number, frame)
        except KeyboardInterrupt:
            seen.append(number)
            raise

    signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)


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
