"""The user's skorch callbacks: their names, parameters and monitors."""

from typing import Self

from sklearn.base import clone
from skorch.callbacks import BatchScoring, EpochScoring, LRScheduler, PassthroughScoring
from torch.optim.lr_scheduler import ReduceLROnPlateau

from .._utils.warnings import warn

#: Columns per batch, in every phase. `phases.recorded_columns` returns the columns per epoch.
_BATCH_COLUMNS = {"train_batch_size", "train_loss"}
#: Packages whose callbacks record known columns.
_KNOWN = {"skorch", "sklearn_cae"}


def named_callbacks(callbacks):
    """Name callbacks as skorch does: by the user's name, or by class, with _1, _2 for repeats.

    Parameters
    ----------
    callbacks : list or None
        Callbacks, and tuples of a name and a callback. If it is not a list, there are no names.

    Returns
    -------
    named : list of (str, callback)
    """
    if not isinstance(callbacks, list):
        return []
    pairs = [item if _has_name(item) else (_class_of(item).__name__, item) for item in callbacks]
    names = [name for name, _ in pairs]
    return [
        (f"{name}_{names[: i + 1].count(name)}" if names.count(name) > 1 else name, callback)
        for i, (name, callback) in enumerate(pairs)
    ]


def _has_name(item):
    return isinstance(item, tuple) and len(item) == 2


def _class_of(callback):
    return callback if isinstance(callback, type) else type(callback)


class CallbackParamsMixin:
    """Parameters of the callbacks in the list `callbacks`, for an estimator.

    They are named ``callbacks__NAME`` and ``callbacks__NAME__PARAMETER``.
    """

    def get_params(self, deep=True) -> dict:
        """Return the parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether the parameters of the clusterer and of the callbacks are included. A callback is
            named by the user, as in ``callbacks=[("stop", EarlyStopping())]``, or by its class.

        Returns
        -------
        params : dict
            Values by name.
        """
        params = super().get_params(deep=deep)  # type: ignore[misc]
        if deep:
            for name, callback in named_callbacks(self.callbacks):
                params[f"callbacks__{name}"] = callback
                if hasattr(callback, "get_params") and not isinstance(callback, type):
                    own = callback.get_params(deep=True)
                    params.update({f"callbacks__{name}__{key}": own[key] for key in own})
        return params

    def set_params(self, **params) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Values by the names of `get_params`. ``callbacks__NAME=None`` leaves a callback out.

        Returns
        -------
        self : estimator
        """
        own = {key: params.pop(key) for key in list(params) if key.startswith("callbacks__")}
        super().set_params(**params)  # type: ignore[misc]
        # Set callbacks first, because the parameters belong to the new ones.
        for key in sorted(own, key=lambda key: key.count("__") > 1):
            self._set_callback_param(key, own[key])
        return self

    def _set_callback_param(self, key, value):
        name, _, parameter = key.removeprefix("callbacks__").partition("__")
        named = dict(named_callbacks(self.callbacks))
        if name not in named or (parameter and named[name] is None):
            raise ValueError(
                f"Invalid parameter {key!r}: there is no callback {name!r}. Valid names are: "
                f"{[each for each in named if named[each] is not None]!r}."
            )
        if parameter:
            named[name].set_params(**{parameter: value})
        else:
            # Make a new list, because other estimators may share the old one.
            self.callbacks = list({**named, name: value}.items())


def is_left_out(item):
    """Return whether an entry of `callbacks` is a name with None in place of a callback."""
    return _has_name(item) and item[1] is None


def check_callbacks(callbacks, recorded):
    """Raise if an entry is not a skorch callback, or if no phase records its monitor.

    Parameters
    ----------
    callbacks : list or None
    recorded : dict
        Set of the columns that are recorded per epoch, by phase.
    """
    epoch_columns, batch_columns = set().union(*recorded.values()), set(_BATCH_COLUMNS)
    are_known = True
    for item in callbacks or []:
        if is_left_out(item):
            continue
        callback = item[1] if _has_name(item) else item
        if not hasattr(callback, "on_train_begin"):
            raise TypeError(
                "callbacks must be skorch callbacks, or tuples of a name and a callback, got "
                f"{item!r}. See skorch.callbacks."
            )
        if isinstance(callback, type):
            callback = callback()  # as skorch does
        watches = watched(callback)
        columns = batch_columns if _steps_by_batch(callback) else epoch_columns
        if watches is not None and watches not in columns and are_known:
            raise ValueError(
                f"The monitor of a callback must be a column that a phase of this fit records, got "
                f"{watches!r} for {type(callback).__name__}. Pass one of "
                f"{', '.join(sorted(columns))}, or put a callback that records it before this one. "
                "There is no validation data: scoring callbacks need on_train=True."
            )
        are_known &= type(callback).__module__.split(".")[0] in _KNOWN
        epoch_columns |= _recorded_by(callback)
        if isinstance(callback, BatchScoring):
            batch_columns |= _recorded_by(callback)


def watched(callback):
    """Return the column in a callback's `monitor`, or None if it is missing or a function."""
    monitor = getattr(callback, "monitor", None)
    if isinstance(callback, LRScheduler) and not _reduces_on_plateau(callback):
        return None  # other policies do not use it
    return monitor if isinstance(monitor, str) else None


def _reduces_on_plateau(callback):
    return callback.policy in (ReduceLROnPlateau, ReduceLROnPlateau.__name__)


def _steps_by_batch(callback):
    return isinstance(callback, LRScheduler) and callback.step_every == "batch"


def _recorded_by(callback):
    """Return the columns that one of skorch's callbacks adds to the row of an epoch."""
    if isinstance(callback, (BatchScoring, EpochScoring, PassthroughScoring)):
        if not callback.on_train:
            return set()
        is_passed_through = isinstance(callback, PassthroughScoring)
        name = callback.name if is_passed_through else clone(callback).initialize().name_
        return {name} if callback.lower_is_better is None else {name, f"{name}_best"}
    event_name = getattr(callback, "event_name", None)
    return {event_name} if isinstance(event_name, str) else set()


def rests(callback, net, event):
    """Return whether a callback skips an event, because the phase does not record its monitor.

    Parameters
    ----------
    callback : skorch callback
    net : PhaseNet
    event : str
        Name of the method that would be called.
    """
    column = watched(callback)
    if column is None or event not in {"on_epoch_end", "on_train_end"} or _steps_by_batch(callback):
        return False
    if event == "on_train_end":
        return not any(column in row for row in net.history)
    is_missing = column not in net.history[-1]
    # The columns that the user's own callbacks record are not known before.
    if is_missing and len(net.history) == 1 and not net.earlier:
        warn(
            f"{type(callback).__name__} does nothing in this phase unless a later epoch records "
            f"its monitor {column!r}. The first epoch recorded "
            f"{', '.join(sorted(set(net.history[-1]) - {'batches'}))}.",
            UserWarning,
        )
    return is_missing
