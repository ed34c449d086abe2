"""What X may be, and its way to a batch of tensors and back.

X stays in memory as it is; a batch at a time is cast and scaled. All conversion of samples between
NumPy and torch happens here.
"""

import hashlib
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from torch.utils.data import Dataset

from ._utils.warnings import warn

CHANNELS = range(1, 5)
SIDES = range(8, 257)
_SCAN_BYTES = 2**24
_FARTHEST = 1e9  # standard deviations
_LARGEST = 1e30  # what is decoded may be some standard deviations larger


@dataclass(frozen=True)
class ImageFormat:
    """How an image looks in X, and how it becomes (C, H, W) with intensities in [0, 1].

    Parameters
    ----------
    sample_shape : tuple of int
        Of one sample in X: (H, W), (C, H, W), (H, W, C) or (n_features,).
    image_shape : tuple of int
        (C, H, W).
    channels_last : bool
    is_integer : bool
        Whether X holds integers or booleans.
    intensity_range : tuple of float
        (low, high), which become 0 and 1.
    """

    sample_shape: tuple
    image_shape: tuple
    channels_last: bool
    is_integer: bool
    intensity_range: tuple

    def to_tensor(self, X):
        """Turn (n, *sample_shape) into a float32 tensor (n, C, H, W), clipped to [0, 1]."""
        low, high = self.intensity_range
        # Wide types are shifted and scaled in float64, so that 16 bits around an offset survive.
        X = np.subtract(X, low, dtype=np.result_type(X.dtype, np.float32))
        X /= high - low
        X = X.astype(np.float32, copy=False)
        images = torch.from_numpy(np.clip(X, 0, 1, out=X))
        channels, height, width = self.image_shape
        if self.channels_last:
            images = images.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
            return images.contiguous()
        return images.reshape(-1, channels, height, width)

    def to_array(self, images):
        """Turn a tensor (n, C, H, W) into float32 (n, *sample_shape) within intensity_range."""
        low, high = self.intensity_range
        if self.channels_last:
            images = images.permute(0, 2, 3, 1)
        X = images.reshape(-1, *self.sample_shape).float().cpu().numpy().clip(0, 1)
        # The second clip takes back what rounding adds at the ends of the range.
        return (X * np.float32(high - low) + np.float32(low)).clip(
            np.float32(low), np.float32(high)
        )

    def check_new(self, X):
        """Raise where X cannot hold images like those fitted; return whether any is clipped."""
        if X.shape[1:] != self.sample_shape:
            raise ValueError(
                f"X must hold images of shape {self.sample_shape} as in fit, got {X.shape[1:]}"
                f"{self._way_from(X.shape[1:])}"
            )
        if _is_integer(X) != self.is_integer:
            fitted, given = ("integer", "float") if self.is_integer else ("float", "integer")
            raise ValueError(
                f"X must hold {fitted} images as in fit, got {given} ones (dtype {X.dtype}): "
                "their intensities cannot be compared. Convert X to the scale and dtype of the "
                "training images, as X.round().astype(numpy.uint8) does for 8-bit images."
            )
        return _is_clipped(scan_values(X), self.intensity_range)

    def _way_from(self, shape):
        """Tell how images of another shape could become such as were fitted."""
        n_given, n_fitted = np.prod(shape), np.prod(self.sample_shape)
        if n_given != n_fitted:
            return (
                f": X has {n_given} features, but the estimator is expecting {n_fitted} features "
                "as input. Resize the images."
            )
        axes = [[side for side in one if side > 1] for one in (shape, self.sample_shape)]
        if axes[0] == axes[1] or 1 in map(len, axes):  # the same images, or flat ones
            return f". Pass X.reshape{(-1, *self.sample_shape)}."
        return ". Bring the axes into that order, as np.moveaxis does."


@dataclass(frozen=True)
class VectorFormat:
    """How a vector becomes a standardised tensor and back.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
        Of the training samples; the scale of a constant feature is 1.
    """

    mean: np.ndarray
    scale: np.ndarray

    @property
    def image_shape(self):
        """Shape of a sample's tensor, (n_features,)."""
        return self.mean.shape

    def to_tensor(self, X):
        """Turn (n, n_features) into a standardised float32 tensor."""
        # In one order, whatever that of X: sums depend on it in the last bit.
        return torch.from_numpy(self._standardise(X).astype(np.float32, order="C"))

    def _standardise(self, X):
        return (X - self.mean) / self.scale

    def check_new(self, X):
        """Raise where a value is so far from those fitted that networks would overflow."""
        with np.errstate(over="ignore"):
            farthest = np.abs(self._standardise(_extremes(X))).max(axis=0)
        if (farthest > _FARTHEST).any():
            worst = int(farthest.argmax())
            raise ValueError(
                f"X must be on the scale of the training samples, got feature {worst} at "
                f"{farthest[worst]:.1e} standard deviations from its mean (at most {_FARTHEST:.0e})"
                ". Check its unit."
            )

    def to_array(self, vectors):
        """Turn a standardised tensor into float32 (n, n_features) on the scale of X."""
        return (vectors.float().cpu().numpy() * self.scale + self.mean).astype(np.float32)


