"""A decoder that is one linear map, which is computed and not trained."""

import math

import torch
from torch import Tensor, nn

from ._heads import ConditionalDecoder

#: Penalty of the weights, as a share of the variance of the inputs.
_RIDGE = 0.01
_PART = 256  # samples that are read at once


class LinearDecoder(ConditionalDecoder):
    """Decoder that is one linear map, from the embedding to a sample.

    Pass it as `decoder`, with ``train_encoder=False``. It is then not trained, but computed in one
    pass over the samples, as a ridge regression from embeddings to samples. The mean of embeddings
    is decoded as the mean of their images, so that a prototype is the mean image of its group, as
    far as the embedding tells it. With ``train_encoder=True`` it is trained like other decoders.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of a sample: (C, H, W) for images, (C, D, H, W) for volumes, (n_features,) for
        vectors.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import LinearDecoder
    >>> embedding = torch.randn(50, 3)
    >>> images = (embedding @ torch.randn(3, 64)).reshape(50, 1, 8, 8)
    >>> decoder = LinearDecoder((1, 8, 8), embedding_dim=3).solve(embedding, images)
    >>> bool((decoder(embedding) - images).square().mean() < 0.01 * images.var())
    True
    """

    def __init__(self, image_shape: tuple[int, ...], embedding_dim: int = 128) -> None:
        n_values = math.prod(image_shape)
        stem = nn.Sequential(nn.Linear(embedding_dim, n_values), nn.Unflatten(1, image_shape))
        super().__init__(stem, nn.Identity(), n_values)

    @torch.no_grad()
    def solve(
        self, embedding: Tensor, samples: Tensor, soft_assignment: Tensor | None = None
    ) -> "LinearDecoder":
        """Compute the weights by ridge regression, from samples that are read once, in parts.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, embedding_dim)
        samples : Tensor of shape (n_samples, ...)
            The samples, or a data set that returns a slice of them as a tensor.
        soft_assignment : Tensor of shape (n_samples, n_clusters), default=None
            Soft assignments, required after `add_condition`.

        Returns
        -------
        self : LinearDecoder
        """
        given = [embedding] if soft_assignment is None else [embedding, soft_assignment]
        inputs = torch.cat([*given, torch.ones(len(embedding), 1)], dim=1)
        products = inputs.T.double() @ inputs.double()
        penalty = _RIDGE * len(embedding) * embedding.double().var(dim=0).mean()
        penalties = torch.full((len(products),), penalty.item(), dtype=torch.float64)
        penalties[-1] = 0  # of the constant
        inverse = torch.linalg.inv(products + penalties.diag()).float()
        with_samples = torch.zeros(len(products), self.n_map_features)
        for start in range(0, len(inputs), _PART):
            part = slice(start, start + _PART)
            with_samples += inputs[part].T @ samples[part].flatten(1)
        weights = (inverse @ with_samples).T
        n_dims = embedding.shape[1]
        linear = next(part for part in self.stem.modules() if isinstance(part, nn.Linear))
        linear.weight.copy_(weights[:, :n_dims])
        linear.bias.copy_(weights[:, -1])
        if self.condition is not None:
            self.condition.weight.copy_(weights[:, n_dims:-1])
        return self
