"""Toy images of simple shapes."""

import numpy as np

from .._utils.random import local_random_state
from ._results import Result, as_result, check_integer

_TOY_DESCR = "Synthetic shapes made by sklearn_cae.datasets.make_toy_images; no licence needed.\n"


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
    sides = tuple(image_size) if np.iterable(image_size) else (image_size, image_size)
    if len(sides) != 2:
        raise ValueError(f"image_size must be one side or (height, width), got {image_size!r}.")
    for side in sides:
        check_integer("image_size", side, 8, 256)
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must be between 0 and 1, a fraction of the range, got {noise!r}.")
    rng = local_random_state(random_state)
    target = rng.permutation(np.arange(n_samples, dtype=np.intp) % n_classes)
    names = list(_SHAPES)[:n_classes]
    data = np.empty((n_samples, n_channels, *sides), dtype=np.uint8)
    for image, label in zip(data, target, strict=True):
        image[:] = _draw_shape(_SHAPES[names[label]], n_channels, sides, noise, rng)
    return as_result(data[:, 0] if n_channels == 1 else data, target, names, _TOY_DESCR, return_X_y)


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
