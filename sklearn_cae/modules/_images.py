"""The paper's encoder [1]_ and decoder for images, and an encoder without pooling.

This module sets the channel widths, which the paper does not state.

References
----------
.. [1] Ferrante et al., "Contrastive learning for unsupervised medical image clustering and
   reconstruction", arXiv 2209.12005.
"""

import math

from torch import Tensor, nn

from ._heads import ConditionalDecoder

WIDTHS = (32, 64, 128)


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
