"""Toy images and volumes of simple shapes."""

from functools import partial

import numpy as np

from .._utils.random import local_random_state
from ._results import Result, as_result, check_integer

_TOY_DESCR = "Synthetic shapes made by sklearn_cae.datasets.{maker}; no licence needed.\n"


def make_toy_images(
    n_samples=200,
    *,
    n_classes=3,
    image_size=16,
    n_channels=1,
    noise=0.05,
    random_state=None,
    return_X_y=False,
) -> Result:
    """Make images of simple shapes, one shape per class, which are easy to separate.

    The classes are, in this order: disc, cross, horizontal bars, vertical bars, ring, checker.
    Position, size and intensity differ between images; intensity also differs between channels.

    Parameters
    ----------
    n_samples : int, default=200
        Number of images, at least `n_classes`. Class sizes differ by at most one image.
    n_classes : int, default=3
        Number of classes, 1 to 6.
    image_size : int or (int, int), default=16
        Side, or height and width, of the images, 8 to 256 pixels.
    n_channels : int, default=1
        Number of channels, 1 to 4.
    noise : float, default=0.05
        Standard deviation of the Gaussian noise, as a fraction of the full intensity range, 0
        to 1.
    random_state : int, RandomState instance or None, default=None
        Seed for all random choices. None gives different images on each call. NumPy's global
        generator is not used.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``data``: uint8, 0 to 255, of shape (n_samples, height, width) for one channel,
        (n_samples, n_channels, height, width) for more. ``target``: int of shape (n_samples,),
        0 to n_classes - 1. ``target_names`` and ``DESCR``.
    (data, target) : tuple of ndarray
        Returned if ``return_X_y=True``.

    Raises
    ------
    TypeError
        If a number must be an integer and is not.
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> from sklearn_cae.datasets import make_toy_images
    >>> toy = make_toy_images(60, image_size=(16, 20), random_state=0)
    >>> toy.data.shape, toy.data.dtype
    ((60, 16, 20), dtype('uint8'))
    >>> toy.target_names.tolist()
    ['disc', 'cross', 'horizontal bars']
    """
    check_integer("n_classes", n_classes, 1, len(_SHAPES))
    check_integer("n_samples", n_samples, n_classes)
    check_integer("n_channels", n_channels, 1, 4)
    sides = _check_sides("image_size", image_size, ("height", "width"), 256)
    _check_noise(noise)
    rng = local_random_state(random_state)
    names = list(_SHAPES)[:n_classes]
    draw = partial(_draw_shape, n_channels=n_channels, sides=sides, noise=noise, rng=rng)
    data, target = _make(n_samples, [_SHAPES[name] for name in names], draw, rng)
    descr = _TOY_DESCR.format(maker="make_toy_images")
    return as_result(data[:, 0] if n_channels == 1 else data, target, names, descr, return_X_y)


def make_toy_volumes(
    n_samples=120,
    *,
    n_classes=3,
    volume_size=16,
    n_channels=1,
    noise=0.05,
    random_state=None,
    return_X_y=False,
) -> Result:
    """Make volumes of simple shapes, whose middle slices look the same.

    The classes are, in this order: ball, rod, cone, hourglass. Across D, the middle slice of each
    is a disc, of sizes and places that are alike in all classes. Volumes are therefore told apart
    by their shape in three dimensions.

    Parameters
    ----------
    n_samples : int, default=120
        Number of volumes, at least `n_classes`. Class sizes differ by at most one volume.
    n_classes : int, default=3
        Number of classes, 1 to 4.
    volume_size : int or (int, int, int), default=16
        Side, or depth, height and width, of the volumes, 8 to 128 voxels.
    n_channels : int, default=1
        Number of channels, 1 to 4.
    noise : float, default=0.05
        Standard deviation of the Gaussian noise, as a fraction of the full intensity range, 0
        to 1.
    random_state : int, RandomState instance or None, default=None
        Seed for all random choices. None gives different volumes on each call. NumPy's global
        generator is not used.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a `Bunch`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``data``: uint8, 0 to 255, of shape (n_samples, depth, height, width) for one channel,
        (n_samples, n_channels, depth, height, width) for more. ``target``: int of shape
        (n_samples,), 0 to n_classes - 1. ``target_names`` and ``DESCR``.
    (data, target) : tuple of ndarray
        Returned if ``return_X_y=True``.

    Raises
    ------
    TypeError
        If a number must be an integer and is not.
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> from sklearn_cae.datasets import make_toy_volumes
    >>> toy = make_toy_volumes(30, volume_size=(12, 16, 16), random_state=0)
    >>> toy.data.shape, toy.data.dtype
    ((30, 12, 16, 16), dtype('uint8'))
    >>> toy.target_names.tolist()
    ['ball', 'rod', 'cone']
    """
    check_integer("n_classes", n_classes, 1, len(_RADII))
    check_integer("n_samples", n_samples, n_classes)
    check_integer("n_channels", n_channels, 1, 4)
    sides = _check_sides("volume_size", volume_size, ("depth", "height", "width"), 128)
    _check_noise(noise)
    rng = local_random_state(random_state)
    names = list(_RADII)[:n_classes]
    draw = partial(_draw_solid, n_channels=n_channels, sides=sides, noise=noise, rng=rng)
    data, target = _make(n_samples, [_RADII[name] for name in names], draw, rng)
    descr = _TOY_DESCR.format(maker="make_toy_volumes")
    return as_result(data[:, 0] if n_channels == 1 else data, target, names, descr, return_X_y)


