"""What a phase is trained with: batches of views, a skorch net, a device.

Only hooks that skorch declares safe are overridden; the training loop is skorch's.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn


class ViewBatches:
    """Shuffled batches of two views of each sample, the first views before the second ones.

    Parameters
    ----------
    dataset : Samples
    batch_size : int
    augment : callable
        (samples, generator) to views of the same shape.
    generator : torch.Generator
        Of the order and the views, on the CPU.
    device : torch.device
    """

    def __init__(self, dataset, batch_size, augment, generator, device):
        self.dataset = dataset
        self.batch_size = batch_size
        self.augment = augment
        self.generator = generator
        self.device = device

    def __iter__(self):
        order = torch.randperm(len(self.dataset), generator=self.generator).numpy()
        starts = list(range(0, len(order), self.batch_size))
        # One sample alone has no negative, and no batch statistics: it joins the batch before.
        if len(order) - starts[-1] == 1 and len(starts) > 1:
            del starts[-1]
        batches = [self.indices(batch) for batch in np.split(order, starts[1:])]
        for batch, samples in zip(batches, self._read(batches), strict=True):
            yield self.augment(self.pair(samples), self.generator), self.targets(batch)

    def indices(self, batch):
        """Name the samples that are read for a batch."""
        return batch

    def pair(self, samples):
        """Put two of each sample into one batch."""
        return samples.repeat(2, *[1] * (samples.ndim - 1))

    def targets(self, batch):
        """Give what skorch calls y: nothing."""
        return None

    def _read(self, batches):
        if torch.device(self.device).type != "cuda":
            return (self.dataset[batch].to(self.device) for batch in batches)
        pinned = read_ahead(lambda batch: self.dataset[batch].pin_memory(), batches)
        return (samples.to(self.device, non_blocking=True) for samples in pinned)


class NeighborBatches(ViewBatches):
    """Batches of a view of each sample and of one of its neighbours, with the labels of both.

    Parameters
    ----------
    dataset, batch_size, augment, generator, device
        Of `ViewBatches`.
    neighbors : ndarray of shape (n_samples, n_neighbors)
        Of each sample, as indices into the data set.
    labels : ndarray of shape (n_samples,)
        Cluster of each sample.
    """

    def __init__(self, *args, neighbors, labels, **kwargs):
        super().__init__(*args, **kwargs)
        self.neighbors = neighbors
        self.labels = labels

    def indices(self, batch):
        """Follow the samples by a random neighbour of each."""
        chosen = torch.randint(
            self.neighbors.shape[1], (len(batch),), generator=self.generator
        ).numpy()
        return np.concatenate([batch, self.neighbors[batch, chosen]])

    def pair(self, samples):
        """Leave the samples as they are: they come in pairs."""
        return samples

    def targets(self, batch):
        """Give the labels of samples and neighbours."""
        is_cuda = torch.device(self.device).type == "cuda"
        return torch.from_numpy(self.labels[batch]).to(self.device, non_blocking=is_cuda)


def read_ahead(read, batches):
    """Read each batch in another thread, while the one before is being worked on."""
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, batches[0])
        for batch in batches[1:]:
            samples = ahead.result()
            ahead = reader.submit(read, batch)
            yield samples
        yield ahead.result()


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


def choose_device(device):
    """Resolve "auto": CUDA, then MPS, then the CPU."""
    if device != "auto":
        try:
            return torch.empty(0, device=device).device
        except (AssertionError, RuntimeError) as error:
            raise ValueError(
                "device must be 'auto' or a device of torch that is there, such as 'cpu' or "
                f"'cuda:0', got {device!r}: {error}"
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _multiplies_bfloat16():
    # Older torch cannot say; float32 is right everywhere.
    return getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False)


def choose_precision(precision, device):
    """Resolve "auto": bfloat16 where the hardware multiplies it, float32 elsewhere."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and _multiplies_bfloat16():
        return "bfloat16"
    return "float32"