class Samples(Dataset):
    """X and its format: a data set that is read batch by batch.

    Parameters
    ----------
    X : ndarray
        Checked samples.
    format : ImageFormat or VectorFormat
    """

    def __init__(self, X, format):
        self.X = X
        self.format = format

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        """Read the samples at `index`, a slice or an array of int, as one float32 tensor."""
        return self.format.to_tensor(self.X[index])


def to_numpy(X):
    """Give torch tensors as arrays that share their memory where they can; all else as it is."""
    if not isinstance(X, torch.Tensor):
        return X
    X = X.detach().cpu()
    return (X.float() if X.dtype == torch.bfloat16 else X).numpy()


def holds_images(X, image_shape):
    """Whether X is to be read as images rather than as vectors."""
    n_dimensions = X.ndim if hasattr(X, "ndim") else _stack(X).ndim
    return image_shape is not None or n_dimensions > 2


def _stack(X):
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "X must hold samples of one shape, got a list of several. Resize or crop images to "
            f"one size. ({error})"
        ) from error
    if array.dtype.kind == "U":
        raise TypeError(
            f"X must hold the images themselves, got text such as {str(array.flat[0])!r}. Read the "
            "files into one array, (n, H, W) or (n, C, H, W)."
        )
    return array


def check_image_array(X, estimator, *, minimum):
    """Check what holds for images at any time: numeric, enough of them, two to four dimensions."""
    X = check_array(
        X,
        dtype=None,
        allow_nd=True,
        ensure_all_finite=False,  # scan_values looks, without copies
        ensure_min_samples=minimum,
        estimator=estimator,
        input_name="X",
    )
    if X.dtype.kind not in "buif":
        raise TypeError(f"X must hold numbers, got dtype {X.dtype}. Convert it with X.astype.")
    if X.ndim > 4:
        raise ValueError(
            f"X must have 2 to 4 dimensions, got {X.ndim}: shape {X.shape}. Of volumes pass slices "
            "or projections."
        )
    return X


def infer_image_format(X, image_shape, intensity_range):
    """Find the format of training images.

    Parameters
    ----------
    X : ndarray of shape (n, H, W), (n, C, H, W), (n, H, W, C) or (n, n_features)
    image_shape : tuple of int or None
        Of one image, in the order of axes of X.
    intensity_range : tuple of float or None

    Returns
    -------
    format : ImageFormat
    """
    as_image = _sample_shape(X, image_shape)
    if len(as_image) not in (2, 3):
        raise ValueError(
            "image_shape must have 2 or 3 elements, (H, W), (C, H, W) or (H, W, C), got "
            f"{as_image}."
        )
    channels_last = len(as_image) == 3 and _has_channels_last(as_image)
    if len(as_image) == 2:
        as_image = (1, *as_image)
    channels_first = (as_image[2], *as_image[:2]) if channels_last else as_image
    # One channel lies in memory alike, first or last; its strides are not to differ either.
    channels_last = channels_last and channels_first[0] > 1
    if not all(side in SIDES for side in channels_first[1:]):
        raise ValueError(
            f"Images must have sides of {SIDES[0]} to {SIDES[-1]} pixels, got "
            f"{channels_first[1]} x {channels_first[2]}. Resize or crop them."
        )
    return ImageFormat(
        sample_shape=X.shape[1:],
        image_shape=channels_first,
        channels_last=channels_last,
        is_integer=_is_integer(X),
        intensity_range=_find_intensity_range(X, intensity_range),
    )


def infer_vector_format(X):
    """Find the format of training vectors, (n, n_features): their mean and scale."""
    low, high = extremes = _extremes(X)
    if (low == high).all():
        raise ValueError(
            f"X must hold samples that differ, but all {len(X)} are equal. Check how they were "
            "read."
        )
    largest = np.abs(extremes).max(axis=0)
    if (largest > _LARGEST).any():
        worst = int(largest.argmax())
        raise ValueError(
            f"X must hold values of up to {_LARGEST:.0e}, so that float32 holds what is decoded, "
            f"got feature {worst} at {largest[worst]:.1e}. Change its unit."
        )
    scaler = StandardScaler().fit(X)
    return VectorFormat(scaler.mean_, scaler.scale_)


