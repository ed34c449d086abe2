"""The paper's encoder [1]_ and decoder, and an encoder without pooling, for images and volumes.

This module sets the channel widths, which the paper does not state.

References
----------
.. [1] Ferrante et al., "Contrastive learning for unsupervised medical image clustering and
   reconstruction", arXiv 2209.12005.
"""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ._heads import ConditionalDecoder

WIDTHS = (32, 64, 128)
#: Layers by the number of axes besides the channels: 2 for images, 3 for volumes.
_CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_POOLING: dict[int, Callable[..., nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class Encoder(nn.Sequential):
    """The paper's encoder: image to embedding.

    The paper describes it as "three 2-D convolutions, kernel 4, stride 2, each followed by GELU;
    average pooling; a linear layer". The convolutions have padding 1, so that 28 pixels become 14,
    7 and 3. Pooling makes these 3 pixels 1. For volumes, convolutions and pooling are 3-D.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W), or of a volume, (C, D, H, W), with sides of at least 8.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import Encoder
    >>> Encoder((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 128])
    """

    def __init__(self, image_shape: tuple[int, ...], embedding_dim: int = 128) -> None:
        sides = _last_sides(image_shape)
        # If the convolutions reduce a side to 1 pixel (images below 16), it is not pooled.
        pool = [min(2, side) for side in sides]
        pooled = [side // factor for side, factor in zip(sides, pool, strict=True)]
        super().__init__(
            *_convolutions(image_shape),
            _POOLING[len(sides)](tuple(pool)),
            nn.Flatten(),
            nn.Linear(WIDTHS[-1] * math.prod(pooled), embedding_dim),
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
        Shape of an image, (C, H, W), or of a volume, (C, D, H, W), with sides of at least 8.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import UnpooledEncoder
    >>> UnpooledEncoder((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 128])
    """

    def __init__(self, image_shape: tuple[int, ...], embedding_dim: int = 128) -> None:
        n_features = WIDTHS[-1] * math.prod(_last_sides(image_shape))
        super().__init__(
            *_convolutions(image_shape), nn.Flatten(), nn.Linear(n_features, embedding_dim)
        )


def _last_sides(image_shape: tuple[int, ...]) -> list[int]:
    """Return the sides of the last feature map."""
    return [side // 8 for side in image_shape[1:]]


def _convolutions(image_shape: tuple[int, ...]) -> list[nn.Module]:
    channels, *sides = image_shape
    convolution = _CONVOLUTIONS[len(sides)]
    layers: list[nn.Module] = []
    for n_in, n_out in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [convolution(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.GELU()]
    return layers


class CenterCrop(nn.Module):
    """Remove the outermost pixels or voxels of a batch of images or volumes.

    Parameters
    ----------
    *sides : int
        Sides after the crop, (height, width) or (depth, height, width).
    """

    def __init__(self, *sides: int) -> None:
        super().__init__()
        self.sides = sides

    def forward(self, images: Tensor) -> Tensor:
        """Crop (n_samples, C, ...) to (n_samples, C, *sides)."""
        for axis, side in enumerate(self.sides, start=2):
            images = images.narrow(axis, (images.shape[axis] - side) // 2, side)
        return images


def image_decoder(image_shape: tuple[int, ...], embedding_dim: int = 128) -> ConditionalDecoder:
    """Build the paper's decoder, from the embedding to an image or a volume.

    The paper describes it as "linear, then three transposed convolutions, back to the image's
    size". A GELU comes before each transposed convolution, and the output is linear. If a side is
    not a multiple of 8, the output is cropped at the centre. For volumes, convolutions are 3-D.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W), or of a volume, (C, D, H, W), with sides of at least 8.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Returns
    -------
    decoder : ConditionalDecoder
    """
    return ConditionalDecoder(*_transposed_convolutions(image_shape, embedding_dim, WIDTHS))


class DeepDecoder(ConditionalDecoder):
    """The paper's decoder with more transposed convolutions for larger images.

    The first map has 4 to 8 pixels on the longer side, whatever the size of the image: 4 for 28
    pixels, 8 for 64, 128 and 256. It has 128 channels, and each transposed convolution halves them,
    to at least 16. Up to 64 pixels, this is the paper's decoder.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W), or of a volume, (C, D, H, W), with sides of at least 8.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import DeepDecoder
    >>> decoder = DeepDecoder((1, 128, 128))
    >>> decoder.stem(torch.zeros(2, 128)).shape
    torch.Size([2, 128, 8, 8])
    >>> decoder(torch.zeros(2, 128)).shape
    torch.Size([2, 1, 128, 128])
    """

    def __init__(self, image_shape: tuple[int, ...], embedding_dim: int = 128) -> None:
        n_steps = max(len(WIDTHS), math.ceil(math.log2(max(image_shape[1:]) / 8)))
        widths = [max(16, WIDTHS[-1] // 2**step) for step in range(n_steps)][::-1]
        super().__init__(*_transposed_convolutions(image_shape, embedding_dim, widths))


def _transposed_convolutions(
    image_shape: tuple[int, ...], embedding_dim: int, widths: Sequence[int]
) -> tuple[nn.Module, nn.Module, int]:
    """Return the stem, the body and the size of the first map of a decoder.

    Each transposed convolution doubles the sides. Its input has one of the widths, the last first.
    """
    channels, *sides = image_shape
    transposed = _TRANSPOSED[len(sides)]
    map_shape = (widths[-1], *(math.ceil(side / 2 ** len(widths)) for side in sides))
    stem = nn.Sequential(nn.Linear(embedding_dim, math.prod(map_shape)), nn.Unflatten(1, map_shape))
    layers: list[nn.Module] = []
    outward = widths[::-1]
    for n_in, n_out in zip(outward, (*outward[1:], channels), strict=True):
        layers += [nn.GELU(), transposed(n_in, n_out, kernel_size=4, stride=2, padding=1)]
    return stem, nn.Sequential(*layers, CenterCrop(*sides)), math.prod(map_shape)
