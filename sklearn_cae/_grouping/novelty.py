"""How unusual samples are, compared with training samples that were held back."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

#: Fewest training samples: with fewer, even the most unusual sample is no rarer than 5 %.
FEWEST = 40
_MOST = 1000  # training samples used
_BLOCK = 100  # samples read at once
_SIDE = 32  # pixels per side to which larger images are reduced
_VOLUME_SIDE = 16  # voxels per side to which larger volumes are reduced
_MOST_FEATURES = 4096
_COMPONENTS = 20
_FOLDS = 5
_SMALL = 1e-6  # share of the variance of all samples that is as good as zero


class Novelty:
    """Error of the principal components of samples, distance to the closest group, and sharpness.

    A sample is unusual if an error or the distance is unusually large, or if it is unusually sharp
    or smooth.

    Networks reconstruct their training samples better than others, so their errors on training
    samples do not tell how large the errors on other samples are. Principal components can be
    fitted again without a part of the samples in no time. The scores of the samples that were held
    back are those of samples that were never seen.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
    components : ndarray of shape (n_components, n_features)
        Mean, and principal components.
    spread : ndarray of shape (n_components,)
        Standard deviations of the components within groups.
    centers : ndarray of shape (n_groups, n_components)
        Means of the groups.
    scale : float
        Mean variance of the features.
    level, unit : ndarray of shape (4,)
        Mean and standard deviation of the scores of samples that were held back.
    reference : ndarray of shape (n_reference,)
        The largest standardised score of each sample that was held back, in ascending order.
    intensities : ndarray of shape (n_reference, 2)
        Mean and standard deviation of the values of each of these samples, in another order.
    """

    def __init__(self, mean, components, spread, centers, scale):
        self.mean = mean
        self.components = components
        self.spread = spread
        self.centers = centers
        self.scale = scale

    @classmethod
    def of(cls, samples, labels):
        """Fit to `Samples` and their groups; return None if there are too few samples."""
        if len(samples) < FEWEST:
            return None
        rows = np.linspace(0, len(samples) - 1, min(len(samples), _MOST)).round().astype(int)
        labels = labels[rows]
        X, sharpness, intensities = [], [], []
        for part in np.array_split(rows, -(-len(rows) // _BLOCK)):
            batch = samples[part]
            X.append(_flatten(batch))
            sharpness.append(_sharpness(batch))
            intensities.append(measure_intensities(batch).numpy())
        X, sharpness = np.concatenate(X), np.concatenate(sharpness)
        held_back = np.empty((len(X), 4))
        for kept, held in KFold(_FOLDS, shuffle=True, random_state=0).split(X):
            fitted = cls._fit(X[kept], labels[kept], len(X))
            held_back[held] = fitted._scores(X[held], sharpness[held])
        novelty = cls._fit(X, labels, len(X))
        novelty.level, novelty.unit = held_back.mean(axis=0), held_back.std(axis=0)
        novelty.unit[novelty.unit == 0] = 1
        novelty.reference = np.sort(novelty._standardise(held_back))
        novelty.intensities = np.concatenate(intensities)
        return novelty

    @classmethod
    def _fit(cls, X, labels, n_all):
        # As many components with all samples as without a part of them, so that errors are alike.
        n_components = max(1, min(_COMPONENTS, n_all // 4, X.shape[1] // 2))
        pca = PCA(n_components, svd_solver="randomized", random_state=0).fit(X)
        placed = pca.transform(X)
        groups, labels = np.unique(labels, return_inverse=True)
        centers = np.array([placed[labels == group].mean(axis=0) for group in range(len(groups))])
        spread = (placed - centers[labels]).std(axis=0)
        scale = float(X.var(axis=0).mean()) or 1.0
        spread = np.maximum(spread, np.sqrt(_SMALL * scale))
        return cls(pca.mean_, pca.components_, spread, centers, scale)

    def __call__(self, batch):
        """Return the share of the samples held back that are less unusual, float64 (n,)."""
        scores = self._scores(_flatten(batch), _sharpness(batch))
        return torch.from_numpy(self._rank(self._standardise(scores)))

    def check(self, n_clusters):
        """Raise if the parts do not match each other, in a file that anyone may have written."""
        n_components, n_features = self.components.shape
        n_groups, n_reference = len(self.centers), len(self.reference)
        shapes = {
            "mean": (n_features,),
            "spread": (n_components,),
            "centers": (n_groups, n_components),
            "level": (4,),
            "unit": (4,),
            "reference": (n_reference,),
            "intensities": (n_reference, 2),
        }
        parts = {name: getattr(self, name) for name in [*shapes, "components"]}
        if (
            any(parts[name].shape != shape for name, shape in shapes.items())
            or any(part.dtype.kind != "f" for part in parts.values())
            or not all(np.isfinite(part).all() for part in parts.values())
            or not (n_groups <= n_clusters and FEWEST <= n_reference <= _MOST)
            or min(self.spread.min(), self.unit.min()) <= 0
            or (np.diff(self.reference) < 0).any()
        ):
            raise ValueError("the measure of novelty does not match the model")

    def held_back(self):
        """Return the novelty of the samples that were held back, (n_reference,)."""
        return self._rank(self.reference)

    def _rank(self, scores):
        below = np.searchsorted(self.reference, scores, side="left")
        return below / (len(self.reference) + 1)

    def _scores(self, X, sharpness):
        """Return error, error relative to the contrast, distance and sharpness, in logarithms."""
        centered = X - self.mean
        placed = centered @ self.components.T
        error = np.square(centered - placed @ self.components).mean(axis=1)
        small = _SMALL * self.scale
        relative = (error + small) / (X.var(axis=1) + small)
        away = (placed[:, None] - self.centers) / self.spread
        distance = np.square(away).sum(axis=2).min(axis=1)
        scores = [error + small, relative, distance + _SMALL, sharpness + _SMALL]
        return np.log(np.stack(scores, axis=1))

    def _standardise(self, scores):
        scores = (scores - self.level) / self.unit
        return np.column_stack([scores, -scores[:, -1]]).max(axis=1)  # both ends of the sharpness


def measure_intensities(batch):
    """Return mean and standard deviation of each sample of a tensor, (n, 2)."""
    values = batch.flatten(1)
    return torch.stack([values.mean(dim=1), values.std(dim=1, correction=0)], dim=1)


def _flatten(batch):
    """Return tensors (n, C, ...) or (n, n_features) as float32 rows of bounded length."""
    rows = _reduce(batch).flatten(1).numpy()
    return rows[:, :: -(-rows.shape[1] // _MOST_FEATURES)]


def _sharpness(batch):
    """Return the mean squared difference of neighbouring pixels, (n,); 0 for vectors."""
    if batch.ndim == 2:
        return np.zeros(len(batch), dtype=np.float32)
    images = _reduce(batch)
    steps = (images.diff(dim=axis).square().flatten(1) for axis in range(2, images.ndim))
    return sum(squares.mean(dim=1) for squares in steps).numpy()


def _reduce(batch):
    """Bring images to at most 32 pixels per side, volumes to at most 16."""
    if batch.ndim == 2:
        return batch
    largest, pool = _SIDE, adaptive_avg_pool2d
    if batch.ndim == 5:
        largest, pool = _VOLUME_SIDE, adaptive_avg_pool3d
    sides = [min(side, largest) for side in batch.shape[2:]]
    return batch if sides == list(batch.shape[2:]) else pool(batch, sides)
