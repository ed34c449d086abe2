"""The paper's networks, and similar ones for vectors, as plain ``nn.Module`` classes.

This module sets the sizes that the paper [1]_ does not state (channel widths, depth of the head).

References
----------
.. [1] Ferrante et al., "Contrastive learning for unsupervised medical image clustering and
   reconstruction", arXiv 2209.12005.
"""

import math

from torch import Tensor, nn

__all__ = [
    "ConditionalDecoder",
    "Encoder",
    "ProjectionHead",
    "UnpooledEncoder",
    "VectorEncoder",
    "image_decoder",
    "vector_decoder",
]

WIDTHS = (32, 64, 128)
HIDDEN_DIM = 128


class Encoder(nn.Sequential):
    """The paper's encoder: image to embedding.

    The paper describes it as "three 2-D convolutions, kernel 4, stride 2, each followed by GELU;
    average pooling; a linear layer". The convolutions have padding 1, so that 28 pixels become 14,
    7 and 3. Pooling makes these 3 pixels 1.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W), with H and W at least 8.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import Encoder
    >>> Encoder((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 128])
    """

    def __init__(self, image_shape: tuple[int, int, int], embedding_dim: int = 128) -> None:
        channels, *sides = image_shape
        height, width = (side // 8 for side in sides)
        # If the convolutions reduce a side to 1 pixel (images below 16), it is not pooled.
        pool = (min(2, height), min(2, width))
        n_features = WIDTHS[-1] * (height // pool[0]) * (width // pool[1])
        super().__init__(
            *_convolutions(channels),
            nn.AvgPool2d(pool),
            nn.Flatten(),
            nn.Linear(n_features, embedding_dim),
        )


class UnpooledEncoder(nn.Sequential):
    """The paper's encoder without pooling: the linear layer uses the whole last feature map.

    For images of 28 x 28 pixels, this map has 3 x 3 places. Pooling with kernel 2 averages four of
    them. It drops the five places at the right and at the bottom, and so the border of the image
    there. Without pooling, reconstructions are sharper, and the embedding contains more of the
    content of an image.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W), with H and W at least 8.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import UnpooledEncoder
    >>> UnpooledEncoder((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 128])
    """

    def __init__(self, image_shape: tuple[int, int, int], embedding_dim: int = 128) -> None:
        channels, height, width = image_shape
        n_features = WIDTHS[-1] * (height // 8) * (width // 8)
        super().__init__(
            *_convolutions(channels), nn.Flatten(), nn.Linear(n_features, embedding_dim)
        )


def _convolutions(channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.GELU()]
    return layers


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


class ProjectionHead(nn.Sequential):
    """The paper's projection head, from the embedding to the input of the NT-Xent loss.

    The paper describes it as "MLP with three layers". Here it is Linear-BatchNorm-ReLU twice, then
    Linear, and each layer has 128 units.

    Parameters
    ----------
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import ProjectionHead
    >>> ProjectionHead(64)(torch.zeros(2, 64)).shape
    torch.Size([2, 128])
    """

    def __init__(self, embedding_dim: int = 128) -> None:
        super().__init__(
            nn.Linear(embedding_dim, HIDDEN_DIM),
            nn.BatchNorm1d(HIDDEN_DIM),
            nn.ReLU(),
            nn.Linear(HIDDEN_DIM, HIDDEN_DIM),
            nn.BatchNorm1d(HIDDEN_DIM),
            nn.ReLU(),
            nn.Linear(HIDDEN_DIM, HIDDEN_DIM),
        )


class ConditionalDecoder(nn.Module):
    """Decoder with an optional second input, the soft assignment to the prototypes.

    In phase two, the paper adds "layers that take the soft assignment" to the decoder. Here this is
    one linear layer. Its output is added to the output of `stem`, the first feature map. The layer
    starts at zero, so that phase two starts with the decoder of the warm-up.

    Parameters
    ----------
    stem : nn.Module
        Network from embeddings (n_samples, embedding_dim) to the first feature map
        (n_samples, ...).
    body : nn.Module
        Network from the first feature map to samples.
    n_map_features : int
        Size of the first feature map of one sample.

    Attributes
    ----------
    condition : nn.Linear or None
        Layer for the soft assignment. It is None before `add_condition`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import image_decoder
    >>> decoder = image_decoder((1, 28, 28))
    >>> decoder.add_condition(n_clusters=3)
    >>> decoder(torch.zeros(2, 128), torch.eye(3)[:2]).shape
    torch.Size([2, 1, 28, 28])
    """

    condition: nn.Linear | None

    def __init__(self, stem: nn.Module, body: nn.Module, n_map_features: int) -> None:
        super().__init__()
        self.stem = stem
        self.body = body
        self.n_map_features = n_map_features
        self.condition = None

    def add_condition(self, n_clusters: int) -> None:
        """Add the layer for the soft assignment, with weights of zero.

        Parameters
        ----------
        n_clusters : int
            Number of prototypes.
        """
        # skip_init draws no random numbers, which a layer of zeros does not need.
        self.condition = nn.utils.skip_init(nn.Linear, n_clusters, self.n_map_features, bias=False)
        nn.init.zeros_(self.condition.weight)

    def forward(self, embedding: Tensor, soft_assignment: Tensor | None = None) -> Tensor:
        """Decode embeddings.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, embedding_dim)
        soft_assignment : Tensor of shape (n_samples, n_clusters), default=None
            Soft assignments, required after `add_condition` and not used before.

        Returns
        -------
        samples : Tensor of shape (n_samples, ...)
        """
        first_map = self.stem(embedding)
        if self.condition is not None:
            first_map = first_map + self.condition(soft_assignment).view_as(first_map)
        return self.body(first_map)


class CenterCrop(nn.Module):
    """Remove the outermost rows and columns of a batch of images.

    Parameters
    ----------
    height, width : int
        Size after the crop.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, images: Tensor) -> Tensor:
        """Crop (n_samples, C, H, W) to (n_samples, C, height, width)."""
        top = (images.shape[2] - self.height) // 2
        left = (images.shape[3] - self.width) // 2
        return images[:, :, top : top + self.height, left : left + self.width]


def image_decoder(
    image_shape: tuple[int, int, int], embedding_dim: int = 128
) -> ConditionalDecoder:
    """Build the paper's decoder, from the embedding to an image.

    The paper describes it as "linear, then three transposed convolutions, back to the image's
    size". A GELU comes before each transposed convolution, and the output is linear. If a side is
    not a multiple of 8, the output is cropped at the centre.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W), with H and W at least 8.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Returns
    -------
    decoder : ConditionalDecoder
    """
    channels, height, width = image_shape
    map_shape = (WIDTHS[-1], math.ceil(height / 8), math.ceil(width / 8))
    stem = nn.Sequential(nn.Linear(embedding_dim, math.prod(map_shape)), nn.Unflatten(1, map_shape))
    layers: list[nn.Module] = []
    outward = WIDTHS[::-1]
    for n_in, n_out in zip(outward, (*outward[1:], channels), strict=True):
        layers += [nn.GELU(), nn.ConvTranspose2d(n_in, n_out, kernel_size=4, stride=2, padding=1)]
    body = nn.Sequential(*layers, CenterCrop(height, width))
    return ConditionalDecoder(stem, body, math.prod(map_shape))


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
