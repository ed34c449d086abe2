"""Displays of single images: their reconstructions and their augmented views."""

from numbers import Integral
from typing import Self

import numpy as np
from sklearn.utils import check_scalar

from .._input.arrays import as_samples, check_image_array
from .._input.labels import check_length
from .._utils.estimators import check_fitted
from .._utils.random import draw_seed, forked_rng, local_random_state, plain_torch
from ._display import Display, choose_rows, take
from ._pictures import as_images, draw_mosaic, find_range, to_block, to_differences, to_pictures


class ReconstructionDisplay(Display):
    """Images, their reconstructions and the differences between them, in three rows.

    The differences are reconstruction minus original, averaged over channels. Red pixels are
    brighter in the reconstruction. The colour scale ends at the 99th percentile of the differences.

    Parameters
    ----------
    originals, reconstructions : array-like of images
        Images and their reconstructions, two arrays of the same shape.
    intensity_range : (float, float), default=None
        Intensities drawn black and white. None uses the minimum and maximum of the originals.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from sklearn_cae.datasets import load_digit_images
    >>> from sklearn_cae.plotting import ReconstructionDisplay
    >>> X = load_digit_images().data[:8]
    >>> display = ReconstructionDisplay(X, 0.9 * X).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['original', 'reconstruction', 'difference']
    """

    def __init__(self, originals, reconstructions, *, intensity_range=None):
        self.originals, self.reconstructions = np.asarray(originals), np.asarray(reconstructions)
        if self.originals.shape != self.reconstructions.shape:
            raise ValueError(
                f"reconstructions must have the shape of originals, {self.originals.shape}, got "
                f"{self.reconstructions.shape}. Pass the result of reconstruct(originals)."
            )
        self.intensity_range = intensity_range

    @classmethod
    def from_estimator(cls, estimator, X, *, n_images=10, random_state=0, ax=None) -> Self:
        """Reconstruct some images with a fitted clusterer and draw them.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        X : array-like of images
            Images in the same form as in `fit`.
        n_images : int, default=10
            Maximum number of images to draw, chosen at random, at least 1.
        random_state : int, RandomState instance or None, default=0
            Seed for the choice of images. None gives different results on each call.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : ReconstructionDisplay

        Raises
        ------
        ValueError
            If the estimator was fitted on vectors.
        """
        check_fitted(estimator, "reconstruct")
        check_scalar(n_images, "n_images", Integral, min_val=1)
        X = as_samples(X)
        X = take(X, choose_rows(len(X), n_images, random_state))
        originals, reconstructions = (
            as_images(images, estimator) for images in (X, estimator.reconstruct(X))
        )
        return cls(originals, reconstructions, intensity_range=estimator.intensity_range_).plot(
            ax=ax
        )

    def _draw(self, ax):
        limits = self.intensity_range or find_range(self.originals)
        images = [to_pictures(each, limits) for each in (self.originals, self.reconstructions)]
        differences, scale = to_differences(self.reconstructions.astype(float) - self.originals)
        block = np.stack([*images, differences])
        names = ["original", "reconstruction", "difference"]
        self.figure_, self.ax_ = draw_mosaic(ax, {"": block}, names)
        bar = {"label": "reconstruction - original", "pad": 0.01, "extend": "both"}
        self.figure_.colorbar(scale, ax=self.ax_, **bar)


