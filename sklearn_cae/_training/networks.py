"""Networks that a fit trains: the paper's, similar ones for vectors, or the user's own."""

import copy
import inspect

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from .._grouping.fixed import FixedEncoder
from ..backbones import as_factory, is_named
from ..modules import (
    ConditionalDecoder,
    DeepDecoder,
    Encoder,
    FirstOrderScattering,
    LinearDecoder,
    LogScattering,
    ProjectionHead,
    UnpooledEncoder,
    VectorEncoder,
    image_decoder,
    vector_decoder,
)

#: Encoders of this package that are trained, and its other networks.
ENCODERS = (Encoder, UnpooledEncoder)
#: Transforms, which have nothing to train. Their filters are not in their state.
_SCATTERING = (LogScattering, FirstOrderScattering)
_OF_THIS_PACKAGE = (*ENCODERS, *_SCATTERING, DeepDecoder, LinearDecoder, nn.Identity)


def build_networks(
    sample_shape,
    embedding_dim,
    *,
    encoder=None,
    train_encoder=True,
    decoder=None,
    variational=False,
):
    """Build the networks of one fit.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of a sample: (C, H, W) for images, (C, D, H, W) for volumes, (n_features,) for
        vectors.
    embedding_dim : int
    encoder, decoder : callable, str or None
        Factories of the user; an encoder may also be a name.
    train_encoder : bool or float
        False for a fixed encoder.
    variational : bool

    Returns
    -------
    networks : dict
        Networks "encoder", "projection_head", "decoder", and "log_variance_head" (None unless
        `variational` is True).
    """
    return {
        "encoder": _build_encoder(sample_shape, embedding_dim, encoder)
        if train_encoder
        else _build_fixed(sample_shape, embedding_dim, encoder),
        "projection_head": ProjectionHead(embedding_dim),
        "decoder": _build_decoder(sample_shape, embedding_dim, decoder),
        "log_variance_head": _build_log_variance_head(embedding_dim) if variational else None,
    }


def is_own(factory):
    """Return whether a factory is a user's own, which may draw from torch's global generator."""
    return factory not in (None, *_OF_THIS_PACKAGE)


def has_other_buffers(factory):
    """Return whether a factory's networks may have buffers that are not in their state."""
    return is_own(factory) or factory in _SCATTERING


def _build_log_variance_head(embedding_dim):
    """Build a linear layer that starts with a small variance.

    At the start, embeddings hardly differ. Noise of unit variance would hide all but a few
    dimensions, and they would stay hidden.
    """
    head = nn.Linear(embedding_dim, embedding_dim)
    nn.init.constant_(head.bias, -8.0)
    return head


def _build_encoder(sample_shape, embedding_dim, factory):
    if factory is None:
        if len(sample_shape) == 1:
            return VectorEncoder(*sample_shape, embedding_dim)
        return _channels_last(Encoder(sample_shape, embedding_dim))
    if is_named(factory):
        features, n_features = _build_features(sample_shape, embedding_dim, factory)
        return nn.Sequential(features, nn.Linear(n_features, embedding_dim))
    if factory in _SCATTERING:
        raise ValueError(
            f"encoder={factory.__name__} has nothing to train. Pass train_encoder=False, or "
            "another encoder."
        )
    own = _build_own(factory, "encoder", sample_shape, embedding_dim)
    return _channels_last(own) if type(own) in ENCODERS else own


def _build_fixed(sample_shape, embedding_dim, factory):
    """Build an encoder from features of any shape, which are not trained."""
    return FixedEncoder(*_build_features(sample_shape, embedding_dim, factory), embedding_dim)


def _build_features(sample_shape, embedding_dim, factory):
    """Build a network with an output of any shape (n, ...); return it and the size of a row."""
    if is_named(factory):
        features, way_out = as_factory(factory)(sample_shape), "Pass a Backbone of another size."
    else:
        features = _call_factory(factory, "encoder", sample_shape, embedding_dim)
        features, way_out = _copy(features, "encoder"), "Change the module."
    with torch.no_grad():
        output = _try_out(features, "encoder", sample_shape, way_out)
    if output.ndim < 2 or len(output) != 2:
        raise ValueError(
            f"encoder must turn (n, {', '.join(map(str, sample_shape))}) into features (n, ...) "
            f"with train_encoder=False, but two samples became {tuple(output.shape)}. {way_out}"
        )
    return features, output[0].numel()


