"""Base class and helpers of all displays."""

from typing import Self

import numpy as np

from .._input.labels import check_labels
from .._utils.random import local_random_state
from ._pictures import check_matplotlib


class Display:
    def plot(self, *, ax=None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, or one per panel, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        self : object
            The display, with `figure_` and `ax_` or `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the number of axes in `ax` differs from the number of panels.
        """
        check_matplotlib()
        self._draw(ax)
        return self

    def _draw(self, ax):
        raise NotImplementedError


def check_given(n_samples, **labels):
    """Check and return the labels that are not None."""
    return {
        name: check_labels(given, n_samples, name)
        for name, given in labels.items()
        if given is not None
    }


def choose_rows(n_samples, max_samples, random_state):
    if max_samples is None or n_samples <= max_samples:
        return np.arange(n_samples)
    rng = local_random_state(random_state)
    return np.sort(rng.choice(n_samples, max_samples, replace=False))


def take(X, rows):
    """Return rows of samples that `as_samples` returned."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
