"""The paper's networks, and their twins for vectors: plain ``nn.Module`` classes.

Sizes that the paper [1]_ leaves open (channel widths, depth of the head) are decided here, once.

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

    "Three 2-D convolutions, kernel 4, stride 2, each followed by GELU; average pooling; a linear
    layer". With padding 1, so that 28 pixels become 14, 7, 3 and, pooled, 1.

    Parameters
    ----------
    image_shape : tuple of int
        (C, H, W), with H and W at least 8.
    embedding_dim : int, default=128
        Width of the embedding.

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
        # A side that the convolutions brought down to 1 pixel (images below 16) is not pooled.
        pool = (min(2, height), min(2, width))
        n_features = WIDTHS[-1] * (height // pool[0]) * (width // pool[1])
        super().__init__(
            *_convolutions(channels),
            nn.AvgPool2d(pool),
            nn.Flatten(),
            nn.Linear(n_features, embedding_dim),
        )


class UnpooledEncoder(nn.Sequential):
    """The paper's encoder without its pooling: the linear layer sees the whole last feature map.

    Of 28 x 28 pixels that map has 3 x 3 places. Pooling with kernel 2 averages four of them and
    drops the five at the right and below, and with them the image's border there. Without it,
    reconstructions are sharper, and more of what an image shows can be read from its embedding.

    Parameters
    ----------
    image_shape : tuple of int
        (C, H, W), with H and W at least 8.
    embedding_dim : int, default=128
        Width of the embedding.

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
    """The encoder's twin for vectors: a multilayer perceptron.

    Parameters
    ----------
    n_features : int
        Width of a sample.
    embedding_dim : int, default=128
        Width of the embedding.

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
    """The paper's projection head: embedding to the space in which NT-Xent is computed.

    "MLP with three layers": Linear-BatchNorm-ReLU twice, then Linear, all 128 wide.

    Parameters
    ----------
    embedding_dim : int, default=128
        Width of the embedding.

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
    """A decoder that can be told, once the prototypes are known, which cluster it decodes.

    The paper's phase two adds "layers that take the soft assignment" to the decoder. Here that is
    one linear layer from the soft assignment into what `stem` returns, the decoder's first feature
    map. It starts at zero, so that phase two starts at the warm decoder.

    Parameters
    ----------
    stem : nn.Module
        (n_samples, embedding_dim) to the first feature map, (n_samples, ...).
    body : nn.Module
        First feature map to samples.
    n_map_features : int
        Size of the first feature map of one sample.

    Attributes
    ----------
    condition : nn.Linear or None
        None until `add_condition`.

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
        """Add the layer that takes the soft assignment, at zero.

        Parameters
        ----------
        n_clusters : int
            Number of prototypes.
        """
        # skip_init: a layer that starts at zero has no reason to draw random numbers.
        self.condition = nn.utils.skip_init(nn.Linear, n_clusters, self.n_map_features, bias=False)
        nn.init.zeros_(self.condition.weight)

    def forward(self, embedding: Tensor, soft_assignment: Tensor | None = None) -> Tensor:
        """Decode embeddings.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, embedding_dim)
        soft_assignment : Tensor of shape (n_samples, n_clusters), default=None
            Needed once the condition is there, unused before.

        Returns
        -------
        samples : Tensor of shape (n_samples, ...)
        """
        first_map = self.stem(embedding)
        if self.condition is not None:
            first_map = first_map + self.condition(soft_assignment).view_as(first_map)
        return self.body(first_map)


class CenterCrop(nn.Module):
    """Cut the outermost rows and columns of a batch of images.

    Parameters
    ----------
    height, width : int
        Size that remains.
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
    """Build the paper's decoder, the mirror of `Encoder`: embedding to image.

    "Linear, then three transposed convolutions, back to the image's size", with GELU between and
    a linear output, cropped centrally where a side is not a multiple of 8.

    Parameters
    ----------
    image_shape : tuple of int
        (C, H, W), with H and W at least 8.
    embedding_dim : int, default=128
        Width of the embedding.

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
    """Build the decoder's twin for vectors: the mirror of `VectorEncoder`.

    Parameters
    ----------
    n_features : int
        Width of a sample.
    embedding_dim : int, default=128
        Width of the embedding.

    Returns
    -------
    decoder : ConditionalDecoder
    """
    body = nn.Sequential(
        nn.GELU(), nn.Linear(HIDDEN_DIM, HIDDEN_DIM), nn.GELU(), nn.Linear(HIDDEN_DIM, n_features)
    )
    return ConditionalDecoder(nn.Linear(embedding_dim, HIDDEN_DIM), body, HIDDEN_DIM)
