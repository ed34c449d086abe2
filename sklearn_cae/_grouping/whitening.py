"""Whitening: a basis in which the principal components have more similar variances."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

#: Exponent that is applied to the variances: 1 changes nothing, 0 makes all equal.
_POWER = 0.25
_FLOOR = 0.01  # minimum of the variances, as a share of their mean
_SHRINKAGE = 0.1  # of the covariance within samples
#: Weight of what differs between values of a nuisance, relative to what differs between views.
_NUISANCE_WEIGHT = 3.0


class Basis(NamedTuple):
    """Change of basis, ``into @ (embedding - mean)``, and its inverse ``back``.

    Attributes
    ----------
    mean : ndarray of shape (embedding_dim,)
        Mean of the embeddings.
    into, back : ndarray of shape (embedding_dim, embedding_dim)
        Matrices that are inverse to each other.
    """

    mean: np.ndarray
    into: np.ndarray
    back: np.ndarray


def whitening(embedding, first=None):
    """Find the basis in which the principal components have more similar variances.

    A contrastive embedding has most of its variance in the few directions in which images differ
    most. The new variances are the fourth roots of the old ones, relative to their mean. If all
    variances were equal, components that contain noise would have the same weight as those that
    separate groups. With fewer images, more components contain noise.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, embedding_dim)
    first : ndarray of shape (embedding_dim, embedding_dim), default=None
        Linear map that is applied before, such as one that gives little weight to a nuisance.

    Returns
    -------
    basis : Basis
    """
    embedding = embedding.astype(np.float64)
    if first is not None:
        of_images = whitening(embedding @ first.T)
        back = np.linalg.solve(first, of_images.back)
        return Basis(embedding.mean(axis=0), of_images.into @ first, back)
    covariance = np.atleast_2d(np.cov(embedding.T))
    variances, components = np.linalg.eigh(covariance)  # components are columns
    variances = variances.clip(0)
    mean = max(variances.mean(), np.finfo(np.float32).tiny)
    scale = np.sqrt(mean) * (variances / mean + _FLOOR) ** ((1 - _POWER) / 2)
    return Basis(embedding.mean(axis=0), components.T / scale[:, None], components * scale)


def within_whitening(of_views, across, least=0.0):
    """Find the whitening of what differs between views of a sample.

    The covariance within samples is shrunk to a multiple of the identity. What differs across the
    values of a nuisance is added to it. If views do not differ, nothing is changed.

    Parameters
    ----------
    of_views : ndarray of shape (n_samples, n_views, n_dims)
        Coordinates of several views of each sample.
    across : ndarray of shape (n_differences, n_dims) or None
        Differences of coordinates across the values of a nuisance.
    least : float, default=0.0
        Mean variance within samples that is no more than rounding.

    Returns
    -------
    into : ndarray of shape (n_dims, n_dims)
    """
    n_dims = of_views.shape[-1]
    within = (of_views - of_views.mean(axis=1, keepdims=True)).reshape(-1, n_dims)
    covariance = np.cov(within.T.astype(np.float64)).reshape(n_dims, n_dims)
    mean = np.trace(covariance) / n_dims
    if mean <= least:
        return np.eye(n_dims)
    covariance += _SHRINKAGE * mean * np.eye(n_dims)
    if across is not None:
        covariance += _NUISANCE_WEIGHT * (across.T @ across) / len(of_views)
    variances, directions = np.linalg.eigh(covariance)
    return (directions / np.sqrt(variances)).T


def change_basis(encoder, projection_head, decoder, basis):
    """Change the basis of an encoder's output, and adapt the projection head and the decoder.

    Together, the networks compute the same as before. The change is merged into their first or last
    linear layers. If an encoder or a decoder has no such layer, one is added.

    Parameters
    ----------
    encoder : nn.Module
        Network from samples to embeddings, (n_samples, embedding_dim).
    projection_head : nn.Module
    decoder : ConditionalDecoder
    basis : Basis

    Returns
    -------
    encoder : nn.Module
    """
    device = next(projection_head.parameters()).device
    encoder = with_linear_ends(encoder, decoder, len(basis.mean), device)
    last = encoder[-1]
    origin, into, back = (torch.from_numpy(part) for part in basis)
    with torch.no_grad():
        for network in (projection_head, decoder.stem):
            first = next(each for each in network.modules() if isinstance(each, nn.Linear))
            weight = first.weight.cpu().double()
            first.bias.copy_(first.bias.cpu().double() + weight @ origin)
            first.weight.copy_(weight @ back)
        last.bias.copy_(into @ (last.bias.cpu().double() - origin))
        last.weight.copy_(into @ last.weight.cpu().double())
    return encoder


def with_linear_ends(encoder, decoder, embedding_dim, device="cpu"):
    """Add a linear layer with the identity to an encoder or a decoder that has none at its end.

    Parameters
    ----------
    encoder : nn.Module
    decoder : ConditionalDecoder
        Decoder, changed in place.
    embedding_dim : int
    device : torch.device, default="cpu"

    Returns
    -------
    encoder : nn.Module
    """
    if isinstance(decoder.stem, nn.Identity):  # the decoder is the user's own
        decoder.stem = _linear_identity(embedding_dim, device)
    if not _ends_with_plain_linear(encoder):
        encoder = nn.Sequential(encoder, _linear_identity(embedding_dim, device))
    return encoder


def _ends_with_plain_linear(network):
    """Return whether the last step of a network is a linear layer whose weights can be set."""
    if type(network).forward is not nn.Sequential.forward:
        return False
    last = network[-1]
    # A parametrised layer has another type, and an older weight norm is a hook.
    return type(last) is nn.Linear and last.bias is not None and not last._forward_pre_hooks


def _linear_identity(n_features, device):
    layer = nn.utils.skip_init(nn.Linear, n_features, n_features, device=device)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