def _check_sides(name, size, axes, largest):
    """Return one side per axis, from one number for all axes or one per axis."""
    sides = tuple(size) if np.iterable(size) else (size,) * len(axes)
    if len(sides) != len(axes):
        raise ValueError(f"{name} must be one side or ({', '.join(axes)}), got {size!r}.")
    for side in sides:
        check_integer(name, side, 8, largest)
    return sides


def _check_noise(noise):
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must be between 0 and 1, a fraction of the range, got {noise!r}.")


def _make(n_samples, shapes, draw, rng):
    """Draw samples of shapes in random order, and return them with the index of their shape."""
    target = rng.permutation(np.arange(n_samples, dtype=np.intp) % len(shapes))
    return np.stack([draw(shapes[label]) for label in target]).astype(np.uint8), target


# Each maps coordinates in about -1..1 (v down, u right) to the mask of the shape.
_SHAPES = {
    "disc": lambda v, u: u**2 + v**2 < 0.36,
    "cross": lambda v, u: np.minimum(abs(u), abs(v)) < 0.2,
    "horizontal bars": lambda v, u: np.cos(2.5 * np.pi * v) > 0,
    "vertical bars": lambda v, u: np.cos(2.5 * np.pi * u) > 0,
    "ring": lambda v, u: abs(np.hypot(u, v) - 0.7) < 0.17,
    "checker": lambda v, u: u * v > 0,
}


def _draw_shape(shape, n_channels, sides, noise, rng):
    """Draw one image, uint8 of shape (n_channels, height, width), with a dark background."""
    height, width = sides
    v, u = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    shift_v, shift_u = rng.uniform(-0.15, 0.15, size=2)
    scale = rng.uniform(0.85, 1.15)
    mask = shape((v - shift_v) / scale, (u - shift_u) / scale)
    bright = rng.uniform(0.6, 1.0, size=(n_channels, 1, 1))
    image = np.where(mask, bright, 0.1) + rng.normal(scale=noise, size=(n_channels, height, width))
    return np.rint(255 * image.clip(0, 1))


# Each maps the place along D, in about -1..1, to the radius of the disc there. In the middle, all
# radii are the same.
_RADII = {
    "ball": lambda w: np.sqrt(np.maximum(0.25 - w**2, 0)),
    "rod": lambda w: np.where(abs(w) < 0.9, 0.5, 0),
    "cone": lambda w: np.where(abs(w) < 0.9, 0.5 - 0.45 * w, 0),
    "hourglass": lambda w: np.where(abs(w) < 0.9, 0.5 + 0.45 * abs(w), 0),
}


def _draw_solid(radius, n_channels, sides, noise, rng):
    """Draw one volume (n_channels, depth, height, width), with a dark background."""
    w, v, u = np.meshgrid(*(np.linspace(-1, 1, side) for side in sides), indexing="ij")
    shift_v, shift_u = rng.uniform(-0.15, 0.15, size=2)
    scale = rng.uniform(0.85, 1.15)
    mask = np.hypot(v - shift_v, u - shift_u) < scale * radius(w / scale)
    bright = rng.uniform(0.6, 1.0, size=(n_channels, 1, 1, 1))
    volume = np.where(mask, bright, 0.1) + rng.normal(scale=noise, size=(n_channels, *sides))
    return np.rint(255 * volume.clip(0, 1))
