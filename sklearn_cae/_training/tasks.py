"""Tell scikit-learn's callbacks of the fit, its phases and its epochs."""

from functools import partial

from skorch.callbacks import Callback

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn below 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: without scikit-learn's callbacks there is nobody to tell."""


class FitTasks:
    """The tasks of a fit, of which scikit-learn's callbacks are told: itself, phases, epochs.

    Parameters
    ----------
    estimator : ContrastiveAutoencoderClusterer
    X, y
        As `fit` got them.
    n_phases : int
    as_if_stopped : callable
        Returns, for the net of a phase, the attributes of the model to which the fit would come if
        that phase ended now.
    """

    def __init__(self, estimator, X, y, n_phases, as_if_stopped):
        self.told = {"estimator": estimator, "X": X, "y": y}
        self.as_if_stopped = as_if_stopped
        self.fit = None
        if getattr(estimator, "_skl_callbacks", None):
            self.fit = estimator._init_callback_context(max_subtasks=n_phases)
            self.fit.call_on_fit_task_begin(**self.told)

    def of_phase(self, phase, n_epochs):
        """Return the skorch callbacks, one or none, that tell of a phase."""
        if self.fit is None:
            return []
        task = self.fit.subcontext(task_name=phase, max_subtasks=n_epochs)
        return [("tell_epochs", TellEpochs(task, self.told, self.as_if_stopped))]

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
        That of `FitTasks`. It is called only if a callback asks for the model.
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
