"""Trainer of the phases of a fit, one after the other."""

import platform
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version

import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.history import History

from .. import __version__
from .._processes import average_buffers, is_first, n_processes, on_first
from .._storage.fingerprint import fingerprint_start
from .._utils.devices import choose_device, choose_precision
from .._utils.random import draw_seed, forked_rng
from .._utils.warnings import warn
from ..augmentations._choose import are_own_views, choose_views
from ..optim import LARS, learning_rate_at
from . import batches
from .networks import is_own
from .own_callbacks import is_left_out
from .resume import KeepEpochs
from .watchers import noted_interrupts, phase_callbacks

OPTIMIZERS = {"lars": LARS, "adamw": torch.optim.AdamW}
PEAK_LEARNING_RATES = {"lars": 0.25, "adamw": 1e-3}
_FEW_SAMPLES = 16
_PACKAGES = ("kneed", "numpy", "scikit-learn", "scikit-network", "scipy", "skorch", "torch")


class Trainer:
    """Trainer of phases on the samples of one fit.

    Parameters
    ----------
    X : Samples
    params : dict
        Parameters of the estimator.
    rng : RandomState
    tasks : FitTasks
        Tasks for scikit-learn's callbacks.
    checkpoint : Checkpoint or None

    Attributes
    ----------
    device : torch.device
    history : History
        One row per finished epoch of the phases so far.
    goes_on : bool
        Whether no phase was interrupted.
    is_whole : bool
        Whether no phase was interrupted, or ended by a callback of scikit-learn. A checkpoint does
        not know what such a callback will do next time.
    """

    def __init__(self, X, params, rng, tasks, checkpoint=None):
        self.X = X
        self.params = params
        self.rng = rng
        self.tasks = tasks
        self.checkpoint = checkpoint
        self.device = choose_device(params["device"])
        self.views = choose_views(params["augmentation"], X.format.kind)
        self.history = History()
        self.goes_on = self.is_whole = True

    def new_generator(self):
        """Return a new generator for the order, the views and the noise of a phase."""
        return torch.Generator().manual_seed(draw_seed(self.rng))

    def run(self, phase, net_class, module, generator, *, depends_on=(), **options):
        """Train a module in one phase, and record the epochs.

        Parameters
        ----------
        phase : {"warm_up", "refinement", "conditioning"}
        net_class : type
            Subclass of `PhaseNet`.
        module : nn.Module
        generator : torch.Generator
        depends_on : sequence of nn.Module and ndarray
            Other values from which the phase starts. A saved phase is used only if they are equal.
        **options
            Parameters of the net. They replace those that all phases share.
        """
        callbacks, keeper = self._own_callbacks(), None
        if self.checkpoint:
            start = fingerprint_start(module, *depends_on)
            keeper = KeepEpochs(
                self.checkpoint, phase, generator, start, len(callbacks), self._has_own()
            )
            callbacks = [*callbacks, ("keep_epochs", keeper)]
        told = self.tasks.of_phase(phase, self.params[f"{phase}_epochs"])
        callbacks = [*callbacks, *told]
        net = net_class(module, **{**self._net_params(phase, generator, callbacks), **options})
        try:
            with self._seeded_for_own(), noted_interrupts() as interrupts:
                _fit(net, self.X, keeper, told)
            if interrupts and n_processes() > 1:  # each may have stopped at another step
                raise KeyboardInterrupt
            if len(net.finished_epochs()) < len(net.history):  # a callback ended it in an epoch
                average_buffers(module)
        finally:  # the networks are kept, even if a callback raises
            module.zero_grad(set_to_none=True)
            module.eval()
            rows = net.finished_epochs() if net.initialized_ else []
            self.history.extend(rows)
        # Callbacks may record other columns, and are called in the first process alone.
        rows, was_told_to = on_first(lambda: (rows, any(tell.stopped_ for _, tell in told)))
        self.history[len(self.history) - len(rows) :] = rows
        ends_itself = was_told_to or self.params["callbacks"]
        stopped_early = len(rows) < net.max_epochs and not ends_itself
        self.is_whole &= not was_told_to
        if interrupts or len(rows) < len(net.history) or stopped_early:
            self.goes_on = self.is_whole = False
            warn(
                f"The fit was interrupted after {len(rows)} of {net.max_epochs} epochs of the "
                f"phase {phase!r}. The estimator is usable, but its training is not complete. To "
                "complete it, fit again.",
                ConvergenceWarning,
            )
        elif keeper and not was_told_to:
            keeper.finish(net)

    def _own_callbacks(self):
        own = self.params["callbacks"] or []
        return clone([item for item in own if not is_left_out(item)], safe=False)

    def _net_params(self, phase, generator, callbacks):
        """Return the parameters that the nets of all phases share."""
        params = self.params
        return {
            "phase": phase,
            "earlier": tuple(self.history),
            "max_epochs": params[f"{phase}_epochs"],
            "batch_size": params["batch_size"],
            "optimizer": OPTIMIZERS[params["optimizer"]],
            "lr": 1.0,  # the schedule multiplies it
            "device": str(self.device),  # skorch's Checkpoint needs a string
            "precision": choose_precision(
                params["precision"], self.device, self.X.format.image_shape
            ),
            "iterator_train": batches.ViewBatches,
            "iterator_train__augment": self.views,
            "iterator_train__generator": generator,
            "iterator_train__device": self.device,
            "iterator_train__seeds_global": self._has_own(),
            "callbacks": phase_callbacks(
                phase,
                schedule=partial(self._factor_at, phase),
                verbose=params["verbose"],
                user_callbacks=callbacks,
            ),
        }

    def _factor_at(self, phase, epoch):
        """Compute the factor of the learning rate: the paper's curve, or 1 in the refinement."""
        if phase == "refinement":
            return 1.0
        warm_up = self.params["warm_up_epochs"]
        return learning_rate_at(
            epoch + (warm_up if phase == "conditioning" else 0),
            warm_up + self.params["conditioning_epochs"],
            self.params["learning_rate"] or PEAK_LEARNING_RATES[self.params["optimizer"]],
        )

    def _has_own(self):
        """Return whether the user's own callables may draw from torch's global generator."""
        factories = self.params["encoder"], self.params["decoder"]
        return any(map(is_own, factories)) or are_own_views(self.params["augmentation"])

    def _seeded_for_own(self):
        """Return a context that seeds torch's global generator for the user's own callables."""
        params = self.params
        if not (params["encoder"] or params["decoder"] or are_own_views(params["augmentation"])):
            return nullcontext()
        seed = draw_seed(self.rng)  # in any case, so that later draws stay the same
        return forked_rng(seed, self.device) if self._has_own() else nullcontext()


