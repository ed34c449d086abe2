"""Nuisances: what images of one scanner would look like if another scanner had made them.

For each value of a nuisance, such as a hospital, its images are changed until they look like those
of the other values. A fixed encoder then learns from the difference of features what to ignore.
"""

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

_N_MATCHES = 5
_N_NEIGHBORS = 10
#: Fewest pairs of matched samples that tell how images of two values differ.
_FEWEST_PAIRS = 5
#: A change is used if it raises the share of neighbours that have other values by this much.
_GAIN = 0.04
#: A change that may contain more of the patients must be better than others by this much.
_DOUBT = 0.1
_QUANTILES = np.linspace(0, 1, 257)
#: Deviations of pixels below this, in intensities from 0 to 1, are mostly rounding.
_SMALL = 0.01
_LARGEST_FACTOR = 10.0


def features_across(images, columns, embedding, compute):
    """Compute the features that images would have if a nuisance had another value.

    Parameters
    ----------
    images : ndarray of shape (n_samples, ...)
        Tensors of samples: (C, H, W), (C, D, H, W) or (n_features,).
    columns : list of ndarray of shape (n_samples,)
        Codes of the values of each nuisance.
    embedding : ndarray of shape (n_samples, embedding_dim)
        Embedding in which samples are compared.
    compute : callable
        Function of changed images, which returns their features and their embedding.

    Returns
    -------
    changed : list of ndarray of shape (n_samples, n_features)
        For each nuisance: features of the changed images. Nuisances are left out if no change makes
        images of different values look more alike.
    """
    changed = [_look_alike(images, codes, embedding, compute) for codes in columns]
    return [features for features in changed if features is not None]


def _look_alike(images, codes, embedding, compute):
    """Change images step by step, while more of their neighbours then have other values.

    Returns
    -------
    features : ndarray of shape (n_samples, n_features) or None
        Features of the changed images; None if no change helps.
    """
    unit = normalize(embedding)
    matches = {code: _match(embedding, codes == code) for code in np.unique(codes)}
    expected = np.mean([np.count_nonzero(codes != code) for code in codes]) / (len(codes) - 1)
    share, features = _share_of_others(unit, unit, codes), None
    changed, left = images, dict(_CHANGES_OF_VECTORS if images.ndim == 2 else _CHANGES)
    while left and share < expected - _GAIN:
        tried = []
        for name, (change, doubt) in left.items():
            made = _change(changed, images, codes, matches, change)
            its_features, its_embedding = compute(made)
            its_share = _share_of_others(unit, normalize(its_embedding), codes)
            tried.append((its_share - doubt, name, made, its_features))
        best, name, made, its_features = max(tried, key=lambda each: each[0])
        if best < share + _GAIN:
            break
        share, changed, features = best, made, its_features
        del left[name]
    return features


def _match(embedding, is_own):
    """Return pairs of samples, (n_pairs, 2): one with a value, and one with another, most similar.

    Each is among the nearest of the other. Pairs have the same content in both values, although
    the values differ in how often they have it. The means of both sides are removed before.
    """
    own, others = np.flatnonzero(is_own), np.flatnonzero(~is_own)
    sides = [normalize(embedding[side] - embedding[side].mean(axis=0)) for side in (own, others)]
    near = np.zeros((2, len(own), len(others)), dtype=bool)
    for one, (fitted, asked) in enumerate([sides[::-1], sides]):
        k = min(_N_MATCHES, len(fitted))
        found = NearestNeighbors(n_neighbors=k).fit(fitted).kneighbors(asked, return_distance=False)
        rows = np.repeat(np.arange(len(asked)), k)
        pairs = (rows, found.ravel()) if one == 0 else (found.ravel(), rows)
        near[one][pairs] = True
    first, second = np.nonzero(near.all(axis=0))
    return np.column_stack([own[first], others[second]])


def _change(changed, images, codes, matches, change):
    """Change the images of each value so that they look like those of the other values."""
    made = changed.copy()
    for code, pairs in matches.items():
        if len(pairs) >= _FEWEST_PAIRS:
            own, others = pairs.T
            is_own = codes == code
            made[is_own] = change(changed[is_own], changed[own], images[others])
    return made.clip(0, 1) if images.ndim > 2 else made


def _share_of_others(unit, asked, codes):
    """Return the mean share of neighbours that have another value; none is the sample itself."""
    search = NearestNeighbors(n_neighbors=min(_N_NEIGHBORS + 1, len(unit))).fit(unit)
    found = search.kneighbors(asked, return_distance=False)
    is_itself = found == np.arange(len(found))[:, None]
    # Without itself, or otherwise without the farthest.
    kept = np.argsort(is_itself, axis=1, kind="stable")[:, :-1]
    return (codes[np.take_along_axis(found, kept, axis=1)] != codes[:, None]).mean()


def _move_quantiles(images, own, others):
    """Move intensities so that their quantiles, in each channel, are those of the others."""
    made = np.empty_like(images)
    for channel in range(images.shape[1]):
        before, after = (np.quantile(side[:, channel], _QUANTILES) for side in (own, others))
        before, at = np.unique(before, return_index=True)
        made[:, channel] = np.interp(images[:, channel], before, after[at])
    return made


def _sharpen(images, own, others):
    """Scale spatial frequencies so that their powers are those of the others."""
    ratio = np.sqrt((_power(others) + 1e-6) / (_power(own) + 1e-6))
    factor = ratio.clip(1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    return _filter(images, factor)


def _add_noise(images, own, others):
    """Add noise that has the power that is missing in each spatial frequency."""
    missing = np.sqrt((_power(others) - _power(own)).clip(0))
    noise = np.random.RandomState(0).standard_normal(images.shape).astype(images.dtype)
    return images + _filter(noise, missing / np.sqrt(np.prod(images.shape[2:])), keeps_mean=False)


def _filter(images, factor, *, keeps_mean=True):
    axes = tuple(range(2, images.ndim))
    factor = factor.copy()
    factor[(slice(None), *[0] * len(axes))] = float(keeps_mean)
    return np.fft.ifftn(np.fft.fftn(images, axes=axes) * factor, axes=axes).real


def _power(images):
    """Return the mean power of each spatial frequency, (C, H, W), equal in all directions."""
    axes = tuple(range(2, images.ndim))
    centered = images - images.mean(axis=axes, keepdims=True)
    power = (np.abs(np.fft.fftn(centered, axes=axes)) ** 2).mean(axis=0)
    grid = np.meshgrid(*map(np.fft.fftfreq, images.shape[2:]), indexing="ij")
    ring = np.rint(np.sqrt(sum(each**2 for each in grid)) * min(images.shape[2:])).astype(int)
    n_of_ring = np.bincount(ring.ravel())
    means = [
        (np.bincount(ring.ravel(), of_channel.ravel()) / n_of_ring.clip(1))[ring]
        for of_channel in power
    ]
    return np.stack(means)


def _move_pixels(images, own, others):
    """Give each pixel, or feature, the mean and the deviation that it has in the others."""
    scale = (others.std(axis=0) + _SMALL) / (own.std(axis=0) + _SMALL)
    return (images - own.mean(axis=0)) * scale + others.mean(axis=0)


#: Changes that are tried, each with its doubt: means of pixels also differ if patients differ.
_CHANGES = {
    "quantiles": (_move_quantiles, 0.0),
    "sharpness": (_sharpen, 0.0),
    "noise": (_add_noise, 0.0),
    "pixels": (_move_pixels, _DOUBT),
}
_CHANGES_OF_VECTORS = {"features": (_move_pixels, 0.0)}
