"""A basis of the embedding in which its principal components count more alike."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

#: What is left of the variances, as a power of them: 1 changes nothing, 0 makes all equal.
_POWER = 0.25
_FLOOR = 0.01  # of the variances, as a share of their mean


class Basis(NamedTuple):
    """A change of basis: ``into @ (embedding - mean)``, and ``back``.

    Attributes
    ----------
    mean : ndarray of shape (embedding_dim,)
    into, back : ndarray of shape (embedding_dim, embedding_dim)
        Inverse to each other.
    """

    mean: np.ndarray
    into: np.ndarray
    back: np.ndarray


def whitening(embedding):
    """Find the basis in which the principal components of embeddings count more alike.

    A contrastive embedding spends most of its variance on a few directions, of what differs most
    between images. Here the fourth root of a component's share is left of it: were all shares made
    equal, components that hold noise would count as much as those that tell groups apart, the more
    of them, the fewer images there are.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, embedding_dim)

    Returns
    -------
    basis : Basis
    """
    embedding = embedding.astype(np.float64)
    covariance = np.atleast_2d(np.cov(embedding.T))
    variances, components = np.linalg.eigh(covariance)  # components are columns
    variances = variances.clip(0)
    mean = max(variances.mean(), np.finfo(np.float32).tiny)
    scale = np.sqrt(mean) * (variances / mean + _FLOOR) ** ((1 - _POWER) / 2)
    return Basis(embedding.mean(axis=0), components.T / scale[:, None], components * scale)


def change_basis(encoder, projection_head, decoder, basis):
    """Let an encoder give embeddings in a new basis, and what reads them take these back.

    Together the networks compute what they did before. The change becomes part of the linear layers
    at their ends; to an encoder or a decoder that has none there, one is added.

    Parameters
    ----------
    encoder : nn.Module
        From samples to embeddings, (n_samples, embedding_dim).
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
    """Add linear layers, of the identity, where there are none: to own encoders and decoders.

    Parameters
    ----------
    encoder : nn.Module
    decoder : ConditionalDecoder
        Gets its layer in place.
    embedding_dim : int
    device : torch.device, default="cpu"

    Returns
    -------
    encoder : nn.Module
    """
    if isinstance(decoder.stem, nn.Identity):  # before a decoder of the user's own
        decoder.stem = _linear_identity(embedding_dim, device)
    if not _ends_with_plain_linear(encoder):
        encoder = nn.Sequential(encoder, _linear_identity(embedding_dim, device))
    return encoder


def _ends_with_plain_linear(network):
    """Whether the last thing that a network does is a linear layer whose weights can be set."""
    if type(network).forward is not nn.Sequential.forward:
        return False
    last = network[-1]
    # A parametrised layer is of another type, and an older weight norm is a hook.
    return type(last) is nn.Linear and last.bias is not None and not last._forward_pre_hooks


def _linear_identity(n_features, device):
    layer = nn.utils.skip_init(nn.Linear, n_features, n_features, device=device)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
