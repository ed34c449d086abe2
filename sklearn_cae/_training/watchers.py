"""Callbacks of every phase: losses, learning rate, progress, checks for NaN."""

import copy
import math
import signal
import threading
from contextlib import contextmanager

import torch
from skorch.callbacks import Callback, LRScheduler
from tqdm.auto import tqdm

from .. import _processes as processes


class EpochMeans(Callback):
    """Record the means of the parts of the loss in the history of the epoch.

    For older epochs, skorch's records of batches are deleted, because they would need more memory
    than the data. The record of the last batch stays, because callbacks such as Checkpoint use it.
    """

    def on_epoch_begin(self, net, **kwargs):
        net.sums_ = {}

    def on_batch_end(self, net, batch, **kwargs):
        n_views = processes.n_rows_together(len(batch[0]))
        net.history.record_batch("train_batch_size", n_views)

    def on_epoch_end(self, net, **kwargs):
        n_views = sum(batch["train_batch_size"] for batch in net.history[-1, "batches"])
        for name, total in processes.average_values(net.sums_).items():
            net.history.record(name, float(total) / n_views)
        for row in net.history[-2:-1]:
            del row["batches"][:-1]


_WAYS_OUT = {
    "warm_up": "Lower learning_rate or reconstruction_weight, raise temperature",
    "refinement": "Raise assignment_temperature",
    "conditioning": "Lower learning_rate",
}


class StopOnNaN(Callback):
    """Raise after a step whose loss is NaN or infinite, and restore the epoch before.

    The weights are checked after each epoch, because its last step can make them NaN or infinite
    although its loss is finite.
    """

    def on_train_begin(self, net, **kwargs):
        self.good_ = copy.deepcopy(net.module_.state_dict())

    def on_batch_end(self, net, **kwargs):
        if not math.isfinite(net.history[-1, "batches", -1, "train_loss"]):
            self._stop(net, "loss")

    def on_epoch_end(self, net, **kwargs):
        # Buffers are not checked, because the user's own may contain infinities, such as masks.
        if not all(torch.isfinite(weight).all() for weight in net.module_.parameters()):
            self._stop(net, "weights")
        self.good_ = copy.deepcopy(net.module_.state_dict())

    def on_train_end(self, net, **kwargs):
        del self.good_

    def _stop(self, net, what):
        net.module_.load_state_dict(self.good_)
        raise ValueError(
            f"The {what} became NaN or infinite in epoch {len(net.history)} of this phase. The "
            f"networks were restored to the epoch before. {_WAYS_OUT[net.phase]}, or pass "
            "precision='float32'."
        )


class ProgressBar(Callback):
    """Progress bar of a phase: epochs, losses, time left."""

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
    """Record each Ctrl-C in a list.

    A callback that stops a phase raises the same exception, but is not recorded. A Ctrl-C for which
    the user's own handler does not raise KeyboardInterrupt is not recorded either.
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
    """Return the callbacks of one phase: the schedule, the history, the user's own.

    `schedule` is a function from the epoch of the phase to the factor of the learning rate.
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
    if verbose and processes.is_first():
        callbacks.append(("progress_bar", ProgressBar(phase)))
    return [*callbacks, *user_callbacks]
