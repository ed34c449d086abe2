"""Fits with a fixed encoder, which embeds the training samples once."""

import torch
from torch.utils.data import Subset

from .._grouping.fixed import NO_PROJECTION, draw_for_components, fixed_part
from .._storage.fingerprint import fingerprint_start
from .batches import EmbeddedBatches
from .networks import is_own


def check_fixed(params):
    """Raise if parameters of the estimator need an encoder that is trained."""
    if params["encoder"] is None or not is_own(params["encoder"]):
        raise ValueError(
            "train_encoder=False needs an encoder that was trained before, or that needs no "
            f"training, got encoder={params['encoder']!r}, whose weights are random. Pass such an "
            "encoder, or train_encoder=True."
        )
    for name, needed in (("variational", False), ("refinement_epochs", 0)):
        if params[name]:
            raise ValueError(
                f"{name} must be {needed} with train_encoder=False, because it needs an encoder "
                f"that is trained, got {params[name]!r}. Pass {name}={needed}, or "
                "train_encoder=True."
            )
    if params["output"] == "projection":
        raise ValueError(NO_PROJECTION)


def embed_once(encoder, X, run, data, checkpoint):
    """Embed the samples with a fixed encoder, and keep the result with them.

    If there is a checkpoint, the result is read from a file beside it, or written to it.

    Parameters
    ----------
    encoder : FixedEncoder or Sequential
    X : Samples
        Samples, whose attribute `embedding` is set.
    run : callable
        Function of a network and samples, which returns all outputs.
    data : str
        Fingerprint of the samples.
    checkpoint : Checkpoint or None
    """
    fixed = fixed_part(encoder)
    if fixed.is_fitted:  # by the previous fit, with warm_start
        X.embedding = run(fixed, X)
        return
    key = fingerprint_start(fixed, data)
    kept = checkpoint.read_embedding(key) if checkpoint else None
    if kept is None:
        _fit_components(fixed, X, run)
        X.embedding = run(fixed, X) if X.embedding is None else X.embedding
        if checkpoint:
            state = fixed.components.state_dict()
            checkpoint.write_embedding(key, {"components": state, "embedding": X.embedding})
    else:
        fixed.components.load_state_dict(kept["components"])
        X.embedding = kept["embedding"]


def _fit_components(fixed, X, run):
    """Find the components; embed the samples too if all of them were used for this."""
    drawn = draw_for_components(len(X), fixed.components.in_features)
    features = run(fixed.features, Subset(X, drawn))
    fixed.fit(features.numpy())
    if len(drawn) == len(X):
        X.embedding = run(fixed.components, features)


def embedded_batches(embedding):
    """Return the options of a phase that reads embeddings in place of views.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, embedding_dim)
    """
    return {
        "iterator_train": EmbeddedBatches,
        "iterator_train__embedding": torch.from_numpy(embedding),
    }
