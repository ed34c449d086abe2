"""What a phase is trained with: batches of views, and a skorch net.

Only hooks that skorch declares safe are overridden; the training loop is skorch's.
"""

import os
from contextlib import nullcontext

import safetensors.torch
import torch
from skorch import NeuralNet
from skorch.history import History
from torch import nn

from .own_callbacks import rests

_SKORCH_COLUMNS = {"batches", "epoch", "train_batch_count", "train_loss_best"}


class PhaseNet(NeuralNet):
    """What all phases share: quiet skorch, autocast, losses kept on the device for an epoch.

    Parameters
    ----------
    module : nn.Module
    precision : {"float32", "bfloat16"}, default="float32"
    phase : str, default=None
        Its name, and `earlier`, the rows of the phases before it, are there for callbacks.
    earlier : sequence of dict, default=()
    **kwargs
        Of skorch's `NeuralNet`.
    """

    def __init__(self, module, *, precision="float32", phase=None, earlier=(), **kwargs):
        super().__init__(
            module,
            criterion=nn.MSELoss,
            train_split=None,
            verbose=0,
            callbacks__print_log=None,
            callbacks__valid_loss=None,
            **kwargs,
        )
        self.precision = precision
        self.phase = phase
        self.earlier = earlier

    def notify(self, method_name, **kwargs):
        """Tell the callbacks of an event, except those that rest in it."""
        getattr(self, method_name)(self, **kwargs)
        for _, callback in self.callbacks_:
            if not rests(callback, self, method_name):
                getattr(callback, method_name)(self, **kwargs)

    def save_params(self, f_params=None, *, f_module=None, use_safetensors=False, **kwargs):
        """Save as skorch does; of weights, which it calls by both names, safetensors asks more.

        It refuses those that are not stored row by row, as channels-last ones, and shared ones.
        """
        target = f_module if f_params is None else f_params
        if use_safetensors and target is not None:
            weights = {
                name: weight.clone(memory_format=torch.contiguous_format)
                for name, weight in self.module_.state_dict().items()
            }
            if isinstance(target, (str, os.PathLike)):
                safetensors.torch.save_file(weights, target)
            else:
                target.write(safetensors.torch.save(weights))
            target = None
        super().save_params(target, use_safetensors=use_safetensors, **kwargs)

    def finished_epochs(self):
        """Return the rows of this phase's finished epochs, as they stand in `history_`."""
        rows = []
        for row in self.history:
            if "train_loss" not in row:  # the epoch in which training was interrupted
                continue
            kept = {key: value for key, value in row.items() if key not in _SKORCH_COLUMNS}
            kept["train_loss"] = float(kept["train_loss"])
            rows.append({"phase": self.phase, "epoch": len(self.earlier) + len(rows) + 1, **kept})
        return rows

    def history_so_far(self):
        """Return the `History` of the earlier phases and of this one."""
        return History([*self.earlier, *self.finished_epochs()])

    def autocast(self):
        """Context in which the networks, not the losses, may run in bfloat16."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)

    def reconstruction_loss(self, reconstruction, views):
        """MSE(view_a, y_a) + MSE(view_b, y_b), each a mean over pixels."""
        return 2 * self.criterion_(reconstruction.float(), views)

    def record(self, n_views, **losses):
        """Add up parts of the loss on the device; `_callbacks.EpochMeans` reads them once an epoch.

        A tensor kept for each batch would pin the memory around it, and outgrow the data.
        """
        for name, loss in losses.items():
            self.sums_[name] = self.sums_.get(name, 0.0) + n_views * loss.detach()