class AugmentationDisplay(Display):
    """Images beside their random views, which the encoder should treat as alike.

    Parameters
    ----------
    originals : array-like of n_images images
        Images without augmentation.
    views : list of n_images array-likes of images
        Augmented views of each original.
    intensity_range : (float, float), default=None
        Intensities drawn black and white. None uses the minimum and maximum of the originals.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from sklearn_cae.datasets import load_digit_images
    >>> from sklearn_cae.plotting import AugmentationDisplay
    >>> X = load_digit_images().data
    >>> display = AugmentationDisplay.from_images(X, "digits", n_images=4, n_views=7)
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['original', 'views']
    >>> len(display.views), display.views[0].shape
    (4, (7, 1, 8, 8))
    """

    def __init__(self, originals, views, *, intensity_range=None):
        check_length("views", views, len(originals))
        self.originals, self.views, self.intensity_range = originals, views, intensity_range

    @classmethod
    def from_estimator(cls, estimator, X, y=None, **kwargs) -> Self:
        """Draw the views that a clusterer uses in its fit; it need not be fitted.

        Parameters
        ----------
        estimator : ContrastiveAutoencoderClusterer
            Clusterer whose `augmentation`, `image_shape`, `spatial_dims` and `intensity_range` are
            used.
        X : array-like of images
            Images in any form that `fit` accepts.
        y : Ignored
        **kwargs
            Parameters `n_images`, `n_views`, `random_state` and `ax` of :meth:`from_images`.

        Returns
        -------
        display : AugmentationDisplay
        """
        return cls.from_images(
            X,
            estimator.augmentation,
            image_shape=estimator.image_shape,
            spatial_dims=estimator.spatial_dims,
            intensity_range=estimator.intensity_range,
            **kwargs,
        )

    @classmethod
    def from_images(
        cls,
        X,
        augmentation="paper",
        *,
        n_images=6,
        n_views=6,
        image_shape=None,
        spatial_dims=2,
        intensity_range=None,
        random_state=0,
        ax=None,
    ) -> Self:
        """Draw the views of images that a fit would use, without a model.

        Parameters
        ----------
        X : array-like of images
            Images in any form that the clusterer accepts.
        augmentation : str or callable, default="paper"
            Augmentation, as for the clusterer.
        n_images : int, default=6
            Maximum number of images to draw, chosen at random, at least 1.
        n_views : int, default=6
            Number of views per image, at least 1.
        image_shape : tuple of int, default=None
            Shape of one image in flat rows, as for the clusterer.
        spatial_dims : {2, 3}, default=2
            2 for images, 3 for volumes, as for the clusterer.
        intensity_range : (float, float), default=None
            Intensity window of the images, as for the clusterer.
        random_state : int, RandomState instance or None, default=0
            Seed for the choice of images and the views. None gives different results on each call.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : AugmentationDisplay

        Raises
        ------
        ValueError
            If `X` contains no images, or a parameter is invalid.
        """
        import torch

        from .._input import checks
        from ..augmentations._choose import choose_views

        for name, number in (("n_images", n_images), ("n_views", n_views)):
            check_scalar(number, name, Integral, min_val=1)
        check_scalar(spatial_dims, "spatial_dims", Integral, min_val=2, max_val=3)
        draw_view = choose_views(augmentation, "volumes" if spatial_dims == 3 else "images")
        X = as_samples(X)
        if not checks.holds_images(X, image_shape, spatial_dims):
            raise ValueError(
                "Only images can be drawn, but rows of X without image_shape are vectors. If they "
                "are images, pass image_shape=(channels, height, width). If X is a single image, "
                "pass X[np.newaxis]."
            )
        X = check_image_array(X, None, minimum=1)
        format = checks.infer_image_format(X, image_shape, intensity_range, spatial_dims)
        rng = local_random_state(random_state)
        images = format.to_tensor(X[choose_rows(len(X), n_images, rng)])
        generator = torch.Generator().manual_seed(draw_seed(rng))
        # A user's callable may use the global generator and may have weights.
        with plain_torch(), torch.no_grad(), forked_rng(draw_seed(rng)):
            pairs = [
                draw_view(torch.cat([images, images]), generator).chunk(2)
                for _ in range(-(-n_views // 2))
            ]
        views = torch.stack([view for pair in pairs for view in pair][:n_views], dim=1)
        return cls(images.numpy(), list(views.numpy()), intensity_range=(0, 1)).plot(ax=ax)

    def _draw(self, ax):
        limits = self.intensity_range or find_range(self.originals)
        blocks = {"original": [[image] for image in self.originals], "views": self.views}
        blocks = {title: to_block(rows, limits) for title, rows in blocks.items()}
        self.figure_, self.ax_ = draw_mosaic(ax, blocks, [""] * len(self.originals))
