"""One pass over a large array, in blocks: extremes, finiteness, digest."""

import hashlib

import numpy as np

_SCAN_BYTES = 2**24


def extremes_of_features(X):
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


def share_outside(X, low, high):
    """Share of the values of X that are below `low` or above `high`, without a copy of X."""
    low, high = np.float64(low), np.float64(high)
    outside = [np.count_nonzero((part < low) | (part > high)) for part in _chunks(X)]
    return sum(outside) / X.size


def are_equal_within(X, low, high):
    """Whether all samples of X are equal once clipped; read only as far as the first other one."""
    first, *bounds = X[0], np.float64(low), np.float64(high)  # float16 may hold no such bound
    return all((each.clip(*bounds) == first.clip(*bounds)).all() for each in X[1:])


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