def _build_decoder(sample_shape, embedding_dim, factory):
    if factory is None:
        if len(sample_shape) == 1:
            return vector_decoder(*sample_shape, embedding_dim)
        return _channels_last(image_decoder(sample_shape, embedding_dim))
    own = _build_own(factory, "decoder", sample_shape, embedding_dim)
    if type(own) in (DeepDecoder, LinearDecoder):
        return _channels_last(own)
    # Its input is the only first feature map that every decoder has.
    return ConditionalDecoder(nn.Identity(), own, embedding_dim)


def _channels_last(module):
    """Store the weights in the order in which convolutions are fastest; the values stay the same.

    Networks of volumes keep their order. This is used only for networks of this package. In other
    networks, a ``view`` of a feature map in this order may fail.
    """
    if any(weight.ndim == 5 for weight in module.parameters()):
        return module
    return module.to(memory_format=torch.channels_last)


def _build_own(factory, name, sample_shape, embedding_dim):
    """Build the user's own network.

    It is a copy, because a factory may return the same module many times. Fits that share weights
    would learn from each other's samples, and change models that are already fitted.
    """
    module = _call_factory(factory, name, sample_shape, embedding_dim)
    own = _copy(module, name)
    given, wanted = sample_shape, (embedding_dim,)
    if name == "decoder":
        given, wanted = wanted, given
    output = _check_shape(own, name, given=given, wanted=wanted)
    _check_uses_none_of(module, output, name)
    return own


def _call_factory(factory, name, image_shape, embedding_dim):
    """Call a factory with `image_shape` and `embedding_dim`, if its signature has them."""
    if isinstance(factory, nn.Module):
        raise TypeError(
            f"{name} must be a factory of an nn.Module, such as its class, got the module "
            f"{type(factory).__name__} itself. Pass a function that returns it: each fit copies it."
        )
    offered = {"image_shape": image_shape, "embedding_dim": embedding_dim}
    named = inspect.signature(factory).parameters
    try:
        module = factory(**{key: value for key, value in offered.items() if key in named})
    except Exception as error:
        of_vectors = f", or {name}=None for vectors" if len(image_shape) == 1 else ""
        raise ValueError(
            f"{name} must be a factory for samples of shape {image_shape}, but {factory!r} failed: "
            f"{error}. Pass another one{of_vectors}. If rows are images, pass image_shape."
        ) from error
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"{name} must be a factory of an nn.Module, but {factory!r} returned "
            f"{type(module).__name__}. Return a module."
        )
    return module


def _copy(module, name):
    # Hooks, such as that of torch.nn.utils.weight_norm, compute these again in each forward.
    computed = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }
    try:
        return copy.deepcopy(module, computed)
    except Exception as error:
        raise ValueError(
            f"{name} must be a factory of a module that copy.deepcopy can copy, so that fits share "
            f"no weights, but a {type(module).__name__} could not be copied: {error}. Change the "
            "module."
        ) from error


def _check_uses_none_of(module, output, name):
    """Raise if a copy computes with the weights of its original."""
    weights = [w for w in module.parameters() if w.requires_grad and not is_lazy(w)]
    if not (weights and output.requires_grad):
        return
    gradients = torch.autograd.grad(output.sum(), weights, allow_unused=True)
    if any(gradient is not None for gradient in gradients):
        raise ValueError(
            f"{name} must be a factory of a module that copy.deepcopy can copy, so that fits share "
            f"no weights, but a copy of the {type(module).__name__} still computes with the "
            "original's weights. A function that refers to the module, such as module.forward = "
            "lambda x: ..., is not copied: make it a method of a class."
        )


def _try_out(module, name, given, way_out="Change the module."):
    """Return the output for two samples; raise if there is none."""
    try:
        output = module.eval()(torch.zeros(2, *given))
        tuple(output.shape)
    except Exception as error:
        raise ValueError(
            f"{name} must take samples of shape (n, {', '.join(map(str, given))}), but failed on "
            f"two of them: {error}. {way_out}"
        ) from error
    return output


def _check_shape(module, name, *, given, wanted):
    with torch.enable_grad():
        output = _try_out(module, name, given)
    got = tuple(output.shape)
    if got != (2, *wanted):
        raise ValueError(
            f"{name} must turn (n, {', '.join(map(str, given))}) into "
            f"(n, {', '.join(map(str, wanted))}), but two samples became {got}. Change the "
            "module, or embedding_dim."
        )
    return output
