"""Fits with a fixed encoder, which embeds the training samples once."""

from contextlib import contextmanager

import torch
from torch.utils.data import Subset
from tqdm.auto import tqdm

from .._grouping.fixed import N_VIEWS, NO_PROJECTION, draw_for_components, fixed_part
from .._processes import on_first, share_weights
from .._storage.fingerprint import describe, digest
from ..backbones import Backbone
from .across import differences_across, features_of_views
from .batches import EmbeddedBatches, NeighborEmbeddings
from .networks import ENCODERS


def check_fixed(params):
    """Raise if parameters of the estimator need an encoder that is trained."""
    encoder = params["encoder"]
    is_random = isinstance(encoder, Backbone) and encoder.weights is False
    if is_random or encoder in (None, *ENCODERS):
        raise ValueError(
            "train_encoder=False needs an encoder that was trained before, or that needs no "
            f"training, got encoder={encoder!r}, whose weights are random. Pass such an encoder, "
            "or train_encoder=True."
        )
    if params["variational"]:
        raise ValueError(
            "variational must be False with train_encoder=False, because it needs an encoder that "
            f"is trained, got {params['variational']!r}. Pass variational=False, or "
            "train_encoder=True."
        )
    if params["output"] == "projection":
        raise ValueError(NO_PROJECTION)


def embed_once(encoder, trainer, run, keys, nuisance=None):
    """Embed the samples of a trainer with a fixed encoder, and keep the result with them.

    If there is a checkpoint, the result is read from a file beside it, or written to it.

    Parameters
    ----------
    encoder : FixedEncoder or Sequential
    trainer : Trainer
        Its samples, whose attribute `embedding` is set, its views, between which the embedding
        should hardly differ, and its checkpoint.
    run : callable
        Function of a network and samples, which returns all outputs.
    keys : list
        Values on which the embedding depends, besides the encoder: samples, their form, and views.
    nuisance : list of ndarray of shape (n_samples,), default=None
        Codes of what the embedding should ignore, a list of columns.
    """
    fixed, X, checkpoint = fixed_part(encoder), trainer.X, trainer.checkpoint
    if fixed.is_fitted:  # by the previous fit, with warm_start
        with _progress(fixed.features, len(X), trainer):
            X.embedding = run(fixed, X)
        return
    # Attributes count as well as weights: a network that resizes images may differ by a size alone.
    key = digest(describe([fixed, *keys])) if checkpoint else None
    kept = on_first(checkpoint.read_embedding, key) if checkpoint else None
    if kept is None:
        X.embedding = _fit_components(fixed, trainer, run, nuisance)
        if checkpoint:
            state = fixed.components.state_dict()
            kept = {"components": state, "embedding": X.embedding}
            on_first(checkpoint.write_embedding, key, kept)
    else:
        fixed.components.load_state_dict(kept["components"])
        X.embedding = kept["embedding"]


def _fit_components(fixed, trainer, run, nuisance):
    """Find the linear map, and return the embedding of the samples."""
    X = trainer.X
    drawn, viewed = draw_for_components(len(X), fixed.components.in_features)
    are_all = len(drawn) == len(X)
    n_seen = len(drawn) + N_VIEWS * len(viewed) + (0 if are_all else len(X))
    if nuisance is not None:
        n_seen = None  # the number of changed images is not known before
    with _progress(fixed.features, n_seen, trainer):
        features = run(fixed.features, Subset(X, drawn))
        of_views = features_of_views(fixed.features, X, trainer.params, viewed, run)
        _fit_on_first(fixed, features.numpy(), of_views.numpy())
        if nuisance is not None:
            columns = [codes[viewed] for codes in nuisance]
            across = differences_across(
                fixed.features, X[viewed], columns, run, then=fixed.components
            )
            _fit_on_first(fixed, features.numpy(), of_views.numpy(), across)
        return run(fixed.components, features) if are_all else run(fixed, X)


def _fit_on_first(fixed, *features):
    """Find the linear map in the first process, and share it."""
    on_first(lambda: fixed.fit(*features) and None)
    share_weights(fixed.components.parameters())


@contextmanager
def _progress(features, n_samples, trainer):
    """Show a progress bar of the samples that a network sees, if the fit is verbose."""
    verbose = trainer.params["verbose"]
    with tqdm(total=n_samples, desc="embedding", unit="sample", disable=not verbose) as bar:

        def count(module, inputs, output):
            bar.update(len(output))

        counting = features.register_forward_hook(count)
        try:
            yield
        finally:
            counting.remove()


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


def neighboring_embeddings(embedding):
    """Return the options of a refinement that reads embeddings in place of views.

    Parameters
    ----------
    embedding : Tensor of shape (n_samples, embedding_dim)
    """
    return {
        "iterator_train": NeighborEmbeddings,
        "iterator_train__embedding": embedding,
        "iterator_train__augment": _unchanged,
    }


def _unchanged(samples, generator):
    return samples