def describe_run(params, sample_shape):
    """Return versions, platform, device, precision and threads, on which a fit depends."""
    device = choose_device(params["device"])
    versions = {name: version(name) for name in _PACKAGES}
    return {
        "versions": {"sklearn_cae": __version__, **versions},
        "platform": platform.platform(),
        "device": str(device),
        "precision": choose_precision(params["precision"], device, sample_shape),
        "threads": torch.get_num_threads(),
        "processes": n_processes(),
    }


def _fit(net, X, keeper, told):
    """Fit a net from its start, or from the saved state."""
    net.initialize()
    if keeper is None:
        net.partial_fit(X)
        return
    keeper.restore(net)
    if not keeper.finished:
        net.partial_fit(X, epochs=net.max_epochs - keeper.n_kept)
        return
    for _, tell in told if is_first() else []:  # report the phase, although nothing is trained
        tell.on_train_begin(net)
        tell.on_train_end(net)


def check_batch_size(batch_size, n_samples):
    """Raise if a process gets no sample; warn if the contrastive loss gets too few negatives."""
    batch = min(batch_size, n_samples)
    if batch < n_processes():
        raise ValueError(
            f"A batch must have at least one sample for each of the {n_processes()} processes, got "
            f"batch_size={batch_size} and {n_samples} samples. Start fewer processes, or raise "
            "batch_size."
        )
    if batch < _FEW_SAMPLES:
        warn(
            f"A batch of {batch} samples leaves the contrastive loss {2 * batch - 2} negatives "
            "for each view, hardly enough to learn from. Raise batch_size, or gather more "
            "samples.",
            UserWarning,
        )
