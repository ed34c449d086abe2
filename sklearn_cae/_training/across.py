"""How features of samples change: between views, and across the values of a nuisance."""

import numpy as np
import torch

from .._grouping.fixed import N_VIEWS, draw_for_components
from .._grouping.sites import features_across
from .._grouping.whitening import within_whitening
from .._utils.devices import choose_device, send
from .._utils.random import forked_rng
from ..augmentations._choose import choose_views

_N_AT_ONCE = 64


def features_of_views(features, X, params, viewed, run):
    """Return the features of several views of samples, (n_samples, n_views, n_features).

    Parameters
    ----------
    features : nn.Module
    X : Samples
        Training samples.
    params : dict
        Parameters of the estimator, which name the views and the device.
    viewed : ndarray of int
        Indices of the samples.
    run : callable
        Function of a network and samples, which returns all outputs.
    """
    # A fixed seed, because the embedding is kept for fits with other seeds.
    generator, found = torch.Generator().manual_seed(0), []
    device = choose_device(params["device"])
    views = choose_views(params["augmentation"], X.format.kind)
    with forked_rng(0):  # views of the user may draw from the global generator
        for start in range(0, len(viewed), _N_AT_ONCE):
            some = send(X[viewed[start : start + _N_AT_ONCE]], device)
            twice = torch.cat([some, some])
            pairs = [views(twice, generator) for _ in range(N_VIEWS // 2)]
            of_some = run(features, torch.cat(pairs)).unflatten(0, (N_VIEWS, len(some)))
            found.append(of_some.transpose(0, 1))
    return torch.cat(found)


def differences_across(features, samples, nuisance, run, then=None):
    """Return how the features of samples differ from those with another value of a nuisance.

    Parameters
    ----------
    features : nn.Module
    samples : Tensor of shape (n_samples, ...)
    nuisance : list of ndarray of shape (n_samples,)
        Codes of the values of each nuisance.
    run : callable
        Function of a network and samples, which returns all outputs.
    then : nn.Module, default=None
        Network from features to the embedding in which samples are compared. None compares the
        features.

    Returns
    -------
    across : ndarray of shape (n_differences, n_features) or None
        None if no change makes samples of different values look more alike.
    """

    def compute(given):
        its_features = run(features, given)
        embedding = its_features if then is None else run(then, its_features)
        return its_features.numpy(), embedding.numpy()

    own, embedding = compute(samples)
    found = features_across(
        samples.numpy(),
        nuisance,
        embedding,
        lambda changed: compute(torch.from_numpy(changed.astype(np.float32))),
    )
    return np.concatenate([each - own for each in found]) if found else None


def find_apart(encoder, X, params, run, nuisance):
    """Find the linear map of a trained embedding that gives little weight to a nuisance.

    It is the same as for a fixed encoder: within-class whitening of what differs between views of
    a sample and across the values of a nuisance.

    Parameters
    ----------
    encoder : nn.Module
    X : Samples
        Training samples.
    params : dict
        Parameters of the estimator.
    run : callable
        Function of a network and samples, which returns all outputs.
    nuisance : list of ndarray of shape (n_samples,)

    Returns
    -------
    into : ndarray of shape (embedding_dim, embedding_dim) or None
        None if no change makes samples of different values look more alike.
    """
    _, viewed = draw_for_components(len(X), params["embedding_dim"])
    columns = [codes[viewed] for codes in nuisance]
    across = differences_across(encoder, X[viewed], columns, run)
    if across is None:
        return None
    of_views = features_of_views(encoder, X, params, viewed, run).numpy()
    return within_whitening(of_views, across)
