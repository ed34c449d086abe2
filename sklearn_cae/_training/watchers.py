"""What watches a phase while it is trained: losses, learning rate, progress, numbers."""

import copy
import math
import signal
import threading
from contextlib import contextmanager

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