def _extremes(X):
    """Smallest and largest value of each feature, (2, n_features), without a copy of X."""
    return np.stack([X.min(axis=0), X.max(axis=0)])


def scan_values(X):
    """Find the smallest and largest value in one pass, without copying X.

    Raises
    ------
    ValueError
        If a value is NaN or infinite.
    """
    extremes = np.array([(chunk.min(), chunk.max()) for chunk in _chunks(X)])
    if np.isnan(extremes).any():
        raise ValueError("Input X contains NaN. Impute or drop the images that do.")
    if np.isinf(extremes).any():
        raise ValueError("Input X contains infinity. Clip or drop the images that do.")
    return float(extremes[:, 0].min()), float(extremes[:, 1].max())


def fingerprint(X):
    """Digest of the values of X, their type and shape, however they lie in memory (SHA-256)."""
    # What is wider than float64 has bytes of no meaning.
    dtype = X.dtype.newbyteorder("=") if X.dtype.itemsize <= 8 else np.dtype(np.float64)
    digest = hashlib.sha256(f"{dtype.str} {X.shape}".encode())
    for chunk in _chunks(X):
        digest.update(np.ascontiguousarray(chunk, dtype=dtype))
    return digest.hexdigest()


def _chunks(X):
    """Cut X into blocks of rows that are read one after the other."""
    rows = max(1, _SCAN_BYTES // max(1, X[:1].nbytes))
    return (X[start : start + rows] for start in range(0, len(X), rows))


def _sample_shape(X, image_shape):
    given = X.shape[1:]
    if image_shape is None:
        return given
    if not all(isinstance(side, Integral) for side in image_shape):
        raise TypeError(
            f"image_shape must be integers, got {image_shape}. Pass the sides in pixels."
        )
    image_shape = tuple(image_shape)
    if X.ndim == 2 and np.prod(image_shape) != given[0]:
        raise ValueError(
            f"image_shape must have as many elements as X has features: {image_shape} has "
            f"{np.prod(image_shape)}, X has {given[0]}."
        )
    if X.ndim > 2 and image_shape != given:
        raise ValueError(
            f"image_shape must be the shape of one image in X, {given}, got {image_shape}. "
            "Leave it at None for images that are not flat."
        )
    return image_shape


def _has_channels_last(shape):
    first, last = shape[0] in CHANNELS, shape[2] in CHANNELS
    if first == last:
        problem = "Both the first and the last" if first else "Neither the first nor the last"
        raise ValueError(
            f"X must have its {CHANNELS[0]} to {CHANNELS[-1]} channels first, (n, C, H, W), or "
            f"last, (n, H, W, C). {problem} axis of an image of shape {shape} could be the "
            "channels. Pass X with one axis of channels, and sides of at least 8 pixels; of "
            "volumes, slices or projections."
        )
    return last


def _is_integer(X):
    return X.dtype.kind in "bui"


def _find_intensity_range(X, intensity_range):
    low, high = scan_values(X)
    if low == high:
        raise ValueError(
            f"X must hold images that differ, but all their intensities are {low:g}. Check how "
            "they were read."
        )
    if intensity_range is not None:
        intensity_range = _check_intensity_range(intensity_range)
        if _is_clipped((low, high), intensity_range):
            warn(
                f"X has intensities from {low:g} to {high:g}, outside intensity_range="
                f"{intensity_range}; they are clipped, which is right for a window. Leave it at "
                "None to keep all of them.",
                UserWarning,
            )
        return intensity_range
    if X.dtype == np.uint8:
        return (0.0, 255.0)
    if X.dtype == np.bool_:
        return (0.0, 1.0)
    if not _fits_float32(low, high):
        raise ValueError(
            f"X must hold intensities that, as their range, fit into float32, got {low:g} to "
            f"{high:g}. Rescale or clip them."
        )
    return (low, high)


def _fits_float32(low, high):
    return max(abs(low), abs(high), high - low) <= float(np.finfo(np.float32).max)


def _is_clipped(extremes, intensity_range):
    # As float32, in which images come back: a reconstruction is never out of range.
    (low, high), (range_low, range_high) = np.float32(extremes), np.float32(intensity_range)
    return low < range_low or high > range_high


def _check_intensity_range(intensity_range):
    try:
        low, high = (float(bound) for bound in intensity_range)
        valid = low < high and _fits_float32(low, high)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "intensity_range must be two finite numbers, the lower one first, of float32, got "
            f"{intensity_range!r}. Leave it at None to take it from the data."
        )
    return low, high
