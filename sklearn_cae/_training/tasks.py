"""Notify scikit-learn's callbacks of the fit, its phases and its epochs."""

from functools import partial

from skorch.callbacks import Callback

from .._processes import is_first

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn below 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Empty class, because this scikit-learn has no callbacks."""


class FitTasks:
    """Tasks of a fit for scikit-learn's callbacks: the fit itself, its phases and its epochs.

    Parameters
    ----------
    estimator : ContrastiveAutoencoderClusterer
    X, y
        Arguments of `fit`.
    n_phases : int
    as_if_stopped : callable
        Function of the net of a phase, which returns the attributes that the fit would set if that
        phase ended now.
    """

    def __init__(self, estimator, X, y, n_phases, as_if_stopped):
        self.told = {"estimator": estimator, "X": X, "y": y}
        self.as_if_stopped = as_if_stopped
        self.fit = None
        self.is_followed = bool(getattr(estimator, "_skl_callbacks", None))
        if self.is_followed and is_first():
            self.fit = estimator._init_callback_context(max_subtasks=n_phases)
            self.fit.call_on_fit_task_begin(**self.told)

    def of_phase(self, phase, n_epochs):
        """Return a list with the skorch callback that reports a phase, empty if none is needed."""
        if not self.is_followed:
            return []
        task = self.fit and self.fit.subcontext(task_name=phase, max_subtasks=n_epochs)
        return [("tell_epochs", TellEpochs(task, self.told, self.as_if_stopped))]

    def end(self):
        """Report the end of the fit, at which the estimator itself is fitted."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(**self.told, reconstruction_attributes={})


class TellEpochs(Callback):
    """Report a phase and its epochs to scikit-learn's callbacks; end the phase if one requests it.

    Parameters
    ----------
    task : CallbackContext
        Task of the phase.
    told : dict
        Arguments of every call.
    as_if_stopped : callable
        Function of `FitTasks`. It is called only if a callback requests the model.
    """

    def __init__(self, task, told, as_if_stopped):
        self.task = task
        self.told = told
        self.as_if_stopped = as_if_stopped

    def initialize(self):
        """Note that no callback has requested the end of the phase."""
        self.stopped_ = False
        return self

    def on_train_begin(self, net, **kwargs):
        self.task.call_on_fit_task_begin(**self.told)
        for _ in net.history:  # epochs of the checkpoint
            self._begin()
            self.epoch_.call_on_fit_task_end(**self.told)

    def on_epoch_begin(self, net, **kwargs):
        self._begin()

    def on_epoch_end(self, net, **kwargs):
        self.stopped_ = self.epoch_.call_on_fit_task_end(
            **self.told, reconstruction_attributes=partial(self.as_if_stopped, net)
        )
        if self.stopped_:
            raise KeyboardInterrupt  # skorch's own callbacks end a phase in the same way

    def on_train_end(self, net, **kwargs):
        self.task.call_on_fit_task_end(**self.told)

    def _begin(self):
        self.epoch_ = self.task.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(**self.told)
