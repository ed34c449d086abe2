"""Display of what a look at images found."""

from numbers import Integral
from typing import Self

import numpy as np
from sklearn.utils import check_scalar

from .._input.arrays import as_samples
from ._display import Display, take
from ._pictures import draw_mosaic, find_range, to_block


class ImageCheckDisplay(Display):
    """Examples of each finding of :func:`~sklearn_cae.images.check_images`, one row per finding.

    Copies stand next to each other, set after set.

    Parameters
    ----------
    examples : dict of str to array-like of images
        Examples of each finding, by its name.
    counts : dict of str to int
        Number of images of each finding.
    intensity_range : (float, float), default=None
        Intensities drawn black and white. None uses the minimum and maximum of the examples.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from sklearn_cae.datasets import load_digit_images
    >>> from sklearn_cae.images import check_images
    >>> from sklearn_cae.plotting import ImageCheckDisplay
    >>> X = load_digit_images().data[:100].copy()
    >>> X[20], X[21] = X[30], 7
    >>> display = ImageCheckDisplay.from_check(check_images(X), X)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['constant (1)', 'duplicates (2)']
    """

    def __init__(self, examples, counts, *, intensity_range=None):
        if not examples:
            raise ValueError("examples must hold at least one finding, got none.")
        self.examples = {name: np.asarray(images) for name, images in examples.items()}
        self.counts, self.intensity_range = counts, intensity_range

    @classmethod
    def from_check(
        cls, check, X, *, image_shape=None, n_images=12, intensity_range=None, ax=None
    ) -> Self:
        """Draw examples of the findings of a check.

        Parameters
        ----------
        check : ImageCheck
            Result of :func:`~sklearn_cae.images.check_images`.
        X : array-like of images
            Images that were checked.
        image_shape : tuple of int, default=None
            Shape of one image in flat rows, as in `check_images`.
        n_images : int, default=12
            Maximum number of images per finding, at least 1: the first ones.
        intensity_range : (float, float), default=None
            Intensities drawn black and white. None uses the minimum and maximum of the examples.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : ImageCheckDisplay

        Raises
        ------
        ValueError
            If no finding has rows, or X has not as many images as were checked.
        """
        check_scalar(n_images, "n_images", Integral, min_val=1)
        X = as_samples(X)
        if len(X) != check.n_images:
            raise ValueError(
                f"X must hold the {check.n_images} images that were checked, got {len(X)}. Pass "
                "the X of check_images."
            )
        shown = [finding for finding in check.findings if len(finding.rows)]
        if not shown:
            raise ValueError("check must have a finding with rows to be drawn, but it has none.")
        shape = X.shape[1:] if image_shape is None else tuple(image_shape)
        examples = {
            each.name: np.asarray(take(X, each.rows[:n_images])).reshape(-1, *shape)
            for each in shown
        }
        counts = {each.name: len(each.rows) for each in shown}
        return cls(examples, counts, intensity_range=intensity_range).plot(ax=ax)

    def _draw(self, ax):
        limits = self.intensity_range or find_range(np.concatenate(list(self.examples.values())))
        block = to_block(list(self.examples.values()), limits)
        names = [f"{name.replace('_', ' ')} ({self.counts[name]})" for name in self.examples]
        self.figure_, self.ax_ = draw_mosaic(ax, {"": block}, names)
