"""Displays of a fit: the search for the number of clusters, and the losses."""

from typing import Self

import numpy as np

from .._input.labels import check_length
from .._utils.estimators import check_fitted
from ._display import Display
from ._pictures import COLORS, label, make_axes

_FAINT = "0.5"


class ElbowDisplay(Display):
    """Inertia and silhouette over the number of clusters, with the chosen number.

    Parameters
    ----------
    n_clusters, inertia, silhouette : array-like of shape (n_numbers,)
        Numbers of clusters tried, with their inertia and silhouette.
    knee : int, default=None
        Number of clusters at the knee of the inertia.
    found : bool, default=True
        Whether the knee was used. If it was not, or if `knee` is None, the picture says so and
        marks the number with the best silhouette.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of 2 matplotlib Axes
        Axes of the inertia and the silhouette.

    Examples
    --------
    >>> from sklearn_cae.plotting import ElbowDisplay
    >>> display = ElbowDisplay([2, 3, 4, 5], [9, 4, 3.5, 3.2], [0.4, 0.7, 0.6, 0.5], knee=3).plot()
    >>> display.axes_[0].get_legend().get_texts()[0].get_text()
    'knee at 3'
    """

    def __init__(self, n_clusters, inertia, silhouette, *, knee=None, found=True):
        for name, given in (("inertia", inertia), ("silhouette", silhouette)):
            check_length(name, given, len(n_clusters))
        self.n_clusters, self.inertia, self.silhouette = n_clusters, inertia, silhouette
        self.knee, self.found = knee, found

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> Self:
        """Draw the search of a clusterer fitted with ``n_clusters="elbow"``.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer or ElbowClusterer
        ax : 2 matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : ElbowDisplay

        Raises
        ------
        ValueError
            If the estimator did not search for an elbow.
        """
        check_fitted(estimator, "search_")
        search = estimator.search_
        if search is None or "knee" not in search:
            raise ValueError(
                "ElbowDisplay needs an estimator that searched for an elbow, got one with "
                f"n_clusters={estimator.n_clusters!r}. Fit with n_clusters='elbow' and a clusterer "
                "that takes a number of clusters."
            )
        names = ("n_clusters", "inertia", "silhouette", "knee", "found")
        return cls(**{name: search[name] for name in names}).plot(ax=ax)

    def _draw(self, ax):
        self.figure_, self.axes_ = make_axes(ax, 2, width=4, height=3)
        found = self.found and self.knee is not None
        best = self.knee if found else self.n_clusters[np.argmax(self.silhouette)]
        note = f"knee at {best}" if found else f"no knee found;\nbest silhouette at {best}"
        for panel, name in zip(self.axes_, ("inertia", "silhouette"), strict=True):
            panel.plot(self.n_clusters, getattr(self, name), "o-", color=COLORS[0], markersize=4)
            panel.axvline(best, color=COLORS[3], linestyle="-" if found else "--", label=note)
            label(panel, "number of clusters", name)
        self.axes_[0].legend(loc="upper right", frameon=False)


class HistoryDisplay(Display):
    """Losses and learning rate over the epochs of all phases, each phase in its colour.

    Parameters
    ----------
    history : list of dict
        One dict per epoch, with "phase" ("warm_up", "refinement" or "conditioning"), "epoch",
        "train_loss", "contrastive_loss", "reconstruction_loss" and "learning_rate". Missing keys
        are not drawn.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of 3 matplotlib Axes
        Axes of the losses of the warm-up, the reconstruction loss and the learning rate.

    Examples
    --------
    >>> from sklearn_cae.plotting import HistoryDisplay
    >>> history = [
    ...     {"phase": "warm_up", "epoch": 1, "contrastive_loss": 4.1, "reconstruction_loss": 0.2},
    ...     {"phase": "conditioning", "epoch": 2, "reconstruction_loss": 0.1},
    ... ]
    >>> [ax.get_ylabel() for ax in HistoryDisplay(history).plot().axes_]
    ['warm-up loss', 'reconstruction loss', 'learning rate']
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> Self:
        """Draw the training of a fitted clusterer.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        ax : 3 matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : HistoryDisplay
        """
        check_fitted(estimator, "history_")
        return cls(estimator.history_).plot(ax=ax)

    def _draw(self, ax):
        self.figure_, self.axes_ = make_axes(ax, 3, width=3.5, height=2.8)
        warm_up, reconstruction, learning_rate = self.axes_
        in_warm_up = [row for row in self.history if row["phase"] == "warm_up"]
        # The two losses are close to each other: the total is a broad line below the other.
        self._draw_line(warm_up, in_warm_up, "train_loss", "total", color="0.8", linewidth=5)
        if any("contrastive_loss" in row for row in in_warm_up):  # not if the encoder is fixed
            self._draw_line(warm_up, in_warm_up, "contrastive_loss", "contrastive")
        self._draw_phases(reconstruction, "reconstruction_loss")
        self._draw_phases(learning_rate, "learning_rate")
        reconstruction.set_yscale("log")  # the first epochs are far above all others
        warm_up.legend(frameon=False)
        names = ("warm-up loss", "reconstruction loss", "learning rate")
        for panel, name in zip(self.axes_, names, strict=True):
            label(panel, "epoch", name)

    def _draw_line(self, panel, rows, key, label=None, **look):
        values = [row.get(key, np.nan) for row in rows]
        look = {"color": COLORS[0], "marker": "." if len(rows) < 30 else None} | look
        panel.plot([row["epoch"] for row in rows], values, label=label, **look)

    def _draw_phases(self, panel, key):
        """Draw each phase in its colour, after a dashed line, and name the colours above."""
        phases = list(dict.fromkeys(row["phase"] for row in self.history))  # in order of the fit
        for index, phase in enumerate(phases):
            rows = [row for row in self.history if row["phase"] == phase]
            if any(key in row for row in rows):  # the refinement reconstructs nothing
                self._draw_line(panel, rows, key, phase.replace("_", "-"), color=COLORS[index])
            if index:
                start = rows[0]["epoch"] - 0.5
                panel.axvline(start, color=_FAINT, linestyle="--", linewidth=1)
        if len(phases) > 1:
            panel.legend(
                loc="lower center",
                bbox_to_anchor=(0.5, 1.0),
                ncols=len(phases),
                frameon=False,
                fontsize=8,
                handlelength=0.8,
                handletextpad=0.4,
                columnspacing=0.8,
                borderaxespad=0,
            )
