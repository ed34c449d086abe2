"""What all displays share: drawing, samples, labels."""

from typing import Self

import numpy as np

from .._input.labels import check_labels
from .._utils.random import local_random_state
from ._pictures import check_matplotlib


class Display:
    def plot(self, *, ax=None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, or as many as there are panels, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : object
            The display, now with `figure_` and `ax_` or `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` holds another number of axes than there are panels.
        """
        check_matplotlib()
        self._draw(ax)
        return self

    def _draw(self, ax):
        raise NotImplementedError


def check_given(n_samples, **labels):
    """Check those labels that are not None, and leave out the others."""
    return {
        name: check_labels(given, n_samples, name)
        for name, given in labels.items()
        if given is not None
    }


def pick(panels, n_samples, rows=slice(None)):
    """Take `rows` of the labels of each panel that has labels."""
    panels = {title: labels for title, labels in panels.items() if labels is not None}
    if not panels:
        raise ValueError("panels must hold labels for at least one panel, got none.")
    return {
        title: check_labels(labels, n_samples, f"panel {title!r}")[rows]
        for title, labels in panels.items()
    }


def choose_rows(n_samples, max_samples, random_state):
    if max_samples is None or n_samples <= max_samples:
        return np.arange(n_samples)
    rng = local_random_state(random_state)
    return np.sort(rng.choice(n_samples, max_samples, replace=False))


def take(X, rows):
    """Take rows of samples that came in through `as_samples`."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
