"""Formats of samples: their form in X, and their conversion to tensors and back."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from .axes import CHANNELS, is_volume
from .passes import extremes_of_features, scan_values, share_outside

_FARTHEST = 1e9  # standard deviations


@dataclass(frozen=True)
class ImageFormat:
    """Form of an image in X, and its conversion to (C, H, W) with intensities in [0, 1].

    It is also the form of volumes, which have an axis D before H.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample in X: (H, W), (C, H, W), (H, W, C) or (n_features,).
    image_shape : tuple of int
        Shape of the tensor of a sample, (C, H, W).
    channels_last : bool
        Whether the channels are the last axis of a sample.
    is_integer : bool
        Whether X holds integers or booleans.
    intensity_range : tuple of float
        Intensities (low, high) that become 0 and 1.
    """

    sample_shape: tuple
    image_shape: tuple
    channels_last: bool
    is_integer: bool
    intensity_range: tuple

    @property
    def kind(self):
        """Return "images" or "volumes"."""
        return "volumes" if is_volume(self.image_shape) else "images"

    def to_tensor(self, X):
        """Convert (n, *sample_shape) to a float32 tensor (n, C, H, W), clipped to [0, 1]."""
        low, high = self.intensity_range
        # Wide types are shifted and scaled in float64, which keeps 16 bits around a large offset.
        X = np.subtract(X, low, dtype=np.result_type(X.dtype, np.float32))
        X /= high - low
        X = X.astype(np.float32, copy=False)
        images = torch.from_numpy(np.clip(X, 0, 1, out=X))
        if self.channels_last:
            channels, *sides = self.image_shape
            return images.reshape(-1, *sides, channels).movedim(-1, 1).contiguous()
        return images.reshape(-1, *self.image_shape)

    def to_array(self, images):
        """Convert a tensor (n, C, H, W) to float32 (n, *sample_shape) in intensity_range."""
        low, high = self.intensity_range
        if self.channels_last:
            images = images.movedim(1, -1)
        X = images.reshape(-1, *self.sample_shape).float().cpu().numpy().clip(0, 1)
        # The second clip removes rounding errors at the ends of the range.
        return (X * np.float32(high - low) + np.float32(low)).clip(
            np.float32(low), np.float32(high)
        )

    def check_new(self, X):
        """Raise if X differs in form from the images of fit; return the share that is clipped."""
        if X.shape[1:] != self.sample_shape:
            raise ValueError(self._other_shape(X.shape))
        if holds_integers(X) != self.is_integer:
            fitted, given = ("integer", "float") if self.is_integer else ("float", "integer")
            raise ValueError(
                f"X must hold {fitted} images as in fit, got {given} images (dtype {X.dtype}). "
                "Their intensities cannot be compared. Convert X to the scale and dtype of the "
                f"training images, for example with {self._way_from_kind(X)} for 8-bit images."
            )
        return share_clipped(X, scan_values(X), self.intensity_range)

    def _other_shape(self, shape):
        """Return a message about the wrong shape of X, and how to correct it."""
        n_given, n_fitted = np.prod(shape[1:]), np.prod(self.sample_shape)
        of_rows = len(shape) == len(self.sample_shape) == 2 and shape[1:] == self.sample_shape[1:]
        if n_given != n_fitted and (np.prod(shape) == n_fitted or of_rows):
            # Displays select rows of X before this check.
            name = self.kind[:-1]
            as_it_is = of_rows or shape == self.sample_shape
            way = "[np.newaxis]" if as_it_is else f".reshape{(1, *self.sample_shape)}"
            return (
                f"X must hold several {self.kind}, {('n', *self.sample_shape)}, got a single "
                f"{name}. Pass {name}{way}, such as X[0]{way}, or X[:1]."
            ).replace("'n'", "n")
        return (
            f"X must hold {self.kind} of shape {self.sample_shape} as in fit, got {shape[1:]}"
            f"{self._way_from(shape[1:])}"
        )

    def _way_from_kind(self, X):
        """Return code that converts integers to floats as in fit, or floats to integers."""
        low, high = self.intensity_range
        if self.is_integer:
            _, brightest = scan_values(X)
            X_at_scale = "(255 * X)" if brightest <= 1 < high else "X"
            return f"{X_at_scale}.round().astype(numpy.uint8)"
        X_at_scale = "(X / 255)" if low >= 0 and high <= 1 else "X"
        return f"{X_at_scale}.astype(numpy.float32)"

    def _way_from(self, shape):
        """Return the end of the message, with a way to the shape of fit."""
        n_given, n_fitted = np.prod(shape), np.prod(self.sample_shape)
        if n_given != n_fitted:
            return (
                f": X has {n_given} features, but the estimator is expecting {n_fitted} features "
                f"as input. {self._way_from_size(shape)}"
            )
        axes = [[side for side in one if side > 1] for one in (shape, self.sample_shape)]
        if axes[0] == axes[1] or 1 in map(len, axes):  # the same images, or flat ones
            return f". Pass X.reshape{(-1, *self.sample_shape)}."
        return ". Reorder the axes with np.moveaxis."

    def _way_from_size(self, shape):
        """Return a way from samples with other sides, channels or dimensions."""
        channels, *sides = self.image_shape
        if tuple(sides) in (shape, shape[1:], shape[:-1]):
            given = np.prod(shape) // np.prod(sides)
            if given in CHANNELS:
                return (
                    f"The number of channels was {channels} in fit, and is {given} here. Convert "
                    f"the {self.kind}."
                )
        if self.kind == "images" and len(shape) >= 3 and min(shape[-3:]) > CHANNELS[-1]:
            return "If these are volumes, pass slices, or fit on volumes with spatial_dims=3."
        if self.kind == "volumes" and len(shape) == 2:
            return "Pass volumes, not images or slices."
        return f"Resize the {self.kind}."


@dataclass(frozen=True)
class VectorFormat:
    """Conversion of vectors to standardised tensors and back.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
        Mean and scale of the training samples. The scale of a constant feature is 1.
    """

    mean: np.ndarray
    scale: np.ndarray
    kind = "vectors"  # no annotation: not a field

    @property
    def image_shape(self):
        """Shape of a sample's tensor, (n_features,)."""
        return self.mean.shape

    def to_tensor(self, X):
        """Convert (n, n_features) to a standardised float32 tensor."""
        # Always in C order, because the last bit of sums depends on the order.
        return torch.from_numpy(self._standardise(X).astype(np.float32, order="C"))

    def _standardise(self, X):
        return (X - self.mean) / self.scale

    def check_new(self, X):
        """Raise if a value is so far from those of fit that networks would overflow."""
        with np.errstate(over="ignore"):
            farthest = np.abs(self._standardise(extremes_of_features(X))).max(axis=0)
        if (farthest > _FARTHEST).any():
            worst = int(farthest.argmax())
            raise ValueError(
                f"X must be on the scale of the training samples, got feature {worst} at "
                f"{farthest[worst]:.1e} standard deviations from its mean (at most {_FARTHEST:.0e})"
                ". Check its unit."
            )

    def to_array(self, vectors):
        """Convert a standardised tensor to float32 (n, n_features) on the scale of X."""
        return (vectors.float().cpu().numpy() * self.scale + self.mean).astype(np.float32)


class Samples(Dataset):
    """Data set of X and its format, which is read batch by batch.

    Parameters
    ----------
    X : ndarray
        Checked samples.
    format : ImageFormat or VectorFormat
        Format of the samples.

    Attributes
    ----------
    embedding : Tensor of shape (n_samples, embedding_dim) or None
        Output of a fixed encoder for these samples, if it is known.
    """

    def __init__(self, X, format):
        self.X = X
        self.format = format
        self.embedding = None

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        """Read the samples at `index`, a slice or an array of int, as one float32 tensor."""
        return self.format.to_tensor(self.X[index])


def holds_integers(X):
    return X.dtype.kind in "bui"


def share_clipped(X, extremes, intensity_range):
    """Return the share of the intensities of X that are outside a range."""
    # Compared in float32, the type of decoded images: a reconstruction is never out of range.
    (low, high), (range_low, range_high) = np.float32(extremes), np.float32(intensity_range)
    if low >= range_low and high <= range_high:
        return 0.0
    return share_outside(X, *intensity_range)
