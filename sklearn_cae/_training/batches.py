"""Batches of views for the training."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from .._processes import n_processes, own_numbers, share_of
from .._utils.devices import send

#: Deviation of the noise that is added to known embeddings, as a share of their own deviation.
NOISE = 0.3
#: Largest sharpness of the weights of means: with 0 they are equal.
MIXING = 6.0


class ViewBatches:
    """Shuffled batches of two views per sample, with all first views before all second views.

    Parameters
    ----------
    dataset : Samples
    batch_size : int
    augment : callable
        Function of samples and a generator, which returns views of the same shape.
    generator : torch.Generator
        Generator of the order and the views, on the CPU.
    device : torch.device
    seeds_global : bool, default=False
        Whether torch's global generators are seeded, too, if there are several processes. Each of
        them gets its share of every batch, and draws other views.
    """

    def __init__(self, dataset, batch_size, augment, generator, device, seeds_global=False):
        self.dataset = dataset
        self.batch_size = batch_size
        self.augment = augment
        self.generator = generator
        self.device = torch.device(device)
        self.seeds_global = seeds_global

    def __iter__(self):
        batches = self._draw()
        with own_numbers(self.generator, self.seeds_global):
            for batch, samples in zip(batches, self._read(batches), strict=True):
                yield self.make(batch, samples)

    def make(self, batch, samples):
        """Return the input and the target of a step."""
        return self.augment(self.pair(samples), self.generator), self.targets(batch)

    def _draw(self):
        """Return the indices of each batch of an epoch."""
        order = torch.randperm(len(self.dataset), generator=self.generator).numpy()
        starts = list(range(0, len(order), self.batch_size))
        # One sample alone has no negative and no batch statistics, and each process needs a sample.
        # Merge fewer into the batch before.
        if len(order) - starts[-1] < max(2, n_processes()) and len(starts) > 1:
            del starts[-1]
        return [self.indices(batch) for batch in np.split(order, starts[1:])]

    def indices(self, batch):
        """Return the indices of the samples that are read for a batch."""
        return share_of(batch)

    def pair(self, samples):
        """Return a batch that contains each sample twice."""
        return samples.repeat(2, *[1] * (samples.ndim - 1))

    def targets(self, batch):
        """Return None as the y of skorch."""
        return None

    def _read(self, batches):
        if self.device.type == "cuda":
            read = read_ahead(lambda batch: self.dataset[batch].pin_memory(), batches)
        else:
            read = (self.dataset[batch] for batch in batches)
        return (send(samples, self.device) for samples in read)


class EmbeddedBatches(ViewBatches):
    """Shuffled batches of known embeddings, with their samples as targets; no views are drawn.

    Noise is added to the embeddings. Without it, the decoder learns each sample by heart, and
    decodes new ones worse. Half of the samples are replaced by weighted means of the batch, as
    their embeddings are. Without this, the decoder never sees what lies between samples, such as
    the mean of a cluster.

    Parameters
    ----------
    dataset, batch_size, augment, generator, device
        Parameters of `ViewBatches`; `augment` is not used.
    embedding : Tensor of shape (n_samples, embedding_dim)
    """

    def __init__(self, *args, embedding, **kwargs):
        super().__init__(*args, **kwargs)
        self.embedding = embedding
        self.noise = NOISE * embedding.std()

    def make(self, batch, samples):
        """Return embeddings and samples, half of them mixed."""
        weights = self._draw_weights(len(batch))
        embedding = weights @ self.embedding[batch]
        noise = torch.randn(embedding.shape, generator=self.generator)
        mixed = send(weights, samples.device) @ samples.flatten(1)
        return send(embedding + self.noise * noise, self.device), mixed.view_as(samples)

    def _draw_weights(self, n):
        """Draw the weights of samples in means, (n, n): from one sample alone to nearly equal."""
        sharpness = MIXING * torch.rand(n, 1, generator=self.generator)
        means = (sharpness * torch.randn(n, n, generator=self.generator)).softmax(dim=1)
        is_mean = torch.rand(n, 1, generator=self.generator) < 0.5
        return torch.where(is_mean, means, torch.eye(n))


class NeighborBatches(ViewBatches):
    """Batches of a view of each sample and a view of one of its neighbours, with their labels.

    Parameters
    ----------
    dataset, batch_size, augment, generator, device
        Parameters of `ViewBatches`.
    neighbors : ndarray of shape (n_samples, n_neighbors)
        Neighbours of each sample, as indices into the data set.
    labels : ndarray of shape (n_samples,)
        Cluster of each sample.
    """

    def __init__(self, *args, neighbors, labels, **kwargs):
        super().__init__(*args, **kwargs)
        self.neighbors = neighbors
        self.labels = labels

    def indices(self, batch):
        """Append one random neighbour of each sample."""
        chosen = torch.randint(
            self.neighbors.shape[1], (len(batch),), generator=self.generator
        ).numpy()
        return np.concatenate([share_of(batch), share_of(self.neighbors[batch, chosen])])

    def pair(self, samples):
        """Return the samples unchanged, because they already contain the neighbours."""
        return samples

    def targets(self, batch):
        """Return the labels of samples and neighbours."""
        return send(torch.from_numpy(self.labels[batch]), self.device)


class NeighborEmbeddings(NeighborBatches):
    """Batches of the known embedding of each sample and of one of its neighbours.

    Parameters
    ----------
    dataset, batch_size, augment, generator, device, neighbors, labels
        Parameters of `NeighborBatches`.
    embedding : Tensor of shape (n_samples, embedding_dim)
    """

    def __init__(self, *args, embedding, **kwargs):
        super().__init__(*args, **kwargs)
        self.embedding = embedding

    def _read(self, batches):
        return (send(self.embedding[batch], self.device) for batch in batches)


def read_ahead(read, batches):
    """Read each batch in another thread, while the batch before is used."""
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, batches[0])
        for batch in batches[1:]:
            samples = ahead.result()
            ahead = reader.submit(read, batch)
            yield samples
        yield ahead.result()
