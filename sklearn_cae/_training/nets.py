"""The skorch net of all phases.

It overrides only methods that skorch declares safe. The training loop is skorch's.
"""

import os
from contextlib import nullcontext
from functools import partial

import safetensors.torch
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History
from torch import nn

from .. import _processes as processes
from .own_callbacks import rests

#: Callbacks that do the same in every process; the others are called in the first one.
_IN_EVERY = {"epoch_timer", "train_loss", "stop_on_nan", "epoch_means", "learning_rate"}
_IN_EVERY |= {"progress_bar", "keep_epochs"}
_SKORCH_COLUMNS = {"batches", "epoch", "train_batch_count", "train_loss_best"}


class PhaseNet(NeuralNet):
    """Net with autocast, without skorch's output, and with losses that stay on the device.

    Parameters
    ----------
    module : nn.Module
    precision : {"float32", "bfloat16"}, default="float32"
    phase : str, default=None
        Name of the phase, for callbacks.
    earlier : sequence of dict, default=()
        Rows of the phases before, for callbacks.
    **kwargs
        Parameters of skorch's `NeuralNet`.
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
        """Notify the callbacks of an event, except those that `rests` excludes."""
        getattr(self, method_name)(self, **kwargs)
        for name, callback in self.callbacks_:
            tell = partial(self._tell, callback, method_name, kwargs)
            if processes.n_processes() == 1 or name in _IN_EVERY:
                tell()
            elif getattr(type(callback), method_name, None) is not getattr(Callback, method_name):
                self._follow(processes.on_first(lambda tell=tell: tell() or self._steered()))
                processes.share_weights(self.module_.state_dict().values())
                if method_name == "on_grad_computed":
                    weights = self.module_.parameters()
                    processes.share_weights([w.grad for w in weights if w.grad is not None])

    def _tell(self, callback, method_name, kwargs):
        if not rests(callback, self, method_name):
            getattr(callback, method_name)(self, **kwargs)

    def _steered(self):
        """Return what a callback may have set, besides weights."""
        groups = [
            {name: value for name, value in group.items() if name != "params"}
            for group in self.optimizer_.param_groups
        ]
        return [weight.requires_grad for weight in self.module_.parameters()], groups

    def _follow(self, steered):
        """Set what a callback has set in the first process."""
        trained, groups = steered
        for weight, is_trained in zip(self.module_.parameters(), trained, strict=True):
            weight.requires_grad_(is_trained)
        for group, values in zip(self.optimizer_.param_groups, groups, strict=True):
            group.update(values)

    def on_epoch_end(self, net, **kwargs):
        """Average the statistics that each process has of its own samples."""
        processes.average_buffers(self.module_)

    def train_step_single(self, batch, **fit_params):
        """Compute the gradients of a batch, of which each process has a part."""
        processes.begin_step(len(batch[0]))
        step = super().train_step_single(batch, **fit_params)
        step["loss"] = processes.average_gradients(self.module_, step["loss"])
        return step

    def save_params(self, f_params=None, *, f_module=None, use_safetensors=False, **kwargs):
        """Save as skorch does, but copy weights before they are saved with safetensors.

        Safetensors refuses shared weights, and weights in channels-last order. In skorch,
        `f_params` and `f_module` are both names of the file of the weights.
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
        """Return the rows of this phase's finished epochs, as `history_` contains them."""
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
        """Return the context in which the networks, but not the losses, may use bfloat16."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)

    def reconstruction_loss(self, reconstruction, views):
        """Compute MSE(view_a, y_a) + MSE(view_b, y_b), each a mean over pixels."""
        return 2 * processes.weight() * self.criterion_(reconstruction.float(), views)

    def record(self, n_views, **losses):
        """Sum parts of the loss on the device; `watchers.EpochMeans` reads them once per epoch.

        One tensor per batch would keep the memory around it in use, more than the data need.
        """
        n_views = processes.n_rows_together(n_views)
        for name, loss in losses.items():
            self.sums_[name] = self.sums_.get(name, 0.0) + n_views * loss.detach()
