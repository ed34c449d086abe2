"""Small data sets and nets, for the tests of how phases are trained."""

from contextlib import contextmanager

import numpy as np
import torch

from sklearn_cae._input.checks import infer_image_format
from sklearn_cae._input.formats import Samples
from sklearn_cae._training.batches import ViewBatches
from sklearn_cae._training.watchers import phase_callbacks
from sklearn_cae.modules import Encoder, ProjectionHead, image_decoder
from sklearn_cae.optim import LARS, learning_rate_at

SHAPE = (1, 8, 8)


@contextmanager
def default_device(device):
    """Set the default device of torch for a while, as a caller may have."""
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


def identity(samples, generator):
    return samples


def numbered_images(n):
    """Images whose every pixel is their own number, as float in [0, 1]."""
    X = np.linspace(0, 1, n)[:, None, None] * np.ones((n, 8, 8))
    return Samples(X, infer_image_format(X, None, None))


def random_images(n):
    X = np.random.default_rng(0).random((n, 8, 8))
    return Samples(X, infer_image_format(X, None, None))


def networks(seed=0, log_variance=False):
    torch.manual_seed(seed)
    head = torch.nn.Linear(6, 6) if log_variance else None
    return Encoder(SHAPE, 6), ProjectionHead(6), image_decoder(SHAPE, 6), head


def net_params(n_epochs=2, generator=None, augment=identity, **options):
    generator = generator or torch.Generator().manual_seed(0)
    return {
        "max_epochs": n_epochs,
        "batch_size": 16,
        "optimizer": LARS,
        "lr": 1.0,
        "device": "cpu",
        "iterator_train": ViewBatches,
        "iterator_train__augment": augment,
        "iterator_train__generator": generator,
        "iterator_train__device": "cpu",
        "callbacks": phase_callbacks(
            "warm_up",
            schedule=lambda epoch: learning_rate_at(epoch, n_epochs),
            verbose=0,
            user_callbacks=[],
        ),
        **options,
    }
