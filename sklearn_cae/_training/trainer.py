"""How the phases of a fit are run, one after the other."""

import platform
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version

import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.history import History

from .. import __version__
from .._storage.fingerprint import fingerprint_start
from .._utils.devices import choose_device, choose_precision
from .._utils.random import draw_seed, forked_rng
from .._utils.warnings import warn
from ..augmentations import are_own_views, choose_views
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
    """Runs phases over the samples of one fit.

    Parameters
    ----------
    X : Samples
    params : dict
        The estimator's.
    rng : RandomState
    tasks : FitTasks
        What scikit-learn's callbacks are told.
    checkpoint : Checkpoint or None

    Attributes
    ----------
    device : torch.device
    history : History
        A row for each finished epoch of the phases so far.
    goes_on : bool
        Whether no phase was interrupted.
    is_whole : bool
        Whether, too, no callback of scikit-learn's ended one: what it will do next time, no
        checkpoint knows.
    """

    def __init__(self, X, params, rng, tasks, checkpoint=None):
        self.X = X
        self.params = params
        self.rng = rng
        self.tasks = tasks
        self.checkpoint = checkpoint
        self.device = choose_device(params["device"])
        self.views = choose_views(params["augmentation"], is_image=len(X.format.image_shape) == 3)
        self.history = History()
        self.goes_on = self.is_whole = True

    def new_generator(self):
        """Give a phase a generator of its own, for its order, views and noise."""
        return torch.Generator().manual_seed(draw_seed(self.rng))

    def run(self, phase, net_class, module, generator, *, depends_on=(), **options):
        """Train a module in one phase, and log it.

        Parameters
        ----------
        phase : {"warm_up", "refinement", "conditioning"}
        net_class : type
            A `PhaseNet`.
        module : nn.Module
        generator : torch.Generator
        depends_on : sequence of nn.Module and ndarray
            What else the phase comes from: one that was kept counts only if it is the same.
        **options
            Of the net, over those that all phases share.
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
        finally:  # whatever a callback raised: the networks are kept
            module.zero_grad(set_to_none=True)
            module.eval()
            rows = net.finished_epochs() if net.initialized_ else []
            self.history.extend(rows)
        was_told_to = any(tell.stopped_ for _, tell in told)
        ends_itself = was_told_to or self.params["callbacks"]
        stopped_early = len(rows) < net.max_epochs and not ends_itself
        self.is_whole &= not was_told_to
        if interrupts or len(rows) < len(net.history) or stopped_early:
            self.goes_on = self.is_whole = False
            warn(
                f"The fit was interrupted after {len(rows)} of {net.max_epochs} epochs of the "
                f"phase {phase!r}. The estimator is usable as far as it came; fit again for all "
                "of it.",
                ConvergenceWarning,
            )
        elif keeper and not was_told_to:
            keeper.finish(net)

    def _own_callbacks(self):
        own = self.params["callbacks"] or []
        return clone([item for item in own if not is_left_out(item)], safe=False)

    def _net_params(self, phase, generator, callbacks):
        """Parameters that the nets of all phases share."""
        params = self.params
        return {
            "phase": phase,
            "earlier": tuple(self.history),
            "max_epochs": params[f"{phase}_epochs"],
            "batch_size": params["batch_size"],
            "optimizer": OPTIMIZERS[params["optimizer"]],
            "lr": 1.0,  # times the schedule's
            "device": str(self.device),  # as skorch's Checkpoint needs it
            "precision": choose_precision(params["precision"], self.device),
            "iterator_train": batches.ViewBatches,
            "iterator_train__augment": self.views,
            "iterator_train__generator": generator,
            "iterator_train__device": self.device,
            "callbacks": phase_callbacks(
                phase,
                schedule=partial(self._factor_at, phase),
                verbose=params["verbose"],
                user_callbacks=callbacks,
            ),
        }

    def _factor_at(self, phase, epoch):
        """Factor of the learning rate: the paper's curve over warm-up and conditioning."""
        if phase == "refinement":
            return 1.0
        warm_up = self.params["warm_up_epochs"]
        return learning_rate_at(
            epoch + (warm_up if phase == "conditioning" else 0),
            warm_up + self.params["conditioning_epochs"],
            self.params["learning_rate"] or PEAK_LEARNING_RATES[self.params["optimizer"]],
        )

    def _has_own(self):
        """Whether callables of the user's own may draw from torch's global generator."""
        factories = self.params["encoder"], self.params["decoder"]
        return any(map(is_own, factories)) or are_own_views(self.params["augmentation"])

    def _seeded_for_own(self):
        """Seed what callables of the user's own draw from torch's global generator."""
        params = self.params
        if not (params["encoder"] or params["decoder"] or are_own_views(params["augmentation"])):
            return nullcontext()
        seed = draw_seed(self.rng)  # for this package's encoders too: seeds keep their results
        return forked_rng(seed, self.device) if self._has_own() else nullcontext()


def describe_run(params):
    """Tell what a fit depends on beside its parameters and data: a dict."""
    device = choose_device(params["device"])
    versions = {name: version(name) for name in _PACKAGES}
    return {
        "versions": {"sklearn_cae": __version__, **versions},
        "platform": platform.platform(),
        "device": str(device),
        "precision": choose_precision(params["precision"], device),
        "threads": torch.get_num_threads(),
    }


def _fit(net, X, keeper, told):
    """Fit a net from its start, or from where it was kept."""
    net.initialize()
    if keeper is None:
        net.partial_fit(X)
        return
    keeper.restore(net)
    if not keeper.finished:
        net.partial_fit(X, epochs=net.max_epochs - keeper.n_kept)
        return
    for _, tell in told:  # as of any phase, though nothing is trained
        tell.on_train_begin(net)
        tell.on_train_end(net)


def check_batch_size(batch_size, n_samples):
    """Warn where a batch leaves the contrastive loss hardly a negative."""
    batch = min(batch_size, n_samples)
    if batch < _FEW_SAMPLES:
        warn(
            f"A batch of {batch} samples leaves the contrastive loss {2 * batch - 2} negatives "
            "for each view, hardly enough to learn from. Raise batch_size, or gather more "
            "samples.",
            UserWarning,
        )
