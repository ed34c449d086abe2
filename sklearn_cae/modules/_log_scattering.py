"""The logarithm of a scattering, as the features of a fixed encoder."""

from torch import Tensor, nn

from ._scattering import Scattering

#: Added to the maps before their logarithm. It hides maps that are nearly 0.
OFFSET = 0.01
#: Images whose shorter side is longer are halved before they are transformed.
LARGEST_SIDE = 160


class LogScattering(nn.Module):
    """Logarithms of a wavelet scattering: features of images that need no training.

    Pass it as `encoder`, with ``train_encoder=False``. With logarithms, features are compared by
    ratios of contrast, not by differences. Images whose shorter side is above 160 pixels are halved
    first, by means of 2 x 2 pixels, until it is not.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W).
    scale : int, default=None
        Number of sizes of the wavelets, as in `Scattering`.
    n_angles : int, default=4
        Number of directions of the wavelets, 4 to 8.
    max_order : {1, 2}, default=2
        The highest order, as in `Scattering`.

    Attributes
    ----------
    scattering : Scattering
        The transform.
    output_shape : tuple of int
        Shape of the result for an image, as in `Scattering`.

    Raises
    ------
    ValueError
        If the samples are not images, or a parameter is outside its range.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import LogScattering
    >>> LogScattering((1, 64, 64))(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 61, 8, 8])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        scale: int | None = None,
        n_angles: int = 4,
        max_order: int = 2,
    ) -> None:
        super().__init__()
        if len(image_shape) != 3:
            raise ValueError(
                "LogScattering needs images, (C, H, W), got samples of shape "
                f"{tuple(image_shape)}. recommended(n_samples, spatial_dims=3) is for volumes, "
                "recommended(n_samples, encoder=None, augmentation='vector') for vectors"
            )
        channels, height, width = image_shape
        factor = 1
        while min(height, width) // factor > LARGEST_SIDE:
            factor *= 2
        self.reduce = nn.AvgPool2d(factor) if factor > 1 else nn.Identity()
        self.scattering = Scattering(
            (channels, height // factor, width // factor), scale, n_angles, max_order
        )
        self.output_shape = self.scattering.output_shape

    def forward(self, images: Tensor) -> Tensor:
        """Transform images (n_samples, C, H, W) to maps (n_samples, C * n_maps, H', W').

        Parameters
        ----------
        images : Tensor of shape (n_samples, C, H, W)
            Intensities in [0, 1].

        Returns
        -------
        maps : Tensor of shape (n_samples, C * n_maps, H', W')
        """
        # Means of views may be negative.
        return (self.scattering(self.reduce(images)).clamp(min=0) + OFFSET).log()


class FirstOrderScattering(LogScattering):
    """Logarithms of a wavelet scattering of the first order, in a third of the time.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W).

    Raises
    ------
    ValueError
        If the samples are not images.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import FirstOrderScattering
    >>> FirstOrderScattering((1, 64, 64))(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 13, 8, 8])
    """

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        super().__init__(image_shape, max_order=1)
