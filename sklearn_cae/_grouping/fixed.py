"""A fixed encoder: features that are never trained, and their principal components."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.utils.data import Subset

#: The components are found from at most this many samples, and this many values.
_N_SAMPLES = 5000
_N_VALUES = 2**27

NO_PROJECTION = (
    "output must not be 'projection' with train_encoder=False, because the projection head is not "
    "trained. Pass output='embedding'."
)


class FixedEncoder(nn.Module):
    """Features that are not trained, and a fixed linear map of them to the embedding.

    Parameters
    ----------
    features : nn.Module
        Network from samples to features (n_samples, ...), which are flattened. It stays in eval
        mode, so that the state of BatchNorm does not change either.
    n_features : int
        Number of features of a sample.
    embedding_dim : int
    """

    def __init__(self, features, n_features, embedding_dim):
        super().__init__()
        self.features = nn.Sequential(features, nn.Flatten())
        self.components = nn.Linear(n_features, embedding_dim)
        for weight in self.components.parameters():
            nn.init.zeros_(weight)
        self.requires_grad_(False)
        self.eval()

    @property
    def is_fitted(self):
        """Whether the principal components were found."""
        return bool(self.components.weight.any())

    def train(self, mode=True):
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, samples):
        """Embed samples, (n_samples, embedding_dim)."""
        return self.components(self.features(samples))

    def fit(self, features):
        """Find the principal components of features, and scale all of them by the same factor.

        The mean of the variances in the embedding is 1. If there are fewer components than
        dimensions, the last dimensions are 0.

        Parameters
        ----------
        features : ndarray of shape (n_samples, n_features)

        Returns
        -------
        self : FixedEncoder
        """
        if not np.isfinite(features).all():
            raise ValueError(
                "encoder must return finite features with train_encoder=False, got NaN or "
                "infinity. Change the module, or its weights."
            )
        if np.ptp(features, axis=0).max() == 0:
            raise ValueError(
                "encoder must return features that differ between samples with "
                "train_encoder=False, but they are equal for all. Pass another module, or other "
                "weights."
            )
        weight = np.zeros(self.components.weight.shape)
        n_components = min(len(weight), *features.shape)
        pca = PCA(n_components, random_state=0).fit(features)
        total = pca.explained_variance_.sum(dtype=np.float64)
        scale = np.sqrt(max(total / len(weight), np.finfo(np.float32).tiny))
        weight[:n_components] = pca.components_ / scale
        with torch.no_grad():
            self.components.weight.copy_(torch.from_numpy(weight))
            self.components.bias.copy_(torch.from_numpy(-weight @ pca.mean_.astype(np.float64)))
        return self


def draw_for_components(n_samples, n_features):
    """Draw the samples whose components are found, as indices in ascending order.

    They do not depend on the seed of the fit, so that fits with other seeds can use the same
    embedding.
    """
    n_drawn = min(n_samples, _N_SAMPLES, max(_N_VALUES // n_features, 2))
    drawn = np.random.RandomState(0).choice(n_samples, n_drawn, replace=False)
    return np.sort(drawn)


def fixed_part(encoder):
    """Return the `FixedEncoder` of an encoder, or None if the encoder is trained."""
    # A change of basis adds a linear layer behind it.
    first = encoder[0] if type(encoder) is nn.Sequential else encoder
    return first if isinstance(first, FixedEncoder) else None


def skip_fixed(network, inputs):
    """Skip the fixed part of an encoder, if its output for the inputs is known.

    Parameters
    ----------
    network : nn.Module
    inputs : tuple of Samples, Subset or Tensor

    Returns
    -------
    network : nn.Module
        The network, or what comes after its fixed part.
    inputs : tuple of Samples, Subset or Tensor
        The inputs, or the output of the fixed part.
    """
    samples, *others = inputs
    is_part = isinstance(samples, Subset)
    known = getattr(samples.dataset if is_part else samples, "embedding", None)
    fixed = fixed_part(network)
    if known is None or fixed is None:
        return network, inputs
    if is_part:
        known = known[torch.as_tensor(samples.indices)]
    rest = nn.Identity() if network is fixed else network[1:]
    return rest, (known, *others)
