"""Single passes over large arrays, in blocks: extremes, finiteness, digest."""

import hashlib

import numpy as np

_SCAN_BYTES = 2**24


def extremes_of_features(X):
    """Return the minimum and maximum of each feature, (2, n_features), without a copy of X."""
    return np.stack([X.min(axis=0), X.max(axis=0)])


def scan_values(X):
    """Return the minimum and maximum in one pass, without a copy of X.

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


def share_outside(X, low, high):
    """Return the share of values of X below `low` or above `high`, without a copy of X."""
    low, high = np.float64(low), np.float64(high)
    outside = [np.count_nonzero((part < low) | (part > high)) for part in _chunks(X)]
    return sum(outside) / X.size


def are_equal_within(X, low, high):
    """Return whether all samples are equal after clipping; stop at the first that differs."""
    first, *bounds = X[0], np.float64(low), np.float64(high)  # bounds may overflow float16
    return all((each.clip(*bounds) == first.clip(*bounds)).all() for each in X[1:])


def fingerprint(X):
    """Return the SHA-256 of values, type and shape of X, for any memory layout."""
    # Wider types than float64 have padding bytes without a defined value.
    dtype = X.dtype.newbyteorder("=") if X.dtype.itemsize <= 8 else np.dtype(np.float64)
    digest = hashlib.sha256(f"{dtype.str} {X.shape}".encode())
    for chunk in _chunks(X):
        digest.update(np.ascontiguousarray(chunk, dtype=dtype))
    return digest.hexdigest()


def _chunks(X):
    """Return blocks of rows of X one after the other."""
    rows = max(1, _SCAN_BYTES // max(1, X[:1].nbytes))
    return (X[start : start + rows] for start in range(0, len(X), rows))
