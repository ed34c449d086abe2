"""A fixed encoder: features that are never trained, and a linear map of them."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.utils.data import Subset

from .whitening import within_whitening

#: The components are found from at most this many samples, and from views of fewer of them.
_N_SAMPLES = 2000
_N_VIEWED = 500
N_VIEWS = 4
#: All these features together have at most this many values.
_N_VALUES = 2**26
#: Components that are compared between views, at most one for three samples. More contain noise.
_N_COMPONENTS = 200
#: Views whose variance is a smaller share of that of the samples differ only by rounding.
_EQUAL = 1e-7
_HIDDEN_DIM = 256  # of the correction

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
        """Whether the linear map was found."""
        return bool(self.components.weight.any())

    def train(self, mode=True):
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, samples):
        """Embed samples, (n_samples, embedding_dim)."""
        return self.components(self.features(samples))

    def fit(self, features, of_views, across=None):
        """Find the linear map, so that images differ in the embedding, and their views hardly do.

        The principal components of all features are divided by the deviations that views of one
        image have in them (within-class whitening, as in linear discriminant analysis, where each
        image is a class). Of the result, the principal components of the samples become the
        embedding, all scaled by the same factor, so that the mean of their variances is 1. If there
        are fewer components than dimensions, the last dimensions are 0.

        Parameters
        ----------
        features : ndarray of shape (n_samples, n_features)
        of_views : ndarray of shape (n_viewed, n_views, n_features)
            Features of several views of each of some samples.
        across : ndarray of shape (n_differences, n_features), default=None
            Differences of features that the embedding should ignore more than those of views.

        Returns
        -------
        self : FixedEncoder

        Raises
        ------
        ValueError
            If features are NaN or infinite, or equal for all samples.
        """
        _check_features(features, of_views)
        weight = np.zeros(self.components.weight.shape)
        n_components = min(max(len(weight), _N_COMPONENTS), max(len(features) // 3, 1))
        pooled = np.concatenate([features, of_views.reshape(-1, features.shape[1])])
        # Squares of features of any size are then in the range of float32.
        unit = 2.0 ** np.ceil(np.log2(max(pooled.max(), -pooled.min())))
        pooled /= pooled.dtype.type(unit)
        features, rows = np.split(pooled, [len(features)])
        of_views = rows.reshape(of_views.shape)
        pca = PCA(min(n_components, *pooled.shape), random_state=0).fit(pooled)
        if across is not None:
            across = across / unit @ pca.components_.T
        coordinates = (of_views - pca.mean_) @ pca.components_.T
        least = _EQUAL * pca.explained_variance_.mean()
        basis = within_whitening(coordinates, across, least) @ pca.components_.astype(np.float64)
        seen = (features - pca.mean_) @ basis.T
        center = seen.mean(axis=0)
        _, deviations, directions = np.linalg.svd(seen - center, full_matrices=False)
        n_kept = min(len(weight), len(directions))
        variances = deviations[:n_kept] ** 2 / max(len(seen) - 1, 1)
        scale = np.sqrt(max(variances.sum() / len(weight), np.finfo(np.float32).tiny))
        weight[:n_kept] = directions[:n_kept] @ basis / scale
        bias = -weight @ features.mean(axis=0, dtype=np.float64)
        with torch.no_grad():
            self.components.weight.copy_(torch.from_numpy(weight / unit))
            self.components.bias.copy_(torch.from_numpy(bias))
        return self


class Correction(nn.Module):
    """Small network that is added to a fixed embedding, which the refinement trains.

    It starts by adding nothing.

    Parameters
    ----------
    embedding_dim : int
    """

    def __init__(self, embedding_dim):
        super().__init__()
        self.correction = nn.Sequential(
            nn.Linear(embedding_dim, _HIDDEN_DIM), nn.GELU(), nn.Linear(_HIDDEN_DIM, embedding_dim)
        )
        for weight in self.correction[-1].parameters():
            nn.init.zeros_(weight)

    def forward(self, embedding):
        """Correct embeddings, (n_samples, embedding_dim)."""
        return embedding + self.correction(embedding)


def _check_features(features, of_views):
    if not np.isfinite(features).all():
        raise ValueError(
            "encoder must return finite features with train_encoder=False, got NaN or infinity. "
            "Change the module, or its weights."
        )
    if np.ptp(features, axis=0).max() == 0:
        raise ValueError(
            "encoder must return features that differ between samples with train_encoder=False, "
            "but they are equal for all. Pass another module, or other weights."
        )
    if not np.isfinite(of_views).all():
        raise ValueError(
            "augmentation must return views whose features are finite, got NaN or infinity. Return "
            "views with the same range of values as their batch."
        )


def draw_for_components(n_samples, n_features):
    """Draw the samples whose components are found, and those of them whose views are compared.

    They do not depend on the seed of the fit, so that fits with other seeds can use the same
    embedding.

    Parameters
    ----------
    n_samples, n_features : int

    Returns
    -------
    drawn : ndarray of int
        Indices of samples, in ascending order.
    viewed : ndarray of int
        Indices of samples with views.
    """
    n_drawn = min(n_samples, _N_SAMPLES, max(_N_VALUES // (2 * n_features), 2))
    order = np.random.RandomState(0).permutation(n_samples)[:n_drawn]
    n_viewed = min(n_drawn, _N_VIEWED, max(_N_VALUES // (2 * N_VIEWS * n_features), 2))
    return np.sort(order), order[:n_viewed]


def with_correction(encoder, embedding_dim):
    """Return an encoder with a `Correction` at its end; the same one if it has one already."""
    if has_correction(encoder):
        return encoder
    parts = encoder if type(encoder) is nn.Sequential else [encoder]
    return nn.Sequential(*parts, Correction(embedding_dim))


def has_correction(encoder):
    """Return whether an encoder ends with a `Correction`."""
    return type(encoder) is nn.Sequential and isinstance(encoder[-1], Correction)


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
