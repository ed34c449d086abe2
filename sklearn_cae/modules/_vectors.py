"""Encoder and decoder for vectors."""

from torch import nn

from ._heads import HIDDEN_DIM, ConditionalDecoder


class VectorEncoder(nn.Sequential):
    """Encoder for vectors: a multilayer perceptron.

    Parameters
    ----------
    n_features : int
        Number of features of a sample.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import VectorEncoder
    >>> VectorEncoder(10)(torch.zeros(2, 10)).shape
    torch.Size([2, 128])
    """

    def __init__(self, n_features: int, embedding_dim: int = 128) -> None:
        super().__init__(
            nn.Linear(n_features, HIDDEN_DIM),
            nn.GELU(),
            nn.Linear(HIDDEN_DIM, HIDDEN_DIM),
            nn.GELU(),
            nn.Linear(HIDDEN_DIM, embedding_dim),
        )


def vector_decoder(n_features: int, embedding_dim: int = 128) -> ConditionalDecoder:
    """Build the decoder for vectors, with the layers of `VectorEncoder` in reverse order.

    Parameters
    ----------
    n_features : int
        Number of features of a sample.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Returns
    -------
    decoder : ConditionalDecoder
    """
    body = nn.Sequential(
        nn.GELU(), nn.Linear(HIDDEN_DIM, HIDDEN_DIM), nn.GELU(), nn.Linear(HIDDEN_DIM, n_features)
    )
    return ConditionalDecoder(nn.Linear(embedding_dim, HIDDEN_DIM), body, HIDDEN_DIM)
