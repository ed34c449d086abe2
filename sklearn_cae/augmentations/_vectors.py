"""Random views of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from .._utils.devices import send
from ._draws import check_not_negative, check_shares


class DrawnVectorViews(NamedTuple):
    """Parameters of one view per vector, on the CPU.

    Attributes
    ----------
    noise : Tensor of shape (n_samples, n_features)
        Noise that is added.
    kept : Tensor of shape (n_samples, n_features), bool
        Whether a feature is kept, not masked.
    """

    noise: Tensor
    kept: Tensor


@dataclass(frozen=True)
class VectorViews:
    """Views of vectors: Gaussian noise and masked features, each drawn per sample.

    Parameters
    ----------
    noise : float, default=0.1
        Standard deviation of the noise, for standardised features.
    mask : float, default=0.2
        Share of the features that are set to 0, their mean.
    probability : float, default=0.5
        Probability of each transform per sample.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.augmentations import VectorViews
    >>> VectorViews()(torch.ones(8, 5), torch.Generator().manual_seed(0)).shape
    torch.Size([8, 5])
    """

    noise: float = 0.1
    mask: float = 0.2
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_shares(mask=self.mask, probability=self.probability)
        check_not_negative(noise=self.noise)

    def __call__(self, vectors: Tensor, generator: Generator) -> Tensor:
        """Draw and apply one view per vector.

        Parameters
        ----------
        vectors : Tensor of shape (n_samples, n_features)
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        views : Tensor of shape (n_samples, n_features)
        """
        return self.apply(vectors, self.draw(vectors.shape, generator))

    def draw(self, shape: Sequence[int], generator: Generator) -> DrawnVectorViews:
        """Draw the parameters of one view per vector, without looking at the vectors.

        Parameters
        ----------
        shape : tuple of int
            Shape of the batch, (n_samples, n_features).
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        drawn : DrawnVectorViews
        """
        noisy = torch.rand(shape[0], 1, generator=generator) < self.probability
        masked = torch.rand(shape[0], 1, generator=generator) < self.probability
        noise = torch.randn(shape, generator=generator) * self.noise * noisy
        kept = ~((torch.rand(shape, generator=generator) < self.mask) & masked)
        return DrawnVectorViews(noise, kept)

    def apply(self, vectors: Tensor, drawn: DrawnVectorViews) -> Tensor:
        """Apply the parameters of drawn views, with the same result each time.

        Parameters
        ----------
        vectors : Tensor of shape (n_samples, n_features)
        drawn : DrawnVectorViews
            Parameters for a batch of this shape.

        Returns
        -------
        views : Tensor of shape (n_samples, n_features)
        """
        device = vectors.device
        return (vectors + send(drawn.noise, device)) * send(drawn.kept, device)
